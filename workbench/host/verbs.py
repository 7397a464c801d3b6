"""What may be asked of a host: each verb with its form, its flags and its meters."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from workbench.access import Access
from workbench.host.records import Whose

TEXT_AT_MOST = 1_000_000
ROWS_AT_MOST = 10_000

SERVED = (
    Access.GREY_BOX | Access.ACTIVATIONS | Access.TRAINING_DATA | Access.REFERENCE | Access.REWARD
)
"""What HTTP can carry. Weights once exported cannot be metered, so they never leave."""

Text = Annotated[str, Field(max_length=TEXT_AT_MOST)]
Role = Annotated[str, Field(min_length=1, max_length=64)]
Amount = Annotated[int, Field(ge=0, lt=2**53)]
Number = Annotated[float, Field(allow_inf_nan=False)]
TokenId = Annotated[int, Field(ge=0, lt=2**31)]
TokenIds = Annotated[list[TokenId], Field(max_length=TEXT_AT_MOST)]


Form = TypeVar("Form")


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class Turn(_Form):
    """One turn of a conversation."""

    role: Role
    content: Text


class Within(_Form):
    """What the caller still grants itself, beside the budget that the host keeps."""

    samples: Amount | None = None
    tokens: Amount | None = None
    forward_passes: Amount | None = None
    documents: Amount | None = None


class Edit(_Form):
    """An intervention; `sae` is a name that the host gave to an SAE that was handed over."""

    kind: Literal["add", "subtract", "ablate", "clamp", "noise", "splice"]
    hook_name: Annotated[str, Field(min_length=1, max_length=256)]
    direction: Annotated[list[Number], Field(max_length=65_536)] = []
    sae: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    latents: Annotated[list[Annotated[int, Field(ge=0)]], Field(max_length=ROWS_AT_MOST)] = []
    coefficient: Number = 1.0
    positions: (
        Literal["all", "prompt", "generated"]
        | Annotated[list[Annotated[int, Field(ge=0)]], Field(max_length=ROWS_AT_MOST)]
    ) = "all"
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] = 0


class _Asked(_Form):
    of: Whose = "suspect"

    @property
    def needs(self) -> Access:
        """Flags that the content asks for, beside those of the verb."""
        return Access.REFERENCE if self.of == "reference" else Access.NONE

    @property
    def least(self) -> Mapping[str, int]:
        """What it costs at least, by meter, seen without asking the model: where a budget does not
        reach that far, the call is not even priced."""
        return {}


class _Edited(_Asked):
    within: Within = Within()
    interventions: Annotated[list[Edit], Field(max_length=64)] = []

    @property
    def needs(self) -> Access:
        return super().needs | (Access.ACTIVATIONS if self.interventions else Access.NONE)


REPLIES_AT_MOST = 20_000
"""Replies in one call."""

PREFILLED_AT_MOST = 16 << 20
"""Characters of a prefill, counted once per conversation: it is read with each before any budget
is asked."""


class _Sampled(_Edited):
    n: Annotated[int, Field(ge=1, le=ROWS_AT_MOST)] = 1
    max_new_tokens: Annotated[int, Field(ge=1, le=1_000_000)] = 64
    temperature: Annotated[float, Field(ge=0, le=1_000, allow_inf_nan=False)] = 1.0
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] = 0


def _refuse_many(form: Form, replies: int) -> Form:
    if replies > REPLIES_AT_MOST:
        raise ValueError(f"{replies} replies, where {REPLIES_AT_MOST} are served at once")
    return form


Conversations = Annotated[
    list[Annotated[list[Turn], Field(min_length=1, max_length=1_000)]],
    Field(max_length=ROWS_AT_MOST),
]
Texts = Annotated[list[Text], Field(max_length=ROWS_AT_MOST)]
Read = Annotated[list[Text | TokenIds], Field(max_length=ROWS_AT_MOST)]
"""Raw texts, each by itself or as its token ids."""


class Chat(_Sampled):
    """`Suspect.chat`."""

    conversations: Conversations
    prefill: Text = ""

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        begun = len(self.prefill) * len(self.conversations)
        if begun > PREFILLED_AT_MOST:
            raise ValueError(f"{begun} characters of prefills, where {PREFILLED_AT_MOST} are read")
        return _refuse_many(self, self._replies)

    @property
    def _replies(self) -> int:
        return self.n * len(self.conversations)

    @property
    def least(self) -> Mapping[str, int]:
        return {"samples": self._replies, "tokens": self._replies}

    @property
    def needs(self) -> Access:
        return super().needs | (Access.PREFILL if self.prefill else Access.NONE)


class Complete(_Sampled):
    """`Suspect.complete`."""

    prompts: Texts

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        return _refuse_many(self, self._replies)

    @property
    def _replies(self) -> int:
        return self.n * len(self.prompts)

    @property
    def least(self) -> Mapping[str, int]:
        return {"samples": self._replies, "tokens": self._replies}


class _Read(_Edited):
    texts: Read

    @property
    def least(self) -> Mapping[str, int]:
        return {"forward_passes": len(self.texts), "tokens": len(self.texts)}


class Logprobs(_Read):
    """`Suspect.logprobs`."""

    distributions: bool = False


class Activate(_Read):
    """`Suspect.activations`."""

    hook_names: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=256)]],
        Field(min_length=1, max_length=512),
    ]


class Reading(_Form):
    """Which SAE's latents are told of each token: the `top` strongest at a hook."""

    sae: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    hook_name: Annotated[str, Field(min_length=1, max_length=256)]
    top: Annotated[int, Field(ge=1, le=256)] = 10


