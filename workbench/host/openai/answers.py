"""Answers in the OpenAI protocol, put together from what the model worker tells."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from workbench.findings import Finding, Transcript
from workbench.host.verbs import Generate

TRANSCRIPTS_AT_MOST = 16
"""Choices of one exchange that are filed whole."""


@dataclasses.dataclass(slots=True)
class Choice:
    """A reply, or what is new of it.

    strings, logprobs, alternatives: by token, empty where log-probabilities were not asked for; a
    prompt's first token has none. offset: where the first of `strings` stands in the whole text.
    """

    text: str = ""
    tokens: int = 0
    strings: list[str] = dataclasses.field(default_factory=list)
    logprobs: list[float | None] = dataclasses.field(default_factory=list)
    alternatives: list[Sequence[tuple[str, float]]] = dataclasses.field(default_factory=list)
    finish: str | None = None
    offset: int = 0

    def add(self, new: Choice) -> None:
        """Goes on by what is new, which is told where it stands."""
        new.offset = self.offset + sum(map(len, self.strings))
        self.text += new.text
        self.tokens += new.tokens
        self.strings += new.strings
        self.logprobs += new.logprobs
        self.alternatives += new.alternatives
        self.finish = new.finish


class Answer:
    """What was told so far of one request, and the documents that say it."""

    def __init__(self, id: str, model: str, created: int, asked: Generate) -> None:
        self._chat = bool(asked.conversations)
        self._asked = asked
        self._head = {"id": id, "object": "", "created": created, "model": model}
        begun = len(asked.conversations) + len(asked.prompts)
        self.choices = [Choice() for _ in range(begun * asked.n)]
        self._prompt_tokens: list[int] = []
        self._texts: list[str] = []
        self._active: list[Any] = []

    def take(self, part: Mapping[str, Any]) -> list[tuple[int, Choice]]:
        """Takes a part in; returns what it brought, by the index of the choice."""
        news: list[tuple[int, Choice]] = []
        if part.get("prompt_tokens"):
            self._prompt_tokens, self._texts = part["prompt_tokens"], part["texts"]
            if self._texts and self._asked.told is None:
                news += [(i, Choice(text)) for i, text in self._each(self._texts)]
        news += [(i, self._read(i, read)) for i, read in self._each(part.get("read", ()))]
        news += [(piece["row"], _new(piece)) for piece in part.get("pieces", ())]
        self._active += part.get("active", ())
        for index, new in news:
            self.choices[index].add(new)
        return news

    def _each(self, by_prompt: Sequence[Any]) -> list[tuple[int, Any]]:
        """What was told of each prompt, for each of its choices."""
        n = self._asked.n
        return [(i * n + j, one) for i, one in enumerate(by_prompt) for j in range(n)]

    def _read(self, index: int, read: Mapping[str, Any]) -> Choice:
        return Choice(
            text=self._texts[index // self._asked.n],
            strings=read["strings"],
            logprobs=[None, *read["logprobs"]],
            alternatives=[(), *read["alternatives"]],
            finish=None if self._asked.max_new_tokens else "length",
        )

    @property
    def usage(self) -> dict[str, int]:
        """Tokens as clients count them: each prompt once, however many its replies."""
        prompt, made = sum(self._prompt_tokens), sum(choice.tokens for choice in self.choices)
        return {
            "prompt_tokens": prompt,
            "completion_tokens": made,
            "total_tokens": prompt + made,
        }

    def whole(self, extra: Mapping[str, Any]) -> dict[str, Any]:
        """The answer that is not streamed; `extra` is what no other server says."""
        kind = "chat.completion" if self._chat else "text_completion"
        choices = [self._choice(i, choice) for i, choice in enumerate(self.choices)]
        document = {**self._head, "object": kind, "choices": choices, "usage": self.usage}
        return document | {"workbench": {**extra, "latents": self._active}}

    def piece(self, index: int, new: Choice, first: bool) -> dict[str, Any]:
        """One event of the stream: what is new of one choice."""
        if not self._chat:
            choice = self._choice(index, new)
        else:
            delta = {"role": "assistant", "content": new.text} if first else {"content": new.text}
            choice = {"index": index, "delta": delta, "logprobs": self._logprobs(new)}
            choice |= {"finish_reason": new.finish}
        kind = "chat.completion.chunk" if self._chat else "text_completion"
        return {**self._head, "object": kind, "choices": [choice]}

    def last(self, extra: Mapping[str, Any]) -> dict[str, Any]:
        """The event of the stream that tells the usage."""
        kind = "chat.completion.chunk" if self._chat else "text_completion"
        document = {**self._head, "object": kind, "choices": [], "usage": self.usage}
        return document | {"workbench": {**extra, "latents": self._active}}

    def _choice(self, index: int, choice: Choice) -> dict[str, Any]:
        said: dict[str, Any] = {"text": choice.text}
        if self._chat:
            message = {"role": "assistant", "content": choice.text, "refusal": None}
            said = {"message": message}
        ended = {"logprobs": self._logprobs(choice), "finish_reason": choice.finish}
        return {"index": index, **said, **ended}

    def _logprobs(self, choice: Choice) -> dict[str, Any] | None:
        if self._asked.told is None:
            return None
        if self._chat:
            return {"content": _chat_logprobs(choice), "refusal": None}
        offsets = [choice.offset]
        for string in choice.strings:
            offsets.append(offsets[-1] + len(string))
        return {
            "tokens": choice.strings,
            "token_logprobs": choice.logprobs,
            "top_logprobs": [_best(one) for one in choice.alternatives],
            "text_offset": offsets[:-1],
        }

    def finding(self, extra: Mapping[str, Any]) -> Finding:
        """The exchange as it is filed: evidence that accuses nobody."""
        asked, n = self._asked, self._asked.n
        if asked.conversations:
            turns = [{"role": t.role, "content": t.content} for t in asked.conversations[0]]
            begun = [turns]
        else:
            texts = [p if isinstance(p, str) else str(list(p)) for p in asked.prompts]
            begun = [[{"role": "document", "content": text}] for text in texts]
        shown = [
            Transcript(
                (
                    *begun[i // n],
                    {"role": "assistant", "content": asked.prefill + choice.text},
                ),
                f"choice {i}, {choice.finish or 'the client left'}",
            )
            for i, choice in enumerate(self.choices[:TRANSCRIPTS_AT_MOST])
        ]
        return Finding(
            claim=f"Served: {begun[0][-1]['content'][:200].strip() or '(an empty turn)'}",
            confidence=0.0,
            evidence=tuple(shown),
            metadata={
                "model": str(self._head["model"]),
                "choices": len(self.choices),
                "sampling": {
                    "seed": asked.seed,
                    "temperature": asked.temperature,
                    "top_p": asked.top_p,
                    "stop": list(asked.stop),
                },
                "interventions": [edit.model_dump() for edit in asked.interventions],
                "spent": dict(extra.get("spent", {})),
            },
        )


def _new(piece: Mapping[str, Any]) -> Choice:
    return Choice(
        text=piece["text"],
        tokens=len(piece["token_ids"]),
        strings=list(piece["strings"]),
        logprobs=list(piece["logprobs"]),
        alternatives=list(piece["alternatives"]),
        finish=piece["finish"],
    )


def _chat_logprobs(choice: Choice) -> list[dict[str, Any]]:
    return [
        {**_told(string, value), "top_logprobs": [_told(*one) for one in alternatives]}
        for string, value, alternatives in zip(
            choice.strings, choice.logprobs, choice.alternatives, strict=True
        )
    ]


def _told(string: str, value: float | None) -> dict[str, Any]:
    return {"token": string, "logprob": value, "bytes": list(string.encode())}


def _best(alternatives: Sequence[tuple[str, float]]) -> dict[str, float] | None:
    """By its text, the likeliest of the tokens that have it; None for a prompt's first token."""
    best: dict[str, float] = {}
    for string, value in alternatives:
        best.setdefault(string, value)
    return best or None
