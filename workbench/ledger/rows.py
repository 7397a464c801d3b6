"""Between the tables and the records: how runs, findings and amendments are written and read."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from workbench.findings import Finding
from workbench.ledger.records import Amendment, Entry, Group, Planned, Run, digest, dump

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_RUN_FIELDS = tuple(f.name for f in dataclasses.fields(Run) if f.name != "cached")
_RUN_COLUMNS = tuple("group_id" if name == "group" else name for name in _RUN_FIELDS)
_RUN_JSON = {"parameters", "access", "budget", "usage", "fingerprints"}

_RUN_SELECT = f"SELECT {', '.join(_RUN_COLUMNS)}"
_FINDING_SELECT = (
    "SELECT f.id, f.run_id, f.position, f.claim, f.confidence, f.points_to, f.evidence, f.metadata"
    " FROM findings f"
)
_AMENDMENT_SELECT = "SELECT id, target, note, changes, author, made_at FROM amendments"
_GROUP_SELECT = "SELECT id, battery, suspect, planned, made_at FROM groups"


def run_document(run: Run) -> dict[str, Any]:
    """What the hash chain holds of a run."""
    document = run.to_json()
    del document["cached"]
    return document


def finding_document(finding: Finding) -> dict[str, Any]:
    """What the hash chain holds of a finding: its JSON with the confidence as a float."""
    return finding.to_json() | {"confidence": float(finding.confidence)}


def insert_run(connection: DuckDBPyConnection, run: Run, seq: int) -> None:
    """Writes the row; `seq` is the number of the event that tells of it."""
    document = run_document(run)
    values = [dump(document[n]) if n in _RUN_JSON else document[n] for n in _RUN_FIELDS]
    marks = ", ".join("?" * (len(values) + 1))
    connection.execute(
        f"INSERT INTO runs ({', '.join(_RUN_COLUMNS)}, seq) VALUES ({marks})", [*values, seq]
    )


def insert_findings(connection: DuckDBPyConnection, entries: Sequence[Entry]) -> None:
    """Writes all rows in one statement."""
    if not entries:
        return
    documents = [finding_document(entry.finding) for entry in entries]
    connection.execute(
        "INSERT INTO findings SELECT unnest(?::VARCHAR[]), unnest(?::VARCHAR[]),"
        " unnest(?::INTEGER[]), unnest(?::VARCHAR[]), unnest(?::DOUBLE[]),"
        " unnest(?::VARCHAR[])::JSON, unnest(?::VARCHAR[])::JSON, unnest(?::VARCHAR[])::JSON",
        [
            [entry.id for entry in entries],
            [entry.run for entry in entries],
            [entry.position for entry in entries],
            [document["claim"] for document in documents],
            [document["confidence"] for document in documents],
            [_or_null(document["points_to"]) for document in documents],
            [dump(document["evidence"]) for document in documents],
            [dump(document["metadata"]) for document in documents],
        ],
    )


def groups(connection: DuckDBPyConnection) -> list[Group]:
    """Every manifest in the order of filing."""
    made = connection.execute(f"{_GROUP_SELECT} ORDER BY seq").fetchall()
    return [_read_group(row) for row in made]


def runs(connection: DuckDBPyConnection, group: str | None = None) -> list[Run]:
    """All runs in the order of filing, or those of a group as `Ledger.runs` describes them."""
    made = connection.execute(f"{_RUN_SELECT}, seq FROM runs ORDER BY seq").fetchall()
    numbered = [(row[-1], _read_run(row[:-1])) for row in made]
    if group is None:
        return [run for _, run in numbered]
    own = {run.key: run for _, run in numbered if run.group == group}
    manifest = connection.execute(
        "SELECT planned, seq FROM groups WHERE id = ?", [group]
    ).fetchone()
    if manifest is None:
        return [run for _, run in numbered if run.group == group]
    earlier = {
        run.key: dataclasses.replace(run, group=group, cached=True)
        for seq, run in numbered
        if seq < manifest[1] and run.status != "failed"
    }
    keys = [planned["key"] for planned in json.loads(manifest[0])]
    return [run for key in keys if (run := own.get(key) or earlier.get(key)) is not None]


def entries(connection: DuckDBPyConnection, run_ids: list[str] | None) -> list[Entry]:
    """Findings in the order of filing: of those runs, or all."""
    where = "" if run_ids is None else " WHERE list_contains(?::VARCHAR[], r.id)"
    made = connection.execute(
        f"{_FINDING_SELECT} JOIN runs r ON r.id = f.run_id{where} ORDER BY r.seq, f.position",
        [] if run_ids is None else [run_ids],
    ).fetchall()
    by_target: dict[str, list[Amendment]] = {}
    for amendment in amendments(connection):
        by_target.setdefault(amendment.target, []).append(amendment)
    return [_read_entry(row, by_target.get(row[0], [])) for row in made]


def amendments(connection: DuckDBPyConnection) -> list[Amendment]:
    """Every amendment in the order of filing."""
    made = connection.execute(f"{_AMENDMENT_SELECT} ORDER BY seq").fetchall()
    return [_read_amendment(row) for row in made]


def find(connection: DuckDBPyConnection, identity: str) -> Run | Entry | None:
    """The run or the finding of that id."""
    made = connection.execute(f"{_RUN_SELECT} FROM runs WHERE id = ?", [identity]).fetchone()
    if made is not None:
        return _read_run(made)
    filed = connection.execute(f"{_FINDING_SELECT} WHERE f.id = ?", [identity]).fetchone()
    if filed is None:
        return None
    mine = [a for a in amendments(connection) if a.target == identity]
    return _read_entry(filed, mine)


def digests(findings: Iterable[Finding]) -> list[str]:
    """The digests of findings in order, as the event of their run lists them."""
    return [digest(finding_document(finding)) for finding in findings]


def _or_null(document: Any) -> str | None:
    return None if document is None else dump(document)


def _read_run(row: Sequence[Any]) -> Run:
    values = {
        name: json.loads(value) if name in _RUN_JSON else value
        for name, value in zip(_RUN_FIELDS, row, strict=True)
    }
    return Run(**{**values, "access": tuple(values["access"])})


def _read_entry(row: Sequence[Any], filed: Sequence[Amendment]) -> Entry:
    identity, run, position, claim, confidence, points_to, evidence, metadata = row
    document = {
        "claim": claim,
        "confidence": confidence,
        "points_to": None if points_to is None else json.loads(points_to),
        "evidence": json.loads(evidence),
        "metadata": json.loads(metadata),
    }
    return Entry(identity, run, position, Finding.from_json(document), tuple(filed))


def _read_amendment(row: Sequence[Any]) -> Amendment:
    identity, target, note, changes, author, at = row
    return Amendment(identity, target, note, json.loads(changes), author, at)


def _read_group(row: Sequence[Any]) -> Group:
    identity, battery, suspect, planned, at = row
    return Group(identity, battery, suspect, tuple(Planned(**p) for p in json.loads(planned)), at)
