"""How a battery is going, on standard error: a live line for people, plain lines for logs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from workbench.battery import Battery
    from workbench.ledger import Ledger


@contextmanager
def watch(battery: Battery, ledger: Ledger) -> Iterator[Callable[[str, str], None]]:
    """Yields the callback for `battery.run`; the display is gone when the block is left."""
    board = Board([step.technique for step in battery.steps], earlier_seconds(ledger))
    if not sys.stderr.isatty():
        yield lambda technique, happened: click.echo(board.tell(technique, happened), err=True)
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    class Line:
        def __rich__(self) -> Text:
            return Text(board.line())

    with Live(Line(), console=Console(stderr=True), transient=True, refresh_per_second=4) as live:

        def tell(technique: str, happened: str) -> None:
            text = board.tell(technique, happened)
            if happened != "started":
                live.console.print(Text(text))

        yield tell


def earlier_seconds(ledger: Ledger) -> dict[str, float]:
    """By technique, how long its latest finished run in this ledger took."""
    if not ledger.path.exists():
        return {}
    return {run.technique: run.seconds for run in ledger.runs(status="ok")}


class Board:
    """What is done, what runs, and how long the rest takes as far as earlier runs tell.

    Where a technique never ran before, no estimate is given.
    """

    def __init__(
        self,
        techniques: list[str],
        seconds: dict[str, float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._waiting = list(techniques)
        self._total = len(techniques)
        self._seconds = seconds
        self._clock = clock
        self._running: list[tuple[str, float]] = []
        self._done = 0

    def tell(self, technique: str, happened: str) -> str:
        """Books an event and returns a line about it."""
        if happened == "started":
            self._running.append((technique, self._clock()))
            self._waiting.remove(technique)
            return f"[{self._done + 1}/{self._total}] {technique}: started{self._rest()}"
        self._done += 1
        began = next((one for one in self._running if one[0] == technique), None)
        if began is None:
            self._waiting.remove(technique)
            return f"[{self._done}/{self._total}] {technique}: {happened}"
        self._running.remove(began)
        took = self._clock() - began[1]
        return f"[{self._done}/{self._total}] {technique}: {happened} after {duration(took)}"

    def line(self) -> str:
        """The state now."""
        running = ", ".join(
            f"{technique} for {duration(self._clock() - began)}"
            for technique, began in self._running
        )
        return f"{self._done} of {self._total} done; {running or 'loading'}{self._rest()}"

    def _rest(self) -> str:
        left = 0.0
        now = self._clock()
        for technique, began in (*((name, now) for name in self._waiting), *self._running):
            known = self._seconds.get(technique)
            if known is None:
                return ""
            left += max(0.0, known - (now - began))
        return f"; about {duration(left)} left, going by earlier runs"


def duration(seconds: float) -> str:
    """`12 s` or `3 min 05 s`."""
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02d} s"
