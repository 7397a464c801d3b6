"""Who works off jobs: one child process, or several. The outcomes are the same."""

from __future__ import annotations

import os
import selectors
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from workbench.battery.source import Source
from workbench.battery.worker import Job, Outcome, Worker
from workbench.errors import ConfigError

ENGINES = ("local", "processes")
MOST_PROCESSES = 4
"""Each holds the suspect in memory."""

_LONGEST_WAIT_SECONDS = 1.0


def children(engine: str) -> int:
    """How many child processes an engine uses; raises ConfigError on one that cannot be used."""
    if engine == "local":
        return 1
    if engine == "processes":
        return max(1, min(MOST_PROCESSES, os.cpu_count() or 1))
    if engine == "ray" and find_spec("ray") is None:
        raise ConfigError(
            "engine 'ray' needs the extra 'ray', which is not installed",
            hint=f"Choose from: {', '.join(ENGINES)}.",
        )
    raise ConfigError(f"engine '{engine}' is unknown", hint=f"Choose from: {', '.join(ENGINES)}.")


class Crew:
    """Child processes that hold the suspect and stay from one battery to the next, until closed.

    They start with the first job. Raises SuspectError, or the kind of WorkbenchError that a child
    met, when the suspect cannot be loaded.
    """

    def __init__(self, source: Source, artifacts_root: Path, processes: int = 1) -> None:
        self._source, self._artifacts_root, self._processes = source, artifacts_root, processes
        self._workers: list[Worker] = []

    def work_off(
        self, jobs: Sequence[Job], stop: Callable[[], bool]
    ) -> Generator[Job | Outcome, None, None]:
        """Yields each job when it starts and its outcome when it ends.

        Kills what still works when the iterator is closed or `stop()` says so.
        """
        waiting = deque(jobs)
        workers = self._workers
        selector = selectors.DefaultSelector()
        try:
            for worker in workers:
                _register(selector, worker)
            while (waiting or any(worker.busy for worker in workers)) and not stop():
                self._bury()
                working = sum(worker.outcome is not None for worker in workers)
                while len(workers) < min(self._processes, len(waiting) + working):
                    workers.append(Worker(self._source, self._artifacts_root))
                    _register(selector, workers[-1])
                for worker in workers:
                    if waiting and worker.ready and not worker.busy:
                        worker.give(waiting[0])
                        yield waiting.popleft()
                yield from _listen(selector, workers)
        finally:
            for worker in workers:
                if worker.busy:
                    worker.kill()
            self._bury()
            selector.close()

    def close(self) -> None:
        """Kills every child."""
        for worker in self._workers:
            worker.kill()
        self._workers.clear()

    def _bury(self) -> None:
        self._workers[:] = [worker for worker in self._workers if worker.alive]


def _register(selector: selectors.BaseSelector, worker: Worker) -> None:
    for descriptor in (worker.answers, worker.chatter):
        selector.register(descriptor, selectors.EVENT_READ, worker)


def _listen(selector: selectors.BaseSelector, workers: Sequence[Worker]) -> Iterator[Outcome]:
    soonest = min((w.deadline for w in workers if w.busy), default=0.0) - time.monotonic()
    events = selector.select(max(0.0, min(_LONGEST_WAIT_SECONDS, soonest)))
    for key, _ in sorted(events, key=lambda event: event[0].fd == event[0].data.answers):
        worker: Worker = key.data
        if not worker.alive:
            continue
        if key.fd == worker.chatter:
            if not worker.hear_chatter():
                selector.unregister(key.fd)
            continue
        finished = _heard(selector, worker)
        if finished is not None:
            yield finished
    for worker in workers:
        if worker.busy:
            finished = worker.overdue()
            _forget_dead(selector, worker)
            if finished is not None:
                yield finished


def _heard(selector: selectors.BaseSelector, worker: Worker) -> Outcome | None:
    try:
        return worker.hear()
    finally:
        _forget_dead(selector, worker)


def _forget_dead(selector: selectors.BaseSelector, worker: Worker) -> None:
    if worker.alive:
        return
    for descriptor in (worker.answers, worker.chatter):
        if descriptor in selector.get_map():
            selector.unregister(descriptor)
