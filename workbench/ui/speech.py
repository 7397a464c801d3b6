"""What models and training rows say, shown in one way everywhere: monospace and inert.

Pure functions from text to HTML. Every character from outside is made visible and escaped, so that
no text is read as Markdown or HTML; only what the tokenizer calls a special token becomes a chip.
"""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Sequence
from typing import Literal, TypeAlias

from workbench.report.inert import inert, inert_line

FOLDED_AFTER = 1_500
"""Characters of a text that are shown before it is folded."""

Speaker: TypeAlias = Literal["suspect", "reference", "other", "bare"]


@dataclasses.dataclass(frozen=True, slots=True)
class Token:
    """A token as shown. hover: what is told of it; shade: 0 to 1, how strongly it is tinted."""

    text: str
    special: bool = False
    hover: str = ""
    shade: float = 0.0


def said(
    text: str,
    *,
    speaker: Speaker = "other",
    role: str = "",
    marked: Sequence[tuple[int, int]] = (),
) -> str:
    """A text; `marked` are spans of it, in order, that are highlighted. Long ones are folded."""
    if len(text) <= FOLDED_AFTER or marked:
        body = _spans(text, marked)
    else:
        rest = len(text) - FOLDED_AFTER
        body = (
            f"{_safe(text[:FOLDED_AFTER])}<details><summary>{rest:,} more characters</summary>"
            f"{_safe(text[FOLDED_AFTER:])}</details>"
        )
    return _block(body, speaker, role)


def said_in_tokens(
    tokens: Sequence[Token], *, speaker: Speaker = "other", role: str = "", begun: str = ""
) -> str:
    """A text token by token; `begun` stands before it, as a prefill does."""
    head = f'<span class="wb-quiet">{_safe(begun)}</span>' if begun else ""
    return _block(head + "".join(map(_token, tokens)), speaker, role)


def conversation(turns: Sequence[tuple[str, str]]) -> str:
    """(role, content) by turn; the assistant's are the suspect's."""
    return "".join(
        said(content, speaker="suspect" if role == "assistant" else "other", role=role)
        for role, content in turns
    )


def _block(body: str, speaker: Speaker, role: str) -> str:
    label = f'<span class="wb-role">{html.escape(inert_line(role))}</span>' if role else ""
    empty = '<span class="wb-quiet">(nothing)</span>'
    return f'<div class="wb-said {speaker}" tabindex="0">{label}{body or empty}</div>'


def _spans(text: str, marked: Sequence[tuple[int, int]]) -> str:
    made, at = [], 0
    for start, end in marked:
        start, end = max(at, start), min(len(text), end)
        if start < end:
            made += [_safe(text[at:start]), "<mark>", _safe(text[start:end]), "</mark>"]
            at = end
    return "".join([*made, _safe(text[at:])])


def _token(token: Token) -> str:
    title = f' title="{html.escape(inert_line(token.hover))}"' if token.hover else ""
    if token.special:
        return f'<span class="wb-special"{title}>{_safe(token.text)}</span>'
    style = ""
    if token.shade > 0:
        share = round(40 * min(1.0, token.shade))
        style = f' style="background:color-mix(in srgb, var(--wb-suspect) {share}%, transparent)"'
    return f'<span class="wb-token"{title}{style}>{_safe(token.text)}</span>'


def _safe(text: str) -> str:
    return html.escape(inert(text))
