"""What a call costs, and which rows of it go through the model together."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from workbench.access import Usage
from workbench.errors import BadParameter, BudgetExceeded, TooLong
from workbench.suspects.answers import (
    Activations,
    Conversation,
    Reply,
    TokenGradients,
    TokenLogprobs,
)
from workbench.suspects.engine import Draw, Engine
from workbench.suspects.interventions import Intervention

if TYPE_CHECKING:
    import numpy

SAMPLED_ROWS = 256
SAMPLED_TOKENS = 65_536
SCORED_ROWS = 256
SCORED_FLOATS = 1 << 24
SCORED_TOKENS = 4096
"""Bounds of a batch: rows and tokens while sampling; rows, tokens and kept floats while scoring.
A batch of 4,096 tokens stays in a processor's cache: 2.5 times as fast there as one of 20,000."""


def sample_all(
    engine: Engine,
    usage: Usage,
    draws: Sequence[Draw],
    max_new_tokens: int,
    temperature: float,
    interventions: Sequence[Intervention],
) -> list[Reply]:
    """Replies in the order of `draws`. Samples and prompt tokens are booked at once, generated
    tokens step by step; BudgetExceeded, and nothing is spent, where the longest replies would
    not fit."""
    book_draws(engine, usage, draws, max_new_tokens)
    lengths = [len(draw.prompt.token_ids) for draw in draws]
    replies: dict[int, Reply] = {}
    for batch in by_length(lengths, SAMPLED_ROWS, SAMPLED_TOKENS, extra=max_new_tokens):
        answers = engine.sample(
            [draws[i] for i in batch],
            max_new_tokens=max_new_tokens,
            temperature=temperature,
            interventions=interventions,
            book=lambda tokens: usage.spend(tokens=tokens),
        )
        replies.update(zip(batch, answers, strict=True))
    return [replies[i] for i in range(len(draws))]


def book_draws(engine: Engine, usage: Usage, draws: Sequence[Draw], max_new_tokens: int) -> None:
    """Books samples and prompt tokens; BudgetExceeded, and nothing is spent, where the longest
    replies would not fit, BadParameter on a prompt that leaves no room for one."""
    lengths = [len(draw.prompt.token_ids) for draw in draws]
    worst = sum(lengths)
    for length in lengths:
        refuse_length("a prompt", length, engine.context - 1)
        worst += min(max_new_tokens, engine.context - length)
    left = usage.left("tokens")
    if left is not None and worst > left:
        raise BudgetExceeded(
            f"{worst} tokens asked at most, {left:.0f} left",
            hint="Ask for fewer or shorter replies, or for a larger budget.",
        )
    usage.spend(samples=len(draws), tokens=sum(lengths))


def score_all(
    engine: Engine,
    usage: Usage,
    rows: Sequence[tuple[int, ...]],
    interventions: Sequence[Intervention],
    distributions: bool,
) -> list[TokenLogprobs]:
    """Scores in the order of `rows`; all is booked before the model runs."""
    _book(engine, usage, rows)
    found: dict[int, TokenLogprobs] = {}
    for batch in _scoring_batches(rows, engine.vocabulary):
        answers = engine.logprobs(
            [rows[i] for i in batch], interventions=interventions, distributions=distributions
        )
        found.update(zip(batch, answers, strict=True))
    return [found[i] for i in range(len(rows))]


def stream_all(
    engine: Engine,
    usage: Usage,
    lock: AbstractContextManager[Any],
    rows: Sequence[tuple[int, ...]],
    hook_names: tuple[str, ...],
    interventions: tuple[Intervention, ...],
) -> Iterator[Activations]:
    """Batches of activations, each computed under the lock; all is booked before the first."""
    _book(engine, usage, rows)

    def stream() -> Iterator[Activations]:
        for batch in _scoring_batches(rows, 4 * engine.d_model * len(hook_names)):
            with lock:
                part = engine.activations(
                    [rows[i] for i in batch], hook_names, interventions=interventions
                )
            yield dataclasses.replace(part, rows=tuple(batch))

    return stream()


