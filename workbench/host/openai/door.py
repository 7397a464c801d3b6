"""The routes under /v1: from a request of the OpenAI protocol to its answer or its error."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Mapping
from pathlib import Path
from typing import Any

import anyio
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from workbench.access import Access
from workbench.errors import BadParameter, TooLong, WorkbenchError
from workbench.host import guard
from workbench.host.calls import Calls
from workbench.host.exchanges import Exchanges
from workbench.host.openai.answers import Answer
from workbench.host.openai.forms import Chat, Completion
from workbench.host.records import Client, Receipt, Whose
from workbench.host.verbs import Generate
from workbench.suspects.wire import BODY_BYTES_AT_MOST

ANY = "suspect"
"""A name that every host's suspect answers to, beside its public id."""

REFERENCE = "reference"

Parts = Generator[dict[str, Any], None, Receipt]
InThread = Callable[..., Awaitable[Any]]


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """A request that was read: for whom, in the host's words, and where its answer goes."""

    client: Client
    generate: Generate
    answer: Answer
    label: str
    parts: Parts
    extra: dict[str, Any]
    usage_told: bool


class Door:
    """Answers for clients who are let in already.

    suspects: the public id of each suspect by its name. in_thread: runs what blocks. turn: a
    client's share of what is worked on at once, to be acquired for each call.
    """

    def __init__(
        self,
        calls: Calls,
        exchanges: Exchanges,
        suspects: Mapping[str, str],
        in_thread: InThread,
        turn: Callable[[Client], anyio.CapacityLimiter],
    ) -> None:
        self._calls, self._exchanges, self._suspects = calls, exchanges, suspects
        self._in_thread, self._turn = in_thread, turn

    async def models(self, client: Client, request: Request) -> Response:
        """GET /v1/models, and one of them: only names."""
        names = [self._suspects[client.suspect]]
        names += [REFERENCE] if Access.REFERENCE in client.access else []
        listed = [
            {"id": name, "object": "model", "created": 0, "owned_by": "workbench"} for name in names
        ]
        wanted = request.path_params.get("model")
        if wanted is not None:
            self._whose(client, wanted)
            (document,) = [one for one in listed if one["id"] == wanted] or [
                {**listed[0], "id": wanted}
            ]
            return guard.answer(json.dumps(document).encode(), 200, {})
        return guard.answer(json.dumps({"object": "list", "data": listed}).encode(), 200, {})

    async def chat(self, client: Client, request: Request) -> Response:
        """POST /v1/chat/completions."""
        return await self._answered(client, request, Chat)

    async def completion(self, client: Client, request: Request) -> Response:
        """POST /v1/completions."""
        return await self._answered(client, request, Completion)

    async def _answered(
        self, client: Client, request: Request, form: type[Chat | Completion]
    ) -> Response:
        content = await guard.body(request, BODY_BYTES_AT_MOST)
        asked = self._asked(client, request, form, content)
        guard.require(client, asked.generate.needs, "this request")
        token = object()
        turn = self._turn(client)
        await turn.acquire_on_behalf_of(token)

        async def close() -> None:
            with anyio.CancelScope(shield=True):
                await self._in_thread(asked.parts.close)
            turn.release_on_behalf_of(token)

        if not asked.generate.stream:
            try:
                return await self._whole(request, asked)
            finally:
                await close()
        try:
            first = await self._in_thread(next, asked.parts)
        except BaseException:
            await close()
            raise
        return _Closing(self._events(asked, first), close)

    def _asked(
        self, client: Client, request: Request, form: type[Chat | Completion], content: bytes
    ) -> Asked:
        document = _json(content)
        try:
            read = form.model_validate(document)
            key = guard.key(request)
            digest = hashlib.sha256(key.encode()).hexdigest()
            generate = read.asked(self._whose(client, read.model or ANY), int(digest[:12], 16))
        except ValidationError as error:
            raise _refused_form(error) from None
        kind = "chatcmpl" if form is Chat else "cmpl"
        answer = Answer(f"{kind}-{digest[:24]}", read.model or ANY, int(time.time()), generate)
        extra: dict[str, Any] = {"seed": generate.seed, "spent": {}, "finding": None}

        def composed(error: WorkbenchError | None, spent: Mapping[str, int]) -> bytes:
            if error is not None:
                return guard.error_answer(error)
            extra["spent"] = dict(spent)
            return json.dumps(answer.whole(extra)).encode()

        def file() -> None:
            finding = answer.finding(extra)
            extra["finding"] = self._exchanges.keep(client, read.workbench.run, finding)

        body = hashlib.sha256(form.__name__.encode() + b"\0" + content).hexdigest()
        parts = self._calls.parts(client, generate, key, body, composed, file)
        usage_told = bool(read.stream_options and read.stream_options.include_usage)
        return Asked(client, generate, answer, read.workbench.run, parts, extra, usage_told)

    def _whose(self, client: Client, model: str) -> Whose:
        if model in (ANY, self._suspects[client.suspect]):
            return "suspect"
        if model == REFERENCE and Access.REFERENCE in client.access:
            return "reference"
        raise _Named(
            404,
            BadParameter(
                f"no model '{model[:80]}' is served", hint="GET /v1/models lists what there is."
            ),
            "model_not_found",
            "model",
        )

    async def _whole(self, request: Request, asked: Asked) -> Response:
        """The answer in one piece; a client who left is noticed between parts."""
        while True:
            part = await self._in_thread(_next, asked.parts)
            if isinstance(part, Receipt):
                break
            if "again" in part:
                return guard.answer(part["again"], 200, {})
            asked.answer.take(part)
            if await request.is_disconnected():
                return Response(status_code=499)
        document = asked.answer.whole(asked.extra)
        return guard.answer(json.dumps(document).encode(), 200, guard.chain(part))

    async def _events(self, asked: Asked, part: dict[str, Any] | Receipt) -> AsyncIterator[bytes]:
        """The stream: an event per piece, the usage, and the word that it is over. What fails on
        the way is told as an event."""
        begun: set[int] = set()
        try:
            while not isinstance(part, Receipt):
                if "again" in part:
                    for event in _again(json.loads(part["again"])):
                        yield _event(event)
                    break
                for index, new in asked.answer.take(part):
                    yield _event(asked.answer.piece(index, new, index not in begun))
                    begun.add(index)
                part = await self._in_thread(_next, asked.parts)
            else:
                if asked.usage_told or asked.generate.latents:
                    yield _event(asked.answer.last(asked.extra))
            yield b"data: [DONE]\n\n"
        except WorkbenchError as error:
            yield _event(json.loads(_body(error, *_named(error))))


