"""What the bench is made of: a host for each suspect, desks that read, jobs that work.

One for the whole app, whoever looks at it. Its own process holds no model and no database.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import os
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

import streamlit as st

from workbench.battery import SuspectFiles
from workbench.config import LEDGER
from workbench.findings import Finding
from workbench.host import Host, HostSettings
from workbench.suspects import Suspect
from workbench.suspects.connection import Connection
from workbench.ui.desk import Desk
from workbench.ui.jobs import Jobs

HOSTS_AT_MOST = 2
"""Suspects that are held open at once; the one not asked for longest makes room."""


class Bench:
    """Opens suspects, reads and works for the pages; everything is granted."""

    def __init__(self, ledger: Path) -> None:
        self.ledger = ledger.resolve()
        self.folder = self.ledger.parent / "bench"
        self.books = Desk("workbench.ui.reads.ledger")
        self.library = Desk("workbench.ui.reads.corpus")
        self.features = Desk("workbench.ui.reads.features")
        self.contrasts = Desk("workbench.ui.reads.corpus")  # slow: nobody else waits behind it
        self.tables = Desk("workbench.ui.reads.rewards")
        self.jobs = Jobs(self.folder / "jobs")
        self._lock = threading.RLock()
        self._hosts: OrderedDict[str, tuple[Host, Suspect]] = OrderedDict()
        atexit.register(self.close)

    def suspect(self, source: str) -> Suspect:
        """The suspect behind its host, which is started where it does not run yet.

        Raises what `Host` and `Suspect.load` raise.
        """
        return self._open(source)[1]

    def keep(self, source: str, finding: Finding) -> str:
        """Files a finding by hand through the suspect's host; returns its id."""
        host, _ = self._open(source)
        made = Connection(host.url, _token(host)).post("/audit/findings", finding.to_json())
        return str(made["id"])

    def notes(self, source: str) -> Path:
        """The file of the notes on a suspect."""
        return self._home(source) / "notes.txt"

    def close(self) -> None:
        """Ends every process."""
        with self._lock:
            for host, _ in self._hosts.values():
                with contextlib.suppress(OSError):
                    host.__exit__(None, None, None)
            self._hosts.clear()
        for desk in (self.books, self.library, self.features, self.contrasts, self.tables):
            desk.close()
        self.jobs.close()

    def _open(self, source: str) -> tuple[Host, Suspect]:
        with self._lock:
            if source not in self._hosts:
                settings = HostSettings(state=self._home(source), ledger=self.ledger)
                host = Host(SuspectFiles(source), settings)
                host.__enter__()
                try:
                    suspect = Suspect.load(host.url, token=_token(host))
                except BaseException:
                    host.__exit__(None, None, None)
                    raise
                self._hosts[source] = (host, suspect)
                while len(self._hosts) > HOSTS_AT_MOST:
                    _, (oldest, _) = self._hosts.popitem(last=False)
                    oldest.__exit__(None, None, None)
            self._hosts.move_to_end(source)
            return self._hosts[source]

    def _home(self, source: str) -> Path:
        digest = hashlib.sha256(source.encode()).hexdigest()[:12]
        return self.folder / "suspects" / digest


@st.cache_resource(show_spinner=False)
def bench() -> Bench:
    """The one bench of this process; WORKBENCH_LEDGER names another ledger than the default."""
    return Bench(Path(os.environ.get("WORKBENCH_LEDGER") or LEDGER))


def overview() -> dict[str, Any]:
    """Runs and findings as the ledger file stands."""
    held = bench()
    return _overview(str(held.ledger), _stamp(held.ledger))


@st.cache_data(show_spinner=False, max_entries=4)
def _overview(ledger: str, stamp: tuple[int, int]) -> dict[str, Any]:
    found: dict[str, Any] = bench().books.ask("overview", ledger=ledger)
    return found


def _stamp(file: Path) -> tuple[int, int]:
    with contextlib.suppress(FileNotFoundError):
        stat = file.stat()
        return stat.st_mtime_ns, stat.st_size
    return 0, 0


def _token(host: Host) -> str:
    (tokens,) = host.tokens.values()
    return tokens[0]
