"""The model worker: the one process that holds the suspect. It answers on a Unix socket.

It has no network, no database and no token. It serves whom the kernel says to be an allowed user,
one thread per connection; the suspect itself lets one call compute at a time. A call past its time
limit ends the process, since nothing less stops a model or a script that hangs.
"""

from __future__ import annotations

import dataclasses
import os
import signal
import socket
import struct
import threading
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from workbench.access import Access, Budget
from workbench.battery import Source
from workbench.errors import SuspectError, WorkbenchError
from workbench.host import answers
from workbench.suspects import Suspect
from workbench.suspects.wire import BrokenStream, Frame, error_document, read_frame

CONNECTIONS_AT_MOST = 64
OVERDUE = 70
"""The exit code of a worker that ended itself because a call took too long."""

_PATIENCE_FOR_HANDSHAKE_SECONDS = 10.0


@dataclasses.dataclass(frozen=True, slots=True)
class WorkerSettings:
    """source: loads the suspect. socket: an inherited descriptor that listens. users: who may
    connect. call_seconds: the most that one call may take."""

    source: Source
    socket: int
    users: tuple[int, ...]
    call_seconds: float


class Watch(Protocol):
    """Is told when calls begin and end."""

    def begin(self) -> int:
        """A call starts; give the number to `end`."""

    def end(self, number: int) -> None:
        """The call ended."""


def main(settings: WorkerSettings) -> None:
    """Serves until the parent goes."""
    listener = socket.socket(fileno=settings.socket)
    serve(listener, settings.source, settings.users, Deadlines(settings.call_seconds))


def serve(listener: socket.socket, source: Source, users: Sequence[int], watch: Watch) -> None:
    """Answers all who connect and are among the users, until the listener is closed."""
    holder = Holder(source)
    room = threading.Semaphore(CONNECTIONS_AT_MOST)
    with listener:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            if peer(connection) not in users:
                connection.close()
                continue
            room.acquire()
            threading.Thread(
                target=_answer, args=(connection, holder, watch, room), daemon=True
            ).start()


def peer(connection: socket.socket) -> int:
    """The user on the other end of a Unix socket, as the kernel knows it."""
    size = struct.calcsize("3i")
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    return int(struct.unpack("3i", credentials)[1])


class Deadlines:
    """Ends the process when a call overruns, whether or not Python still gets to run.

    A thread looks every second and puts an alarm off while all is well; the alarm kills the process
    where even that thread no longer runs.
    """

    def __init__(self, call_seconds: float) -> None:
        self._limit = call_seconds
        self._running: dict[int, float] = {}
        self._next = 0
        self._lock = threading.Lock()
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        threading.Thread(target=self._watch, daemon=True).start()

    def begin(self) -> int:
        with self._lock:
            self._next += 1
            self._running[self._next] = time.monotonic() + self._limit
            return self._next

    def end(self, number: int) -> None:
        with self._lock:
            del self._running[number]

    def _watch(self) -> None:
        while True:
            signal.alarm(max(1, int(self._limit) + 10))
            time.sleep(min(1.0, self._limit / 4))
            with self._lock:
                overdue = any(deadline < time.monotonic() for deadline in self._running.values())
            if overdue:
                os._exit(OVERDUE)


class Holder:
    """The suspect, loaded when first asked for; a failure to load is told to each who asks."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._lock = threading.Lock()
        self._suspect: Suspect | None = None

    def get(self, of: str) -> Suspect:
        """The suspect or its reference, with all that it grants."""
        with self._lock:
            if self._suspect is None:
                self._suspect = self._source.load()
            return self._suspect.reference if of == "reference" else self._suspect


def _answer(
    connection: socket.socket, holder: Holder, watch: Watch, room: threading.Semaphore
) -> None:
    with connection, _returning(room):
        connection.settimeout(_PATIENCE_FOR_HANDSHAKE_SECONDS)
        try:
            with connection.makefile("rb") as stream:
                asked = read_frame(stream.read).header
            connection.settimeout(None)
            number = watch.begin()
            try:
                for frame in _frames(holder, asked):
                    connection.sendall(frame.pack())
            finally:
                watch.end(number)
        except (OSError, BrokenStream):
            return  # the other side left


@contextmanager
def _returning(room: threading.Semaphore) -> Iterator[None]:
    try:
        yield
    finally:
        room.release()


def _frames(holder: Holder, asked: Mapping[str, Any]) -> Iterator[Frame]:
    """The parts of an answer; the last says `end`, with what was spent and what went wrong."""
    view: Suspect | None = None
    error: dict[str, str] | None = None
    try:
        suspect = holder.get(asked["of"])
        access = Access.parse(asked["access"]) & suspect.access
        budget = Budget.parse(asked["within"])
        verb, arguments = asked["verb"], answers.with_edits(asked["arguments"])
        if asked["price"]:
            yield Frame({"costs": answers.price(verb, suspect, access, budget, arguments)})
        else:
            view = suspect.restrict(access, budget)
            yield from answers.ANSWERS[verb](view, arguments)
    except WorkbenchError as raised:
        error = error_document(raised)
    except Exception as raised:  # a suspect's own code may fail in any way
        traceback.print_exc()
        failure = SuspectError(
            f"the suspect failed: {type(raised).__name__}", hint="Ask whoever runs the host."
        )
        error = error_document(failure)
    spent = {} if view is None else view.usage.to_json()
    yield Frame({"end": True, "spent": {m: int(n) for m, n in spent.items() if n}, "error": error})
