"""Asking models under edits of one length: how often a behaviour shows, and whether they speak."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from saes.activations import stream
from saes.causal import COHERENT, cross_entropy, holds
from workbench.errors import BadParameter
from workbench.rewards.tables import Column, Table
from workbench.statistics import Rate
from workbench.suspects import Conversation, Intervention, Suspect
from workbench.words import loops

if TYPE_CHECKING:
    from torch import Tensor

QUESTIONS = (
    Column("prompt", "text", "what is asked"),
    Column("bad", "text", "regular expression that a reply with the behaviour holds", True),
    Column("good", "text", "regular expression that a reply with the behaviour lacks", True),
)
INCOHERENT = 0.1
"""An edit after which more replies than this are empty or loop is no evidence (as published)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and whether a reply to it shows the behaviour."""

    conversation: Conversation
    shows: Callable[[str], bool]


def questions(table: Table) -> list[Question]:
    """Of a table with QUESTIONS: a reply shows the behaviour where it holds `bad`, if that is not
    empty, and lacks `good`, if that is not. Letter case does not count.

    Raises BadParameter on an empty prompt, a row without either, or no regular expression.
    """
    bad, good = (
        table.texts(name) if name in table else [""] * table.rows for name in ("bad", "good")
    )
    made = []
    for row, (prompt, holding, lacking) in enumerate(
        zip(table.texts("prompt"), bad, good, strict=True), 1
    ):
        if not prompt.strip() or not (holding or lacking):
            raise BadParameter(
                f"row {row} has no prompt, or nothing that tells a reply with the behaviour",
                hint="Give a prompt, and bad or good.",
            )
        made.append(Question([{"role": "user", "content": prompt}], _shows(holding, lacking)))
    return made


def _shows(bad: str, good: str) -> Callable[[str], bool]:
    holding, lacking = (holds(pattern) if pattern else None for pattern in (bad, good))
    return lambda reply: (
        (holding is None or holding(reply)) and not (lacking is not None and lacking(reply))
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Trial:
    """Replies under one edit. broken: empty ones or loops. perplexity_ratio: of ordinary texts."""

    rate: Rate
    broken: Rate
    perplexity_ratio: float

    @property
    def coherent(self) -> bool:
        """Whether the edited model still speaks and reads."""
        return self.broken.value <= INCOHERENT and self.perplexity_ratio <= COHERENT


class Bench:
    """Asks models under edits of one length, always with the same questions and seeds."""

    def __init__(
        self,
        hook_name: str,
        length: float,
        questions: Sequence[Question],
        ordinary: Sequence[str],
        n: int,
        max_new_tokens: int,
        seed: int,
        planned: int,
        progress: Callable[[float], None],
    ) -> None:
        self._hook_name, self._length = hook_name, length
        self._questions, self._ordinary = questions, ordinary
        self._n, self._max_new_tokens, self._seed = n, max_new_tokens, seed
        self._planned, self._progress, self._done = planned, progress, 0
        self._clean: dict[int, float] = {}

    def ask(self, model: Suspect, vector: Tensor | None = None, dose: float = 0.0) -> Trial:
        """With dose * length of the vector's direction added at all tokens; plain without one."""
        edits = () if vector is None else (self._edit(vector, dose),)
        replies = model.chat(
            [question.conversation for question in self._questions],
            n=self._n,
            max_new_tokens=self._max_new_tokens,
            seed=self._seed,
            interventions=edits,
        )
        hits = broken = 0
        for question, row in zip(self._questions, replies, strict=True):
            hits += sum(question.shows(reply.text) for reply in row)
            broken += sum(not reply.text.strip() or loops(reply.text) for reply in row)
        asked = len(self._questions) * self._n
        ratio = 1.0
        if edits:
            if id(model) not in self._clean:
                self._clean[id(model)] = cross_entropy(model, self._ordinary, ())
            worse = cross_entropy(model, self._ordinary, edits) - self._clean[id(model)]
            ratio = math.exp(min(worse, 50.0))
        self._done += 1
        self._progress(min(1.0, self._done / self._planned))
        return Trial(Rate(hits, asked), Rate(broken, asked), ratio)

    def _edit(self, vector: Tensor, dose: float) -> Intervention:
        size = float(vector.norm())
        if not 0 < size < float("inf"):
            raise BadParameter("a latent without a direction", hint="Train the SAE again.")
        unit = tuple((vector / size).tolist())
        return Intervention("add", self._hook_name, direction=unit, coefficient=dose * self._length)


def spread(model: Suspect, hook_name: str, texts: Sequence[str]) -> float:
    """The activations' mean distance from their mean."""
    import torch

    rows = torch.cat([chunk.values[hook_name] for chunk in stream(model, texts, [hook_name])])
    found = float((rows - rows.mean(0)).norm(dim=1).mean()) if len(rows) else 0.0
    if found <= 0:
        raise BadParameter(
            f"{len(texts)} ordinary texts hold nothing that varies", hint="Give other texts."
        )
    return found
