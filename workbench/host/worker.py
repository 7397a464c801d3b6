"""The model worker: the one process that holds the suspect. It answers on a Unix socket.

It opens no network connection and no database, and knows no token. It serves whom the kernel says
to be an allowed user, one thread per connection; calls compute one at a time, and long ones let
shorter ones in between their steps. One that computes past its time limit ends the process, since
nothing less stops a model or a script that hangs; waiting for others, or for a slow reader, does
not count.
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
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from functools import partial
from typing import Any

from workbench.access import Access, Budget
from workbench.battery import Source
from workbench.errors import SuspectError, WorkbenchError
from workbench.host import answers, generating
from workbench.host.desk import Desk, Turns, Watch
from workbench.host.steps import PAUSE, STEPPED
from workbench.suspects import Suspect
from workbench.suspects.wire import BrokenStream, Frame, error_document, read_frame

CONNECTIONS_AT_MOST = 64
OVERDUE = 70
"""The exit code of a worker that ended itself because a call took too long."""

_PATIENCE_SECONDS = 60.0
"""How long the other side may take to send its question, or to take a frame of the answer."""

_NOT_COMPUTED = {"suspect", "fingerprint", "corpus/batch", "corpus/rows"}
_OWN_TURNS = {"generate"}
"""Verbs that take turns by themselves, and may wait in between."""


@dataclasses.dataclass(frozen=True, slots=True)
class WorkerSettings:
    """source: loads the suspect. socket: an inherited descriptor that listens. users: who may
    connect. call_seconds: the most that one call may compute at a stretch."""

    source: Source
    socket: int
    users: tuple[int, ...]
    call_seconds: float


def main(settings: WorkerSettings) -> None:
    """Serves until the parent goes."""
    listener = socket.socket(fileno=settings.socket)
    serve(listener, settings.source, settings.users, Deadlines(settings.call_seconds))


def serve(listener: socket.socket, source: Source, users: Sequence[int], watch: Watch) -> None:
    """Answers all who connect and are among the users, until the listener is closed."""
    holder = Holder(source)
    turns = Turns()
    desk = Desk(turns, watch)
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
                target=_answer, args=(connection, holder, desk, turns, room), daemon=True
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

    def begin(self, computed: float) -> int:
        with self._lock:
            self._next += 1
            self._running[self._next] = time.monotonic() + self._limit - computed
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
        self._loaded: dict[str, Suspect] = {}

    def get(self, of: str) -> Suspect:
        """The suspect or its reference, with all that it grants."""
        with self._lock:
            if "suspect" not in self._loaded:
                self._loaded["suspect"] = self._source.load()
            if of not in self._loaded:
                self._loaded[of] = self._loaded["suspect"].reference
            return self._loaded[of]


def _answer(
    connection: socket.socket, holder: Holder, desk: Desk, turns: Turns, room: threading.Semaphore
) -> None:
    with connection, _returning(room):
        connection.settimeout(_PATIENCE_SECONDS)
        try:
            with connection.makefile("rb") as stream:
                asked = read_frame(stream.read).header
            stretch: Callable[[float], AbstractContextManager[None]] = desk.stretch
            if asked["verb"] in _OWN_TURNS:
                stretch = _own_turns
            elif asked["verb"] in _NOT_COMPUTED:
                stretch = desk.watched
            begun, computed = False, 0.0
            with closing(_frames(holder, desk, asked)) as frames:
                while True:
                    with stretch(computed):
                        if not begun:
                            connection.sendall(_begun(computed).pack())
                            begun = True
                        since = time.monotonic() - computed
                        frame = next(frames, None)
                        while frame is PAUSE and not turns.wanted(time.monotonic() - since):
                            frame = next(frames, None)
                        computed = time.monotonic() - since
                    if frame is None:
                        return
                    connection.sendall(frame.pack())
                    if frame is PAUSE:
                        begun = False
                    else:
                        computed = 0.0
        except (OSError, BrokenStream):
            return  # the other side left, or does not read


def _own_turns(computed: float) -> AbstractContextManager[None]:
    return nullcontext()


def _begun(computed: float) -> Frame:
    """Said when a call's turn to compute has come, with the seconds that it had before: if the
    process ends now, this call is why."""
    return Frame({"begun": computed})


@contextmanager
def _returning(room: threading.Semaphore) -> Iterator[None]:
    try:
        yield
    finally:
        room.release()


def _frames(holder: Holder, desk: Desk, asked: Mapping[str, Any]) -> Generator[Frame, None, None]:
    """The parts of an answer; the last says `end`, with what was spent and what went wrong."""
    view: Suspect | None = None
    error: dict[str, str] | None = None
    try:
        suspect = holder.get(asked["of"])
        access = Access.parse(asked["access"]) & suspect.access
        budget = Budget.parse(asked["within"])
        verb, arguments = asked["verb"], answers.with_edits(asked["arguments"])
        if asked["price"]:
            price = generating.price if verb in _OWN_TURNS else partial(answers.price, verb)
            yield Frame({"costs": price(suspect, access, budget, arguments)})
        else:
            view = suspect.restrict(access, budget)
            if verb in _OWN_TURNS:
                yield from generating.answer(suspect, view, desk, arguments)
            elif verb in STEPPED:
                yield from STEPPED[verb](suspect, view, arguments)
            else:
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
