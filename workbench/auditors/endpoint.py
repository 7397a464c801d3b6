"""A language model behind an OpenAI-compatible endpoint, from the standard library alone.

What answers is as hostile as a suspect: answers are bounded, checked part by part, and never
followed anywhere else.
"""

from __future__ import annotations

import dataclasses
import http.client
import json
import ssl
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from workbench.errors import BadParameter, ModelUnavailable
from workbench.findings import clean_text

ANSWER_BYTES_AT_MOST = 4 << 20
CALLS_AT_MOST = 8
"""Tool calls of one answer that are read; the rest is left out."""

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_AGAIN = {408, 409, 429, 500, 502, 503, 504}
_TRIES = 4
_CHARACTERS_PER_TOKEN = 4


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """A tool that the model asks for; arguments: JSON text as it wrote it."""

    id: str
    name: str
    arguments: str


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """One turn of the model. tokens: prompt and answer together, as told, else estimated."""

    content: str
    calls: tuple[Call, ...]
    tokens: int


class Endpoint:
    """`url` ends where `/chat/completions` begins. A key never goes over plain HTTP to another
    machine, and no redirect is followed.

    Raises BadParameter on a URL that is none.
    """

    def __init__(self, url: str, model: str, key: str, timeout_seconds: float) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadParameter(
                f"no endpoint at '{url}'", hint="Give one like http://127.0.0.1:8000/v1."
            )
        if parts.username or parts.password:
            raise BadParameter(
                "the endpoint's URL holds a key, which the ledger would keep",
                hint="Set WORKBENCH_LLM_KEY instead.",
            )
        if key and parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise BadParameter(
                f"'{url}' would send the key in the clear", hint="Use https, or no key."
            )
        if not key.isascii() or not key.isprintable():
            raise BadParameter("the key is no key", hint="Set WORKBENCH_LLM_KEY.")
        self.url, self._model, self._key = url, model, key
        self._at = (parts.hostname, parts.port)
        self._path = f"{parts.path.rstrip('/')}/chat/completions"
        self._secure = parts.scheme == "https"
        self._timeout_seconds = timeout_seconds

    def ask(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]],
        *,
        max_tokens: int,
        temperature: float,
        seed: int,
    ) -> Answer:
        """One answer; tried again where the endpoint is busy.

        Raises ModelUnavailable where it does not answer, or answers with nonsense.
        """
        asked = {
            "model": self._model,
            "messages": list(messages),
            "tools": list(tools),
            "tool_choice": "auto",
            "max_tokens": max_tokens,
            "temperature": temperature,
            "seed": seed,
        }
        body = json.dumps(asked, ensure_ascii=True).encode()
        pause = 0.5
        for left in reversed(range(_TRIES)):
            try:
                status, answer = self._post(body)
            except (OSError, http.client.HTTPException) as error:
                status, answer = 0, str(error).encode()
            if status == 200:
                return _answer(answer, len(body), self.url)
            if (status and status not in _AGAIN) or not left:
                break
            time.sleep(pause)
            pause *= 2
        said = clean_text(answer.decode("utf-8", "replace"), 300)
        raise ModelUnavailable(
            f"the endpoint at {self.url} does not answer (status {status}): {said}",
            hint="Check its URL, its model's name and WORKBENCH_LLM_KEY.",
        )

    def _post(self, body: bytes) -> tuple[int, bytes]:
        connection = (
            http.client.HTTPSConnection(
                *self._at, timeout=self._timeout_seconds, context=ssl.create_default_context()
            )
            if self._secure
            else http.client.HTTPConnection(*self._at, timeout=self._timeout_seconds)
        )
        headers = {"Content-Type": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        try:
            connection.request("POST", self._path, body, headers)
            response = connection.getresponse()
            return response.status, response.read(ANSWER_BYTES_AT_MOST + 1)
        finally:
            connection.close()


def estimated_tokens(characters: int) -> int:
    """Where nobody counts them."""
    return characters // _CHARACTERS_PER_TOKEN + 1


def _answer(content: bytes, asked_bytes: int, url: str) -> Answer:
    nonsense = ModelUnavailable(
        f"what answers at {url} speaks no chat completions",
        hint="Give the URL up to /chat/completions of an OpenAI-compatible server.",
    )
    if len(content) > ANSWER_BYTES_AT_MOST:
        raise nonsense
    try:
        document = json.loads(content)
        message = document["choices"][0]["message"]
        said = message.get("content")
        listed = message.get("tool_calls") or []
        calls = tuple(_call(one, place) for place, one in enumerate(listed[:CALLS_AT_MOST]))
    except (ValueError, RecursionError, KeyError, TypeError, IndexError, AttributeError):
        raise nonsense from None
    told = document.get("usage")
    told = told.get("total_tokens") if isinstance(told, dict) else None
    least = estimated_tokens(asked_bytes) // 4  # an endpoint that claims to cost nothing
    counted = told if type(told) is int and least <= told < 1 << 30 else None
    return Answer(
        clean_text(said) if isinstance(said, str) else "",
        calls,
        estimated_tokens(asked_bytes + len(content)) if counted is None else counted,
    )


def _call(one: Mapping[str, Any], place: int) -> Call:
    function = one["function"]
    arguments = function.get("arguments", "{}")
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return Call(
        clean_text(str(one.get("id") or f"call-{place}"), 100),
        clean_text(str(function["name"]), 100),
        text,
    )
