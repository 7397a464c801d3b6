"""A lock whose holder cannot keep the others out by asking again at once."""

from __future__ import annotations

import threading
from collections import deque


class Turns:
    """Passed on in the order of asking; nests within a thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holder = 0
        self._depth = 0
        self._waiting: deque[tuple[int, threading.Event]] = deque()

    def __enter__(self) -> None:
        me, mine = threading.get_ident(), threading.Event()
        with self._lock:
            if self._holder in (0, me):
                self._holder = me
                self._depth += 1
                return
            self._waiting.append((me, mine))
        mine.wait()

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._depth -= 1
            if self._depth:
                return
            self._holder = 0
            if self._waiting:
                self._holder, turn = self._waiting.popleft()
                self._depth = 1
                turn.set()
