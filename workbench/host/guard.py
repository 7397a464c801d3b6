"""What stands before every verb: who asks, how often, how much, and what a refusal says."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import secrets
import sqlite3
import threading
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from workbench.access import Access
from workbench.errors import (
    AccessDenied,
    BadParameter,
    BudgetExceeded,
    ConfigError,
    DiskFull,
    GameError,
    KeyReused,
    LedgerBusy,
    ModelUnavailable,
    NotJoined,
    SuspectError,
    WorkbenchError,
)
from workbench.host.link import WorkerFailed
from workbench.host.records import Client, Receipt
from workbench.host.store import Store
from workbench.host.verbs import Asked, Verb
from workbench.suspects.wire import error_document

BODY_SECONDS = 30.0
"""A request whose body takes longer to arrive is dropped."""

_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
_LOOPBACK = {"127.0.0.1", "localhost", "[::1]"}
_STATUS: tuple[tuple[type[WorkbenchError], int], ...] = (
    (KeyReused, 409),
    (NotJoined, 401),
    (GameError, 403),
    (AccessDenied, 403),
    (BudgetExceeded, 402),
    (ConfigError, 422),
    (WorkerFailed, 502),
    (ModelUnavailable, 503),
    (DiskFull, 503),
    (LedgerBusy, 503),
)
_FULL = {errno.ENOSPC, errno.EDQUOT, sqlite3.SQLITE_FULL}
_OUT_OF_FILES = {errno.EMFILE, errno.ENFILE, sqlite3.SQLITE_CANTOPEN}


class Gate(Protocol):
    """Where a game says which moves its phase allows."""

    def admit(self, client: Client, move: str, *, writes: bool) -> None:
        """Raises GameClosed where the phase does not allow the move. Asked when a request comes,
        and again inside the transaction that acts on one that `writes`: charges, files, hands in.
        """


class Open:
    """The gate of a host without phases."""

    def admit(self, client: Client, move: str, *, writes: bool) -> None:
        """Everything is allowed at any time."""


class Refused(Exception):
    """A refusal with its status, where the error alone does not say it."""

    def __init__(self, status: int, error: WorkbenchError, headers: Mapping[str, str]) -> None:
        super().__init__(error.message)
        self.status, self.error, self.headers = status, error, headers


class Rates:
    """A token bucket per client: `per_second` calls, twice as many at once."""

    def __init__(self, per_second: float) -> None:
        self._rate = per_second
        self._buckets: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def take(self, client: str) -> None:
        """Raises Refused, with the seconds to wait, where a client asks too often."""
        now = time.monotonic()
        with self._lock:
            level, at = self._buckets.get(client, (2 * self._rate, now))
            level = min(2 * self._rate, level + (now - at) * self._rate)
            if level < 1:
                self._buckets[client] = (level, now)
                wait = max(1, round((1 - level) / self._rate))
                raise Refused(
                    429,
                    ModelUnavailable("too many calls", hint=f"Wait {wait} s between bursts."),
                    {"Retry-After": str(wait)},
                )
            self._buckets[client] = (level - 1, now)


def authenticated(store: Store, request: Request) -> Client:
    """Whom the bearer token speaks for; a token anywhere else is not looked at."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    try:
        return store.client(token.strip() if scheme.lower() == "bearer" else "")
    except AccessDenied as error:
        raise Refused(401, error, {"WWW-Authenticate": "Bearer"}) from None


def refuse_browsers(request: Request) -> None:
    """Raises Refused where a page of another origin may speak through somebody's browser: by a name
    that was bound to this machine, with an origin, or without the type that only asks after a
    preflight."""
    host = request.headers.get("Host", "").rpartition(":")[0] or request.headers.get("Host", "")
    typed = request.headers.get("Content-Type", "").startswith("application/json")
    if (
        host not in _LOOPBACK
        or "Origin" in request.headers
        or (request.method == "POST" and not typed)
    ):
        raise Refused(
            403,
            AccessDenied(
                "only programs on this machine are let in without a token",
                hint="Send JSON as application/json to 127.0.0.1, or start with --token.",
            ),
            {},
        )


