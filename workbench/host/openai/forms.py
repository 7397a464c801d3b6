"""What clients of the OpenAI protocol may ask, and what that is in the host's own words."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from workbench.host.verbs import Edit, Generate, Reading, TokenIds, Turn

CHOICES_AT_MOST = 128
PROMPTS_AT_MOST = 2_048
_ENDLESS = 1_000_000
"""max_tokens of a chat where none is given: until the context is full."""


class _Lenient(BaseModel):
    """Fields that are not named are taken and not looked at, as clients send what they like."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, hide_input_in_errors=True)


class Extra(BaseModel):
    """The field `workbench`, which no other server has: `extra_body` of the official client.

    interventions: edits of activations, as `Intervention` says, with SAEs under the names that
    `POST /audit/saes` gave. latents: tells the strongest latents of each token. run: the label
    under which the exchange is filed.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)

    interventions: Annotated[list[Edit], Field(max_length=64)] = []
    latents: Reading | None = None
    run: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")] = "serve"


class Part(_Lenient):
    """A part of a content: text alone can be read."""

    type: Annotated[str, Field(max_length=64)]
    text: str | None = None


class Message(_Lenient):
    """A turn; `tool` and `function` count as the user's, `developer` as the system's."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | Annotated[list[Part], Field(max_length=1_000)] | None = None
    tool_calls: Annotated[list[dict[str, Any]], Field(max_length=128)] | None = None

    @model_validator(mode="after")
    def _read(self) -> Self:
        for part in self.content if isinstance(self.content, list) else ():
            if part.text is None or part.type not in ("text", "input_text", "refusal"):
                raise ValueError(f"a part of type '{part.type}', where only text is read")
        return self

    def turn(self) -> Turn:
        """In the host's words; calls of tools are shown as the JSON that they are."""
        parts = self.content
        text = parts if isinstance(parts, str) else "".join(p.text or "" for p in parts or ())
        if self.tool_calls:
            text = "\n".join(filter(None, [text, json.dumps(self.tool_calls)]))
        role = {"developer": "system", "tool": "user", "function": "user"}.get(self.role, self.role)
        return Turn(role=role, content=text)


class StreamOptions(_Lenient):
    """include_usage: a last piece without choices tells the usage."""

    include_usage: bool | None = None


class _Sampled(_Lenient):
    model: Annotated[str, Field(max_length=1_000)] | None = None
    n: Annotated[int, Field(ge=1, le=CHOICES_AT_MOST)] | None = None
    temperature: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    stop: str | Annotated[list[str], Field(max_length=16)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    workbench: Extra = Extra()

    @model_validator(mode="after")
    def _refuse_unserved(self) -> Self:
        for name in ("presence_penalty", "frequency_penalty", "logit_bias"):
            if getattr(self, name):
                raise ValueError(f"{name} is not served: leave it out")
        return self

    def _common(self, seed: int) -> dict[str, Any]:
        stops = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return {
            "n": self.n or 1,
            "temperature": 1.0 if self.temperature is None else self.temperature,
            "top_p": 1.0 if self.top_p is None else self.top_p,
            "seed": seed if self.seed is None else self.seed,
            "stop": [stop for stop in stops if stop],
            "stream": bool(self.stream),
            "interventions": self.workbench.interventions,
            "latents": self.workbench.latents,
        }


class Chat(_Sampled):
    """POST /v1/chat/completions. A last turn of the assistant is its begun reply (prefill)."""

    messages: Annotated[list[Message], Field(min_length=1, max_length=1_000)]
    max_tokens: Annotated[int, Field(ge=1, le=_ENDLESS)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1, le=_ENDLESS)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    tools: Annotated[list[dict[str, Any]], Field(max_length=128)] | None = None
    response_format: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _contradictions(self) -> Self:
        if self.top_logprobs and not self.logprobs:
            raise ValueError("top_logprobs needs logprobs")
        if (self.response_format or {}).get("type", "text") != "text":
            raise ValueError("response_format: the suspect answers in text")
        return self

    def asked(self, of: Any, seed: int) -> Generate:
        """In the host's words; `seed` is for where none is given."""
        turns = [message.turn() for message in self.messages]
        begun = turns.pop().content if turns[-1].role == "assistant" else ""
        return Generate(
            of=of,
            conversations=[turns],
            prefill=begun,
            max_new_tokens=self.max_completion_tokens or self.max_tokens or _ENDLESS,
            told=(self.top_logprobs or 0) if self.logprobs else None,
            **self._common(seed),
        )


class Completion(_Sampled):
    """POST /v1/completions."""

    prompt: (
        str
        | Annotated[TokenIds, Field(min_length=1)]
        | Annotated[list[str], Field(min_length=1, max_length=PROMPTS_AT_MOST)]
        | Annotated[list[TokenIds], Field(min_length=1, max_length=PROMPTS_AT_MOST)]
    )
    max_tokens: Annotated[int, Field(ge=0, le=_ENDLESS)] | None = None
    logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    echo: bool | None = None
    best_of: int | None = None
    suffix: str | None = None

    @model_validator(mode="after")
    def _contradictions(self) -> Self:
        if self.best_of not in (None, self.n or 1) or self.suffix:
            raise ValueError("best_of and suffix are not served: leave them out")
        if self.max_tokens == 0 and not (self.echo and self.logprobs is not None):
            raise ValueError("max_tokens 0 needs echo and logprobs: nothing else is left to tell")
        if self.max_tokens == 0 and (self.workbench.latents or (self.n or 1) > 1):
            raise ValueError("max_tokens 0 makes no reply to read or to repeat")
        return self

    def asked(self, of: Any, seed: int) -> Generate:
        """In the host's words; `seed` is for where none is given."""
        single = isinstance(self.prompt, str) or isinstance(self.prompt[0], int)
        return Generate(
            of=of,
            prompts=[self.prompt] if single else self.prompt,  # type: ignore[arg-type, list-item]
            max_new_tokens=16 if self.max_tokens is None else self.max_tokens,
            told=self.logprobs,
            echo=bool(self.echo),
            **self._common(seed),
        )
