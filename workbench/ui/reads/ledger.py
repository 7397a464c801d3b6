"""The ledger, read in a process of its own: one short transaction for each question."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from workbench.findings import JSON
from workbench.ledger import Entry, Ledger


def overview(ledger: str) -> dict[str, Any]:
    """Groups, runs and findings, without tracebacks; nothing where there is no ledger yet."""
    if not Path(ledger).exists():
        return {"groups": [], "runs": [], "findings": []}
    opened = Ledger(ledger)
    runs = [run.to_json() for run in opened.runs()]
    groups = [
        {"id": g.id, "battery": g.battery, "suspect": g.suspect, "at": g.at}
        for g in opened.groups()
    ]
    return {
        "groups": groups,
        "runs": [{k: v for k, v in run.items() if k != "traceback"} for run in runs],
        "findings": [_entry(entry) for entry in opened.entries()],
    }


def group(ledger: str, group: str) -> dict[str, Any]:
    """The runs of a group, those taken over from earlier ones included, with their findings."""
    opened = Ledger(ledger)
    runs = [run.to_json() for run in opened.runs(group=group)]
    entries = opened.entries(group=group)
    return {
        "runs": [{k: v for k, v in run.items() if k != "traceback"} for run in runs],
        "findings": [_entry(entry) for entry in entries],
    }


def tables(ledger: str) -> list[list[str]]:
    """(table, its columns) of what a query can name."""
    found = Ledger(ledger).query(
        "SELECT table_name, string_agg(column_name, ', ' ORDER BY ordinal_position) "
        "FROM information_schema.columns WHERE table_name <> 'meta' GROUP BY table_name "
        "ORDER BY table_name"
    )
    return [[str(value) for value in row] for row in found.rows]


def verdict(ledger: str) -> dict[str, Any]:
    """Whether the ledger is whole."""
    return dict(Ledger(ledger).verify())


def amend(
    ledger: str, target: str, note: str, changes: Mapping[str, JSON] | None = None
) -> dict[str, Any]:
    """Adds a later word on a finding, and what it changes."""
    made = Ledger(ledger).amend(target, note, changes, author="app")
    return {"id": made.id, "at": made.at}


def export(ledger: str, form: str) -> dict[str, Any]:
    """The ledger as one file: rows, and its content in base 64."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / f"findings.{form}"
        rows = Ledger(ledger).export(form, out)
        return {"rows": rows, "content": base64.b64encode(out.read_bytes()).decode()}


def report(ledger: str, out: str, group: str | None) -> str:
    """Writes the HTML report of a group, the latest where none is named; returns its path."""
    from workbench.report import write

    return str(write(Ledger(ledger), Path(out), group=group).resolve())


def _entry(entry: Entry) -> dict[str, Any]:
    amendments = [
        {"note": a.note, "changes": dict(a.changes), "author": a.author, "at": a.at}
        for a in entry.amendments
    ]
    return {"id": entry.id, "run": entry.run, **entry.finding.to_json(), "amendments": amendments}


ANSWERS: Mapping[str, Callable[..., Any]] = {
    "overview": overview,
    "group": group,
    "tables": tables,
    "verdict": verdict,
    "amend": amend,
    "export": export,
    "report": report,
}