def require(client: Client, needs: Access, what: str) -> None:
    """Raises AccessDenied, naming what is missing."""
    missing = needs & ~client.access
    if missing:
        raise AccessDenied(
            f"{what} needs {', '.join(missing.names)}, which this token does not grant",
            hint="Ask for less, or for a token with more access.",
        )


async def body(request: Request, most: int) -> bytes:
    """The request's body; raises Refused where it is too long or too slow."""
    too_long = Refused(
        413,
        BadParameter(f"a request of more than {most} bytes", hint="Send less at once."),
        {"Connection": "close"},
    )
    declared = request.headers.get("Content-Length", "0")
    if not declared.isdecimal() or int(declared) > most:
        raise too_long
    held = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for piece in request.stream():
                held += piece
                if len(held) > most:
                    raise too_long
    except (TimeoutError, ClientDisconnect):
        raise Refused(
            408,
            BadParameter("the request did not arrive in time", hint="Send it again."),
            {"Connection": "close"},
        ) from None
    return bytes(held)


def parsed(verb: Verb, request: Request, content: bytes) -> Asked:
    """The checked form of what is asked; raises BadParameter, naming the field."""
    if verb.method == "GET":
        document: Any = dict(request.query_params)
    else:
        try:
            document = json.loads(content, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            raise BadParameter(
                "the request is no JSON document", hint="Send one as application/json."
            ) from None
    try:
        return verb.form.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part)[:80] for part in first["loc"][:8]) or "the request"
        raise BadParameter(
            f"{where}: {first['msg'][:200]}", hint=f"{verb.path} is described in /openapi.json."
        ) from None


def status_of(error: WorkbenchError) -> int:
    """The status that an error has by its kind alone."""
    return next((s for kind, s in _STATUS if isinstance(error, kind)), 400)


def key(request: Request) -> str:
    """The idempotency key, fresh where none is sent; raises BadParameter on an odd one."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return os.urandom(16).hex()
    if not 1 <= len(key) <= 128 or not key.replace("-", "").replace("_", "").isalnum():
        raise BadParameter(
            "an idempotency key that is none", hint="Use 1 to 128 letters, digits, - and _."
        )
    return key


def chain(receipt: Receipt) -> Mapping[str, str]:
    """The header that says how the hash chain stands."""
    return {"Workbench-Chain": f"{receipt.seq} {receipt.head}"}


def refusal(error: Exception, log: Path) -> Response:
    """What a client hears of an error: nothing of ours where it was not raised on purpose."""
    if isinstance(error, Refused):
        return answer(error_answer(error.error), error.status, error.headers)
    error = _want_of_room(error) or error
    if isinstance(error, WorkbenchError):
        status = status_of(error)
        headers = {"Retry-After": "1"} if status == 503 else {}
        return answer(error_answer(error), status, headers)
    number = secrets.token_hex(6)
    with contextlib.suppress(OSError):  # a log that cannot be written is no answer to a client
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8") as file:
            file.write(f"{number}\n{''.join(traceback.format_exception(error))}\n")
    failure = SuspectError(
        f"the host failed; its log knows this as {number}", hint="Tell whoever runs the host."
    )
    return answer(error_answer(failure), 500, {})


def _want_of_room(error: Exception) -> WorkbenchError | None:
    """What a full disk, or too many open files, means to a client: ask again."""
    code = error.errno if isinstance(error, OSError) else getattr(error, "sqlite_errorcode", None)
    if code in _FULL or isinstance(error, DiskFull):
        return DiskFull(
            "the host's disk is full",
            hint="Tell whoever runs it, and send this again, under the same key, when there is "
            "room.",
        )
    if code in _OUT_OF_FILES:
        return ModelUnavailable("the host has too much to do", hint="Ask again in a moment.")
    return None


def error_answer(error: WorkbenchError) -> bytes:
    """The JSON body of an error."""
    return json.dumps({"error": error_document(error)}).encode()


def answer(content: bytes, status: int, headers: Mapping[str, str]) -> Response:
    """A JSON response that no browser takes for anything else."""
    return Response(content, status, headers={**_HEADERS, **headers}, media_type="application/json")


def _no_constant(name: str) -> float:
    raise ValueError(name)
