"""The reward linter: does a specification pay more for never finishing than for the intended task?

OpenAI (2016), "Faulty reward functions in the wild": a boat race that pays for targets is played
best by circling where targets respawn. For a lap of L steps that pays r at its end, and a finish at
distance D that pays R, circling beats finishing iff r g^L / (1 - g^L) > g^D R at discount g.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from workbench.errors import BadParameter
from workbench.rewards.optimum import optimal_values
from workbench.rewards.specification import RewardSpec
from workbench.rewards.trajectories import (
    Returns,
    Trajectory,
    enumerate_trajectories,
    shortest_finish,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Verdict = Literal["exploit", "sound", "indifferent", "unreachable"]
GRID = 200
"""Discounts that are looked at for a change of the preferred way before it is pinned down."""
TOLERANCE = 1e-9
LARGEST_SEARCHED = 20_000
"""Transitions up to which crossovers are looked for where not all ways can be enumerated."""
SHOWN = 10


@dataclasses.dataclass(frozen=True, slots=True)
class Way:
    """One way to go on: kind, states walked (of a loop: one lap), and what it pays.

    lap_reward: undiscounted, of one lap or of the whole path; rate: the same per step; paid: the
    return from the start, None for a loop at discount 1; steps: to the end, or of one lap; prefix:
    steps before the lap.
    """

    kind: str
    states: tuple[str, ...]
    steps: int
    prefix: int
    lap_reward: float
    rate: float
    paid: float | None


@dataclasses.dataclass(frozen=True, slots=True)
class Crossover:
    """The discount at which the preferred way changes, and what is preferred above it."""

    discount: float
    above: Literal["loop", "finish"]


@dataclasses.dataclass(frozen=True, slots=True)
class Lint:
    """What the linter says of a specification at one discount and horizon.

    verdict: "exploit" (some way never to finish pays more than every way to finish), "sound",
    "indifferent" (they pay the same), "unreachable" (no way leads to a goal). Within a horizon the
    ways to finish are those without detours.
    worst: the best-paid way that never finishes; finish: the best-paid way to finish, or the
    shortest one where not all could be enumerated (`enumerated` False).
    delays: within the horizon, circling first and finishing last pays more than both.
    exploits: the cycles (and dead ends) of an exploit that pay more than finishing, best first.
    """

    verdict: Verdict
    discount: float
    horizon: int | None
    worst: Way | None
    finish: Way | None
    exploits: tuple[Way, ...]
    crossovers: tuple[Crossover, ...]
    delays: bool
    enumerated: bool
    states: int
    transitions: int

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return dataclasses.asdict(self)


def lint(spec: RewardSpec, *, discount: float = 0.99, horizon: int | None = None) -> Lint:
    """Compares all cycles with the intended end.

    discount: in (0, 1], per step. At 1 and without a horizon a loop counts by its rate alone: it is
    an exploit iff a lap pays more than nothing. horizon: the episode is cut after so many steps.
    Raises BadParameter where these make no sense, or where discount 1 without a horizon meets a
    world with too many ways to enumerate.
    """
    if not 0 < discount <= 1:
        raise BadParameter(
            f"discount {discount} lies outside (0, 1]", hint="Give one such as 0.99."
        )
    if horizon is not None and horizon < 1:
        raise BadParameter(f"a horizon of {horizon} steps", hint="Give at least 1.")
    ways, complete = enumerate_trajectories(spec)
    shortest = shortest_finish(spec)
    if not complete:
        if discount == 1 and horizon is None:
            raise BadParameter(
                f"the world has more than {len(ways)} ways through it",
                hint="Give a discount below 1 or a horizon: then it need not be enumerated.",
            )
        ways = [*ways, shortest] if shortest is not None else ways
    returns = Returns(spec, ways)
    paid = _paid(returns, discount, horizon)
    loops = [i for i, way in enumerate(ways) if way.kind != "finishes"]
    ends = [i for i, way in enumerate(ways) if way.kind == "finishes"]
    worst = max(loops, key=lambda i: paid[i], default=None)
    finish = max(ends, key=lambda i: paid[i], default=None)
    never = float(paid[worst]) if worst is not None else -math.inf
    reached = float(paid[finish]) if finish is not None else -math.inf
    best = max(never, reached)
    if not complete or horizon is not None:
        values = optimal_values(spec, discount, horizon=horizon, finishing=False)
        never = float(values[spec.start])
        best = float(optimal_values(spec, discount, horizon=horizon)[spec.start])
        if not complete and math.isfinite(never):
            ways.append(_greedy(spec, values, discount))
            returns = Returns(spec, ways)
            paid = _paid(returns, discount, horizon)
            loops.append(len(ways) - 1)
            worst = max(loops, key=lambda i: paid[i])
    # within a horizon the optimum may circle first and finish last: that is `delays`
    bar = best if horizon is None else reached
    slack = TOLERANCE * max(spec.scale, *(abs(v) for v in (never, reached) if math.isfinite(v)), 0)
    crossovers: tuple[Crossover, ...] = ()
    if horizon is None and finish is not None:
        crossovers = _crossovers(_gap(returns, loops, ends)) if complete else _coarse(spec)
    verdict = _verdict(bar, never, reached, slack, shortest is not None)
    return Lint(
        verdict=verdict,
        discount=discount,
        horizon=horizon,
        worst=None if worst is None else _way(spec, ways[worst], float(paid[worst])),
        finish=None
        if finish is None or reached == -math.inf
        else _way(spec, ways[finish], reached),
        exploits=_exploits(spec, ways, paid, loops, reached + slack)
        if verdict == "exploit"
        else (),
        crossovers=crossovers,
        delays=bool(horizon is not None and best > max(never, reached) + slack),
        enumerated=complete,
        states=len(spec.states),
        transitions=len(spec.reward),
    )


def _paid(returns: Returns, discount: float, horizon: int | None) -> Floats:
    if horizon is not None:
        return returns.within(horizon, discount)
    return returns.undiscounted() if discount == 1 else returns.at(discount)


def _verdict(best: float, never: float, reached: float, slack: float, reachable: bool) -> Verdict:
    if not reachable:
        return "unreachable"
    if best > never + slack:
        return "sound"
    return "indifferent" if reached >= never - slack else "exploit"


def _way(spec: RewardSpec, way: Trajectory, paid: float) -> Way:
    shown = way.lap if way.kind == "loops" else way.edges
    total = float(spec.reward[list(shown)].sum())
    return Way(
        kind={"loops": "loop", "stops": "dead end", "finishes": "finish"}[way.kind],
        states=tuple(
            spec.states[s] for s in (spec.source[shown[0]], *(spec.target[e] for e in shown))
        ),
        steps=len(shown),
        prefix=way.entry if way.kind == "loops" else 0,
        lap_reward=total,
        rate=total / len(shown),
        paid=paid if math.isfinite(paid) else None,
    )


def _exploits(
    spec: RewardSpec, ways: list[Trajectory], paid: Floats, loops: list[int], bar: float
) -> tuple[Way, ...]:
    """The best-paid lasso of each cycle that pays more than `bar`."""
    kept: dict[object, int] = {}
    for i in sorted(loops, key=lambda i: -paid[i]):
        if paid[i] > bar:
            lap = ways[i].lap
            turned = lap.index(min(lap)) if lap else 0
            kept.setdefault(lap[turned:] + lap[:turned] or ways[i].edges, i)
    return tuple(_way(spec, ways[i], float(paid[i])) for i in list(kept.values())[:SHOWN])


def _gap(returns: Returns, loops: list[int], ends: list[int]) -> Callable[[float], float]:
    """What never finishing pays over finishing, at a discount."""

    def gap(discount: float) -> float:
        paid = returns.at(discount)
        return float(paid[loops].max() - paid[ends].max()) if loops else -math.inf

    return gap


def _greedy(spec: RewardSpec, values: Floats, discount: float) -> Trajectory:
    """The way that never finishes which the values prefer."""
    import numpy as np

    first = spec.first_edge
    paid = discount * (spec.reward + values[spec.target])
    paid[np.isin(spec.target, sorted(spec.goals))] = -np.inf
    depth = {spec.start: 0}
    edges: list[int] = []
    state = spec.start
    while first[state] < first[state + 1]:
        edges.append(int(first[state] + paid[first[state] : first[state + 1]].argmax()))
        state = int(spec.target[edges[-1]])
        if state in depth:
            return Trajectory(tuple(edges), "loops", depth[state])
        depth[state] = len(edges)
    return Trajectory(tuple(edges), "stops", len(edges))


def _iterated_gap(spec: RewardSpec, discount: float) -> float:
    """1 where never finishing is optimal by value iteration, else -1."""
    never = float(optimal_values(spec, discount, finishing=False)[spec.start])
    best = float(optimal_values(spec, discount)[spec.start])
    return -1.0 if best - never > 1e-12 * max(abs(best), spec.scale) else 1.0


def _coarse(spec: RewardSpec) -> tuple[Crossover, ...]:
    """Changes of what value iteration prefers, to 1e-4; none are looked for in large worlds."""
    if len(spec.reward) > LARGEST_SEARCHED:
        return ()
    import numpy as np
    from scipy.optimize import bisect

    points = np.linspace(0.5, 0.98, 13).tolist()
    signs = [_iterated_gap(spec, g) for g in points]
    found = []
    for (low, before), (high, after) in itertools.pairwise(zip(points, signs, strict=True)):
        if before != after:
            root = bisect(lambda g: _iterated_gap(spec, g), low, high, xtol=1e-4)
            found.append(Crossover(float(root), "loop" if after > 0 else "finish"))
    return tuple(found)


def _crossovers(gap: Callable[[float], float]) -> tuple[Crossover, ...]:
    """Where the gap changes its sign over discounts in (0, 1), near 1 on a logarithmic scale."""
    import numpy as np
    from scipy.optimize import brentq, minimize_scalar

    points = np.unique([*np.linspace(0.01, 0.99, GRID), *(1 - np.geomspace(1e-2, 1e-4, GRID // 4))])
    values = [gap(g) for g in points.tolist()]
    if not np.isfinite(values).all():
        return ()
    refined = list(zip(points.tolist(), values, strict=True))
    for i in range(1, len(points) - 1):
        # a dip that may cross twice between two points of the grid
        sign = math.copysign(1.0, values[i])
        left, here, right = (sign * v for v in values[i - 1 : i + 2])
        if left > here <= right or left >= here < right:
            dip = minimize_scalar(
                lambda g, s=sign: s * gap(g), bounds=points[[i - 1, i + 1]], method="bounded"
            )
            refined.append((float(dip.x), float(sign * dip.fun)))
    refined.sort()
    found = []
    for (low, before), (high, after) in itertools.pairwise(refined):
        if (before > 0) != (after > 0):
            root = brentq(gap, low, high, xtol=1e-13) if before * after < 0 else high
            found.append(Crossover(float(root), "loop" if after > 0 else "finish"))
    return tuple(found)
