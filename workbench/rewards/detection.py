"""Hits against false alarms: ROC curves and the area under them."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

MOST_POINTS = 200


@dataclasses.dataclass(frozen=True, slots=True)
class Curve:
    """Rates at each threshold, from (0, 0) to (1, 1); at most MOST_POINTS of them.

    false_alarms: share of suspects without a hidden objective that are accused; hits: of the rest.
    """

    name: str
    false_alarms: tuple[float, ...]
    hits: tuple[float, ...]


def roc(name: str, score: Floats, hidden: Floats) -> Curve:
    """The curve of one technique; equal scores are one step, since no threshold parts them."""
    import numpy as np

    levels, places = np.unique(-score, return_inverse=True)
    up = np.cumsum(np.bincount(places, hidden, len(levels)))
    down = np.cumsum(np.bincount(places, 1 - hidden, len(levels)))
    kept = np.unique(np.linspace(0, len(levels) - 1, min(len(levels), MOST_POINTS)).astype(int))
    return Curve(
        name,
        (0.0, *(down[kept] / down[-1]).tolist()),
        (0.0, *(up[kept] / up[-1]).tolist()),
    )


def auroc(order: tuple[Floats, Integers], hidden: Floats, weight: Floats) -> float:
    """Weighted area under the curve; nan where one kind has no weight.

    order: the distinct scores, ascending, and each row's place among them (`numpy.unique`); ties
    count a half (Bamber 1975, J. Math. Psych. 12, 387).
    """
    import numpy as np

    levels, places = order
    up = np.bincount(places, weight * hidden, len(levels))
    down = np.bincount(places, weight * (1 - hidden), len(levels))
    pairs = up.sum() * down.sum()
    if not pairs:
        return math.nan
    return float(up @ (np.cumsum(down) - down / 2) / pairs)
