"""Where answers to pairs come from: a scripted rater, or a user's table."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_args

from workbench.errors import BadParameter
from workbench.rewards import bradley_terry
from workbench.rewards.preferences import Choice, PreferenceBench
from workbench.rewards.tables import Column, Table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

COLUMNS = (
    Column("a", "text", "the first item"),
    Column("b", "text", "the second item"),
    Column("choice", "text", "a, b, tie or incomparable"),
)
ITEM = Column("item", "text", "the item's name")
MEANT: dict[str, Choice] = {name: name for name in get_args(Choice)}


@dataclasses.dataclass(slots=True, eq=False)
class ScriptedRater:
    """Answers by a reward of its own, with noise, bias and ties.

    gold, bias: of each item [items]; noise: share of answers that are given by a coin; tie_below:
    the gap of rewards under which it cannot decide.
    """

    gold: Floats
    noise: float = 0.1
    bias: Floats | None = None
    tie_below: float = 0.0
    seed: int = 0
    _rng: Any = dataclasses.field(init=False, repr=False)

    def __post_init__(self) -> None:
        import numpy as np

        self._rng = np.random.default_rng(self.seed)

    def rate(self, a: int, b: int) -> Choice:
        """A sampled Bradley-Terry answer to one pair."""
        import numpy as np

        felt = self.gold if self.bias is None else self.gold + self.bias
        odds = float(felt[a] - felt[b])
        if abs(odds) < self.tie_below:
            return "tie"
        chance = float(bradley_terry.chance(np.array([odds]), self.noise)[0])
        return "a" if self._rng.random() < chance else "b"


def from_table(
    table: Table,
    items: Table | None = None,
    features: Sequence[str] = (),
    *,
    noise: float = 0.1,
    l2: float = 1.0,
    seed: int = 0,
) -> tuple[PreferenceBench, tuple[str, ...]]:
    """A bench with the answers of a table with COLUMNS, and the names of its items.

    items: a table with ITEM and the number columns `features`. Raises BadParameter for an unknown
    choice, a pair of one item, an item that is compared and not described, or described twice.
    """
    import numpy as np

    a, b, choice = table.labels("a"), table.labels("b"), table.labels("choice")
    odd = [name for name in choice.names if name not in get_args(Choice)]
    if odd:
        raise BadParameter(
            f"choice '{odd[0]}' is none of {', '.join(get_args(Choice))}",
            hint="Write one of these.",
        )
    if items is None:
        names = tuple(dict.fromkeys((*a.names, *b.names)))
        bench = PreferenceBench(len(names), noise=noise, l2=l2, seed=seed)
    else:
        names = items.labels("item").names
        if len(names) != items.rows:
            raise BadParameter("an item is described twice", hint="Give each item one row.")
        described = np.column_stack([items.numbers(name) for name in features])
        bench = PreferenceBench(described, noise=noise, l2=l2, seed=seed)
    place = {name: i for i, name in enumerate(names)}
    lost = [name for name in (*a.names, *b.names) if name not in place]
    if lost:
        raise BadParameter(f"item '{lost[0]}' is not described", hint="Give each item a row.")
    first = np.array([place[name] for name in a.names])[a.codes]
    second = np.array([place[name] for name in b.names])[b.codes]
    same = np.flatnonzero(first == second)
    if len(same):
        raise BadParameter(
            f"row {same[0] + 1} compares '{names[first[same[0]]]}' with itself",
            hint="Leave such rows out.",
        )
    chosen: list[Choice] = [MEANT[name] for name in choice.names]
    bench.answers = [
        (p, q, chosen[c])
        for p, q, c in zip(first.tolist(), second.tolist(), choice.codes.tolist(), strict=True)
    ]
    return bench, names