def gradients_all(
    engine: Engine, usage: Usage, rows: Sequence[tuple[int, ...]], weights: numpy.ndarray
) -> list[TokenGradients]:
    """Gradients in the order of `rows`, which are booked as read twice: forth and back."""
    _book(engine, usage, rows, times=2)
    found: dict[int, TokenGradients] = {}
    for batch in _scoring_batches(rows, engine.vocabulary):
        answers = engine.token_gradients([rows[i] for i in batch], weights[batch])
        found.update(zip(batch, answers, strict=True))
    return [found[i] for i in range(len(rows))]


def taught(
    engine: Engine, conversations: Sequence[Conversation]
) -> tuple[list[tuple[int, ...]], list[int]]:
    """The tokens of whole conversations, and where the last reply of each begins.

    Raises BadParameter on no conversation, and on one that does not end with a reply.
    """
    rows, starts = [], []
    for talk in conversations:
        if len(talk) < 2 or talk[-1]["role"] != "assistant":
            raise BadParameter(
                "a conversation to learn that does not end with a reply",
                hint="End each with a turn of the assistant.",
            )
        row = engine.encode(engine.render(talk, False))
        start = len(engine.encode(engine.render(talk[:-1], True)))
        rows.append(row)
        starts.append(min(start, len(row) - 1))
    if not rows:
        raise BadParameter("nothing to learn", hint="Give at least one conversation.")
    return rows, starts


def tuned(
    engine: Engine,
    usage: Usage,
    rows: Sequence[tuple[int, ...]],
    starts: Sequence[int],
    steps: int,
    learning_rate: float,
) -> Engine:
    """An engine on a trained copy. Every row is booked twice for each step, before the first."""
    _book(engine, usage, rows, times=2 * steps)
    return engine.tuned(rows, starts, steps=steps, learning_rate=learning_rate)


def by_length(
    lengths: Sequence[int], rows_at_most: int, tokens_at_most: int, *, extra: int = 0
) -> Iterator[list[int]]:
    """Indices of rows in batches, longest first, so that little is padded.

    A batch holds at most `rows_at_most` rows and `tokens_at_most` tokens, padding and `extra`
    tokens per row counted; a row that is too long by itself is a batch of its own.
    """
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    start = 0
    while start < len(order):
        width = lengths[order[start]] + extra
        count = max(1, min(rows_at_most, tokens_at_most // width))
        yield order[start : start + count]
        start += count


def refuse_single(values: Sequence[object], name: str, kinds: tuple[type, ...]) -> None:
    """Raises BadParameter where one text or one conversation stands in place of a sequence."""
    single = isinstance(values, str) or (
        dict in kinds and len(values) > 0 and isinstance(values[0], kinds)
    )
    if single:
        raise BadParameter(
            f"{name} is a single one, not a sequence", hint=f"Give a list: {name}=[...]."
        )


def refuse_amounts(n: int, max_new_tokens: int, temperature: float) -> None:
    """Raises BadParameter on amounts that no sampling can serve."""
    for name, value in (("n", n), ("max_new_tokens", max_new_tokens)):
        if type(value) is not int or value < 1:
            raise BadParameter(f"{name} = {value!r}", hint="Give a whole number of at least 1.")
    if not math.isfinite(temperature) or temperature < 0:
        raise BadParameter(
            f"temperature = {temperature!r}", hint="Give 0 for the likeliest token, or more."
        )


def _book(engine: Engine, usage: Usage, rows: Sequence[tuple[int, ...]], times: int = 1) -> None:
    for row in rows:
        refuse_length("a text", len(row), engine.context)
    usage.spend(forward_passes=times * len(rows), tokens=times * sum(map(len, rows)))


def _scoring_batches(rows: Sequence[tuple[int, ...]], floats_per_token: int) -> Iterator[list[int]]:
    tokens = min(SCORED_TOKENS, SCORED_FLOATS // floats_per_token)
    return by_length([len(row) for row in rows], SCORED_ROWS, tokens)


def refuse_length(what: str, length: int, longest: int) -> None:
    """Raises TooLong on more tokens than fit, BadParameter on none."""
    if not 1 <= length <= longest:
        kind = TooLong if length else BadParameter
        raise kind(
            f"{what} of {length} tokens, where 1 to {longest} fit", hint="Give another length."
        )
