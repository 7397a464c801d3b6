"""The best-of-n Goodhart meter: what more search against a proxy does to the gold reward.

Estimator: Hilton and Gao 2022, "Measuring Goodhart's law". KL: Beirami et al. 2024 (2401.01879)
show that the textbook formula is an upper bound where draws can tie.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from workbench.errors import BadParameter
from workbench.rewards.enumerable import best_of_n_law, check_law, kl, textbook_kl, win_rate
from workbench.rewards.ranks import Groups
from workbench.rewards.tables import Column, Table

if TYPE_CHECKING:
    import numpy

COLUMNS = (
    Column("prompt", "text", "what was asked; samples of one prompt compete"),
    Column("proxy", "number", "the reward that is optimised"),
    Column("gold", "number", "the reward that is meant"),
    Column(
        "base",
        "number",
        "probability of the response, where a prompt's rows are all of its responses",
        optional=True,
    ),
)
LARGEST_DEFAULT_N = 1024
RESAMPLES = 1000
FEW_PROMPTS = 5
MANY_PROMPTS = 5_000
DRAWN_AT_ONCE = 1_000_000


@dataclasses.dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over prompts with its 95 % interval."""

    value: float
    low: float
    high: float

    def to_json(self) -> dict[str, Any]:
        return {"value": self.value, "ci": [self.low, self.high]}


@dataclasses.dataclass(frozen=True, slots=True)
class Point:
    """One n. kl: of the sampled proxies, ties taken as atoms; never above textbook_kl (nats).

    win_rate: of the winner against a base draw, by proxy, ties half; at most n / (n + 1).
    control: the gold reward where a shuffled proxy chooses.
    """

    n: int
    textbook_kl: float
    kl: float
    proxy: Estimate
    gold: Estimate
    control: Estimate
    win_rate: float


