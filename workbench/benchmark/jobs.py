"""Work that takes minutes a suspect: each in a process of its own, failures told one by one."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from typing import Any

from workbench.errors import WorkbenchError

Progress = Callable[[int, int, str], None]
"""Called with suspects done, suspects in all, and what happened; never with a recipe."""


def outcomes(
    work: Callable[..., Any],
    arguments: Mapping[int, tuple[Any, ...]],
    processes: int,
    *,
    after: Mapping[int, Collection[int]] | None = None,
    started: Callable[[int], None] = lambda number: None,
) -> Iterator[tuple[int, Any, str | None]]:
    """(number, what `work` returned, None) or (number, None, why it failed), as they come.

    after: by number, those that must have come to a good end before; of what needs one that failed,
    nothing is told. Numbers are begun in the order of `arguments` as far as that allows. Who stops
    taking outcomes lets those that run come to their end and starts no other.
    """
    pool = _pool(processes)
    waiting, done = dict(arguments), set[int]()
    running: dict[Future[Any], int] = {}
    try:
        while True:
            needs = {n: set((after or {}).get(n, ())) & arguments.keys() for n in waiting}
            ready = [number for number in waiting if needs[number] <= done]
            for number in ready[: processes - len(running)]:
                given = waiting.pop(number)
                try:
                    job = pool.submit(work, *given)
                except BrokenExecutor:  # a process that was killed took its pool along
                    pool = _pool(processes)
                    job = pool.submit(work, *given)
                running[job] = number
                started(number)
            if not running:
                return
            for job in wait(running, return_when=FIRST_COMPLETED).done:
                number, error = running.pop(job), job.exception()
                if error is None:
                    done.add(number)
                    yield number, job.result(), None
                else:
                    told = error.message if isinstance(error, WorkbenchError) else repr(error)
                    yield number, None, told
    finally:
        pool.shutdown(cancel_futures=True)


def _pool(processes: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        processes, mp_context=multiprocessing.get_context("spawn"), max_tasks_per_child=1
    )


def silent(done: int, total: int, happened: str) -> None:
    """Nobody wants to know."""
