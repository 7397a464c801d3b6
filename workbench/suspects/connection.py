"""A client's end of the host's HTTP: one request after the other, repeated until acknowledged."""

from __future__ import annotations

import http.client
import json
import secrets
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

from workbench.errors import BadParameter, ModelUnavailable, WorkbenchError
from workbench.suspects.wire import (
    BODY_BYTES_AT_MOST,
    SAE_BYTES_AT_MOST,
    BrokenStream,
    Frame,
    error_from,
    read_frame,
)

PATIENCE_SECONDS = 60.0
"""How long a host may be gone, or too busy, before a call gives up."""

LONGEST_ANSWER_SECONDS = 900.0
_JSON_BYTES_AT_MOST = 256 << 20
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_AGAIN = {429, 503}


class Connection:
    """Speaks to a host under one token.

    Every request carries an idempotency key and is sent again, under the same key, when the host
    went away or was too busy: it is charged once, however often it is sent. Answers with an error
    raise the class of error that the host met.
    """

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadParameter(f"no host at '{url}'", hint="Give one like http://127.0.0.1:8600.")
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise BadParameter(
                f"'{url}' would send the token in the clear",
                hint="Use https, or an SSH tunnel to a port of this machine.",
            )
        if not token or not token.isascii() or not token.isprintable():
            raise BadParameter(
                f"no token for the host at '{url}'",
                hint="Give --token, or set WORKBENCH_TOKEN; the host printed it when it started.",
            )
        self.url = url
        self._secure = parts.scheme == "https"
        self._at = (parts.hostname, parts.port)
        self._prefix = parts.path.rstrip("/")
        self._token = token

    def get(self, path: str) -> Any:
        """The JSON document at a path."""
        return self._document("GET", path, None)

    def post(self, path: str, document: Mapping[str, Any]) -> Any:
        """The JSON answer to a JSON document."""
        return self._document("POST", path, _body(document))

    def send(self, path: str, frame: Frame) -> Any:
        """The JSON answer to a frame."""
        return self._document("POST", path, _fitting(frame.pack(), SAE_BYTES_AT_MOST))

    def frames(self, path: str, document: Mapping[str, Any]) -> Iterator[Frame]:
        """The frames of an answer up to the one that says `end`, which comes last.

        A stream that breaks off is asked for again, and goes on where it was.
        """
        body = _body(document)
        key = secrets.token_hex(16)
        seen = 0
        patience = _Patience(self.url)
        while True:
            try:
                with closing(self._open("POST", path, body, key, patience)) as exchange:
                    for number, frame in enumerate(_stream(exchange.response)):
                        if number < seen:
                            continue
                        seen += 1
                        if "error" in frame.header:
                            raise error_from(frame.header["error"])
                        yield frame
                        if "end" in frame.header:
                            return
                        patience = _Patience(self.url)
            except (OSError, http.client.HTTPException, BrokenStream) as error:
                patience.wait(error)

    def _document(self, method: str, path: str, body: bytes | None) -> Any:
        key = secrets.token_hex(16)
        patience = _Patience(self.url)
        while True:
            try:
                with closing(self._open(method, path, body, key, patience)) as exchange:
                    answer = _whole(exchange.response, _JSON_BYTES_AT_MOST + 1)
                if len(answer) > _JSON_BYTES_AT_MOST:
                    raise ModelUnavailable(
                        f"{self.url} answered with more than {_JSON_BYTES_AT_MOST >> 20} MB",
                        hint="Ask for less.",
                    )
                return _parsed(answer, self.url)
            except (OSError, http.client.HTTPException) as error:
                patience.wait(error)

    def _open(
        self, method: str, path: str, body: bytes | None, key: str, patience: _Patience
    ) -> _Exchange:
        headers = {"Authorization": f"Bearer {self._token}", "Idempotency-Key": key}
        while True:
            exchange = _Exchange(self._secure, self._at)
            try:
                exchange.ask(method, self._prefix + path, body, headers)
                response = exchange.response
                if response.status == 200:
                    return exchange
                answer = _whole(response, 1 << 20)
            except BaseException:
                exchange.close()
                raise
            exchange.close()
            error = self._refusal(response.status, answer)
            if response.status not in _AGAIN:
                raise error
            patience.wait(error, response.headers.get("Retry-After"))

    def _refusal(self, status: int, answer: bytes) -> WorkbenchError:
        try:
            return error_from(json.loads(answer)["error"])
        except (ValueError, RecursionError, TypeError, KeyError):
            return ModelUnavailable(
                f"what answers at {self.url} is no host, or too busy (status {status})",
                hint="Give the URL that the host printed, or ask later.",
            )


class _Exchange:
    """One request on a connection of its own; nothing is redirected, no proxy is asked."""

    response: http.client.HTTPResponse

    def __init__(self, secure: bool, at: tuple[str, int | None]) -> None:
        self._connection = (
            http.client.HTTPSConnection(
                *at, timeout=LONGEST_ANSWER_SECONDS, context=ssl.create_default_context()
            )
            if secure
            else http.client.HTTPConnection(*at, timeout=LONGEST_ANSWER_SECONDS)
        )

    def ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> None:
        self._connection.request(method, path, body=body, headers=headers)
        self.response = self._connection.getresponse()

    def close(self) -> None:
        self._connection.close()


class _Patience:
    """Waits longer each time; raises the error once the host was gone for PATIENCE_SECONDS."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._deadline = time.monotonic() + PATIENCE_SECONDS
        self._pause = 0.05

    def wait(self, error: Exception, asked: str | None = None) -> None:
        pause = min(float(asked), 5.0) if asked and asked.isdecimal() else self._pause
        if time.monotonic() + pause > self._deadline:
            if isinstance(error, ModelUnavailable):
                raise error
            raise ModelUnavailable(
                f"the host at {self._url} does not answer: {str(error) or type(error).__name__}",
                hint="Start it with `workbench host`, or give the URL that it printed.",
            ) from None
        time.sleep(pause)
        self._pause = min(2.0, self._pause * 1.5)


def _body(document: Mapping[str, Any]) -> bytes:
    try:
        text = json.dumps(document, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise BadParameter(
            f"arguments that cannot be sent: {error}", hint="Use plain data."
        ) from None
    return _fitting(text.encode(), BODY_BYTES_AT_MOST)


def _fitting(body: bytes, most: int) -> bytes:
    if len(body) > most:
        raise BadParameter(
            f"a request of {len(body)} bytes, where a host reads {most}", hint="Send less at once."
        )
    return body


def _stream(response: http.client.HTTPResponse) -> Iterator[Frame]:
    while True:
        yield read_frame(response.read)


def _whole(response: http.client.HTTPResponse, most: int) -> bytes:
    """At most so many bytes of the answer; raises IncompleteRead where it broke off before."""
    answer = response.read(most)
    declared = response.headers.get("Content-Length", "")
    if declared.isdecimal() and len(answer) < min(int(declared), most):
        raise http.client.IncompleteRead(answer)
    return answer


def _parsed(answer: bytes, url: str) -> Any:
    try:
        return json.loads(answer)
    except (ValueError, RecursionError):
        raise ModelUnavailable(
            f"what answers at {url} is no host", hint="Give the URL that the host printed."
        ) from None
