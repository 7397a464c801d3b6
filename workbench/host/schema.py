"""The host's SQLite file: its tables, and how it is opened so that a commit is on the disk."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from workbench.errors import ConfigError, LedgerBusy, LedgerDamaged

TABLES = """
CREATE TABLE IF NOT EXISTS clients (
    name TEXT PRIMARY KEY, access TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS tokens (
    id TEXT PRIMARY KEY, digest BLOB NOT NULL, client TEXT NOT NULL REFERENCES clients (name),
    access TEXT, expires REAL) STRICT;
CREATE TABLE IF NOT EXISTS meters (
    client TEXT NOT NULL REFERENCES clients (name), whose TEXT NOT NULL, meter TEXT NOT NULL,
    used INTEGER NOT NULL DEFAULT 0 CHECK (used >= 0), bound INTEGER,
    PRIMARY KEY (client, whose, meter)) STRICT;
CREATE TABLE IF NOT EXISTS calls (
    id INTEGER PRIMARY KEY, client TEXT NOT NULL, key TEXT NOT NULL, verb TEXT NOT NULL,
    whose TEXT NOT NULL, body TEXT NOT NULL, state TEXT NOT NULL, reserved TEXT NOT NULL,
    spent TEXT NOT NULL, status INTEGER NOT NULL, reply BLOB, arguments TEXT NOT NULL,
    UNIQUE (client, key)) STRICT;
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, client TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL,
    access TEXT NOT NULL, state TEXT NOT NULL, progress TEXT NOT NULL, run_group TEXT NOT NULL,
    runs TEXT NOT NULL, error TEXT NOT NULL, made TEXT NOT NULL, UNIQUE (client, key)) STRICT;
CREATE TABLE IF NOT EXISTS kept (
    run TEXT PRIMARY KEY, client TEXT NOT NULL, body TEXT NOT NULL, made TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS exchanges (
    run TEXT NOT NULL, position INTEGER NOT NULL, client TEXT NOT NULL, label TEXT NOT NULL,
    body TEXT NOT NULL, made TEXT NOT NULL, filed INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (run, position)) STRICT;
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY, body TEXT NOT NULL, head TEXT NOT NULL) STRICT;
"""


def opened(path: Path) -> sqlite3.Connection:
    """A connection for many threads behind one lock; the file is its owner's alone.

    Raises LedgerDamaged where it is no such file, LedgerBusy where another holds it for too long.
    """
    try:
        return _connected(path)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise LedgerBusy("the host's file is in use", hint="Try again.") from None
        raise ConfigError(
            f"the host's file cannot be used: {error}", hint="Check its directory and its room."
        ) from None
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # the latter: words of a complaint
        raise damaged(str(error)) from None


def damaged(what: str) -> LedgerDamaged:
    """The error for a file that does not hold what was acknowledged."""
    return LedgerDamaged(
        f"the host's file is damaged: {what}",
        hint="Keep the state directory for inspection, and start with a new one.",
    )


def _connected(path: Path) -> sqlite3.Connection:
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    database.row_factory = sqlite3.Row
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("PRAGMA foreign_keys = ON")
    database.executescript(TABLES)
    return database
