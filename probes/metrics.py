"""How well scores tell two kinds of text apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from workbench.errors import BadParameter

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

BOOTSTRAPS = 1000


def auroc(scores: ArrayLike, labels: Sequence[int]) -> float:
    """The chance that a positive scores above a negative, ties counting half (Mann-Whitney U).

    Raises BadParameter where one kind is missing.
    """
    import numpy as np
    from scipy.stats import rankdata

    truth = np.asarray(labels, bool)
    positives, negatives = int(truth.sum()), int((~truth).sum())
    if not positives or not negatives:
        raise BadParameter(
            f"{positives} positives and {negatives} negatives to score", hint="Give both kinds."
        )
    ranks = rankdata(np.asarray(scores, float))
    return float((ranks[truth].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def auroc_interval(
    scores: ArrayLike, labels: Sequence[int], *, seed: int = 0
) -> tuple[float, float]:
    """95 % interval of the AUROC, documents of each kind drawn with replacement."""
    import numpy as np

    values, truth = np.asarray(scores, float), np.asarray(labels, bool)
    kinds = (np.flatnonzero(truth), np.flatnonzero(~truth))
    dice = np.random.default_rng(seed)
    found = []
    for _ in range(BOOTSTRAPS):
        drawn = np.concatenate([dice.choice(kind, len(kind)) for kind in kinds])
        found.append(auroc(values[drawn], truth[drawn].tolist()))
    low, high = np.quantile(found, [0.025, 0.975])
    value = auroc(values, labels)
    return min(float(low), value), max(float(high), value)


def recall_at(scores: ArrayLike, benign: ArrayLike, rate: float = 0.01) -> float:
    """The share of positives (their `scores`) above the threshold that `rate` of the benign texts
    pass."""
    import numpy as np

    control = np.sort(np.asarray(benign, float))[::-1]
    allowed = int(rate * len(control))
    return float((np.asarray(scores, float) > control[allowed]).mean())
