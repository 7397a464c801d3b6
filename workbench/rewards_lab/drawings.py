"""The charts of what was trained in the lab."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from workbench.rewards.charts import Chart, Drawing, Series
from workbench.rewards.lagoon import FINISH, FORK, Lagoon
from workbench.rewards_lab.circling import Race
from workbench.rewards_lab.planted_weights import Estimates, Recovery
from workbench.rewards_lab.preference_loop import Course
from workbench.rewards_lab.query_race import QueryRace

SHOWN_STEPS = 60


def races(found: Sequence[tuple[str, Race]]) -> tuple[Drawing, ...]:
    """Where the trained and the scripted driver are, step by step; a chart a race."""
    return tuple(_race(name, race) for name, race in found)


def recovery(found: Recovery) -> Chart:
    """Planted weights and both fits."""
    names = tuple(f"weight {i + 1}" for i in range(len(found.planted)))

    def bars(name: str, estimates: Estimates) -> Series:
        return Series(
            name,
            names,
            tuple(value for value, _ in estimates),
            tuple(low for _, (low, _) in estimates),
            tuple(high for _, (_, high) in estimates),
            shape="bars",
        )

    return Chart(
        title=f"A fit that ignores {found.noise:.0%} careless answers loses "
        f"{found.attenuation:.0%} of the weights",
        x_label="planted weight",
        y_label=f"mean estimate of {found.replicates} replicates, {found.pairs} pairs each",
        series=(
            bars("noise modelled", found.aware),
            bars("noise ignored", found.blind),
            Series("planted", names, found.planted, shape="bars", control=True),
        ),
        how_to_read="intervals are 95 % of the mean over replicates.",
    )


def courses(found: Sequence[Course]) -> Chart:
    """Gold of each arm after training, by seed, beside the untrained driver."""
    arms = list(found[0].gold)
    exploited = sum(course.exploited for course in found)
    return Chart(
        title=f"Learned offline, the reward is exploited in {exploited} of {len(found)} seeds",
        x_label="what the driver was trained on",
        y_label="mean gold of a race",
        series=(
            *(
                Series(
                    f"seed {course.seed}",
                    tuple(arms),
                    tuple(course.gold[arm] for arm in arms),
                    shape="points",
                )
                for course in found
            ),
            Series(
                "untrained driver",
                tuple(arms),
                tuple(found[0].untrained for _ in arms),
                control=True,
                dashed=True,
            ),
        ),
        how_to_read="every arm but gold has the same number of labels. Below the dashed line, "
        "training on the learned reward made the driver worse than no training.",
    )


def queries(found: QueryRace) -> Chart:
    """Labels that each seed needed, by how pairs were chosen."""
    said = "no ratio" if found.ratio is None else f"{found.ratio:.2f} times the labels"
    if found.interval is not None:
        said += f" (95 % {found.interval[0]:.2f} to {found.interval[1]:.2f})"
    seeds = tuple(float(i) for i in range(len(found.random)))

    def dots(name: str, labels: tuple[int | None, ...], control: bool = False) -> Series:
        kept = [(x, float(y)) for x, y in zip(seeds, labels, strict=True) if y is not None]
        x, y = tuple(a for a, _ in kept), tuple(b for _, b in kept)
        return Series(name, x, y, shape="points", control=control)

    return Chart(
        title=f"Asking where the ensemble disagrees needs {said}",
        x_label="seed (same items, weights and rater)",
        y_label=f"labels until {found.target:.0%} of held-out pairs are right",
        series=(
            dots("ensemble disagreement", found.disagreement),
            dots("random pairs (control)", found.random, control=True),
        ),
        how_to_read=f"{found.censored} seeds did not arrive within {found.most} labels.",
    )


def _race(name: str, race: Race) -> Chart:
    per_lap = race.lagoon.lap_reward / race.lagoon.lap_time
    title = (
        f"{name}: the trained driver finishes"
        if race.finishes
        else f"{name}: the trained driver circles for {per_lap:.3g} a step and never finishes"
    )
    return Chart(
        title=title,
        x_label="step of the race",
        y_label="steps ahead of the fork (negative: on the ring)",
        series=(
            _path("trained on the score", race.trained, race.lagoon),
            _path(
                "scripted, straight to the finish (control)",
                race.scripted,
                race.lagoon,
                control=True,
            ),
        ),
        how_to_read=f"the trained driver scores {race.score:.4g} a race of {race.horizon} steps "
        f"(95 % {race.score_interval[0]:.4g} to {race.score_interval[1]:.4g}), the scripted one "
        f"{race.finisher_score:.4g}; the finish lies at {race.lagoon.finish_distance}.",
    )


def _path(name: str, states: Sequence[str], lagoon: Lagoon, control: bool = False) -> Series:
    course = lagoon.finish_distance
    heights = [_height(state, course) for state in itertools.islice(states, SHOWN_STEPS + 1)]
    return Series(
        name, tuple(range(len(heights))), tuple(float(h) for h in heights), control=control
    )


def _height(state: str, course: int) -> int:
    if state == FORK:
        return 0
    if state == FINISH:
        return course
    kind, _, place = state.partition(" ")
    return -int(place) if kind == "ring" else int(place)
