"""The tables, their migrations, and how a DuckDB file is opened without leaking or guessing."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import DiskFull, LedgerBusy, LedgerDamaged, LedgerError, LedgerTooNew

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

STORAGE_VERSION = "v1.2.0"
"""The file format that is written, pinned so that an upgrade of DuckDB does not change it."""

_HEADERS = 3 * 4096
RETRY_SECONDS = 0.02

_Settings = dict[str, str | bool | int | float | list[str]]

_NO_EXTENSIONS: _Settings = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
    "threads": "1",
    "lock_configuration": "true",
}
_SEALED_OFF: _Settings = _NO_EXTENSIONS | {"enable_external_access": "false"}

_FIRST = """
CREATE TABLE meta (schema_version INTEGER NOT NULL);
INSERT INTO meta VALUES (0);
CREATE TABLE groups (
    id VARCHAR PRIMARY KEY, battery VARCHAR NOT NULL, suspect VARCHAR NOT NULL,
    planned JSON NOT NULL, made_at VARCHAR NOT NULL, seq BIGINT NOT NULL);
CREATE TABLE runs (
    id VARCHAR PRIMARY KEY, group_id VARCHAR NOT NULL, key VARCHAR NOT NULL,
    suspect VARCHAR NOT NULL, technique VARCHAR NOT NULL, version INTEGER NOT NULL,
    status VARCHAR NOT NULL, parameters JSON NOT NULL, access JSON NOT NULL, budget JSON NOT NULL,
    seed BIGINT NOT NULL, reason VARCHAR NOT NULL, traceback VARCHAR NOT NULL,
    planned BIGINT NOT NULL, ran BIGINT NOT NULL, errored BIGINT NOT NULL,
    refused BIGINT NOT NULL, unscored BIGINT NOT NULL, seconds DOUBLE NOT NULL,
    usage JSON NOT NULL, started VARCHAR NOT NULL, finished VARCHAR NOT NULL,
    fingerprints JSON NOT NULL, seq BIGINT NOT NULL);
CREATE TABLE findings (
    id VARCHAR PRIMARY KEY, run_id VARCHAR NOT NULL, position INTEGER NOT NULL,
    claim VARCHAR NOT NULL, confidence DOUBLE NOT NULL, points_to JSON, evidence JSON NOT NULL,
    metadata JSON NOT NULL);
CREATE TABLE amendments (
    id VARCHAR PRIMARY KEY, target VARCHAR NOT NULL, note VARCHAR NOT NULL, changes JSON NOT NULL,
    author VARCHAR NOT NULL, made_at VARCHAR NOT NULL, seq BIGINT NOT NULL);
CREATE TABLE events (
    seq BIGINT PRIMARY KEY, kind VARCHAR NOT NULL, subject VARCHAR NOT NULL, body VARCHAR NOT NULL,
    head VARCHAR NOT NULL);
"""

MIGRATIONS = (_FIRST,)
"""One script per schema version; a released one is never edited."""

SCHEMA_VERSION = len(MIGRATIONS)

_umask = threading.Lock()


@contextmanager
def private_files() -> Iterator[None]:
    """Files made inside are readable by their owner alone. The umask is the whole process's."""
    with _umask:
        before = os.umask(0o077)
        try:
            yield
        finally:
            os.umask(before)


def _is_being_made(path: Path) -> bool:
    """Whether the file is a moment old and shorter than what DuckDB writes first: another process
    may be creating it, and until its headers are whole it looks damaged."""
    found = path.stat()
    return found.st_size < _HEADERS and time.time() - found.st_mtime < 1.0


@contextmanager
def opened(
    path: Path, *, write: bool, patience_seconds: float, sealed_off: bool = True
) -> Iterator[DuckDBPyConnection]:
    """A connection for one transaction, by default sealed off from other files and the network.

    Waits up to `patience_seconds` while another process has the file open. Raises LedgerError
    where there is no file, LedgerBusy, LedgerTooNew, or LedgerDamaged; a read never changes a
    byte of the file.
    """
    import duckdb

    if not path.is_file():
        raise LedgerError(
            f"there is no ledger at {path}", hint="Run `workbench audit run`, or give --ledger."
        )
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            connection = _connect(path, write, sealed_off)
            break
        except duckdb.Error as error:
            failure = _meaning(error)
            waits = isinstance(failure, LedgerBusy) or _is_being_made(path)
            if not waits or time.monotonic() > deadline:
                raise failure from None
        time.sleep(RETRY_SECONDS)
    try:
        yield connection
    except duckdb.Error as error:
        raise _failure(error) from error
    finally:
        connection.close()


