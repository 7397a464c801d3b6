"""Snapshots while others write: whole, between two acknowledgements, and soon.

How many of their runs go first is not bounded: the ledger's lock is not passed on in order.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from workbench.findings import Finding
from workbench.ledger import Ledger, Run

WRITERS = 8
FINDINGS = 5
SOON_SECONDS = 3.0
"""How long a snapshot may take on an idle machine, its wait for a turn included."""


def snapshot(ledger: Ledger, file: Path) -> Path:
    """Taken by a thread that is not waited for without end."""
    made: list[Path] = []
    thread = threading.Thread(target=lambda: made.append(ledger.snapshot(file)), daemon=True)
    thread.start()
    thread.join(60)
    assert made, "the snapshot and those who write wait for each other"
    return made[0]


def test_a_snapshot_among_eight_writers_is_whole_and_does_not_wait_for_their_end(
    tmp_path: Path,
) -> None:
    ledger = Ledger(tmp_path / "ledger.duckdb")
    over, acknowledged, failures = threading.Event(), [], []  # type: ignore[var-annotated]

    def write(writer: int) -> None:
        try:
            for number in range(10_000):
                if over.is_set():
                    return
                run = Run(f"r-{writer}-{number}", "g", f"{writer}-{number}", "s", "t", 1, "ok")
                ledger.record(run, [Finding(f"{writer} {number}", 0.5)] * FINDINGS)
                acknowledged.append(run.id)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(n,), daemon=True) for n in range(WRITERS)]
    idle = os.getloadavg()[0] < len(os.sched_getaffinity(0))
    for thread in threads:
        thread.start()
    try:
        while len(acknowledged) < WRITERS:
            time.sleep(0.01)
        for number in range(3):
            before, begun = set(acknowledged), time.monotonic()
            copy = Ledger(snapshot(ledger, tmp_path / f"copy-{number}.duckdb"))
            took, after = time.monotonic() - begun, len(acknowledged)
            assert took < SOON_SECONDS or not idle
            assert all(thread.is_alive() for thread in threads), "it did not wait for their end"
            verdict = copy.verify()
            assert (verdict["status"], verdict["missing"]) == ("complete", 0)
            held = {run.id for run in copy.runs()}
            assert before <= held, "what was acknowledged before is in it"
            assert len(held) <= after + WRITERS, "and nothing of what came later"
            assert len(copy.entries()) == FINDINGS * len(held), "each run with all its findings"
    finally:
        over.set()
        for thread in threads:
            thread.join(60)
    assert failures == []
    assert {run.id for run in ledger.runs()} == set(acknowledged)
    assert ledger.verify()["status"] == "complete"