class _Closing(StreamingResponse):
    """A stream of events that is closed whether or not the client stayed for its first word."""

    def __init__(self, events: AsyncIterator[bytes], close: Callable[[], Awaitable[None]]) -> None:
        headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        super().__init__(events, media_type="text/event-stream", headers=headers)
        self._close = close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._close()


class _Named(guard.Refused):
    """A refusal with its code and the parameter that it is about."""

    def __init__(
        self, status: int, error: WorkbenchError, code: str | None, param: str | None
    ) -> None:
        super().__init__(status, error, {})
        self.code, self.param = code, param


def refusal(error: Exception, log: Path) -> Response:
    """What a client of this protocol hears of an error: the status of the host's other doors, but
    400 for what was asked wrongly."""
    made = guard.refusal(error, log)
    shown = error.error if isinstance(error, guard.Refused) else error
    if not isinstance(shown, WorkbenchError):
        told = json.loads(bytes(made.body))["error"]
        shown = WorkbenchError(told["message"], hint=told["hint"])
    status = 400 if made.status_code == 422 else made.status_code
    code, param = _CODES.get(status), None
    if isinstance(error, _Named):
        code, param = error.code, error.param
    elif isinstance(shown, TooLong):
        code, param = "context_length_exceeded", "prompt"
    headers = {n: v for n, v in made.headers.items() if n not in ("content-length", "content-type")}
    return guard.answer(_body(shown, status, code, param), status, headers)


def told(error: WorkbenchError, status: int) -> Response:
    """An error of the protocol with this status."""
    return guard.answer(_body(error, status, _CODES.get(status), None), status, {})


_CODES = {
    401: "invalid_api_key",
    402: "insufficient_quota",
    403: "access_denied",
    429: "rate_limit_exceeded",
}
_TYPES = {
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    429: "rate_limit_error",
}


def _named(error: WorkbenchError) -> tuple[int, str | None, str | None]:
    """Status, code and parameter of an error that is told within a stream."""
    status = guard.status_of(error)
    return status, _CODES.get(status), None


def _body(error: WorkbenchError, status: int, code: str | None, param: str | None) -> bytes:
    kind = _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    said = {"message": f"{error.message}. {error.hint}", "type": kind, "param": param, "code": code}
    return json.dumps({"error": said}).encode()


def _json(content: bytes) -> Any:
    def refuse(name: str) -> float:
        raise ValueError(name)

    try:
        return json.loads(content, parse_constant=refuse)
    except (ValueError, RecursionError):
        raise _Named(
            400,
            BadParameter("the request is no JSON document", hint="Send one."),
            "invalid_json",
            None,
        ) from None


def _refused_form(error: ValidationError) -> _Named:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(str(part)[:80] for part in first["loc"][:8])
    said = first["msg"].removeprefix("Value error, ")[:200]
    wrong = BadParameter(f"{where}: {said}" if where else said, hint="See /v1/openapi.json.")
    return _Named(400, wrong, "invalid_value", where or None)


def _next(parts: Parts) -> dict[str, Any] | Receipt:
    """The next part, or the receipt that the last one leaves."""
    try:
        return next(parts)
    except StopIteration as end:
        receipt: Receipt = end.value
        return receipt


def _again(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A kept answer as a stream: each choice in one event."""
    kind = document["object"]
    head = {name: document[name] for name in ("id", "created", "model")}
    head["object"] = "chat.completion.chunk" if kind == "chat.completion" else kind
    events = []
    for choice in document["choices"]:
        said = {name: value for name, value in choice.items() if name != "message"}
        if "message" in choice:
            said["delta"] = choice["message"]
        events.append({**head, "choices": [said]})
    return events


def _event(document: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(document).encode() + b"\n\n"
