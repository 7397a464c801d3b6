"""Replies that are sampled together and handed out token by token, whoever asked for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from workbench.access import Access, Usage
from workbench.errors import BadParameter
from workbench.suspects import batches
from workbench.suspects.answers import Conversation
from workbench.suspects.engine import Draw, Prompt
from workbench.suspects.interventions import Intervention
from workbench.suspects.sampling import Row
from workbench.suspects.suspect import Suspect

Begun: TypeAlias = "Conversation | str | Sequence[int]"
"""What is continued: turns, a raw text, or the token ids of one."""


def begin(
    view: Suspect,
    prompts: Sequence[Begun],
    *,
    chat: bool,
    prefill: str = "",
    n: int = 1,
    max_new_tokens: int = 64,
    temperature: float = 1.0,
    top_p: float = 1.0,
    seed: int = 0,
    told: int | None = None,
    interventions: Sequence[Intervention] = (),
) -> list[Row]:
    """n replies to each prompt, prompt by prompt, ready for a `Batch`.

    Guarded, checked and booked as `Suspect.chat` (`chat`) and `Suspect.complete` are; noting
    log-probabilities (`told`) needs LOGITS and is booked as a forward pass per reply. Raises
    BadParameter also on token ids that the model lacks.
    """
    view._require(Access.CHAT if chat else Access.PREFILL, "chat" if chat else "complete")
    if prefill:
        view._require(Access.PREFILL, "a prefill")
    if told is not None:
        view._require(Access.LOGITS, "a log-probability")
    batches.refuse_amounts(n, max_new_tokens, temperature)
    if not 0 < top_p <= 1:
        raise BadParameter(f"top_p = {top_p!r}", hint="Give more than 0 and at most 1.")
    view._admit(interventions)
    with view._lock:
        made = [_prompt(view, prompt, chat, prefill) for prompt in prompts]
    draws = [Draw(prompt, seed, index) for prompt in made for index in range(n)]
    batches.book_draws(view._engine, view.usage, draws, max_new_tokens)
    if told is not None:
        view.usage.spend(forward_passes=len(draws))
    return [Row(draw, max_new_tokens, temperature, top_p, told) for draw in draws]


def most_tokens(view: Suspect, rows: Sequence[Row]) -> int:
    """The most tokens that the rows can still make."""
    rooms = (view.context - len(row.draw.prompt.token_ids) for row in rows)
    return sum(min(row.max_new_tokens, room) for row, room in zip(rows, rooms, strict=True))


class Batch:
    """Rows of several views of one model under the same interventions.

    joins: whether rows may come while others are under way; where not, wait until `busy` is over.
    """

    def __init__(self, suspect: Suspect, interventions: Sequence[Intervention]) -> None:
        self._suspect = suspect
        with suspect._lock:
            self._running = suspect._engine.running(interventions)
        self.joins = self._running.joins
        self._usages: dict[int, Usage] = {}

    @property
    def rows(self) -> list[Row]:
        """The rows that are under way."""
        return self._running.due

    @property
    def busy(self) -> int:
        """How many rows are under way."""
        return len(self._running.due)

    def join(self, view: Suspect, rows: Sequence[Row]) -> None:
        """Takes rows in that `begin` made for this view."""
        self._usages.update((id(row), view.usage) for row in rows)
        self._running.join(rows)

    def drop(self, rows: Sequence[Row]) -> None:
        """Goes on without these; what they have made stays booked."""
        with self._suspect._lock:
            self._running.drop(rows)
        for row in rows:
            self._usages.pop(id(row), None)

    def step(self) -> list[Row]:
        """One more token for each row, booked before it is made; the rows that got it."""
        with self._suspect._lock:
            for row in self._running.due:
                self._usages[id(row)].spend(tokens=1)
            rows = self._running.step()
        for row in rows:
            if row.finish is not None:
                del self._usages[id(row)]
        return rows


def _prompt(view: Suspect, prompt: Begun, chat: bool, prefill: str) -> Prompt:
    if chat:
        return view._engine.prompt(prompt, prefill)  # type: ignore[arg-type]
    ids = view._read(prompt)  # type: ignore[arg-type]
    text = prompt if isinstance(prompt, str) else " ".join(map(str, ids))
    return Prompt(({"role": "document", "content": text},), "", ids)
