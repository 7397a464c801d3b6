"""Does a ledger hold what it acknowledged, unaltered, and all that its batteries planned?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from workbench.errors import LedgerDamaged, WorkbenchError
from workbench.findings import JSON, Finding
from workbench.ledger import rows
from workbench.ledger.anchor import Anchor
from workbench.ledger.records import Amendment, Group, Run, digest
from workbench.seal.commit import GENESIS, chain

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class Verdict(TypedDict):
    """status: "complete"; "partial" when a planned run never came; "damaged" when something
    acknowledged is gone or altered. missing: runs planned or acknowledged, and not there.
    problems: one sentence each. anchored: whether there was a .head file to hold against.
    """

    status: str
    runs: int
    findings: int
    missing: int
    problems: list[str]
    anchored: bool


def run_body(run: Run, findings: Sequence[Finding]) -> dict[str, JSON]:
    """What the event of a run says: digests alone, no text of a suspect."""
    return {
        "id": run.id,
        "digest": digest(rows.run_document(run)),
        "findings": rows.digests(findings),
    }


def group_body(group: Group) -> dict[str, JSON]:
    """What the event of a manifest says."""
    planned = [[p.technique, p.key] for p in group.planned]
    return {
        "id": group.id,
        "digest": digest([group.id, group.battery, group.suspect, planned, group.at]),
    }


def amendment_body(amendment: Amendment) -> dict[str, JSON]:
    """What the event of an amendment says."""
    a = amendment
    return {"id": a.id, "digest": digest([a.id, a.target, a.note, a.changes, a.author, a.at])}


def last_event(connection: DuckDBPyConnection) -> Anchor:
    """The anchor that the stored history calls for."""
    row = connection.execute("SELECT seq, head FROM events ORDER BY seq DESC LIMIT 1").fetchone()
    seq, head = (0, GENESIS) if row is None else row
    counts = "SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM findings)"
    runs, findings = connection.execute(counts).fetchall()[0]
    return Anchor(seq, head, runs, findings)


def refuse_shortfall(connection: DuckDBPyConnection, anchor: Anchor | None) -> None:
    """Raises LedgerDamaged when the stored history does not reach or contradicts the anchor."""
    problem = _shortfall(connection, anchor)
    if problem:
        raise LedgerDamaged(
            f"{problem}; the ledger was left untouched",
            hint="Restore the file and its .wal, or delete the .head file to accept the loss.",
        )


def verify(connection: DuckDBPyConnection, anchor: Anchor | None) -> Verdict:
    """Reads everything: chain, contents against their digests, anchor, manifests."""
    last = last_event(connection)
    problems = [*_broken_links(connection), *_altered(connection)]
    shortfall = _shortfall(connection, anchor)
    if shortfall:
        problems.insert(0, shortfall)
    lost = max(0, anchor.runs - last.runs) if anchor else 0
    made = connection.execute("SELECT DISTINCT key FROM runs").fetchall()
    listed = connection.execute("SELECT planned FROM groups").fetchall()
    planned = {p["key"]: p["technique"] for row in listed for p in _plan(row[0])}
    for key in {row[0] for row in made}:
        planned.pop(key, None)
    status = "damaged" if problems else "partial" if planned else "complete"
    problems += [f"planned run of {name} never came" for name in planned.values()]
    return Verdict(
        status=status,
        runs=last.runs,
        findings=last.findings,
        missing=max(lost, len(planned)),
        problems=problems,
        anchored=anchor is not None,
    )


def beyond_reading(anchor: Anchor, problem: str) -> Verdict:
    """The verdict on a file that cannot be read: all that was acknowledged is missing."""
    return Verdict(
        status="damaged",
        runs=0,
        findings=0,
        missing=anchor.runs,
        problems=[problem],
        anchored=anchor.seq > 0,
    )


def _shortfall(connection: DuckDBPyConnection, anchor: Anchor | None) -> str:
    if anchor is None or anchor.seq == 0:
        return ""
    query = "SELECT head FROM events WHERE seq = ?"
    row = connection.execute(query, [anchor.seq]).fetchone()
    if row is None:
        seq = last_event(connection).seq
        return f"{anchor.seq} events were acknowledged, {seq} are there"
    return "" if row[0] == anchor.head else f"event {anchor.seq} is not the acknowledged one"


def _broken_links(connection: DuckDBPyConnection) -> list[str]:
    head = GENESIS
    events = connection.execute("SELECT seq, kind, body, head FROM events ORDER BY seq").fetchall()
    for expected, (seq, kind, body, stored) in enumerate(events, start=1):
        try:
            head = chain(head, {"seq": seq, "kind": kind, "body": json.loads(body)})
        except ValueError:
            head = ""
        if seq != expected or head != stored:
            return [f"the hash chain breaks at event {expected}"]
    return []


def _altered(connection: DuckDBPyConnection) -> list[str]:
    """Stored rows whose digests differ from what the chain says, and rows it does not know."""
    told: dict[str, dict[str, Mapping[str, Any]]] = {"run": {}, "group": {}, "amendment": {}}
    for kind, subject, body in connection.execute(
        "SELECT kind, subject, body FROM events"
    ).fetchall():
        try:
            told[kind][subject] = json.loads(body)
        except (ValueError, KeyError):
            return [f"the event of {kind} {subject} cannot be read"]
    try:
        found = _bodies(connection)
    except (ValueError, TypeError, KeyError, WorkbenchError):
        return ["a stored row cannot be read back"]
    problems = []
    for kind, expected in told.items():
        stored = found[kind]
        problems += [f"{kind} {i} is gone" for i in expected if i not in stored]
        problems += [f"{kind} {i} is in no event" for i in stored if i not in expected]
        problems += [
            f"{kind} {i} was altered"
            for i, body in stored.items()
            if i in expected and body != expected[i]
        ]
    orphans = connection.execute(
        "SELECT count(*) FROM findings WHERE run_id NOT IN (SELECT id FROM runs)"
    ).fetchall()[0][0]
    return problems + ([f"{orphans} findings belong to no run"] if orphans else [])


def _bodies(connection: DuckDBPyConnection) -> dict[str, dict[str, Mapping[str, Any]]]:
    filed: dict[str, list[Finding]] = {}
    for entry in rows.entries(connection, None):
        filed.setdefault(entry.run, []).append(entry.finding)
    return {
        "run": {r.id: run_body(r, filed.get(r.id, [])) for r in rows.runs(connection)},
        "group": {g.id: group_body(g) for g in rows.groups(connection)},
        "amendment": {a.id: amendment_body(a) for a in rows.amendments(connection)},
    }


def _plan(text: str) -> list[dict[str, str]]:
    try:
        return [{"key": p["key"], "technique": p["technique"]} for p in json.loads(text)]
    except (ValueError, TypeError, KeyError):
        return []
