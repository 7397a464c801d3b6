"""Whose turn it is to compute: calls one at a time, and those that sample together in one batch."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Protocol, TypeAlias

from workbench.suspects import Intervention, Suspect
from workbench.suspects.sampling import Row
from workbench.suspects.streaming import Batch

ROWS_AT_MOST = 64
"""Rows that are sampled together; more wait until some have ended."""

SHORT_SECONDS = 0.2
"""A call that has computed for less goes on to its end: many short ones that are all begun together
would all end late."""

LONG_SECONDS = 0.5
"""How long a call of many turns waits, at most, for those that came after it and are shorter."""

PROMPTS_AT_MOST = 8_192
"""Tokens of prompts that are read in one step, unless a single one has more: while they are read,
the other rows wait."""

Tell: TypeAlias = Callable[[Row], bool]
"""Takes note of a row's new token; whether the row is to go on."""


class Watch(Protocol):
    """Is told when a stretch of computing begins and ends."""

    def begin(self, computed: float) -> int:
        """It begins, of a call that has computed for so many seconds already; give the number to
        `end`."""

    def end(self, number: int) -> None:
        """It ended."""


class Turns:
    """A lock that is passed on to whoever asked first, where those who computed before count as
    having asked later by as long, LONG_SECONDS at most: who asks for little is served soon, and
    nobody waits for ever."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken = False
        self._waiting: list[tuple[float, int, threading.Event]] = []
        self._number = itertools.count()

    @contextmanager
    def taken(self, computed: float = 0.0) -> Iterator[None]:
        """A turn of a call that has computed for so many seconds."""
        mine = threading.Event()
        with self._lock:
            if self._taken:
                heapq.heappush(self._waiting, (_due(computed), next(self._number), mine))
            else:
                self._taken = True
                mine.set()
        mine.wait()
        try:
            yield
        finally:
            with self._lock:
                if self._waiting:
                    heapq.heappop(self._waiting)[2].set()
                else:
                    self._taken = False

    def wanted(self, computed: float) -> bool:
        """Whether another would be next if the one who computes asked for a further turn."""
        with self._lock:
            waits = bool(self._waiting) and computed >= SHORT_SECONDS
            return waits and self._waiting[0][0] <= _due(computed)


def _due(computed: float) -> float:
    return time.monotonic() + min(computed, LONG_SECONDS)


class Sampled:
    """A call's rows at the desk.

    news: True for each step that told something, an error where sampling failed, False at the end.
    """

    def __init__(self, suspect: Suspect, view: Suspect, tell: Tell, count: int) -> None:
        self.suspect, self.view, self.tell = suspect, view, tell
        self.left = count
        self.gone = False
        self.news: SimpleQueue[bool | Exception] = SimpleQueue()


class Desk:
    """Passes turns on, and runs a batch of rows per model and list of interventions, a step a turn.

    Rows join while others are under way. Where the model's cache does not allow that, they wait
    until the batch is empty and then go together.
    """

    def __init__(self, turns: Turns, watch: Watch) -> None:
        self._turns, self._watch = turns, watch
        self._news = threading.Condition()
        self._waiting: dict[tuple[object, ...], deque[tuple[Sampled, deque[Row]]]] = {}
        self._batches: dict[tuple[object, ...], Batch] = {}
        self._calls: dict[int, Sampled] = {}
        self._thread: threading.Thread | None = None

    @contextmanager
    def watched(self, computed: float = 0.0) -> Iterator[None]:
        """A stretch of computing that needs no turn."""
        number = self._watch.begin(computed)
        try:
            yield
        finally:
            self._watch.end(number)

    @contextmanager
    def stretch(self, computed: float = 0.0) -> Iterator[None]:
        """A turn of a call that has computed for so many seconds."""
        with self._turns.taken(computed), self.watched(computed):
            yield

    @contextmanager
    def _long_stretch(self) -> Iterator[None]:
        """A turn of the batch, for which each of its rows had others before."""
        with self._turns.taken(LONG_SECONDS), self.watched():
            yield

    def sample(
        self, call: Sampled, rows: Sequence[Row], interventions: Sequence[Intervention]
    ) -> None:
        """Queues rows; what comes of them is told in the desk's own thread."""
        place = (id(call.suspect), *interventions)
        with self._news:
            self._waiting.setdefault(place, deque()).append((call, deque(rows)))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="desk", daemon=True)
                self._thread.start()
            self._news.notify()

    def _work(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._waiting or self._batches)
                places = list({**self._batches, **self._waiting})
            for place in places:
                try:
                    self._step(place)
                except Exception as error:  # told to those whose rows these are
                    self._fail(place, error)

    def _step(self, place: tuple[object, ...]) -> None:
        batch = self._batches.get(place)
        if batch is None:
            (call, _), *_ = self._waiting[place]
            with self._long_stretch():
                batch = Batch(call.suspect, place[1:])  # type: ignore[arg-type]
            self._batches[place] = batch
        self._admit(place, batch)
        self._drop(batch)
        if batch.busy:
            with self._long_stretch():
                rows = batch.step()
            told, over = set(), []
            for row in rows:
                call = self._calls[id(row)]
                goes_on = call.tell(row)
                if row.finish is not None or not goes_on:
                    over += [] if row.finish is not None else [row]
                    del self._calls[id(row)]
                    call.left -= 1
                told.add(call)
            batch.drop(over)
            for call in told:
                call.news.put(True)
                if not call.left:
                    call.news.put(False)
        if not batch.busy:
            del self._batches[place]

    def _admit(self, place: tuple[object, ...], batch: Batch) -> None:
        """Takes in as many of the waiting rows as there is room for: one of each call in turn."""
        with self._news:
            waiting = self._waiting.get(place)
            if waiting is None or (batch.busy and not batch.joins):
                return
            room, tokens = ROWS_AT_MOST - batch.busy, 0
            while waiting and room > 0:
                call, rows = waiting.popleft()
                tokens += len(rows[0].draw.prompt.token_ids)
                if tokens > PROMPTS_AT_MOST and room < ROWS_AT_MOST:
                    waiting.appendleft((call, rows))
                    break
                if call.gone:
                    continue
                row = rows.popleft()
                self._calls[id(row)] = call
                batch.join(call.view, [row])
                room -= 1
                if rows:
                    waiting.append((call, rows))
            if not waiting:
                del self._waiting[place]

    def _drop(self, batch: Batch) -> None:
        """Rows of callers who left."""
        gone = [row for row in batch.rows if self._calls[id(row)].gone]
        for row in gone:
            del self._calls[id(row)]
        batch.drop(gone)

    def _fail(self, place: tuple[object, ...], error: Exception) -> None:
        with self._news:
            batch = self._batches.pop(place, None)
            waiting = self._waiting.pop(place, ())
        calls = {call for call, _ in waiting}
        calls |= {self._calls.pop(id(row)) for row in (batch.rows if batch else ())}
        for call in calls:
            call.news.put(error)
