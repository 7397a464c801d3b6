"""A reward specification as a graph: what can be done where, where it leads and what it pays."""

from __future__ import annotations

import dataclasses
import math
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from workbench.errors import BadParameter
from workbench.rewards.tables import Column

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from workbench.rewards.tables import Table

    Integers = NDArray[np.int64]
    Floats = NDArray[np.float64]

LARGEST_WORLD = 1_000_000
"""States that `explore` visits at most."""

COLUMNS = (
    Column("state", "text", "where the agent is"),
    Column("action", "text", "what it does there"),
    Column("next_state", "text", "where that leads"),
    Column("reward", "number", "what it pays"),
    Column("probability", "number", "1 in every row", optional=True),
)

Step = Callable[[Any, Any], tuple[Hashable, float, bool]]
"""(state, action) to (next state, reward, whether the intended end is reached)."""


@dataclasses.dataclass(frozen=True, slots=True)
class RewardSpec:
    """A deterministic world with rewards, a start and an intended end.

    states: their names; source, target: indices of states by edge [edges], edges sorted by source;
    reward: what an edge pays [edges]; action: its name; start: a state; goals: where the intended
    task is done, which ends the episode. A state without edges that is no goal is a dead end.
    """

    states: tuple[str, ...]
    source: Integers
    target: Integers
    reward: Floats
    action: tuple[str, ...]
    start: int
    goals: frozenset[int]

    @classmethod
    def from_table(cls, table: Table, *, start: str, goals: Iterable[str]) -> RewardSpec:
        """From a table with COLUMNS, a transition a row.

        `probability`, where there is one, must be 1: the linter reads deterministic worlds only.
        Raises BadParameter for that, and as `from_rows` does.
        """
        if "probability" in table and (table.numbers("probability") != 1).any():
            raise BadParameter(
                "the specification has transitions with a probability other than 1",
                hint="Cycles are read off deterministic transitions: give the likeliest ones.",
            )
        rows = zip(
            table.texts("state"),
            table.texts("action"),
            table.texts("next_state"),
            table.numbers("reward"),
            strict=True,
        )
        return cls.from_rows(rows, start=start, goals=goals)

    @classmethod
    def from_rows(
        cls,
        rows: Iterable[tuple[str, str, str, Any]],
        *,
        start: str,
        goals: Iterable[str],
    ) -> RewardSpec:
        """From (state, action, next state, reward).

        Raises BadParameter for a reward that is not finite, two outcomes of one action in one
        state, a start or goal that is in no row, a start that is a goal, and no rows.
        """
        import numpy as np

        places: dict[str, int] = {}
        edges: dict[tuple[int, str], tuple[int, float]] = {}
        for state, action, following, paid in rows:
            key = (places.setdefault(state, len(places)), action)
            edge = (places.setdefault(following, len(places)), _finite(paid, state, action))
            if edges.setdefault(key, edge) != edge:
                raise BadParameter(
                    f"action '{action}' in state '{state}' has two outcomes",
                    hint="Give each action of a state one next state and one reward.",
                )
        if not edges:
            raise BadParameter(
                "the reward specification is empty", hint="Give at least one transition."
            )
        ends = sorted(set(goals))
        for name in (start, *ends):
            if name not in places:
                raise BadParameter(
                    f"state '{name}' is in no row of the specification",
                    hint=f"Name a state of it, such as '{next(iter(places))}'.",
                )
        if not ends or start in ends:
            raise BadParameter(
                "there is nothing to lint: the start is the goal" if ends else "no goal is named",
                hint="Name a state in which the intended task is done.",
            )
        finished = frozenset(places[name] for name in ends)
        kept = sorted(
            (source, action, target, paid)
            for (source, action), (target, paid) in edges.items()
            if source not in finished
        )
        return cls(
            states=tuple(places),
            source=np.array([edge[0] for edge in kept], dtype=np.int64),
            target=np.array([edge[2] for edge in kept], dtype=np.int64),
            reward=np.array([edge[3] for edge in kept], dtype=np.float64),
            action=tuple(edge[1] for edge in kept),
            start=places[start],
            goals=finished,
        )

    @classmethod
    def explore(
        cls,
        step: Step,
        start: Hashable,
        actions: Sequence[Hashable],
        *,
        limit: int = LARGEST_WORLD,
    ) -> RewardSpec:
        """From a simulator: every state that `actions` reach from `start`.

        Steps that say they are the end lead to a state of their own. Raises BadParameter where
        more than `limit` states are reached or where no end is.
        """
        rows: list[tuple[str, str, str, float]] = []
        seen, waiting = {start}, deque([start])
        done = "(done)"
        while waiting:
            state = waiting.popleft()
            for action in actions:
                following, paid, ends = step(state, action)
                rows.append((repr(state), str(action), done if ends else repr(following), paid))
                if not ends and following not in seen:
                    seen.add(following)
                    waiting.append(following)
            if len(seen) > limit:
                raise BadParameter(
                    f"the world has more than {limit} states",
                    hint="Coarsen its state, or raise the limit.",
                )
        if not any(row[2] == done for row in rows):
            raise BadParameter(
                "no action ever reaches the intended end", hint="Check when `step` says done."
            )
        return cls.from_rows(rows, start=repr(start), goals=[done])

    @property
    def first_edge(self) -> Integers:
        """Where each state's edges begin, and one entry more: the number of edges [states + 1]."""
        import numpy as np

        return np.searchsorted(self.source, np.arange(len(self.states) + 1))

    @property
    def scale(self) -> float:
        """The largest absolute reward of an edge."""
        return float(abs(self.reward).max()) if len(self.reward) else 0.0


def _finite(paid: Any, state: str, action: str) -> float:
    try:
        value = float(paid)
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise BadParameter(
            f"the reward of action '{action}' in state '{state}' is {paid!r}",
            hint="Give a finite number for each transition.",
        )
    return value
