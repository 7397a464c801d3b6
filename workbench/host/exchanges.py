"""What was served through the OpenAI door, filed in the ledger as evidence under a label."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Mapping

from workbench.errors import LedgerError
from workbench.findings import Finding
from workbench.host.records import SEAT, Client
from workbench.host.store import Store, now
from workbench.ledger import Ledger, Run
from workbench.ledger.records import finding_id

SERVED = "serve"
"""What stands in the ledger for the technique of such a run."""

FILED_EVERY_SECONDS = 5.0
IN_A_RUN = 200
"""Exchanges of one run at most."""


class Exchanges:
    """Keeps exchanges on the disk as they are settled, and files them in the ledger soon after:
    as findings that accuse nobody, each with what was asked and answered.

    suspects: the public ids of what is spoken with, by name. What the ledger does not take now, as
    when another process writes to it, is tried again, also by the next start.
    """

    def __init__(self, store: Store, ledger: Ledger, suspects: Mapping[str, str]) -> None:
        self._store, self._ledger, self._suspects = store, ledger, suspects
        self._open: dict[tuple[str, str], str] = {}
        self._filing = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="exchanges", daemon=True)

    def start(self) -> None:
        """Files what is left from before, and goes on filing."""
        self._thread.start()

    def stop(self) -> None:
        """Files the rest."""
        self._over.set()
        self._thread.join()

    def keep(self, client: Client, label: str, finding: Finding) -> str:
        """Keeps an exchange within the transaction that is open; returns the id of its finding."""
        with self._store.writing() as database:
            run = self._open.setdefault((client.name, label), f"r-{secrets.token_hex(8)}")
            held = self._store.rows("SELECT count(*) FROM exchanges WHERE run = ?", run)
            body = json.dumps(finding.to_json(), sort_keys=True)
            database.execute(
                "INSERT INTO exchanges VALUES (?, ?, ?, ?, ?, ?, 0)",
                (run, held[0][0], client.name, label, body, now()),
            )
            if held[0][0] + 1 >= IN_A_RUN:
                del self._open[client.name, label]
        return finding_id(run, held[0][0])

    def file(self) -> None:
        """Files what is kept and not filed; raises LedgerError where the ledger takes it not."""
        with self._filing:
            with self._store.writing():
                self._open.clear()
                waiting = self._store.rows(
                    "SELECT run, client, label, min(made) AS first, max(made) AS last "
                    "FROM exchanges WHERE NOT filed GROUP BY run ORDER BY first"
                )
            for row in waiting:
                kept = self._store.rows(
                    "SELECT body FROM exchanges WHERE run = ? ORDER BY position", row["run"]
                )
                findings = [Finding.from_json(json.loads(one["body"])) for one in kept]
                client = row["client"]
                run = Run(
                    id=row["run"],
                    group=f"{SERVED}-{client}-{row['label']}",
                    key=row["run"],
                    suspect=self._suspects[client.partition(SEAT)[2]],
                    technique=SERVED,
                    version=1,
                    status="ok",
                    parameters={"label": row["label"], "client": client},
                    planned=len(findings),
                    ran=len(findings),
                    started=row["first"],
                    finished=row["last"],
                )
                self._ledger.record(run, findings)
                with self._store.writing() as database:
                    database.execute(
                        "UPDATE exchanges SET filed = 1, body = '' WHERE run = ?", (row["run"],)
                    )

    def _work(self) -> None:
        while True:
            over = self._over.wait(FILED_EVERY_SECONDS)
            try:
                self.file()
            except LedgerError:
                if over:
                    return
                continue  # somebody else writes now
            if over:
                return
