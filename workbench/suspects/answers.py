"""What is asked of a suspect (`Conversation`) and what comes back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

from workbench.findings import Message

if TYPE_CHECKING:
    import numpy
    import torch

Conversation: TypeAlias = Sequence[Message]
"""Turns in order, the last one not by the assistant (use `prefill` to begin its reply)."""

Finish: TypeAlias = Literal["eos", "length"]


@dataclasses.dataclass(frozen=True, slots=True)
class Reply:
    """One sampled continuation.

    text: without special tokens and without the prefill. token_ids: all that was generated, an
    ending token included. finish: "eos" when the model ended it, "length" when the limit did.
    """

    text: str
    token_ids: tuple[int, ...]
    finish: Finish


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class TokenLogprobs:
    """Natural log-probabilities that the suspect gives to a text.

    token_ids: [pos], a beginning-of-sequence token included where the tokenizer adds one.
    logprobs: [pos - 1], of token_ids[1:], each given all that precedes it.
    last: [vocabulary], of the token that would follow the text.
    distributions: [pos, vocabulary], of the token after each position, where asked for.
    """

    token_ids: tuple[int, ...]
    logprobs: numpy.ndarray
    last: numpy.ndarray
    distributions: numpy.ndarray | None = None

    @property
    def total(self) -> float:
        """The log-probability of the text given its first token."""
        return float(self.logprobs.sum())


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class TokenGradients:
    """How a sum of log-probabilities after a text would move with the text's tokens.

    token_ids: [pos]. gradient: [pos, vocabulary], with respect to each token as a one-hot row: to
    first order, token v in the place of token u adds gradient[pos, v] - gradient[pos, u].
    """

    token_ids: tuple[int, ...]
    gradient: numpy.ndarray


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Activations:
    """One streamed batch of activations, float32 on the CPU; batches are sorted by length.

    rows: [batch], the index of each row's text in the call. tokens: [batch, pos], left-padded.
    mask: [batch, pos], true on the text's tokens, false on padding. special: [batch, pos], true
    on special tokens. values: hook name as asked for → [batch, pos, d_model] (other hooks have
    their own trailing shape). Values on padding are meaningless.
    """

    rows: tuple[int, ...]
    tokens: torch.Tensor
    mask: torch.Tensor
    special: torch.Tensor
    values: Mapping[str, torch.Tensor]
