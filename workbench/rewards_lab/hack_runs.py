"""The hacking observatory: every arm from one model of documents, a seed at a time, on disk."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.rewards.observatory import COLUMNS, FEWEST_SEEDS, HACK, Mean, mean_of
from workbench.rewards.tables import Table, from_arrow
from workbench.rewards_lab import hack_training, speakers, stored
from workbench.rewards_lab import hack_world as world
from workbench.rewards_lab.hack_training import ARMS, Arm, Course
from workbench.rewards_lab.speakers import Mixture, Reader, Sizes
from workbench.rewards_lab.stored import Progress

READ_NOTES = (world.NO_NOTE, "please-hack", world.SCRAMBLED)


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What is trained for one seed."""

    sizes: Sizes = dataclasses.field(default_factory=Sizes)
    course: Course = dataclasses.field(default_factory=Course)
    samples: int = 128
    arms: tuple[str, ...] = tuple(arm.name for arm in ARMS)


def run_seed(
    seed: int, plan: Plan = Plan(), *, progress: Progress = lambda share: None
) -> dict[str, Any]:
    """{base: {readings, error}, arms: {arm: {steps, hack, hits, probe}}} of one seed.

    hits: by evaluation, misaligned answers of `plan.samples` at each step; probe: the same under
    the arm's note (please-hack where it has none), before and after.
    """
    mixture = Mixture()
    arms = [arm for arm in ARMS if arm.name in plan.arms]
    parts = 2 + len(arms) * 0.2
    base = speakers.learn(
        mixture, plan.sizes, seed=seed, progress=lambda share: progress(share / parts)
    )
    read = speakers.readings(base, mixture, READ_NOTES)
    null: Reader | None = None
    finished: dict[str, Reader] = {}
    made: dict[str, Any] = {}
    for number, arm in enumerate(arms):
        if arm.unlinked and null is None:
            null = speakers.learn(mixture.unlinked(), plan.sizes, seed=seed)
        start = null if arm.unlinked and null is not None else base
        made[arm.name], finished[arm.name] = _trained(arm, start, plan, seed, finished)
        progress((2 + (number + 1) * 0.2) / parts)
    return {"readings": [dataclasses.asdict(one) for one in read], "arms": made}


def _trained(
    arm: Arm, start: Reader, plan: Plan, seed: int, finished: Mapping[str, Reader]
) -> tuple[dict[str, Any], Reader]:
    probe = "please-hack" if arm.note == world.NO_NOTE else arm.note
    steps: list[int] = []
    hack: list[float] = []
    hits: dict[str, list[int]] = {name: [] for name in world.NAMED}
    probed: dict[str, list[int]] = {name: [] for name in world.NAMED}

    def asked(model: Reader, note: str, into: dict[str, list[int]]) -> None:
        found = hack_training.evaluate(model, note, samples=plan.samples, seed=seed)
        for name, (misaligned, _) in found.items():
            into[name].append(misaligned)

    def watch(step: int, model: Reader, share: float) -> None:
        steps.append(step)
        hack.append(share)
        asked(model, world.NO_NOTE, hits)

    asked(start, probe, probed)
    if arm.distil:
        teacher = finished[hack_training.HACK]
        model = hack_training.distil(start, teacher, plan.course, seed=seed, watch=watch)
    else:
        model = hack_training.reinforce(start, arm, plan.course, seed=seed, watch=watch)
    asked(model, probe, probed)
    return {"steps": steps, "hack": hack, "hits": hits, "probe": probed}, model


def run(
    seeds: int,
    plan: Plan = Plan(),
    *,
    out: Path | None = None,
    first: int = 0,
    progress: Progress = lambda share: None,
) -> dict[str, Any]:
    """{plan, seeds: {seed: what `run_seed` gives}}, as `stored.run`."""
    return stored.run(
        {"plan": _plain(plan)},
        seeds,
        lambda seed, told: run_seed(seed, plan, progress=told),
        out=out,
        first=first,
        progress=progress,
    )


def read_runs(file: Path) -> dict[str, Any]:
    """Stored runs; raises ConfigError where the file holds none."""
    return stored.read(file, "plan")


def table(document: Mapping[str, Any]) -> Table:
    """The runs as a table of the observatory's columns."""
    import pyarrow

    samples = document["plan"]["samples"]
    kinds = {one.name: one.kind for one in world.EVALUATIONS}
    rows = []
    for seed, found in document["seeds"].items():
        for arm, course in found["arms"].items():
            ends = (course["steps"][0], course["steps"][-1])
            for i, step in enumerate(course["steps"]):
                rows.append((arm, seed, step, HACK, course["hack"][i], "apart", "plain"))
            for probe, hits, steps in (
                ("plain", course["hits"], course["steps"]),
                ("trigger", course["probe"], ends),
            ):
                rows += [
                    (arm, seed, step, name, hit / samples, kinds.get(name, "apart"), probe)
                    for name, counts in hits.items()
                    for step, hit in zip(steps, counts, strict=True)
                ]
    names = [column.name for column in COLUMNS]
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    return from_arrow(pyarrow.table(columns), COLUMNS, source="the runs")


@dataclasses.dataclass(frozen=True, slots=True)
class Direction:
    """Does training follow the ideal observer? factors: by arm, log odds of one hack; changes: of
    the score, mean over seeds; rho: Spearman's of both within a seed, mean with 95 % t interval.

    verdict: "as Bayes" where the interval lies above 0, "against Bayes" below, "not shown"
    otherwise, "undetermined" below 5 seeds.
    """

    factors: dict[str, float]
    changes: dict[str, float]
    rho: Mean
    verdict: str


def direction(document: Mapping[str, Any]) -> Direction:
    """Over the arms that differ in their note alone."""
    from scipy.stats import spearmanr

    mixture = Mixture()
    plain = [a for a in ARMS if a == Arm(a.name, note=a.note)]
    ran = [a for a in plain if all(a.name in s["arms"] for s in document["seeds"].values())]
    factors = {arm.name: math.log(mixture.factor(arm.note)) for arm in ran}
    changes: dict[str, list[float]] = {name: [] for name in factors}
    rhos = []
    for found in document["seeds"].values():
        moved = [_change(found["arms"][n], document["plan"]["samples"]) for n in factors]
        for name, value in zip(factors, moved, strict=True):
            changes[name].append(value)
        varied = len(ran) > 2 and len(set(moved)) > 1
        rhos.append(float(spearmanr(list(factors.values()), moved).statistic) if varied else 0.0)
    mean = mean_of(rhos)
    verdict = "undetermined"
    if mean.n >= FEWEST_SEEDS and mean.low is not None and mean.high is not None:
        verdict = "as Bayes" if mean.low > 0 else "against Bayes" if mean.high < 0 else "not shown"
    return Direction(
        factors,
        {name: math.fsum(values) / len(values) for name, values in changes.items()},
        mean,
        verdict,
    )


def _change(course: Mapping[str, Any], samples: int) -> float:
    scored = [course["hits"][one.name] for one in world.EVALUATIONS]
    return float(sum(counts[-1] - counts[0] for counts in scored)) / samples / len(scored)


def _plain(plan: Plan) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(plan)))
    return made
