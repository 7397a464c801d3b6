"""Cost against accuracy: closed forms of trivial baselines, and the frontier that mixing reaches.

Kapoor, Stroebl and Narayanan (2024), "AI leaderboards are no longer useful. It's time to switch to
Pareto curves": choosing at random between two agents reaches every point of the segment between
them, so what counts is the upper convex hull.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from workbench.errors import BadParameter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SLACK = 1e-12


@dataclasses.dataclass(frozen=True, slots=True)
class Attempt:
    """What an agent reaches and spends, in expectation."""

    accuracy: float
    cost: float


def retry(p: float, k: int, *, cost: float = 1.0, false_accept: float = 0.0) -> Attempt:
    """Tries up to k times and stops at the first answer that a checker accepts.

    p: accuracy of one try, which costs `cost`; false_accept: how often the checker takes a wrong
    answer. With q = (1 - p)(1 - false_accept): accuracy p (1 - q^k) / (1 - q), which tends to
    p / (p + (1 - p) false_accept), and cost (1 - q^k) / (1 - q). With a perfect checker that is
    1 - (1 - p)^k and (1 - (1 - p)^k) / p. Raises BadParameter outside 0 <= p <= 1 or k >= 1.
    """
    if not (0 <= p <= 1 and 0 <= false_accept <= 1 and k >= 1 and cost >= 0):
        raise BadParameter(
            f"{k} tries at accuracy {p} with false accepts {false_accept} at a cost of {cost}",
            hint="Give probabilities, at least one try and a cost from 0.",
        )
    q = (1 - p) * (1 - false_accept)
    tries = float(k) if q == 1 else (1 - q**k) / (1 - q)
    return Attempt(p * tries, cost * tries)


def escalate(first: Attempt, second: Attempt) -> Attempt:
    """Asks a cheap agent and, where a perfect checker rejects its answer, a dear one.

    second.accuracy: on what the first one fails. Accuracy p1 + (1 - p1) p2, cost c1 + (1 - p1) c2.
    """
    missed = 1 - first.accuracy
    return Attempt(first.accuracy + missed * second.accuracy, first.cost + missed * second.cost)


def on_hull(cost: Floats, value: Floats) -> NDArray[np.bool_]:
    """[points] whether no other point and no mixture of two others is as cheap and reaches more.

    Of points that coincide all are on it or none. Raises BadParameter for an empty set and for
    numbers that are not finite.
    """
    import numpy as np

    corners = vertices(cost, value)
    reach = np.interp(cost, cost[corners], value[corners])
    dearest = cost[corners[-1]]
    allowed = SLACK * max(1.0, float(np.abs(value).max()))
    return np.asarray((value >= reach - allowed) & (cost <= dearest))


def vertices(cost: Floats, value: Floats) -> NDArray[np.int64]:
    """The corners of the frontier from the cheapest point to the one that reaches most.

    Andrew's monotone chain (1979), upper half, cut where more cost brings no more value.
    """
    import numpy as np

    if not len(cost) or len(cost) != len(value):
        raise BadParameter("there is no point to compare", hint="Give a cost and a value of each.")
    if not (np.isfinite(cost).all() and np.isfinite(value).all()):
        raise BadParameter("a cost or a value is not finite", hint="Leave such points out.")
    chain: list[int] = []
    for i in np.lexsort((-value, cost)).tolist():
        if chain and value[i] <= value[chain[-1]]:
            continue
        while len(chain) > 1 and _turns_up(cost, value, chain[-2], chain[-1], i):
            chain.pop()
        chain.append(i)
    return np.array(chain, dtype=np.int64)


def cost_to_reach(cost: Floats, value: Floats, target: float) -> float | None:
    """The least expected cost at which a mixture reaches the target; None where none does."""
    import numpy as np

    corners = vertices(cost, value)
    if target > value[corners[-1]]:
        return None
    return float(np.interp(target, value[corners], cost[corners]))


def _turns_up(cost: Floats, value: Floats, a: int, b: int, c: int) -> bool:
    """Whether b lies on or below the segment from a to c."""
    return bool(
        (value[b] - value[a]) * (cost[c] - cost[a]) <= (value[c] - value[a]) * (cost[b] - cost[a])
    )
