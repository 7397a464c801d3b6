"""What a call may cost at most, found by making it to an engine that computes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from workbench.access import Access, Budget, Usage
from workbench.suspects.answers import Activations, Conversation, Reply, TokenLogprobs
from workbench.suspects.engine import Draw, Engine, RewardModel
from workbench.suspects.suspect import Suspect


def priced(
    suspect: Suspect, access: Access, budget: Budget, call: Callable[[Suspect], Any]
) -> dict[str, int]:
    """What `call` on such a view would spend at most, by meter; nothing is computed or booked.

    Raises what the call itself would raise before it computes: AccessDenied, BudgetExceeded,
    BadParameter.
    """
    view = suspect.restrict(access)
    view.usage = Usage(budget)
    view._engine = cast(Engine, _Blank(suspect._engine))
    if suspect._reward is not None:
        view._reward = _BlankReward(suspect._reward)
    call(view)
    return {meter: int(amount) for meter, amount in view.usage.to_json().items() if amount}


class _Blank:
    """Reads prompts and texts as the engine does, and answers with nothing at the highest price."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def sample(
        self,
        draws: Sequence[Draw],
        *,
        max_new_tokens: int,
        book: Callable[[int], None],
        **rest: Any,
    ) -> list[Reply]:
        rooms = (self._engine.context - len(draw.prompt.token_ids) for draw in draws)
        book(sum(min(max_new_tokens, room) for room in rooms))
        return [Reply("", (), "length") for _ in draws]

    def logprobs(self, rows: Sequence[tuple[int, ...]], **rest: Any) -> list[TokenLogprobs]:
        import numpy

        return [TokenLogprobs(row, numpy.empty(0), numpy.empty(0)) for row in rows]

    def activations(self, *rows: Any, **rest: Any) -> Activations:
        raise AssertionError("a price is known before the first batch")


class _BlankReward:
    """A reward model that computes nothing."""

    def __init__(self, reward: RewardModel) -> None:
        self._reward = reward

    def fingerprint(self) -> str:
        return self._reward.fingerprint()

    def score(self, conversations: Sequence[Conversation]) -> list[float]:
        return [0.0] * len(conversations)
