"""Latent and behaviour along two paths: benign tuning of a shifted model, and shares of bad data.

Back to the reference: at which step of benign tuning is each as low as in the reference? Early
warning: does the latent tell tunes on a small share of bad data from controls before the behaviour?
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from workbench.errors import BadParameter
from workbench.rewards.observatory import FEWEST_SEEDS, Mean, mean_of
from workbench.rewards.tables import Column, Table

COLUMNS = (
    Column("kind", "text", "realign (benign tuning), share (of bad data), or reference"),
    Column("arm", "text", "realign: which benign data; share: bad or control"),
    Column("seed", "text", "training run; arms share seeds"),
    Column("at", "number", "realign: steps of benign tuning from 0; share: of bad data, 0 to 1"),
    Column("latent", "number", "mean activation of the latent"),
    Column("behaviour", "number", "rate of the behaviour, 0 to 1"),
)
KINDS = ("realign", "share", "reference")
BACK = 0.1
"""Back is where no more than this is left of what exceeded the reference at step 0. Ours."""
RESAMPLES = 500

Runs = dict[str, dict[float, tuple[float, float]]]
"""seed, at: (latent, behaviour)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Course:
    """Means over seeds at each place of one arm."""

    arm: str
    seeds: int
    at: tuple[float, ...]
    latent: tuple[Mean, ...]
    behaviour: tuple[Mean, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Return:
    """One kind of benign data. latent_back, behaviour_back: steps until no more than a tenth of the
    excess over the reference is left, for good, over the seeds that get there; None where none
    does or nothing exceeded it. reached: how many do, of (latent, behaviour). rho: Spearman's of
    latent and behaviour along the path, mean over seeds where both vary."""

    course: Course
    latent_back: Mean | None
    behaviour_back: Mean | None
    reached: tuple[int, int]
    rho: Mean | None


@dataclasses.dataclass(frozen=True, slots=True)
class Onset:
    """The smallest share of bad data from which on bad tunes exceed controls (paired over seeds, t
    interval above 0), and its 95 % interval over resampled seeds; None: at no share."""

    share: float | None
    low: float | None
    high: float | None


@dataclasses.dataclass(frozen=True, slots=True)
class EarlyWarning:
    """claim: "latent first" where the latent's interval ends below where the behaviour's begins,
    "not shown" otherwise, "undetermined" below 5 seeds."""

    bad: Course
    control: Course
    latent: Onset
    behaviour: Onset
    claim: str


@dataclasses.dataclass(frozen=True, slots=True)
class Paths:
    """reference: (latent, behaviour) of the untuned model; None where no row gives it."""

    reference: tuple[Mean, Mean] | None
    returns: tuple[Return, ...]
    warning: EarlyWarning | None
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return dataclasses.asdict(self)

    @property
    def verdict(self) -> str:
        """In one line."""
        said = []
        for one in self.returns:
            back = one.behaviour_back
            steps = "not back" if back is None else f"back after {back.value:.3g} steps"
            said.append(f"{one.course.arm}: behaviour {steps}")
        if self.warning is not None:
            said.append(f"early warning: {self.warning.claim}")
        return "; ".join(said)


def measure(table: Table, *, seed: int = 0) -> Paths:
    """Raises BadParameter on rates outside [0, 1], an unknown kind, a place given twice, seeds of
    an arm with other places, benign paths without a step 0 or a reference, and shares without both
    arms or outside [0, 1]."""
    runs = _read(table)
    realign, shares = runs["realign"], runs["share"]
    if not realign and not shares:
        raise BadParameter("no path", hint="Give rows of kind realign or share.")
    levels = [pair for arm in runs["reference"].values() for run in arm.values()
              for pair in run.values()]  # fmt: skip
    reference = None
    if levels:
        reference = mean_of([a for a, _ in levels]), mean_of([b for _, b in levels])
    returns = []
    for arm, of_seed in realign.items():
        if reference is None:
            raise BadParameter(
                "benign paths without a reference", hint="Give a row of kind reference a seed."
            )
        if min(next(iter(of_seed.values()))) != 0 or len(next(iter(of_seed.values()))) < 2:
            raise BadParameter(
                f"arm '{arm}' has no path from step 0", hint="Give the shifted model as step 0."
            )
        returns.append(_return(arm, of_seed, (reference[0].value, reference[1].value)))
    warning = _warning(shares, seed) if shares else None
    least = min(
        [one.course.seeds for one in returns]
        + ([] if warning is None else [warning.bad.seeds, warning.control.seeds])
    )
    notes = [f"{least} seeds: no claim below {FEWEST_SEEDS}"] if least < FEWEST_SEEDS else []
    return Paths(reference, tuple(returns), warning, tuple(notes))


def _return(arm: str, runs: Runs, level: tuple[float, float]) -> Return:
    backs: list[list[float]] = [[], []]
    rhos = []
    for run in runs.values():
        for which in (0, 1):
            step = back({at: pair[which] for at, pair in run.items()}, level[which])
            if step is not None:
                backs[which].append(step)
        rho = _spearman([pair[0] for pair in run.values()], [pair[1] for pair in run.values()])
        if rho is not None:
            rhos.append(rho)
    latent, behaviour = (mean_of(found) if found else None for found in backs)
    return Return(
        _course(arm, runs), latent, behaviour, (len(backs[0]), len(backs[1])),
        mean_of(rhos) if rhos else None,
    )  # fmt: skip


def back(course: Mapping[float, float], level: float) -> float | None:
    """The first step from which on at most BACK of the excess over `level` at step 0 is left; None
    where it never stays so low, or there was no excess."""
    steps = sorted(course)
    excess = course[steps[0]] - level
    if excess <= 0:
        return None
    found = None
    for step in reversed(steps):
        if course[step] - level > BACK * excess:
            break
        found = step
    return found


def _spearman(one: Sequence[float], other: Sequence[float]) -> float | None:
    from scipy.stats import spearmanr

    if len(one) < 3 or len(set(one)) < 2 or len(set(other)) < 2:
        return None
    return float(spearmanr(one, other).statistic)


def _warning(arms: Mapping[str, Runs], seed: int) -> EarlyWarning:
    import numpy as np

    if set(arms) != {"bad", "control"}:
        raise BadParameter(
            f"shares of bad data have the arms {', '.join(arms)}", hint="Give bad and control."
        )
    bad, control = arms["bad"], arms["control"]
    shared = [name for name in bad if name in control]
    places = tuple(next(iter(bad.values())))
    if not shared or places != tuple(next(iter(control.values()))):
        raise BadParameter(
            "bad and control tunes have other seeds or shares",
            hint="Give a control of as many steps for each tune.",
        )
    if min(places) < 0 or max(places) > 1:
        raise BadParameter("a share lies outside [0, 1]", hint="Give shares, not percentages.")
    tried = [at for at in places if at > 0]
    gaps = np.array(
        [[[bad[s][at][which] - control[s][at][which] for at in tried] for s in shared]
         for which in (0, 1)]
    )  # fmt: skip
    rng = np.random.default_rng(seed)
    draws = rng.integers(0, len(shared), (RESAMPLES, len(shared)))
    latent, behaviour = (_onset(gaps[which], tried, draws) for which in (0, 1))
    claim = "not shown"
    if len(shared) < FEWEST_SEEDS:
        claim = "undetermined"
    elif latent.high is not None and (behaviour.low is None or latent.high < behaviour.low):
        claim = "latent first"
    return EarlyWarning(_course("bad", bad), _course("control", control), latent, behaviour, claim)


def _onset(gaps: Any, tried: Sequence[float], draws: Any) -> Onset:
    """gaps: [seed, share]; draws: [resample, seed]."""
    import numpy as np

    found = _smallest(gaps[None], tried)[0]
    drawn = np.sort(_smallest(gaps[draws], tried))
    low, high = (drawn[int(q * (len(drawn) - 1))] for q in (0.025, 0.975))
    return Onset(*(float(v) if math.isfinite(v) else None for v in (found, low, high)))


def _smallest(gaps: Any, tried: Sequence[float]) -> Any:
    """[resample]: the smallest share from which on the mean's t interval lies above 0, else
    infinity; gaps: [resample, seed, share]."""
    import numpy as np
    from scipy.stats import t

    n = gaps.shape[1]
    if n < 2 or not tried:
        return np.full(len(gaps), math.inf)
    half = t.ppf(0.975, n - 1) * gaps.std(axis=1, ddof=1) / math.sqrt(n)
    above = gaps.mean(axis=1) - half > 0
    lasting = np.logical_and.accumulate(above[:, ::-1], axis=1).sum(axis=1)
    places = np.array([*tried, math.inf])
    return places[len(tried) - lasting]


def _course(arm: str, runs: Runs) -> Course:
    places = tuple(next(iter(runs.values())))
    both = [[mean_of([run[at][which] for run in runs.values()]) for at in places]
            for which in (0, 1)]  # fmt: skip
    return Course(arm, len(runs), places, tuple(both[0]), tuple(both[1]))


def _read(table: Table) -> dict[str, dict[str, Runs]]:
    """By kind and arm, places in rising order."""
    rates = table.numbers("behaviour")
    if (rates < 0).any() or (rates > 1).any():
        raise BadParameter("a rate lies outside [0, 1]", hint="Give shares, not percentages.")
    found: dict[str, dict[str, Runs]] = {kind: {} for kind in KINDS}
    names = (table.texts(name) for name in ("kind", "arm", "seed"))
    numbers = (table.numbers(name).tolist() for name in ("at", "latent", "behaviour"))
    for kind, arm, seed, at, latent, rate in zip(*names, *numbers, strict=True):
        if kind not in found:
            raise BadParameter(f"unknown kind '{kind}'", hint=f"Use {', '.join(KINDS)}.")
        run = found[kind].setdefault(arm, {}).setdefault(seed, {})
        if at in run:
            raise BadParameter(
                f"{kind}, arm '{arm}', seed '{seed}' has {at:g} twice", hint="Give each place once."
            )
        run[at] = (latent, rate)
    for kind, arms in found.items():
        for arm, runs in arms.items():
            places = {tuple(sorted(run)) for run in runs.values()}
            if len(places) > 1:
                raise BadParameter(
                    f"{kind}, arm '{arm}': seeds have other places",
                    hint="Seeds of an arm share their steps or shares.",
                )
            arms[arm] = {seed: {at: run[at] for at in sorted(run)} for seed, run in runs.items()}
    return found
