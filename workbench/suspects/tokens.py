"""Text to token ids and back: no double beginning token, and no special token out of a content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench.errors import BadParameter, NotASuspect
from workbench.suspects.answers import Conversation

ROLES = ("system", "user", "assistant")


class Tokens:
    """A Hugging Face tokenizer with the rules of an audit on top."""

    def __init__(self, path: Path) -> None:
        from transformers import AutoTokenizer

        try:
            self.tokenizer = AutoTokenizer.from_pretrained(
                path, local_files_only=True, trust_remote_code=False
            )
        except (OSError, ValueError, KeyError) as error:
            raise NotASuspect(
                f"{path}: its tokenizer cannot be read: {error}",
                hint="Save model and tokenizer with save_pretrained.",
            ) from None
        self.special = frozenset(
            {i for i, token in self.tokenizer.added_tokens_decoder.items() if token.special}
            | set(self.tokenizer.all_special_ids)
        )
        first = self.tokenizer.encode("")
        self._first = tuple(first) if first == [self.tokenizer.bos_token_id] else ()

    def encode(self, text: str) -> tuple[int, ...]:
        """Raw text, special tokens parsed; the beginning token is added where the tokenizer does
        so by itself and the text does not begin with it."""
        ids = tuple(self.tokenizer.encode(text, add_special_tokens=False))
        return ids if ids[:1] == self._first else self._first + ids

    def encode_chat(self, conversation: Conversation, prefill: str) -> tuple[int, ...]:
        """A conversation up to its begun reply; contents and prefill never become special tokens.

        Raises BadParameter on a conversation that the template refuses, or one whose contents
        would join with the template's own text into a special token.
        """
        for message in conversation:
            _check_message(message)
        if not conversation or conversation[-1]["role"] == "assistant":
            raise BadParameter(
                "a conversation that is empty or ends with the assistant",
                hint="End with the user; give a begun reply as `prefill`.",
            )
        return self._encode_checked(conversation, prefill, True)

    def encode_whole(self, conversation: Conversation) -> tuple[int, ...]:
        """A conversation with its last reply, as a reward model reads it; raises as `encode_chat`
        does, but takes a last turn of anybody's."""
        for message in conversation:
            _check_message(message)
        if not conversation:
            raise BadParameter("an empty conversation", hint="Give at least one turn.")
        return self._encode_checked(conversation, "", False)

    def render(self, conversation: Conversation, add_generation_prompt: bool) -> str:
        """The template's text. Raises BadParameter where there is no template or it refuses."""
        import jinja2

        if not self.tokenizer.chat_template:
            raise BadParameter(
                "the suspect has no chat template", hint="Use `complete` with raw text."
            )
        for message in conversation:
            _check_message(message)
        try:
            return str(
                self.tokenizer.apply_chat_template(
                    [dict(m) for m in conversation],
                    tokenize=False,
                    add_generation_prompt=add_generation_prompt,
                )
            )
        except jinja2.TemplateError as error:
            raise BadParameter(
                f"the chat template refuses the conversation: {error}",
                hint="Most take an optional system turn, then user and assistant by turns.",
            ) from None

    def strings(self, token_ids: Sequence[int]) -> list[str]:
        """The text of each token by itself, special ones included."""
        return [self.tokenizer.decode([i], clean_up_tokenization_spaces=False) for i in token_ids]

    def decode(self, token_ids: Sequence[int]) -> str:
        """The text of a reply, without special tokens."""
        kept = [i for i in token_ids if i not in self.special]
        return str(self.tokenizer.decode(kept, clean_up_tokenization_spaces=False))

    def _encode_checked(
        self, conversation: Conversation, prefill: str, begun: bool
    ) -> tuple[int, ...]:
        ids = self._encode_marked(conversation, prefill, begun)
        harmless = [{"role": m["role"], "content": "x"} for m in conversation]
        if self._specials(ids) != self._specials(self._encode_marked(harmless, "", begun)):
            raise BadParameter(
                "a content that would form a special token with the template's text",
                hint="Change the content at its beginning or end.",
            )
        return ids

    def _encode_marked(
        self, conversation: Conversation, prefill: str, begun: bool
    ) -> tuple[int, ...]:
        from transformers.utils import chat_template_utils as templates

        controls, _ = templates._get_control_token_patterns(
            tuple(self.tokenizer.added_tokens_encoder)
        )
        marked = [
            {"role": m["role"], "content": templates.mark_control_tokens(m["content"], controls)}
            for m in conversation
        ]
        text = self.render(marked, begun) + templates.mark_control_tokens(prefill, controls)
        try:
            return tuple(templates.encode_marked_chat(self.tokenizer, text))
        except ValueError as error:
            raise BadParameter(str(error), hint="Leave that text out of the content.") from None

    def _specials(self, ids: Sequence[int]) -> list[int]:
        return [i for i in ids if i in self.special]


def _check_message(message: Any) -> None:
    fits = (
        isinstance(message, Mapping)
        and set(message) == {"role", "content"}
        and message["role"] in ROLES
        and isinstance(message["content"], str)
    )
    if not fits:
        raise BadParameter(
            f"no message: {str(message)[:80]}",
            hint=f"Each has a role ({', '.join(ROLES)}) and a content, both texts.",
        )