def _connect(path: Path, write: bool, sealed_off: bool) -> DuckDBPyConnection:
    import duckdb

    settings = dict(_SEALED_OFF if sealed_off else _NO_EXTENSIONS)
    if write:
        settings["storage_compatibility_version"] = STORAGE_VERSION
    connection = duckdb.connect(str(path), read_only=not write, config=settings)
    try:
        version = schema_version(connection)
        if version > SCHEMA_VERSION:
            raise LedgerTooNew(
                f"the ledger has schema {version}, this workbench knows up to {SCHEMA_VERSION}",
                hint="Upgrade the workbench.",
            )
        if write and version < SCHEMA_VERSION:
            migrate(connection, version)
    except BaseException:
        connection.close()
        raise
    return connection


def schema_version(connection: DuckDBPyConnection) -> int:
    """The version a file was written with; raises LedgerError on a database of something else."""
    import duckdb

    try:
        row = connection.execute("SELECT schema_version FROM meta").fetchone()
    except duckdb.CatalogException:
        row = None
    if row is None:
        raise LedgerError(
            "the file is a DuckDB database, but no ledger", hint="Give another --ledger."
        )
    return int(row[0])


def create(path: Path) -> None:
    """Makes an empty ledger at once: a crash leaves either none or a whole one.

    A log left behind by a deleted ledger is put aside as `.wal.orphan`.
    """
    import duckdb

    orphan = path.with_name(path.name + ".wal")
    if orphan.exists():
        os.replace(orphan, path.with_name(path.name + ".wal.orphan"))
    draft = path.with_name(f".{path.name}.draft")
    for leftover in (draft, draft.with_name(draft.name + ".wal")):
        leftover.unlink(missing_ok=True)
    settings: _Settings = {**_SEALED_OFF, "storage_compatibility_version": STORAGE_VERSION}
    with duckdb.connect(str(draft), config=settings) as connection:
        migrate(connection, 0)
    os.replace(draft, path)
    sync_directory(path.parent)


def migrate(connection: DuckDBPyConnection, version: int) -> None:
    """Applies the scripts after `version` in one transaction, then checkpoints."""
    connection.execute("BEGIN")
    for script in MIGRATIONS[version:]:
        connection.execute(script)
    connection.execute("UPDATE meta SET schema_version = ?", [SCHEMA_VERSION])
    connection.execute("COMMIT")
    connection.execute("CHECKPOINT")


def copy_database(connection: DuckDBPyConnection, target: Path) -> None:
    """Writes the live content, and nothing of the deleted, into a new file."""
    name = connection.execute("SELECT current_database()").fetchall()[0][0]
    source = str(name).replace('"', '""')
    quoted = str(target).replace("'", "''")
    connection.execute(
        f"ATTACH '{quoted}' AS snapshot (READ_WRITE, STORAGE_VERSION '{STORAGE_VERSION}')"
    )
    connection.execute(f'COPY FROM DATABASE "{source}" TO snapshot')
    connection.execute("DETACH snapshot")


def sync_directory(directory: Path) -> None:
    """Makes renames in the directory durable."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _meaning(error: Exception) -> LedgerError:
    """What a failed opening means, in words that hold neither paths nor process ids."""
    import duckdb

    text = str(error)
    if "Could not set lock" in text or isinstance(error, duckdb.ConnectionException):
        return LedgerBusy(
            "the ledger is in use by another process",
            hint="Wait for it to end; read a `workbench ledger snapshot` meanwhile.",
        )
    if "Too many open files" in text:
        return LedgerBusy("too many files are open", hint="Close some, and try again.")
    if "version number" in text:
        return LedgerTooNew(
            "the ledger's file format is newer than the installed DuckDB",
            hint="Upgrade the workbench.",
        )
    if isinstance(error, duckdb.IOException) and "Permission denied" in text:
        return LedgerError(
            "the ledger may not be opened by this user", hint="Check the file's permissions."
        )
    return LedgerDamaged(
        "the ledger's file is damaged or no ledger at all; it was left untouched",
        hint="Keep the file and its .wal, and go on with a snapshot or a new --ledger.",
    )


def _failure(error: Exception) -> LedgerError:
    text = str(error)
    if any(sign in text for sign in ("Corrupt", "checksum", "Could not read")):
        return LedgerDamaged(
            "a part of the ledger cannot be read",
            hint="Run `workbench ledger verify`; keep the file and go on with a new --ledger.",
        )
    if "No space left" in text:
        return DiskFull(
            "the disk is full; nothing was recorded", hint="Free some space and run again."
        )
    return LedgerError(
        f"the ledger refused a transaction ({type(error).__name__}); nothing was recorded",
        hint="Run `workbench ledger verify`.",
    )