@dataclasses.dataclass(frozen=True, slots=True)
class Meter:
    """What the meter read. verdict: "declines" where the gold reward at the largest n lies below
    that at some smaller n (one-sided paired tests over prompts, Holm-corrected, 5 %),
    "no decline seen", or "undetermined" below 5 prompts.

    decline: gold at the largest n minus gold at `decline_from`, with its interval.
    *_spread: standard deviation within prompts, the unit of the figure.
    """

    prompts: int
    rows: int
    points: tuple[Point, ...]
    verdict: str
    p: float | None
    decline_from: int | None
    decline: Estimate | None
    interval: str
    proxy_spread: float
    gold_spread: float
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON with `ci` for intervals."""
        parts = dataclasses.asdict(self)
        for point in parts["points"]:
            for name in ("proxy", "gold", "control"):
                point[name] = Estimate(**point[name]).to_json()
        if self.decline is not None:
            parts["decline"] = self.decline.to_json()
        return parts


def best_of_n(proxy: numpy.ndarray, value: numpy.ndarray, n: int) -> float:
    """Unbiased estimate of E[value of the draw with the highest proxy among n], one prompt.

    The mean over all subsets of n of the [N] samples, computed at once: weights by rank, averaged
    over tied ranks. Raises BadParameter where n is not in 1..N.
    """
    import numpy as np

    size = len(proxy)
    if not 1 <= n <= size:
        raise BadParameter(
            f"best of {n} from {size} samples", hint=f"Choose n from 1 to {size}, or sample more."
        )
    order = np.argsort(proxy, kind="stable")
    return float(np.sum(_tied_weights(np.asarray(proxy)[order], n) * np.asarray(value)[order]))


def measure(
    table: Table, *, ns: Sequence[int] = (), seed: int = 0, resamples: int = RESAMPLES
) -> Meter:
    """Reads the meter on a table with COLUMNS.

    ns: which n; by default powers of 2 up to the smallest number of samples of a prompt (at most
    1,024). Prompts weigh the same. Intervals: studentised bootstrap over prompts from 5 prompts
    on (normal from 5,000 on); below that, jackknife over the samples of each prompt, which says
    nothing about other prompts. With a column `base` every figure is exact for these prompts and
    intervals have no width. Raises BadParameter where a prompt has fewer samples than n, or
    every prompt has one.
    """
    import numpy as np

    labels = table.labels("prompt")
    proxy, gold = table.numbers("proxy"), table.numbers("gold")
    order = np.lexsort((proxy, labels.codes))
    codes = labels.codes[order]
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    sizes = np.diff(starts, append=len(codes))
    names = [labels.names[code] for code in codes[starts]]
    if "base" in table:
        base = np.split(table.numbers("base")[order], starts[1:])
        laws = [
            check_law(law, f"base of prompt '{name[:60]}'")
            for law, name in zip(base, names, strict=True)
        ]
        return _exact(
            laws, np.split(proxy[order], starts[1:]), np.split(gold[order], starts[1:]), ns
        )
    ns = _which(ns, sizes, names)
    rng = np.random.default_rng(seed)
    shuffled = gold[order][np.lexsort((rng.random(len(codes)), codes))]
    groups = Groups(proxy[order], starts, sizes)
    values = {"proxy": proxy[order], "gold": gold[order], "control": shuffled}
    means = {name: np.empty((len(starts), len(ns))) for name in values}
    spreads = {name: np.zeros((len(starts), len(ns))) for name in values}
    few = len(starts) < FEW_PROMPTS
    for column, n in enumerate(ns):
        shares = groups.weights(n)
        for name, value in values.items():
            means[name][:, column] = np.add.reduceat(shares * value, starts)
            if few:
                spreads[name][:, column] = groups.jackknife(value, n)
    estimates = {
        name: _intervals(means[name], spreads[name] if few else None, rng, resamples)
        for name in values
    }
    points = []
    for i, n in enumerate(ns):
        moved, won = groups.kl_and_win_rate(n)
        gold_, proxy_ = estimates["gold"][i], estimates["proxy"][i]
        points.append(Point(n, textbook_kl(n), moved, proxy_, gold_, estimates["control"][i], won))
    verdict, p, at = _decline(means["gold"])
    decline = None
    if at is not None:
        difference = means["gold"][:, -1:] - means["gold"][:, at : at + 1]
        decline = _intervals(difference, None, rng, resamples)[0]
    return Meter(
        prompts=len(starts),
        rows=table.rows,
        points=tuple(points),
        verdict=verdict,
        p=p,
        decline_from=None if at is None else ns[at],
        decline=decline,
        interval="jackknife over samples" if few else "bootstrap over prompts",
        proxy_spread=_within(values["proxy"], starts, sizes),
        gold_spread=_within(values["gold"], starts, sizes),
        notes=_notes(groups, few),
    )


def _exact(
    laws: Sequence[numpy.ndarray],
    proxies: Sequence[numpy.ndarray],
    golds: Sequence[numpy.ndarray],
    ns: Sequence[int],
) -> Meter:
    """Best-of-n in enumerated worlds: finite sums, means over prompts."""
    import numpy as np

    chosen = sorted({1, *ns}) if ns else [2**power for power in range(11)]
    worlds = list(zip(laws, proxies, golds, strict=True))

    def over_prompts(values: Sequence[float]) -> Estimate:
        mean = math.fsum(values) / len(worlds)
        return Estimate(mean, mean, mean)

    points = []
    control = over_prompts([float(base @ gold) for base, _, gold in worlds])
    for n in chosen:
        won = [best_of_n_law(base, proxy, n) for base, proxy, _ in worlds]
        points.append(
            Point(
                n,
                textbook_kl(n),
                over_prompts([kl(w, x[0]) for w, x in zip(won, worlds, strict=True)]).value,
                over_prompts([float(w @ x[1]) for w, x in zip(won, worlds, strict=True)]),
                over_prompts([float(w @ x[2]) for w, x in zip(won, worlds, strict=True)]),
                control,
                over_prompts([win_rate(w, *x[:2]) for w, x in zip(won, worlds, strict=True)]).value,
            )
        )
    height = [point.gold.value for point in points]
    at = int(np.argmax(height))
    fall = height[-1] - height[at]
    spread = [
        math.sqrt(
            math.fsum(float(b @ (v - b @ v) ** 2) for b, v in zip(laws, of, strict=True))
            / len(worlds)
        )
        for of in (proxies, golds)
    ]
    return Meter(
        prompts=len(worlds),
        rows=sum(map(len, laws)),
        points=tuple(points),
        verdict="declines" if fall < -1e-9 * (1 + abs(height[at])) else "no decline seen",
        p=None,
        decline_from=chosen[at],
        decline=Estimate(fall, fall, fall),
        interval="none: every response is listed",
        proxy_spread=spread[0],
        gold_spread=spread[1],
        notes=(),
    )


def _tied_weights(ordered: numpy.ndarray, n: int) -> numpy.ndarray:
    import numpy as np

    groups = Groups(ordered, np.array([0]), np.array([len(ordered)]))
    return groups.weights(n)


def _which(ns: Sequence[int], sizes: numpy.ndarray, names: Sequence[str]) -> list[int]:
    import numpy as np

    smallest = int(sizes.min())
    few = len(sizes) < FEW_PROMPTS
    if int(sizes.max()) == 1:
        raise BadParameter(
            "every prompt has one sample, so none competes with another",
            hint="Sample each prompt several times: best of n needs at least n.",
        )
    largest = smallest - few  # a jackknife leaves one out
    if not ns:
        most = max(1, min(largest, LARGEST_DEFAULT_N))
        ns = [2**power for power in range(most.bit_length())]
    chosen = sorted({1, *ns})
    if chosen[0] < 1 or chosen[-1] > largest or len(chosen) == 1:
        name = names[int(np.argmin(sizes))][:60]
        wanted = max(2, chosen[-1])
        needed = wanted + few
        why = f" (an interval from fewer than {FEW_PROMPTS} prompts takes one more)" if few else ""
        raise BadParameter(
            f"best of {wanted}, but prompt '{name}' has {smallest} samples{why}",
            hint=f"Ask for n from 2 to {largest}, or drop the "
            f"{int((sizes < needed).sum())} prompts with fewer than {needed}.",
        )
    return chosen


def _intervals(
    means: numpy.ndarray,
    variances: numpy.ndarray | None,
    rng: numpy.random.Generator,
    resamples: int,
) -> list[Estimate]:
    """Estimates of the columns of [prompts, n]."""
    import numpy as np

    prompts = len(means)
    centre = means.mean(axis=0)
    if variances is not None:
        error = np.sqrt(variances.sum(axis=0)) / prompts
        quantiles = np.broadcast_to(np.array([[-1.96], [1.96]]), (2, means.shape[1]))
    else:
        error = means.std(axis=0, ddof=1) / math.sqrt(prompts)
        quantiles = _student_quantiles(means, rng, resamples)
    low, high = centre - quantiles[1] * error, centre - quantiles[0] * error
    return [
        Estimate(float(c), float(a), float(b)) for c, a, b in zip(centre, low, high, strict=True)
    ]


def _student_quantiles(
    means: numpy.ndarray, rng: numpy.random.Generator, resamples: int
) -> numpy.ndarray:
    """[2, n]: 2.5 and 97.5 % points of (resampled mean - mean) / resampled standard error."""
    import numpy as np

    prompts, columns = means.shape
    if prompts > MANY_PROMPTS:
        return np.broadcast_to(np.array([[-1.96], [1.96]]), (2, columns))
    centred = means - means.mean(axis=0)
    found = []
    for start in range(0, resamples, rows := max(1, DRAWN_AT_ONCE // prompts)):
        drawn = rng.integers(0, prompts, (min(rows, resamples - start), prompts))
        drawn += np.arange(len(drawn))[:, None] * prompts
        times = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape)
        mean = times @ centred / prompts
        variance = np.maximum(times @ centred**2 / prompts - mean**2, 0.0)
        error = np.sqrt(variance / (prompts - 1))
        found.append(np.divide(mean, error, out=np.zeros_like(mean), where=error > 0))
    return np.asarray(np.quantile(np.concatenate(found), [0.025, 0.975], axis=0))


def _decline(gold: numpy.ndarray) -> tuple[str, float | None, int | None]:
    import numpy as np
    from scipy.stats import t

    from workbench.statistics import holm

    prompts = len(gold)
    if prompts < FEW_PROMPTS:
        return "undetermined", None, None
    differences = gold[:, -1:] - gold[:, :-1]
    centre = differences.mean(axis=0)
    error = differences.std(axis=0, ddof=1) / math.sqrt(prompts)
    moved = error > 1e-12 * (1 + np.abs(gold).max())
    score = np.divide(centre, error, out=np.zeros_like(centre), where=moved)
    corrected = holm([float(p) for p in t.cdf(score, prompts - 1)])
    at = int(np.argmin(score))
    p = corrected[at]
    return ("declines" if p < 0.05 else "no decline seen"), p, at


def _within(values: numpy.ndarray, starts: numpy.ndarray, sizes: numpy.ndarray) -> float:
    import numpy as np

    centred = values - np.repeat(np.add.reduceat(values, starts) / sizes, sizes)
    return math.sqrt(float(np.sum(centred**2)) / max(1, len(values) - len(starts)))


def _notes(groups: Groups, few: bool) -> tuple[str, ...]:
    notes = []
    if groups.constant:
        notes.append(
            f"the proxy never varies within {groups.constant} of {len(groups.starts)} prompts: "
            "there best-of-n is a random choice"
        )
    if few:
        notes.append(
            f"{len(groups.starts)} prompts: the intervals cover other samples of these prompts, "
            "not other prompts, and no verdict is given"
        )
    return tuple(notes)
