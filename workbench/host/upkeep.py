"""Processes that are started again when they end."""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from collections.abc import Callable, Mapping

Process = subprocess.Popen[bytes]

FAST_SECONDS = 1.0
FAST_DEATHS_AT_MOST = 5
"""Before it has once been seen to work, a process is given up that ends this often in a row within
FAST_SECONDS of its start. Later none is: it is started again after a pause that grows."""

_LONGEST_PAUSE_SECONDS = 5.0
_ENDING_SECONDS = 10.0


class Upkeep:
    """Runs one process by each maker; `over` is set when one was given up, or at the end."""

    def __init__(self, makers: Mapping[str, Callable[[], Process]]) -> None:
        self._makers = makers
        self._changing = threading.Lock()
        self._proven = False
        self._processes: dict[str, Process] = {}
        self.over = threading.Event()
        self.failure = ""

    def start(self) -> None:
        """Starts all, and a thread that looks after them."""
        for name, make in self._makers.items():
            self._processes[name] = make()
        for name in self._makers:
            threading.Thread(target=self._keep, args=(name,), daemon=True).start()

    def proven(self) -> None:
        """All have been seen to work: from now on none is given up."""
        self._proven = True

    def process(self, name: str) -> Process:
        """The one that runs now."""
        return self._processes[name]

    def stop(self) -> None:
        """Ends all and waits for it."""
        with self._changing:
            self.over.set()
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(_ENDING_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            _close_pipe(process)

    def _keep(self, name: str) -> None:
        fast = 0
        while True:
            started = time.monotonic()
            self._processes[name].wait()
            fast = fast + 1 if time.monotonic() - started < FAST_SECONDS else 0
            if fast >= FAST_DEATHS_AT_MOST and not self._proven:
                self.failure = f"the {name} process ends as soon as it starts"
                self.over.set()
                return
            pause = min(_LONGEST_PAUSE_SECONDS, 0.02 * 2**fast) if fast > 1 else 0.0
            if self.over.wait(pause):
                return
            with self._changing:
                if self.over.is_set():
                    return
                _close_pipe(self._processes[name])
                self._processes[name] = self._makers[name]()


def _close_pipe(process: Process) -> None:
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
