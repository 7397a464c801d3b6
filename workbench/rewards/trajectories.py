"""Every way to go through a deterministic world with a policy that decides by state alone.

Such a way is a simple path to a goal, a simple path into a dead end, or a lasso: a simple path into
a cycle that is walked for ever. They are all there is to choose from at a discount below 1, where
some policy by state is optimal (Puterman 1994, theorem 6.2.10).
"""

from __future__ import annotations

import dataclasses
from collections import deque
from typing import TYPE_CHECKING, Literal

from workbench.rewards.specification import RewardSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

MOST_TRAJECTORIES = 5_000
MOST_STEPS = 400_000
Kind = Literal["finishes", "loops", "stops"]


@dataclasses.dataclass(frozen=True, slots=True)
class Trajectory:
    """The edges that are walked; a loop comes back from its last edge to edge number `entry`."""

    edges: tuple[int, ...]
    kind: Kind
    entry: int

    @property
    def lap(self) -> tuple[int, ...]:
        """The cycle's edges; none where it does not loop."""
        return self.edges[self.entry :]


def enumerate_trajectories(
    spec: RewardSpec, *, most: int = MOST_TRAJECTORIES, most_steps: int = MOST_STEPS
) -> tuple[list[Trajectory], bool]:
    """All trajectories from the start, depth first, and whether these are all there are.

    most, most_steps: how many are kept, and how many steps are walked and kept, at most.
    """
    first, targets = spec.first_edge.tolist(), spec.target.tolist()
    found: list[Trajectory] = []
    depth = {spec.start: 0}
    edges: list[int] = []
    waiting = [iter(range(first[spec.start], first[spec.start + 1]))]
    places = [spec.start]
    steps = 0
    while waiting:
        edge = next(waiting[-1], None)
        if edge is None:
            waiting.pop()
            del depth[places.pop()]
            if edges:
                edges.pop()
            continue
        steps += 1
        target = targets[edge]
        ended: tuple[Kind, int] | None = None
        if target in spec.goals:
            ended = "finishes", len(edges) + 1
        elif target in depth:
            ended = "loops", depth[target]
        elif first[target] == first[target + 1]:
            ended = "stops", len(edges) + 1
        if ended is not None:
            found.append(Trajectory((*edges, edge), *ended))
            steps += len(edges)
            if len(found) >= most or steps > most_steps:
                return found, False
            continue
        if steps > most_steps:
            return found, False
        edges.append(edge)
        places.append(target)
        depth[target] = len(edges)
        waiting.append(iter(range(first[target], first[target + 1])))
    return found, True


def shortest_finish(spec: RewardSpec) -> Trajectory | None:
    """The path to a goal with the fewest steps; None where no goal can be reached."""
    first, targets = spec.first_edge.tolist(), spec.target.tolist()
    came_by: dict[int, int] = {}
    waiting = deque([spec.start])
    while waiting:
        state = waiting.popleft()
        for edge in range(first[state], first[state + 1]):
            target = targets[edge]
            if target == spec.start or target in came_by:
                continue
            came_by[target] = edge
            if target in spec.goals:
                return Trajectory(*_path(spec, came_by, target))
            waiting.append(target)
    return None


def _path(
    spec: RewardSpec, came_by: dict[int, int], goal: int
) -> tuple[tuple[int, ...], Kind, int]:
    edges: list[int] = []
    state = goal
    while state != spec.start:
        edges.append(came_by[state])
        state = int(spec.source[came_by[state]])
    return tuple(reversed(edges)), "finishes", len(edges)


class Returns:
    """The returns of many trajectories as functions of the discount.

    A trajectory pays sum_t g^t r_t, its first step at t = 1; a cycle of L steps that starts after
    p steps pays g^p / (1 - g^L) times the discounted sum of one lap.
    """

    def __init__(self, spec: RewardSpec, trajectories: list[Trajectory]) -> None:
        import numpy as np

        self._prefix, self._prefix_steps = _padded(
            [spec.reward[list(t.edges[: t.entry])] for t in trajectories]
        )
        self._lap, self._lap_steps = _padded([spec.reward[list(t.lap)] for t in trajectories])
        self._loops = np.array([t.kind == "loops" for t in trajectories], dtype=bool)

    def at(self, discount: float) -> Floats:
        """[trajectories] at a discount in (0, 1)."""
        import numpy as np

        paid = self._prefix @ discount ** np.arange(1, self._prefix.shape[1] + 1)
        lap = self._lap @ discount ** np.arange(1, self._lap.shape[1] + 1)
        forever = 1.0 - discount ** np.where(self._loops, self._lap_steps, 1)
        return np.asarray(paid + discount**self._prefix_steps * lap / forever)

    def undiscounted(self) -> Floats:
        """[trajectories] total reward; inf for a lap that pays, -inf for one that does not."""
        import numpy as np

        total = self._prefix.sum(axis=1)
        lap = self._lap.sum(axis=1)
        floor = 1e-9 * np.abs(self._lap).sum(axis=1)
        return np.where(self._loops, np.where(lap > floor, np.inf, -np.inf), total)

    def within(self, horizon: int, discount: float) -> Floats:
        """[trajectories] over `horizon` steps; -inf for a path that is not done by then."""
        import numpy as np

        paid = np.full(len(self._loops), -np.inf)
        for i, loops in enumerate(self._loops):
            prefix = self._prefix[i, : self._prefix_steps[i]]
            if not loops and len(prefix) > horizon:
                continue
            lap = self._lap[i, : self._lap_steps[i]]
            steps = np.concatenate([prefix, np.resize(lap, max(0, horizon - len(prefix)))])
            steps = steps[:horizon]
            paid[i] = steps @ discount ** np.arange(1, len(steps) + 1)
        return paid


def _padded(rows: list[Floats]) -> tuple[Floats, Integers]:
    """Rows of rewards filled up with zeros [rows, longest], and their lengths [rows]."""
    import numpy as np

    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    padded = np.zeros((len(rows), int(lengths.max(initial=0))))
    for i, row in enumerate(rows):
        padded[i, : len(row)] = row
    return padded, lengths
