"""The OpenAPI description of the routes under /v1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from workbench.host.openai.forms import Chat, Completion


def described_with(document: Mapping[str, Any]) -> dict[str, Any]:
    """The host's description with these routes in it."""
    return {**document, "paths": {**document["paths"], **_paths()}}


def _paths() -> dict[str, Any]:
    one = {"name": "model", "in": "path", "required": True, "schema": {"type": "string"}}
    return {
        "/v1/models": {"get": _says("models", "Names of what is served.", _MODELS)},
        "/v1/models/{model}": {
            "get": _says("model", "One of them.", _MODEL) | {"parameters": [one]}
        },
        "/v1/chat/completions": {"post": _posts("chat-completions", Chat, _CHAT)},
        "/v1/completions": {"post": _posts("completions", Completion, _COMPLETION)},
    }


def _posts(name: str, form: type[BaseModel], answer: Mapping[str, Any]) -> dict[str, Any]:
    path = "chat~1completions" if name.startswith("chat") else "completions"
    at = f"#/paths/~1v1~1{path}/post/requestBody/content/application~1json/schema/$defs/{{model}}"
    says = _says(name, str(form.__doc__).splitlines()[0], answer)
    schema = form.model_json_schema(ref_template=at)
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    says["responses"]["200"]["content"]["text/event-stream"] = {"schema": {"type": "string"}}
    return says | {"requestBody": body}


def _says(name: str, summary: str, answer: Mapping[str, Any]) -> dict[str, Any]:
    ok = {"description": "The answer.", "content": {"application/json": {"schema": answer}}}
    return {
        "operationId": name,
        "summary": summary,
        "security": [{"bearer": []}],
        "responses": {"200": ok, "default": _ERROR},
    }


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


def _maybe(kind: str) -> dict[str, Any]:
    return {"type": [kind, "null"]}


_TEXT, _WHOLE, _NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}
_ERROR = {
    "description": "An error.",
    "content": {
        "application/json": {
            "schema": _object(
                error=_object(
                    message=_TEXT, type=_TEXT, param=_maybe("string"), code=_maybe("string")
                )
            )
        }
    },
}
_MODEL = _object(id=_TEXT, object={"const": "model"}, created=_WHOLE, owned_by=_TEXT)
_MODELS = _object(object={"const": "list"}, data={"type": "array", "items": _MODEL})
_FINISH = {"enum": ["stop", "length"]}
_USAGE = _object(prompt_tokens=_WHOLE, completion_tokens=_WHOLE, total_tokens=_WHOLE)
_OURS = _object(
    seed=_WHOLE,
    spent={"type": "object", "additionalProperties": _WHOLE},
    finding=_maybe("string"),
    latents={"type": "array"},
)


def _answer(kind: str, **choice: Any) -> dict[str, Any]:
    choices = {"type": "array", "items": _object(index=_WHOLE, finish_reason=_FINISH, **choice)}
    return _object(
        id=_TEXT,
        object={"const": kind},
        created=_WHOLE,
        model=_TEXT,
        choices=choices,
        usage=_USAGE,
        workbench=_OURS,
    )


_TOKEN = {"token": _TEXT, "logprob": _maybe("number"), "bytes": {"type": "array", "items": _WHOLE}}
_TOLD = _object(**_TOKEN, top_logprobs={"type": "array", "items": _object(**_TOKEN)})
_CHAT = _answer(
    "chat.completion",
    message=_object(role={"const": "assistant"}, content=_TEXT, refusal=_maybe("string")),
    logprobs={"anyOf": [{"type": "null"}, _object(content={"type": "array", "items": _TOLD})]},
)
_COMPLETION = _answer(
    "text_completion",
    text=_TEXT,
    logprobs={
        "anyOf": [
            {"type": "null"},
            _object(
                tokens={"type": "array", "items": _TEXT},
                token_logprobs={"type": "array", "items": _maybe("number")},
                top_logprobs={"type": "array", "items": _maybe("object")},
                text_offset={"type": "array", "items": _WHOLE},
            ),
        ]
    },
)
