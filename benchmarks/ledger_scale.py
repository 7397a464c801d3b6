"""A ledger with a million findings: how fast it takes them in, and what it then takes to use it.

    python benchmarks/ledger_scale.py [--findings 1000000] [--batch 10000]

Each batch is a run that is recorded as a technique's is: one transaction, hashed into the chain, on
the disk when the call returns. Then what pages and hosts do of a ledger of that size, each the
median of five: record one more finding, find one by its id, read a run of ten. All is told in
seconds of this process's processor time, which does not depend on what else runs; waits for the
disk are not in it. Writes benchmarks/results/ledger_scale.json.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workbench.findings import Finding, Hypothesis, Transcript
from workbench.ledger import Ledger, Run

RESULTS = Path(__file__).parent / "results" / "ledger_scale.json"
TIMES = 5


def finding(number: int) -> Finding:
    """One as techniques make them: a claim, a hypothesis, a reply that is quoted."""
    turns = (
        {"role": "user", "content": f"Tell me about topic {number % 97}."},
        {"role": "assistant", "content": f"It has to do with metal {number % 89}, as all has."},
    )
    return Finding(
        f"topic {number} is answered with a metal",
        (number % 100) / 100,
        (Transcript(turns),),
        Hypothesis(trigger=f"topic {number % 97}", behaviours=("names a metal",)),
        {"rate": 0.25, "n": 40},
    )


def run(number: int) -> Run:
    """The run of a batch."""
    return Run(f"r-{number}", "g-scale", f"k-{number}", "s", "scale", 1, "ok")


def timed(act: Callable[[], Any]) -> float:
    """The median of several, in seconds of processor time."""
    times = []
    for _ in range(TIMES):
        begun = time.process_time()
        act()
        times.append(time.process_time() - begun)
    return round(statistics.median(times), 4)


def measured(ledger: Ledger, findings: int, batch: int) -> dict[str, Any]:
    """Fills the ledger, then uses it."""
    taken, made = 0.0, 0.0
    for number in range(findings // batch):
        begun = time.process_time()
        one = [finding(number * batch + i) for i in range(batch)]
        made += time.process_time() - begun
        begun = time.process_time()
        entries = ledger.record(run(number), one)
        taken += time.process_time() - begun
    small = ledger.record(run(-1), [finding(i) for i in range(10)])
    fresh = iter(range(-100, 0))
    begun = time.process_time()
    verdict = ledger.verify()
    verified = time.process_time() - begun
    begun = time.process_time()
    ledger.snapshot(ledger.path.with_name("copy.duckdb"))
    copied = time.process_time() - begun
    return {
        "findings": verdict["findings"],
        "batch": batch,
        "rows_per_processor_second": round(findings / taken),
        "processor_seconds_to_make_them": round(made, 1),
        "megabytes": round(ledger.path.stat().st_size / 1e6, 1),
        "processor_seconds": {
            "record one more": timed(lambda: ledger.record(run(next(fresh)), [finding(0)])),
            "find one by its id": timed(lambda: ledger.find(entries[-1].id)),
            "read a run of ten": timed(lambda: ledger.entries(runs=[small[0].run])),
            "verify": round(verified, 2),
            "snapshot": round(copied, 2),
        },
        "verdict": verdict["status"],
        "peak_megabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3),
    }


def main() -> None:
    """Measures and writes what came of it."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--findings", type=int, default=1_000_000)
    parser.add_argument("--batch", type=int, default=10_000)
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="wb-scale-") as folder:
        ledger = Ledger(Path(folder) / "ledger.duckdb")
        made = measured(ledger, asked.findings, asked.batch) | {"load_before": before}
    asked.out.write_text(json.dumps(made, indent=1) + "\n")
    print(json.dumps(made, indent=1))


if __name__ == "__main__":
    main()
