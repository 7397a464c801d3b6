"""Work that takes minutes a suspect: each in a process of its own, failures told one by one."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

from workbench.errors import WorkbenchError

Progress = Callable[[int, int, str], None]
"""Called with suspects done, suspects in all, and what happened; never with a recipe."""


def outcomes(
    work: Callable[..., Any], arguments: Mapping[int, tuple[Any, ...]], processes: int
) -> Iterator[tuple[int, Any, str | None]]:
    """(number, what `work` returned, None) or (number, None, why it failed), as they come.

    Who stops taking them lets those that run come to their end and starts no other.
    """
    pool = ProcessPoolExecutor(
        processes, mp_context=multiprocessing.get_context("spawn"), max_tasks_per_child=1
    )
    try:
        jobs = {pool.submit(work, *given): number for number, given in arguments.items()}
        for job in as_completed(jobs):
            error = job.exception()
            if error is None:
                yield jobs[job], job.result(), None
            else:
                told = error.message if isinstance(error, WorkbenchError) else repr(error)
                yield jobs[job], None, told
    finally:
        pool.shutdown(cancel_futures=True)


def silent(done: int, total: int, happened: str) -> None:
    """Nobody wants to know."""
