"""Does asking where the ensemble disagrees reach a given accuracy with fewer labels?"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from workbench.rewards.preferences import By, PreferenceBench
from workbench.rewards.ratings import ScriptedRater

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FEATURES = 8
ITEMS = 300
BATCH = 10
"""Labels between two fits."""


@dataclasses.dataclass(frozen=True, slots=True)
class QueryRace:
    """Labels until TARGET accuracy by seed, and their ratio (disagreement to random).

    ratio: geometric mean over the paired seeds in which both arrive, with its 95 % interval (t on
    logs; None for fewer than two seeds); below 1, disagreement needs fewer. censored: seeds in
    which one did not arrive within `most` labels.
    """

    target: float
    disagreement: tuple[int | None, ...]
    random: tuple[int | None, ...]
    ratio: float | None
    interval: tuple[float, float] | None
    censored: int
    most: int

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return dataclasses.asdict(self)


def run(
    *,
    seeds: int = 20,
    target: float = 0.9,
    most: int = 500,
    noise: float = 0.1,
    progress: Callable[[float], None] = lambda share: None,
) -> QueryRace:
    """Two benches a seed: the same items, planted weights and rater, other queries."""
    labels: dict[By, list[int | None]] = {"disagreement": [], "random": []}
    for seed in range(seeds):
        for by in labels:
            labels[by].append(_labels_to(target, by, seed, most, noise))
        progress((seed + 1) / seeds)
    pairs = zip(labels["disagreement"], labels["random"], strict=True)
    logs = [math.log(a / b) for a, b in pairs if a is not None and b is not None]
    ratio, interval = _ratio(logs)
    return QueryRace(
        target=target,
        disagreement=tuple(labels["disagreement"]),
        random=tuple(labels["random"]),
        ratio=ratio,
        interval=interval,
        censored=seeds - len(logs),
        most=most,
    )


def _labels_to(target: float, by: By, seed: int, most: int, noise: float) -> int | None:
    import numpy as np

    rng = np.random.default_rng((seed, 7))
    features = rng.standard_normal((ITEMS, FEATURES))
    weights = rng.standard_normal(FEATURES)
    gold = features @ weights
    rater = ScriptedRater(gold, noise=noise, seed=seed)
    bench = PreferenceBench(features, noise=noise, members=3, seed=seed)
    first, second = rng.integers(0, ITEMS, (2, 2000))
    apart = first != second
    differences = (features[first] - features[second])[apart]
    wanted = (gold[first] > gold[second])[apart]
    while len(bench.answers) < most:
        for query in bench.next_queries(BATCH, by if bench.answers else "random"):
            bench.answer(query.a, query.b, rater.rate(query.a, query.b))
        believed = differences @ bench.fit().weights.mean(axis=0) > 0
        if (believed == wanted).mean() >= target:
            return len(bench.answers)
    return None


def _ratio(logs: list[float]) -> tuple[float | None, tuple[float, float] | None]:
    import numpy as np
    from scipy.stats import t

    if not logs:
        return None, None
    mean = float(np.mean(logs))
    if len(logs) < 2:
        return math.exp(mean), None
    half = float(t.ppf(0.975, len(logs) - 1) * np.std(logs, ddof=1) / math.sqrt(len(logs)))
    return math.exp(mean), (math.exp(mean - half), math.exp(mean + half))
