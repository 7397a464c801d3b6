"""A straight line through a quantile (Koenker and Bassett 1978, Econometrica 46, 33)."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from workbench.errors import BadParameter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LARGEST = 20_000


@dataclasses.dataclass(frozen=True, slots=True)
class QuantileLine:
    """y = intercept + slope x at a quantile of y, with the slope's 95 % bootstrap interval."""

    quantile: float
    intercept: float
    slope: float
    slope_interval: tuple[float, float]
    n: int


def quantile_line(
    x: Floats, y: Floats, *, quantile: float = 0.9, seed: int = 0, resamples: int = 200
) -> QuantileLine:
    """Fits by linear programming and resamples the pairs.

    Raises BadParameter for fewer than 5 points, for x that never varies, and beyond LARGEST.
    """
    import numpy as np

    n = len(x)
    if n < 5 or np.ptp(x) == 0:
        raise BadParameter(
            f"no line can be laid through {n} points at {len(np.unique(x))} places",
            hint="Give at least 5 points at two places or more.",
        )
    if n > LARGEST:
        raise BadParameter(
            f"{n} points are too many for a quantile line", hint=f"Give at most {LARGEST}."
        )
    rng = np.random.default_rng(seed)
    intercept, slope = _fit(x, y, quantile)
    slopes = []
    for _ in range(max(20, min(resamples, 60_000 // n))):
        pick = rng.integers(0, n, n)
        if np.ptp(x[pick]) > 0:
            slopes.append(_fit(x[pick], y[pick], quantile)[1])
    low, high = np.quantile(slopes, [0.025, 0.975]).tolist()
    return QuantileLine(quantile, intercept, slope, (low, high), n)


def _fit(x: Floats, y: Floats, quantile: float) -> tuple[float, float]:
    """Through its dual: maximise y'd with 1'd = (1 - quantile) n, x'd likewise, 0 <= d <= 1."""
    import numpy as np
    from scipy.optimize import linprog

    design = np.vstack([np.ones(len(x)), x])
    found = linprog(
        -y,
        A_eq=design,
        b_eq=(1 - quantile) * design.sum(axis=1),
        bounds=(0, 1),
        method="highs",
    )
    intercept, slope = (-found.eqlin.marginals).tolist()
    return float(intercept), float(slope)
