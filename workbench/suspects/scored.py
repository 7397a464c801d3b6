"""Replies read back token by token: what the suspect, and one beside it, held each token for."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

from workbench.access import Access
from workbench.suspects.answers import Conversation, Reply
from workbench.suspects.suspect import Suspect

_SPECIAL = re.compile(r"<\|?[\w/:-]+\|?>|\[[A-Z]{3,}\]")
"""How tokenizers write special tokens; text that only looks so is several tokens."""


@dataclasses.dataclass(frozen=True, slots=True)
class Scored:
    """A reply's tokens.

    strings, special: [pos]. logprobs, beside: [pos], natural logarithms; empty where the flag is
    not granted, or where the reply read as text gives other tokens than those that were sampled,
    or more than the context holds.
    """

    strings: tuple[str, ...]
    special: tuple[bool, ...]
    logprobs: tuple[float, ...] = ()
    beside: tuple[float, ...] = ()


def looks_special(string: str) -> bool:
    """Whether one token's text is how tokenizers write special tokens."""
    return _SPECIAL.fullmatch(string.strip()) is not None


def scored(
    suspect: Suspect,
    conversation: Conversation,
    replies: Sequence[Reply],
    *,
    prefill: str = "",
    beside: Suspect | None = None,
) -> list[Scored]:
    """The replies to a conversation, token by token.

    With LOGITS it spends a forward pass for each reply, of `beside` as well. Raises what `render`
    and `logprobs` raise.
    """
    strings = [tuple(suspect.token_strings(reply.token_ids)) for reply in replies]
    own = _read(suspect, conversation, strings, prefill)
    other: list[tuple[float, ...]] = [()] * len(replies)
    if beside is not None:
        other = _read(beside, conversation, strings, prefill)
    return [
        Scored(tokens, tuple(map(looks_special, tokens)), mine, theirs)
        for tokens, mine, theirs in zip(strings, own, other, strict=True)
    ]


def _read(
    model: Suspect, conversation: Conversation, replies: Sequence[tuple[str, ...]], prefill: str
) -> list[tuple[float, ...]]:
    """By reply, the log-probability of each of its tokens; empty where they cannot be told."""
    if Access.LOGITS not in model.access or Access.CHAT not in model.access:
        return [()] * len(replies)
    head = model.render(conversation, True) + prefill
    texts = [head + "".join(tokens) for tokens in replies]
    fits = [
        bool(tokens) and length <= model.context
        for tokens, length in zip(replies, model.count_tokens(texts), strict=True)
    ]
    told = iter(model.logprobs([text for text, fit in zip(texts, fits, strict=True) if fit]))
    made: list[tuple[float, ...]] = []
    for tokens, fit in zip(replies, fits, strict=True):
        if not fit:
            made.append(())
            continue
        read, count = next(told), len(tokens)
        same = tuple(model.token_strings(read.token_ids[-count:])) == tokens
        whole = same and len(read.token_ids) > count
        made.append(tuple(float(v) for v in read.logprobs[-count:]) if whole else ())
    return made
