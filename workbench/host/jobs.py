"""Batteries that run on the host, by turns, whether or not the client stays."""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
import sqlite3
import threading
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from workbench import registry
from workbench.access import Access
from workbench.battery import Battery, Step, SuspectFiles, run
from workbench.errors import AccessDenied, BadParameter, KeyReused, SuspectError, WorkbenchError
from workbench.findings import JSON
from workbench.host.guard import Gate
from workbench.host.records import SEAT, Client
from workbench.host.store import Store, now
from workbench.ledger import Ledger, Run
from workbench.suspects.wire import error_document
from workbench.technique import opens, parameters

WAITING_AT_MOST = 16
"""Jobs of one client that have not ended."""

LONGEST_JOB_SECONDS = 86_400
"""All time limits of a job together."""

LONGEST_TURN_SECONDS = 3_600
"""The time limit of one technique, since others wait for its end."""

_ENDED = ("done", "failed", "cancelled")


@dataclasses.dataclass(frozen=True, slots=True)
class _Served(SuspectFiles):
    """The host's own suspect as one client sees it: nobody gets what another client paid for."""

    client: str = ""

    def describe(self) -> Mapping[str, JSON]:
        return {**SuspectFiles.describe(self), "client": self.client}


class Jobs:
    """The queue of jobs, and the thread that runs them and writes the ledger.

    Teams take turns: while another one waits, a job runs one technique and goes back to the queue,
    and the team that has waited longest for its turn is next.

    A job's techniques run in a child process that reaches the suspect as every client does, under a
    token of the job's own: what they spend is their client's. A job that was cut short by the end
    of this process goes on when the next one starts; what its techniques had recorded stays, and a
    technique that was running starts anew, and pays anew.
    """

    def __init__(
        self, store: Store, ledger: Ledger, artifacts_root: Path, url: str, gate: Gate
    ) -> None:
        self._store = store
        self._gate = gate
        self._turns: dict[str, int] = {}
        self._ledger = ledger
        self._artifacts_root = artifacts_root
        self._url = url
        self._wake = threading.Event()
        self._cancelled: set[str] = set()
        self._leaving = False
        self._thread = threading.Thread(target=self._work, name="jobs", daemon=True)

    def start(self) -> None:
        """Takes up what waits."""
        self._thread.start()

    def stop(self) -> None:
        """Kills what runs; it stays on the queue for the next start."""
        self._leaving = True
        self._wake.set()
        self._thread.join()

    def add(self, client: Client, battery: Battery, body: str, key: str) -> dict[str, Any]:
        """Files a job, once per key; raises AccessDenied on a battery that asks for more than the
        client has, BadParameter on too many jobs, too long a one, or a key used for another."""
        refuse_paths(battery)
        limits = [battery.limit_seconds(step) for step in battery.steps]
        if max(limits) > LONGEST_TURN_SECONDS:
            raise BadParameter(
                f"a technique that may run longer than {LONGEST_TURN_SECONDS} s",
                hint="Give a smaller time limit, or run it on your side, with --suspect.",
            )
        if sum(limits) > LONGEST_JOB_SECONDS:
            raise BadParameter(
                f"a job that may run longer than {LONGEST_JOB_SECONDS} s",
                hint="Give smaller time limits, or send several jobs.",
            )
        asked = client.access if battery.access is None else battery.access
        if asked & ~client.access:
            raise AccessDenied(
                f"the battery asks for {', '.join((asked & ~client.access).names)}, which this "
                "token does not grant",
                hint="Ask for less, or for a token with more access.",
            )
        with self._store.writing() as database:
            known = self._store.rows(
                "SELECT * FROM jobs WHERE client = ? AND key = ?", client.name, key
            )
            if known:
                if known[0]["body"] != body:
                    raise KeyReused(
                        "the idempotency key was used for another job",
                        hint="Take a fresh key for each job.",
                    )
                return _shown(known[0])
            (waiting,) = self._store.rows(
                "SELECT count(*) FROM jobs WHERE client = ? AND state IN ('waiting', 'running')",
                client.name,
            )[0]
            if waiting >= WAITING_AT_MOST:
                raise BadParameter(
                    f"{waiting} jobs have not ended", hint="Wait for one, or cancel one."
                )
            self._gate.admit(client, "jobs", writes=True)
            id = f"j-{secrets.token_hex(8)}"
            database.execute(
                "INSERT INTO jobs VALUES (?, ?, ?, ?, ?, 'waiting', '[]', '', '[]', 'null', ?)",
                (id, client.name, key, body, ",".join(asked.names), now()),
            )
            self._store.append({"kind": "job", "job": id, "client": client.name})
        self._wake.set()
        return self.get(client, id)

    def listed(self, client: Client) -> list[dict[str, Any]]:
        """The client's jobs, oldest first."""
        sql = "SELECT * FROM jobs WHERE client = ? ORDER BY made, id"
        return [_shown(row) for row in self._store.rows(sql, client.name)]

    def get(self, client: Client, id: str) -> dict[str, Any]:
        """One job; the same error for another's as for none."""
        sql = "SELECT * FROM jobs WHERE client = ? AND id = ?"
        rows = self._store.rows(sql, client.name, id)
        if not rows:
            raise BadParameter("no such job", hint="List them at /audit/jobs.")
        return _shown(rows[0])

    def findings(self, client: Client, id: str) -> list[dict[str, Any]]:
        """The job's runs so far, each with its findings."""
        made = json.loads(self._row(client, id)["runs"])
        found = []
        for run_id in made:
            record = self._ledger.find(run_id)
            assert isinstance(record, Run)
            shown = record.to_json()
            del shown["traceback"]  # it speaks of this machine
            entries = self._ledger.entries(run=run_id)
            listed = [{"id": e.id, **e.finding.to_json()} for e in entries]
            found.append({**shown, "findings": listed})
        return found

    def cancel(self, client: Client, id: str) -> dict[str, Any]:
        """Ends a job that has not ended, within about a second; what it recorded stays."""
        row = self._row(client, id)
        if row["state"] not in _ENDED:
            self._cancelled.add(id)
            self._set(id, state="cancelled")
        return self.get(client, id)

    def _row(self, client: Client, id: str) -> Any:
        self.get(client, id)
        return self._store.rows("SELECT * FROM jobs WHERE id = ?", id)[0]

    def _work(self) -> None:
        while not self._leaving:
            self._wake.clear()
            waiting = self._store.rows(
                "SELECT * FROM jobs WHERE state IN ('running', 'waiting') ORDER BY made, id"
            )
            if waiting:
                row = min(waiting, key=lambda row: self._turns.get(_team(row), 0))
                self._turns[_team(row)] = 1 + max(self._turns.values(), default=0)
                self._run(row)
            else:
                self._wake.wait()

    def _others_wait(self, client: str) -> bool:
        sql = "SELECT client FROM jobs WHERE state = 'waiting'"
        return any(_team(row) != client.partition(SEAT)[0] for row in self._store.rows(sql))

    def _run(self, row: sqlite3.Row) -> None:
        """One turn of a job: what is left of it, or one technique while others wait."""
        id, client = row["id"], row["client"]
        self._set(id, state="running")
        expires = time.time() + LONGEST_JOB_SECONDS
        token = self._store.issue(client, expires=expires, access=Access.parse(row["access"]))
        progress: list[list[str]] = json.loads(row["progress"])
        runs: list[str] = json.loads(row["runs"])

        def tell(technique: str, happened: str) -> None:
            progress.append([technique, happened])
            self._set(id, progress=json.dumps(progress))

        try:
            battery = Battery.parse(json.loads(row["body"]), origin="battery")
            steps = self._left(battery, runs)
            if not steps:  # this process ended between the last technique and its last word
                self._end(id, "done")
                return
            team, _, suspect = client.partition(SEAT)
            made = run(
                dataclasses.replace(battery, steps=steps),
                _Served(
                    f"{self._url}/suspects/{suspect}" if suspect else self._url,
                    token=token,
                    client=client,
                ),
                self._ledger,
                self._artifacts_root / "clients" / team / suspect,
                progress=tell,
                stop=lambda: self._leaving or id in self._cancelled,
            )
            ended = 0
            with closing(made):  # type: ignore[type-var]
                for one in made:
                    runs.append(one.id)
                    ended += 1
                    self._set(id, runs=json.dumps(runs), run_group=one.group)
                    if ended < len(steps) and self._others_wait(client):
                        break
            if not self._leaving:
                self._end(id, "done" if ended == len(steps) else "waiting")
        except WorkbenchError as error:
            self._set(id, state="failed", error=json.dumps(error_document(error)))
        except Exception:  # the boundary: the queue goes on
            traceback.print_exc()
            failure = SuspectError("the host failed", hint="Tell whoever runs it.")
            self._set(id, state="failed", error=json.dumps(error_document(failure)))
        finally:
            self._store.revoke(token)

    def _end(self, id: str, state: str) -> None:
        """Ends a turn; a job that was cancelled meanwhile stays so."""
        with self._store.writing():
            self._set(id, state="cancelled" if id in self._cancelled else state)

    def _left(self, battery: Battery, runs: Sequence[str]) -> tuple[Step, ...]:
        """The techniques that were not run in earlier turns; failed ones were."""
        ended = []
        for id in runs:
            record = self._ledger.find(id)
            assert isinstance(record, Run)
            ended.append((record.technique, json.dumps(dict(record.parameters), sort_keys=True)))
        return tuple(
            step
            for step, built in zip(battery.steps, battery.check(), strict=True)
            if (built.name, json.dumps(parameters(built), sort_keys=True)) not in ended
        )

    def _set(self, id: str, **values: str) -> None:
        columns = ", ".join(f"{name} = ?" for name in values)
        with self._store.writing() as database:
            database.execute(f"UPDATE jobs SET {columns} WHERE id = ?", (*values.values(), id))


def _team(row: sqlite3.Row) -> str:
    return str(row["client"]).partition(SEAT)[0]


def refuse_paths(battery: Battery) -> None:
    """A technique may open what a parameter names: no client names files of this machine, neither
    by a parameter that is typed as a path, whatever it says, nor by a text that looks like one."""
    for step in battery.steps:
        typed = opens(registry.technique(step.technique))
        for name, value in step.parameters.items():
            looks = (os.sep in text or text.startswith(("~", "..")) for text in _texts(value))
            if name in typed or any(looks):
                raise BadParameter(
                    f"'{step.technique}' parameter '{name}' may name a file of the host",
                    hint="Run techniques that read your files on your side, with --suspect.",
                )


def _texts(value: Any) -> Iterator[str]:
    """Every text in a parameter, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, tuple, Mapping)):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(part)


def _shown(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "state": row["state"],
        "battery": json.loads(row["body"]),
        "progress": json.loads(row["progress"]),
        "run_group": row["run_group"],
        "runs": json.loads(row["runs"]),
        "error": json.loads(row["error"]),
        "made": row["made"],
    }
