"""Findings that a client keeps by hand: filed in the host's ledger, read by that client alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from workbench.errors import BadParameter, KeyReused
from workbench.findings import Finding
from workbench.host.guard import Gate
from workbench.host.records import Client
from workbench.host.store import Store, now
from workbench.ledger import Ledger, Run

KEPT_AT_MOST = 1_000
KEPT = "kept"
"""What stands in the ledger for the technique of such a finding."""


class Kept:
    """Files findings; `suspects` are the public ids of what they speak of, by name."""

    def __init__(
        self, store: Store, ledger: Ledger, suspects: Mapping[str, str], gate: Gate
    ) -> None:
        self._store, self._ledger, self._suspects, self._gate = store, ledger, suspects, gate

    def keep(self, client: Client, content: bytes, key: str) -> dict[str, Any]:
        """Files a finding, once per key, and returns it with its id.

        The wish is on the disk before the ledger is written, so that a retry after a crash files
        the very same run. Raises BadParameter on what is no finding, on a key that was used for
        another, and on too many.
        """
        finding = _finding(content)
        body = json.dumps(finding.to_json(), sort_keys=True)
        id = f"r-{hashlib.sha256(f'{client.name} {key}'.encode()).hexdigest()[:16]}"
        with self._store.writing() as database:
            known = self._store.rows("SELECT * FROM kept WHERE run = ?", id)
            if known and known[0]["body"] != body:
                raise KeyReused(
                    "the idempotency key was used for another finding",
                    hint="Take a fresh key for each finding.",
                )
            if not known:
                self._gate.admit(client, "findings", writes=True)
                held = self._store.rows("SELECT count(*) FROM kept WHERE client = ?", client.name)
                if held[0][0] >= KEPT_AT_MOST:
                    raise BadParameter(
                        f"{KEPT_AT_MOST} findings are kept already",
                        hint="Ask whoever runs the host for room.",
                    )
                database.execute(
                    "INSERT INTO kept VALUES (?, ?, ?, ?)", (id, client.name, body, now())
                )
                digest = hashlib.sha256(body.encode()).hexdigest()
                self._store.append({"kind": KEPT, "client": client.name, "finding": digest})
        (row,) = self._store.rows("SELECT made FROM kept WHERE run = ?", id)
        (entry,) = self._ledger.record(self._run(client, id, row["made"]), [finding])
        return {"id": entry.id, **finding.to_json()}

    def listed(self, client: Client) -> list[dict[str, Any]]:
        """What the client kept, oldest first."""
        rows = self._store.rows("SELECT run FROM kept WHERE client = ? ORDER BY rowid", client.name)
        if not rows:
            return []
        entries = self._ledger.entries(runs=[row["run"] for row in rows])
        by_run = {entry.run: {"id": entry.id, **entry.finding.to_json()} for entry in entries}
        return [by_run[row["run"]] for row in rows if row["run"] in by_run]

    def _run(self, client: Client, id: str, made: str) -> Run:
        return Run(
            id=id,
            group=f"{KEPT}-{client.name}",
            key=id,
            suspect=self._suspects[client.suspect],
            technique=KEPT,
            version=1,
            status="ok",
            access=tuple(client.access.names),
            started=made,
            finished=made,
        )


def _finding(content: bytes) -> Finding:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise BadParameter("the request is no JSON object", hint="Send a finding.")
    try:
        return Finding.from_json(document)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        raise BadParameter(
            "the request is no finding", hint="It has a claim, a confidence and evidence."
        ) from None
