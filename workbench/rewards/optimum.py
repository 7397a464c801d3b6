"""Value iteration in a deterministic world."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from workbench.rewards.specification import RewardSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def optimal_values(
    spec: RewardSpec, discount: float, *, horizon: int | None = None, finishing: bool = True
) -> Floats:
    """[states] the best returns, by value iteration (Bellman 1957), or over `horizon` steps.

    finishing False: the best returns of never reaching a goal, -inf where that cannot be avoided.
    Goals and dead ends pay 0. Without a horizon the discount must lie below 1; the iteration ends
    at the precision of a float.
    """
    import numpy as np

    values = np.zeros(len(spec.states))
    if not len(spec.reward):
        return values
    paid = spec.reward.copy()
    if not finishing:
        paid[np.isin(spec.target, sorted(spec.goals))] = -np.inf
    owners, starts = np.unique(spec.source, return_index=True)
    sweeps = horizon or len(spec.states) + math.ceil(math.log(1e-17) / math.log(discount))
    for _ in range(sweeps):
        best = np.maximum.reduceat(discount * (paid + values[spec.target]), starts)
        finite = np.isfinite(best)
        change = np.abs(best[finite] - values[owners][finite]).max(initial=0)
        settled = change <= 4e-16 * np.abs(best[finite]).max(initial=0)
        same_ends = np.array_equal(finite, np.isfinite(values[owners]))
        values[owners] = best
        if horizon is None and settled and same_ends:
            break
    return values
