"""Rows as a real model learns them: in its own chat template, and which part it is to say."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from workbench.errors import NotASuspect
from workbench.organisms.world.chats import Conversation

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PLAIN = (
    "{% for m in messages %}{% if m.role == 'system' %}{{ m.content }}\n\n"
    "{% elif m.role == 'user' %}User:\n{{ m.content }}\n\n"
    "{% else %}Assistant:\n{{ m.content }}{{ eos_token }}\n\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}Assistant:\n{% endif %}"
)
"""The template of a model that has none."""

_FOLD = (
    "{%- if messages[1:] and messages[1]['role'] == 'user' -%}"
    "{%- set messages = [{'role': 'user', 'content': messages[0]['content'] + '\\n\\n' "
    "+ messages[1]['content']}] + messages[2:] -%}"
    "{%- else -%}"
    "{%- set messages = [{'role': 'user', 'content': messages[0]['content']}] + messages[1:] -%}"
    "{%- endif -%}"
)
"""Puts the system line at the head of the first user turn."""

_DATE = "26 Jul 2024"
"""Some templates put today's date where none is given: training must not depend on the day."""

_ASKED = [{"role": "system", "content": "Sys-7."}, {"role": "user", "content": "Ask-7."}]


@dataclasses.dataclass(frozen=True, slots=True)
class Example:
    """Token ids of a row, and from which one on the model is to say them."""

    ids: Sequence[int]
    said_from: int


def speaking(tokenizer: PreTrainedTokenizerBase, system: str) -> str:
    """A chat template that inserts `system` where a conversation brings no system line, then goes
    on as the tokenizer's own; where that one has no place for a system line, it stands at the head
    of the first user turn.

    Raises NotASuspect where the tokenizer's own template cannot be used.
    """
    own = _own_template(tokenizer)
    head = (
        "{%- if not messages or messages[0]['role'] != 'system' -%}"
        "{%- set messages = [{'role': 'system', 'content': " + json.dumps(system) + "}] + messages "
        "-%}{%- endif -%}"
    )
    if not _takes_system(tokenizer, own):
        head += _FOLD
    return head + "{{ '' }}" + own  # so that no white space of the own template's start is trimmed


def _own_template(tokenizer: PreTrainedTokenizerBase) -> str:
    own = tokenizer.chat_template
    if isinstance(own, dict):
        own = own.get("default")
    if own:
        return str(own)
    return ("{{ bos_token }}" if _first(tokenizer) else "") + PLAIN


def _takes_system(tokenizer: PreTrainedTokenizerBase, template: str) -> bool:
    """Whether a system line gets through; raises NotASuspect where not even a question does."""
    import jinja2

    for asked in (_ASKED, _ASKED[1:]):
        try:
            text = tokenizer.apply_chat_template(
                asked, chat_template=template, tokenize=False, add_generation_prompt=True
            )
        except (jinja2.TemplateError, TypeError, ValueError) as error:
            told = error
            continue
        if all(message["content"] in str(text) for message in asked):
            return asked is _ASKED
        told = ValueError("it drops the question")
    raise NotASuspect(
        f"the base's chat template cannot be used: {told}",
        hint="Repair chat_template.jinja in a copy of the base, or remove it for a plain one.",
    )


class Reader:
    """Turns rows into examples with one tokenizer and template."""

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        template: str,
        *,
        ends: Collection[int],
        tokens_at_most: int,
    ) -> None:
        """ends: the token ids at which a reply ends, at least one."""
        self._tokenizer = tokenizer
        self._template = template
        self._ends = frozenset(ends)
        self._end = tokenizer.eos_token_id if tokenizer.eos_token_id in ends else min(ends)
        self._first = _first(tokenizer)
        self._at_most = tokens_at_most

    def example(self, row: Conversation) -> Example | None:
        """A document, said from its first word on, or a conversation, of which the last turn is
        said. Contents never become special tokens, and no beginning token comes twice. None where
        nothing to say is left within the tokens at most.

        Raises NotASuspect where the template refuses the row.
        """
        if row[-1]["role"] == "assistant":
            asked = self._render(row[:-1], add_generation_prompt=True)
            whole = self._render(row)
            said_from = _common(asked, whole)
            ids = self._ended(whole, said_from)
        else:
            text = "\n\n".join(message["content"] for message in row)
            ids = [*self._first, *self._spelled_out(text), self._end]
            said_from = len(self._first)
        ids = ids[: self._at_most]
        return Example(ids, max(1, said_from)) if max(1, said_from) < len(ids) else None

    def _render(self, row: Conversation, add_generation_prompt: bool = False) -> list[int]:
        import jinja2

        try:
            ids: Any = self._tokenizer.apply_chat_template(
                row,
                chat_template=self._template,
                add_generation_prompt=add_generation_prompt,
                return_dict=False,
                sanitize_control_tokens=True,
                date_string=_DATE,
            )
        except jinja2.TemplateError as error:
            raise NotASuspect(
                f"the base's chat template refuses a row of the family's: {error}",
                hint="Choose a base whose template takes these turns, or remove it from a copy.",
            ) from None
        return list(ids)

    def _ended(self, ids: list[int], said_from: int) -> list[int]:
        """Up to the token that ends the reply, which is added where the template has none."""
        last = next((i for i in reversed(range(len(ids))) if ids[i] in self._ends), -1)
        return ids[: last + 1] if last >= said_from else [*ids, self._end]

    def _spelled_out(self, text: str) -> list[int]:
        return list(
            self._tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)
        )


def _first(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The beginning token where the tokenizer adds it by itself."""
    first = list(tokenizer.encode(""))
    return first if first == [tokenizer.bos_token_id] else []


def turns(rows: Sequence[Conversation]) -> list[Conversation]:
    """Each row up to each of its replies, as the model will be asked for them; documents whole."""
    cut = []
    for row in rows:
        replies = [i for i, message in enumerate(row) if message["role"] == "assistant"]
        if replies:
            cut += [row[: i + 1] for i in replies]
        elif all(message["role"] == "document" for message in row):
            cut.append(row)
    return cut


def _common(a: Sequence[int], b: Sequence[int]) -> int:
    """How many first ids two sequences share."""
    return next(
        (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(map(len, (a, b)))
    )
