"""A host inside the test's own process: real sockets, real HTTP, the worker in a thread."""

from __future__ import annotations

import dataclasses
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from workbench.access import UNLIMITED, Access, Budget
from workbench.host.api import Api, ApiSettings, Move
from workbench.host.exchanges import Exchanges
from workbench.host.guard import Gate, Open
from workbench.host.jobs import Jobs
from workbench.host.kept import Kept
from workbench.host.store import Store
from workbench.host.verbs import SERVED
from workbench.host.worker import serve
from workbench.ledger import Ledger
from workbench.suspects import Suspect


@dataclasses.dataclass(frozen=True)
class Inside:
    """Where it is, who may ask, and what it holds."""

    port: int
    token: str
    store: Store
    suspect: Suspect

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connect(self) -> Suspect:
        return Suspect.load(self.url, token=self.token)

    def load(self) -> Suspect:
        return self.suspect

    def describe(self) -> dict[str, Any]:
        return {"id": self.suspect.id, "access": self.suspect.access.names}


class _Patient:
    """No call is overdue: a worker that is a thread cannot be killed."""

    def begin(self, computed: float) -> int:
        return 0

    def end(self, number: int) -> None: ...


@contextmanager
def hosted(
    suspect: Suspect,
    state: Path,
    *,
    access: Access | None = None,
    budget: Budget = UNLIMITED,
    gate: Gate | None = None,
    calls_per_second: float = 100_000,
    moves: Sequence[Move] = (),
    ledger: Path | None = None,
) -> Iterator[Inside]:
    """Serves a suspect that this process holds to one client."""
    store = Store(state / "host.sqlite")
    granted = suspect.access & SERVED if access is None else access
    store.admit("auditor", granted, budget)
    worker = socket.socket(socket.AF_UNIX)
    worker.bind(str(state / "worker"))
    worker.listen(64)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    inside = Inside(listener.getsockname()[1], store.issue("auditor"), store, suspect)
    settings = ApiSettings(
        state, 0, {"": (state / "worker", suspect.id)}, inside.url, 60.0,
        calls_per_second,
    )  # fmt: skip
    book = Ledger(ledger or state / "ledger.duckdb")
    at = gate or Open()
    jobs = Jobs(store, book, state / "artifacts", inside.url, at)
    kept = Kept(store, book, {"": suspect.id}, at)
    exchanges = Exchanges(store, book, {"": suspect.id})
    server = Api(store, jobs, kept, exchanges, settings, at, moves).server()
    threads = [
        threading.Thread(target=serve, args=(worker, inside, (os.getuid(),), _Patient())),
        threading.Thread(target=server.run, args=([listener],)),
    ]
    for thread in threads:
        thread.start()
    jobs.start()
    exchanges.start()
    try:
        yield inside
    finally:
        jobs.stop()
        server.should_exit = True
        worker.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(20)
        exchanges.stop()
        store.close()
        assert not any(thread.is_alive() for thread in threads)
