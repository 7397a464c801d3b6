"""The charts of what was trained in the lab."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from workbench.rewards.charts import Chart, Drawing, Series
from workbench.rewards.lagoon import FINISH, FORK
from workbench.rewards_lab.circling import Race

SHOWN_STEPS = 60


def races(found: Sequence[tuple[str, Race]]) -> tuple[Drawing, ...]:
    """Where the trained and the scripted driver are, step by step; a chart a race."""
    return tuple(_race(name, race) for name, race in found)


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
            _path("trained on the score", race.trained),
            _path("scripted, straight to the finish (control)", race.scripted, control=True),
        ),
        how_to_read=f"the trained driver scores {race.score:.4g} a race of {race.horizon} steps "
        f"(95 % {race.score_interval[0]:.4g} to {race.score_interval[1]:.4g}), the scripted one "
        f"{race.finisher_score:.4g}; the finish lies at {race.lagoon.finish_distance}.",
    )


def _path(name: str, states: Sequence[str], control: bool = False) -> Series:
    course = max(len(states) - 1, 1)
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