class Generate(_Sampled):
    """Replies that are sampled together with other callers', told token by token: to one
    conversation, or to raw texts. For the OpenAI door; it is asked nowhere else.

    told: alternatives beside each token's log-probability, None for no log-probabilities. echo: the
    prompts' own too. stream: pieces as they come, else one at the end.
    """

    conversations: Annotated[Conversations, Field(max_length=1)] = []
    prompts: Read = []
    prefill: Text = ""
    max_new_tokens: Annotated[int, Field(ge=0, le=1_000_000)] = 64
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    stop: Annotated[list[Text], Field(max_length=16)] = []
    told: Annotated[int, Field(ge=0, le=20)] | None = None
    echo: bool = False
    latents: Reading | None = None
    stream: bool = False

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        return _refuse_many(self, self._replies)

    @property
    def _replies(self) -> int:
        return self.n * (len(self.conversations) + len(self.prompts))

    @property
    def least(self) -> Mapping[str, int]:
        if not self.max_new_tokens:
            return {"forward_passes": len(self.prompts), "tokens": len(self.prompts)}
        return {"samples": self._replies, "tokens": self._replies}

    @property
    def needs(self) -> Access:
        needs = super().needs | (Access.CHAT if self.conversations else Access.PREFILL)
        needs |= Access.PREFILL if self.prefill else Access.NONE
        needs |= Access.ACTIVATIONS if self.latents else Access.NONE
        return needs | (Access.NONE if self.told is None else Access.LOGITS)


class Batch(_Asked):
    """Rows of the training data from `start` on."""

    within: Within = Within()
    start: Amount
    rows: Annotated[int, Field(ge=1, le=ROWS_AT_MOST)]


class Rows(_Asked):
    """Documents of the training data by id."""

    within: Within = Within()
    ids: Annotated[list[Annotated[str, Field(max_length=1_000)]], Field(max_length=ROWS_AT_MOST)]

    @property
    def least(self) -> Mapping[str, int]:
        return {"documents": min(1, len(self.ids))}


class Score(_Asked):
    """Rewards of conversations."""

    within: Within = Within()
    conversations: Conversations

    @property
    def least(self) -> Mapping[str, int]:
        return {"forward_passes": len(self.conversations)}


class Render(_Asked):
    """`Suspect.render`."""

    conversation: Annotated[list[Turn], Field(min_length=1, max_length=1_000)]
    add_generation_prompt: bool = True


class CountTokens(_Asked):
    """`Suspect.count_tokens`."""

    texts: Read


class Strings(_Asked):
    """`Suspect.token_strings`."""

    token_ids: TokenIds


class Nothing(_Asked):
    """What a GET may say."""


Asked: TypeAlias = _Asked


@dataclasses.dataclass(frozen=True, slots=True)
class Verb:
    """One thing that may be asked: where, with which form, under which flags.

    metered: charged, and answered once per idempotency key. framed: answered in frames.
    """

    name: str
    form: type[Asked]
    needs: Access = Access.NONE
    metered: bool = False
    framed: bool = False

    @property
    def path(self) -> str:
        """Where it is asked."""
        return f"/audit/{self.name}"

    @property
    def method(self) -> str:
        """GET where nothing but `of` can be said."""
        return "GET" if self.form is Nothing else "POST"


VERBS: dict[str, Verb] = {
    verb.name: verb
    for verb in (
        Verb("suspect", Nothing),
        Verb("fingerprint", Nothing),
        Verb("hooks", Nothing),
        Verb("count", CountTokens),
        Verb("strings", Strings),
        Verb("render", Render, Access.CHAT),
        Verb("reward", Score, Access.REWARD, metered=True),
        Verb("chat", Chat, Access.CHAT, metered=True),
        Verb("complete", Complete, Access.PREFILL, metered=True),
        Verb("logprobs", Logprobs, Access.LOGITS, metered=True, framed=True),
        Verb("activations", Activate, Access.ACTIVATIONS, metered=True, framed=True),
        Verb("corpus/batch", Batch, Access.TRAINING_DATA, metered=True, framed=True),
        Verb("corpus/rows", Rows, Access.TRAINING_DATA, metered=True, framed=True),
    )
}


GENERATE = Verb("generate", Generate, metered=True, framed=True)
"""What the OpenAI door asks the worker; it has no route of its own."""


def openapi() -> dict[str, Any]:
    """The OpenAPI description of the verbs, from their forms."""
    paths: dict[str, Any] = {}
    for verb in VERBS.values():
        says: dict[str, Any] = {
            "operationId": verb.name,
            "summary": verb.form.__doc__,
            "description": f"Needs: {', '.join(verb.needs.names) or 'a token'}.",
            "security": [{"bearer": []}],
            "responses": {"200": {"description": "The answer."}, "default": _ERROR},
        }
        if verb.method == "GET":
            schema = {"type": "string", "enum": ["suspect", "reference"], "default": "suspect"}
            says["parameters"] = [{"name": "of", "in": "query", "schema": schema}]
        else:
            schema = verb.form.model_json_schema(ref_template=f"#/{_escaped(verb)}/$defs/{{model}}")
            says["requestBody"] = {
                "required": True,
                "content": {"application/json": {"schema": schema}},
            }
        paths[verb.path] = {verb.method.lower(): says}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Audit host", "version": "1"},
        "paths": paths,
        "components": {"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
    }


def _escaped(verb: Verb) -> str:
    path = verb.path.replace("/", "~1")
    return f"paths/{path}/post/requestBody/content/application~1json/schema"


_ERROR = {
    "description": "An error.",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["error"],
                "properties": {
                    "error": {
                        "type": "object",
                        "required": ["kind", "message", "hint"],
                        "properties": {
                            part: {"type": "string"} for part in ("kind", "message", "hint")
                        },
                    }
                },
            }
        }
    },
}
