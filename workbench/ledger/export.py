"""Ledgers for other tools: one flat table in Parquet, JSON lines or CSV."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import ConfigError, LedgerError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_OPTIONS = {
    "parquet": "FORMAT parquet, COMPRESSION zstd",
    "jsonl": "FORMAT json, ARRAY false",
    "csv": "FORMAT csv, HEADER true",
}
FORMATS = tuple(_OPTIONS)

_FLAT = """
SELECT r.group_id AS "group", r.id AS run, r.suspect, r.technique, r.version, r.status, r.reason,
    r.parameters, r.access, r.budget, r.seed, r.planned, r.ran, r.errored, r.refused, r.unscored,
    r.seconds, r.usage, r.started, r.finished, r.fingerprints, r.key,
    f.id AS finding, f.claim, f.confidence, f.points_to, f.evidence, f.metadata
FROM runs r LEFT JOIN findings f ON f.run_id = r.id ORDER BY r.seq, f.position
"""


def export(connection: DuckDBPyConnection, form: str, out: Path) -> int:
    """One row per finding, and one for each run without any, so that silence stays visible.

    Replaces `out` at once and returns the number of rows. Raises ConfigError on an unknown
    format and LedgerError when `out` cannot be written.
    """
    if form not in FORMATS:
        raise ConfigError(
            f"unknown export format '{form}'", hint=f"Choose from: {', '.join(FORMATS)}, inspect."
        )
    draft = out.with_name(f".{out.name}.draft")
    quoted = str(draft).replace("'", "''")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        draft.touch()
        answer = connection.execute(f"COPY ({_FLAT}) TO '{quoted}' ({_OPTIONS[form]})")
        rows = int(answer.fetchall()[0][0])
        os.replace(draft, out)
    except OSError as error:
        raise LedgerError(
            f"cannot write {out}: {error.strerror}", hint="Choose another --out."
        ) from None
    return rows
