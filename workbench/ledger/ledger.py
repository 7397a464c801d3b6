"""The ledger: a path, and the few verbs that append to it or read from it."""

from __future__ import annotations

import datetime
import errno
import fcntl
import os
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import DiskFull, LedgerBusy, LedgerDamaged, LedgerError
from workbench.findings import JSON, Finding, clean_text
from workbench.ledger import rows, verification
from workbench.ledger.anchor import Anchor, anchor_path, read_anchor, write_anchor
from workbench.ledger.export import export
from workbench.ledger.records import (
    Amendment,
    Entry,
    Group,
    Planned,
    Run,
    dump,
    finding_id,
)
from workbench.ledger.schema import copy_database, create, opened, private_files
from workbench.ledger.selection import Table, select
from workbench.seal.commit import canonical, chain

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

WRITER_PATIENCE_SECONDS = 60.0
"""How long the one who holds the writer's lock waits for short readers to leave."""


class Ledger:
    """An append-only store of runs and findings in one DuckDB file.

    Holds a path and no connection; each call opens the file, does one transaction and closes it.
    A call returns after the commit is on disk. Calls may come from several threads. One process
    writes at a time: others get LedgerBusy at once where the writer's lock is held, and after
    `patience_seconds` where a reader has the file open.
    """

    def __init__(self, path: str | Path, *, patience_seconds: float = 5.0) -> None:
        self.path = Path(path)
        self._patience_seconds = patience_seconds
        self._threads = threading.RLock()
        self._held = 0
        self._lock_file = -1

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keeps every other writer out until it is left; raises LedgerBusy at once. Nests."""
        with self._threads:
            if self._held == 0:
                self._lock_file = self._take_lock()
            self._held += 1
        try:
            yield
        finally:
            with self._threads:
                self._held -= 1
                if self._held == 0:
                    os.close(self._lock_file)

    def plan(self, battery: str, suspect: str, planned: Sequence[Planned]) -> Group:
        """Writes the manifest of a battery run; `verify` misses what is in it and never came."""
        group = Group(_fresh("g"), clean_text(battery), suspect, tuple(planned), now())
        listed = [{"technique": p.technique, "key": p.key} for p in planned]

        def insert(connection: DuckDBPyConnection, seq: int) -> None:
            values = [group.id, group.battery, group.suspect, dump(listed), group.at, seq]
            connection.execute("INSERT INTO groups VALUES (?, ?, ?, ?, ?, ?)", values)

        self._append("group", group.id, verification.group_body(group), insert)
        return group

    def record(self, run: Run, findings: Iterable[Finding] = ()) -> list[Entry]:
        """Files a run with all its findings, or nothing of it.

        Handing in the same run again returns the same entries. Raises LedgerError when the run's
        id is taken by another content.
        """
        entries = [
            Entry(finding_id(run.id, position), run.id, position, finding)
            for position, finding in enumerate(findings)
        ]
        body = verification.run_body(run, [entry.finding for entry in entries])

        def insert(connection: DuckDBPyConnection, seq: int) -> None:
            rows.insert_run(connection, run, seq)
            rows.insert_findings(connection, entries)

        self._append("run", run.id, body, insert)
        return entries

    def amend(
        self, target: str, note: str, changes: Mapping[str, JSON] | None = None, author: str = ""
    ) -> Amendment:
        """Adds a later word on a run or finding, which itself stays as it was.

        Raises LedgerError when nothing has the id `target`.
        """
        self.find(target)
        amendment = Amendment(
            _fresh("a"), target, clean_text(note), dict(changes or {}), clean_text(author), now()
        )

        def insert(connection: DuckDBPyConnection, seq: int) -> None:
            a = amendment
            values = [a.id, a.target, a.note, dump(a.changes), a.author, a.at, seq]
            connection.execute("INSERT INTO amendments VALUES (?, ?, ?, ?, ?, ?, ?)", values)

        self._append("amendment", amendment.id, verification.amendment_body(amendment), insert)
        return amendment

    def groups(self) -> list[Group]:
        """Every battery run, oldest first."""
        with self._reading() as connection:
            return rows.groups(connection)

    def runs(
        self,
        *,
        group: str | None = None,
        technique: str | None = None,
        status: str | None = None,
    ) -> list[Run]:
        """Runs, oldest first. Of a group: one per planned key, `cached` where an earlier group
        had made it; a group without a manifest (an import) has the runs filed under its id.
        """
        with self._reading() as connection:
            found = rows.runs(connection, group)
        return [
            run
            for run in found
            if technique in (None, run.technique) and status in (None, run.status)
        ]

    def finished(self, keys: Iterable[str]) -> dict[str, Run]:
        """By key, the latest run that need not be made again: `ok` or `skipped`."""
        with self._reading() as connection:
            made = rows.runs(connection)
        wanted = set(keys)
        return {run.key: run for run in made if run.key in wanted and run.status != "failed"}

    def entries(
        self, *, run: str | None = None, group: str | None = None, runs: Sequence[str] | None = None
    ) -> list[Entry]:
        """Findings with their amendments in the order of filing: of a run, of several, of a group,
        or all."""
        with self._reading() as connection:
            if runs is not None:
                return rows.entries(connection, list(runs))
            wanted = None if group is None else [r.id for r in rows.runs(connection, group)]
            if run is not None:
                wanted = [run] if wanted is None else [r for r in wanted if r == run]
            return rows.entries(connection, wanted)

    def find(self, identity: str) -> Run | Entry:
        """The run or finding of that id; raises LedgerError where there is none."""
        with self._reading() as connection:
            found = rows.find(connection, identity)
        if found is not None:
            return found
        raise LedgerError(
            f"no run or finding has the id '{clean_text(identity, 80)}'",
            hint="List them with `workbench ledger runs` and `workbench ledger findings`.",
        )

    def query(self, sql: str, parameters: Sequence[Any] = (), *, most: int | None = None) -> Table:
        """The answer to exactly one SELECT, on a read-only connection without files or network;
        the first `most` rows of it where that is given.

        Raises ConfigError on anything else, and with the database's words on a wrong statement.
        """
        with self._reading() as connection:
            return select(connection, sql, parameters, most)

    def export(self, form: str, out: str | Path) -> int:
        """Writes runs with their findings as "parquet", "jsonl" or "csv"; returns the rows."""
        with self._threads, private_files(), self._reading(sealed_off=False) as connection:
            return export(connection, form, Path(out))

    def snapshot(self, file: str | Path) -> Path:
        """A copy of the whole ledger with its anchor, free of the residue of the live file.

        Raises LedgerError when `file` exists.
        """
        target = Path(file)
        if target.exists():
            raise LedgerError(f"{target} exists", hint="Name a file that does not exist.")
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{target.name}.draft")
        draft.unlink(missing_ok=True)
        with self._threads, private_files():  # in this order, as those who write take them
            with self._reading(sealed_off=False) as connection:
                last = verification.last_event(connection)
                copy_database(connection, draft)
            os.replace(draft, target)
            write_anchor(target, last)
        return target

    def verify(self) -> verification.Verdict:
        """Whether the file, its hash chain, its anchor and its manifests agree.

        Raises LedgerBusy or LedgerTooNew, and LedgerError where there is no ledger; damage is no
        error here but the answer.
        """
        try:
            anchor = read_anchor(self.path)
        except LedgerDamaged as error:
            return verification.beyond_reading(Anchor(), error.message)
        try:
            with self._reading() as connection:
                return verification.verify(connection, anchor)
        except LedgerDamaged as error:
            return verification.beyond_reading(anchor or Anchor(), error.message)

    @property
    def _patience(self) -> float:
        return WRITER_PATIENCE_SECONDS if self._held else self._patience_seconds

    @contextmanager
    def _reading(self, sealed_off: bool = True) -> Iterator[DuckDBPyConnection]:
        with (
            self._threads,
            opened(
                self.path,
                write=False,
                patience_seconds=self._patience,
                sealed_off=sealed_off,
            ) as connection,
        ):
            yield connection

    def _append(
        self,
        kind: str,
        subject: str,
        body: Mapping[str, JSON],
        insert: Callable[[DuckDBPyConnection, int], None],
    ) -> None:
        patience = self._patience
        with self._threads, self.exclusive(), private_files():
            if not self.path.exists():
                anchor_path(self.path).unlink(missing_ok=True)
                create(self.path)
            anchor = read_anchor(self.path)
            if self.path.with_name(self.path.name + ".wal").exists():
                with opened(self.path, write=False, patience_seconds=patience) as reader:
                    verification.refuse_shortfall(reader, anchor)
            with opened(self.path, write=True, patience_seconds=patience) as connection:
                verification.refuse_shortfall(connection, anchor)
                if _known(connection, kind, subject, body):
                    return
                last = verification.last_event(connection)
                seq = last.seq + 1
                head = chain(last.head, {"seq": seq, "kind": kind, "body": body})
                connection.execute("BEGIN")
                insert(connection, seq)
                text = canonical(body).decode()
                connection.execute(
                    "INSERT INTO events VALUES (?, ?, ?, ?, ?)", [seq, kind, subject, text, head]
                )
                connection.execute("COMMIT")
                try:
                    write_anchor(self.path, verification.last_event(connection))
                except OSError as error:
                    raise _unwritable(error) from None

    def _take_lock(self) -> int:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            name = self.path.with_name(self.path.name + ".lock")
            descriptor = os.open(name, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise _unwritable(error) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise LedgerBusy(
                "another audit or server is writing to this ledger",
                hint="Wait for it to end, or give another --ledger.",
            ) from None
        return descriptor


def now() -> str:
    """The time in UTC, ISO 8601 with microseconds."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")


def _fresh(prefix: str) -> str:
    return f"{prefix}-{secrets.token_hex(8)}"


def _known(
    connection: DuckDBPyConnection, kind: str, subject: str, body: Mapping[str, JSON]
) -> bool:
    row = connection.execute(
        "SELECT body FROM events WHERE kind = ? AND subject = ?", [kind, subject]
    ).fetchone()
    if row is None:
        return False
    if row[0] != canonical(body).decode():
        raise LedgerError(
            f"{kind} {subject} is already recorded with another content",
            hint="A ledger is never overwritten; use a fresh id, or amend.",
        )
    return True


def _unwritable(error: OSError) -> LedgerError:
    kind = DiskFull if error.errno == errno.ENOSPC else LedgerError
    return kind(
        f"the ledger cannot be written: {error.strerror}",
        hint="Choose another --ledger, or make room and its directory writable.",
    )
