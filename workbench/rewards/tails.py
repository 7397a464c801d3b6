"""The tail lab: is a reward's upper tail heavy, and does optimising it give back what was gained?

Kwa, Thomas and Garriga-Alonso 2024 (arXiv 2407.14503): where the error of a proxy has a heavy
tail, a policy may have any proxy reward at any small KL, and no gold at all.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from workbench.errors import BadParameter
from workbench.rewards.pareto_tails import ParetoFit, fit_exceedances, hill
from workbench.rewards.tables import Column, Table

if TYPE_CHECKING:
    import numpy

COLUMNS = (
    Column("prompt", "text", "what was asked; one group where it is left out", optional=True),
    Column("reward", "number", "the reward model's score"),
    Column("gold", "number", "the reward that is meant", optional=True),
)
SHARES = (0.01, 0.02, 0.05)
FEWEST_EXCEEDANCES = 50
FEWEST_SAMPLES = 4
LIGHT_XI = 0.25
TIPS = (1.0, 0.5, 0.37, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
FEWEST_IN_TIP = 30
QUANTILES = 200


@dataclasses.dataclass(frozen=True, slots=True)
class Threshold:
    """The tail beyond one quantile. hill: (1/alpha, standard error), None where undefined; it
    moves when the rewards are shifted, `pareto` does not."""

    share: float
    k: int
    pareto: ParetoFit
    hill: tuple[float, float] | None


@dataclasses.dataclass(frozen=True, slots=True)
class Tail:
    """One variable's upper tail. verdict: "heavy" where xi > 0 at every threshold (95 %), "light"
    where xi >= 0.25 (fewer than four moments) is excluded at every threshold and the tail is not
    heavy, else "undetermined". `reason` says why.
    """

    name: str
    n: int
    verdict: str
    reason: str
    thresholds: tuple[Threshold, ...]
    quantiles: tuple[float, ...]
    normal: tuple[float, ...]
    exponential: tuple[float, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Tip:
    """Mean gold (centred) among the `share` of samples with the highest reward; 95 % interval."""

    share: float
    k: int
    gold: float
    low: float
    high: float


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """What the lab found. goodharts: whether gold falls again towards the tip of the reward (5 %,
    Holm over the tips); None without gold. label: verdict and that in words.
    """

    prompts: int
    rows: int
    tails: tuple[Tail, ...]
    tips: tuple[Tip, ...]
    goodharts: bool | None
    p: float | None
    label: str
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return dataclasses.asdict(self)


def examine(table: Table) -> Report:
    """Looks at the tails of a table with COLUMNS: the reward's, and with gold the error's
    (reward - gold), each centred on its prompt's median.

    A reward model's level is not identified across prompts (a constant added to all rewards of a
    prompt changes no preference), so raw levels say nothing about a tail. Raises BadParameter
    where a prompt has fewer than 4 samples, or rewards never vary.
    """
    import numpy as np

    groups = table.labels("prompt").codes if "prompt" in table else np.zeros(table.rows, dtype=int)
    counts = np.bincount(groups)
    if counts.min() < FEWEST_SAMPLES:
        few = int((counts < FEWEST_SAMPLES).sum())
        raise BadParameter(
            f"{few} of {len(counts)} prompts have fewer than {FEWEST_SAMPLES} samples",
            hint="Levels differ between prompts and must be taken out: sample each prompt more "
            "often, drop these, or leave the column out if all rewards share one scale.",
        )
    reward = centred(table.numbers("reward"), groups)
    if not reward.any():
        raise BadParameter(
            "the rewards never vary within a prompt", hint="A constant has no tail to look at."
        )
    tails = [_tail("reward", reward)]
    tips: tuple[Tip, ...] = ()
    goodharts, p = None, None
    if "gold" in table:
        gold = table.numbers("gold")
        error = centred(table.numbers("reward") - gold, groups)
        if error.any():
            tails.append(_tail("error (reward - gold)", error))
        middle = gold - (np.bincount(groups, gold) / counts)[groups]
        tips, goodharts, p = _tips(reward, middle)
    judged = tails[-1] if len(tails) > 1 else tails[0]
    return Report(
        prompts=len(counts),
        rows=table.rows,
        tails=tuple(tails),
        tips=tips,
        goodharts=goodharts,
        p=p,
        label=f"{judged.verdict} tail"
        + {None: "", True: ", still Goodharts", False: ", gold does not fall at the tip"}[
            goodharts
        ].replace("still", "still" if judged.verdict == "light" else "and"),
        notes=_notes(reward, counts),
    )


def centred(values: numpy.ndarray, groups: numpy.ndarray) -> numpy.ndarray:
    """[rows] values minus the median of their group; groups are numbered from 0."""
    import numpy as np

    order = np.lexsort((values, groups))
    counts = np.bincount(groups)
    starts = np.cumsum(counts) - counts
    ordered = values[order]
    upper, lower = ordered[starts + counts // 2], ordered[starts + (counts - 1) // 2]
    return np.asarray(values - ((lower + upper) / 2)[groups])


def conditional_mean(
    reward: numpy.ndarray, gold: numpy.ndarray, share: float
) -> tuple[int, float, float]:
    """(k, mean, standard error) of gold among the k = share * n largest rewards."""
    import numpy as np

    k = max(1, round(share * len(reward)))
    top = gold[np.argpartition(-reward, k - 1)[:k]]
    error = float(top.std(ddof=1)) / math.sqrt(k) if k > 1 else math.inf
    return k, float(top.mean()), error


def _tail(name: str, values: numpy.ndarray) -> Tail:
    thresholds = []
    for share in SHARES:
        k = round(share * len(values))
        if k >= FEWEST_EXCEEDANCES:
            try:
                fit = fit_exceedances(values, k)
            except BadParameter:
                continue
            thresholds.append(Threshold(share, k, fit, _hill(values, k)))
    verdict, reason = _verdict(len(values), thresholds)
    return Tail(name, len(values), verdict, reason, tuple(thresholds), *_quantiles(values))


def _hill(values: numpy.ndarray, k: int) -> tuple[float, float] | None:
    try:
        return hill(values, k)
    except BadParameter:
        return None


def _verdict(n: int, thresholds: Sequence[Threshold]) -> tuple[str, str]:
    if not thresholds:
        wanted = math.ceil(FEWEST_EXCEEDANCES / SHARES[-1])
        return "undetermined", (
            f"{n} rewards; {wanted} are needed for {FEWEST_EXCEEDANCES} exceedances"
            if n < wanted
            else "the largest rewards all tie"
        )
    lows = [t.pareto.low for t in thresholds]
    highs = [t.pareto.high for t in thresholds]
    if min(lows) > 0:
        return "heavy", f"xi > 0 at every threshold, at least {min(lows):.3f}"
    if max(highs) < LIGHT_XI:
        return "light", f"xi < {LIGHT_XI} at every threshold, at most {max(highs):.3f}"
    return "undetermined", (
        f"xi between {min(lows):.3f} and {max(highs):.3f}, over thresholds and intervals"
    )


def _tips(
    reward: numpy.ndarray, gold: numpy.ndarray
) -> tuple[tuple[Tip, ...], bool | None, float | None]:
    """Gold along the reward's quantiles, and whether it is lower at a tip than before it.

    Each tip is compared with the rest of each wider share: the samples are disjoint.
    """
    import numpy as np
    from scipy.stats import ttest_ind

    from workbench.statistics import holm

    n = len(reward)
    order = np.argsort(-reward, kind="stable")
    along = gold[order]
    tips = []
    for share in TIPS:
        k = round(share * n)
        if k < FEWEST_IN_TIP:
            break
        top = along[:k]
        error = float(top.std(ddof=1)) / math.sqrt(k)
        mean = float(top.mean())
        tips.append(Tip(share, k, mean, mean - 1.96 * error, mean + 1.96 * error))
    if len(tips) < 3 or not gold.any():
        return tuple(tips), None, None
    tests = [
        float(
            ttest_ind(
                along[: tip.k], along[tip.k : wide.k], equal_var=False, alternative="less"
            ).pvalue
        )
        for i, tip in enumerate(tips)
        for wide in tips[:i]
        if along[: tip.k].std() > 0
    ]
    if not tests:
        return tuple(tips), None, None
    p = min(holm([1.0 if math.isnan(t) else t for t in tests]))
    return tuple(tips), p < 0.05, p


def _quantiles(
    values: numpy.ndarray,
) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    """Upper-half quantiles of the values, and where a normal and an exponential law would have
    them, fitted to the median and the 90 % point."""
    import numpy as np
    from scipy.stats import norm

    n = len(values)
    upper = np.unique(np.geomspace(0.5, max(0.5 / n, 1e-7), QUANTILES))[::-1]
    found = np.quantile(values, 1 - upper)
    middle, high = np.quantile(values, [0.5, 0.9])
    normal = middle + (high - middle) * norm.isf(upper) / norm.isf(0.1)
    exponential = middle + (high - middle) * np.log(0.5 / upper) / math.log(5)
    return (
        tuple(map(float, found)),
        tuple(map(float, normal)),
        tuple(map(float, exponential)),
    )


def _notes(reward: numpy.ndarray, counts: numpy.ndarray) -> tuple[str, ...]:
    import numpy as np

    notes = []
    k = max(10, round(SHARES[-1] * len(reward)))
    top = -np.partition(-reward, min(k, len(reward) - 1))[:k]
    tied = 1 - len(np.unique(top)) / len(top)
    if tied > 0.2:
        notes.append(f"{tied:.0%} of the largest rewards tie: the Pareto fit assumes they do not")
    if len(counts) > 1 and counts.min() < 16:
        notes.append(
            f"as few as {int(counts.min())} samples a prompt: their medians are noisy, which "
            "blurs the tail"
        )
    return tuple(notes)
