"""Processes beside the app that read for it, so that its own never imports torch or duckdb.

A desk answers one question after the other over a socket pair, from the functions that its module
names in `ANSWERS`. It keeps what it opened, and ends with the app.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import secrets
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import Any

from workbench.errors import SuspectError, WorkbenchError
from workbench.findings import JSON
from workbench.host.processes import start
from workbench.suspects.wire import error_document, error_from


@dataclasses.dataclass(frozen=True, slots=True)
class DeskSettings:
    """module: whose `ANSWERS` it gives. descriptor: its end of the socket pair. environment: what
    is set beside what it inherits, for this process alone; it travels through a pipe."""

    module: str
    descriptor: int
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)


class Desk:
    """One process, started at the first question and again when it has died."""

    def __init__(self, module: str, environment: Mapping[str, str] | None = None) -> None:
        self._module = module
        self._environment = dict(environment or {})
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None

    def ask(self, question: str, **arguments: JSON) -> Any:
        """The answer, as JSON gives it. Raises the WorkbenchError that the function raised, and
        SuspectError, with a number for the log, on any other end."""
        asked = json.dumps({"question": question, "arguments": arguments}).encode()
        with self._lock:
            connection = self._connected()
            try:
                connection.send_bytes(asked)
                answer = json.loads(connection.recv_bytes())
            except (EOFError, OSError):
                self._stop()
                raise SuspectError(
                    f"the process that was asked for '{question}' ended",
                    hint="Try again; if it ends again, see what the app printed.",
                ) from None
        if "error" in answer:
            raise error_from(answer["error"])
        return answer["answer"]

    def close(self) -> None:
        """Ends the process; a later question starts another."""
        with self._lock:
            self._stop()

    def _connected(self) -> Connection:
        if self._connection is None:
            ours, theirs = socket.socketpair()
            with theirs:
                settings = DeskSettings(self._module, theirs.fileno(), self._environment)
                self._process = start("workbench.ui.desk:serve", settings, (theirs.fileno(),))
            self._connection = Connection(ours.detach())
        return self._connection

    def _stop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stdin is not None:
                self._process.stdin.close()
            self._process = None


def serve(settings: DeskSettings) -> None:
    """Answers until the other end is closed."""
    os.environ.update(settings.environment)
    with Connection(settings.descriptor) as connection:
        while True:
            try:
                asked = json.loads(connection.recv_bytes())
            except EOFError:
                return
            connection.send_bytes(json.dumps(answered(settings.module, asked)).encode())


def answered(module: str, asked: dict[str, Any]) -> dict[str, Any]:
    """{"answer": ...} or {"error": ...}; what was not raised on purpose goes to standard error."""
    try:
        answers = importlib.import_module(module).ANSWERS
        return {"answer": answers[asked["question"]](**asked["arguments"])}
    except WorkbenchError as error:
        return {"error": error_document(error)}
    except Exception:  # the boundary of this process: the page says so, and stays
        number = secrets.token_hex(4)
        sys.stderr.write(f"{number}\n{traceback.format_exc()}\n")
        failure = SuspectError(
            f"'{asked['question']}' failed; the log knows this as {number}",
            hint="See what the app printed, and report it.",
        )
        return {"error": error_document(failure)}
