"""Wall time of the scan under Ray Data with one worker and with two, hits those of one process.

    pip install 'alignment-workbench[cluster]'
    python benchmarks/corpus_ray.py --megabytes 1000 --out benchmarks/results/corpus_ray.json

The corpus is that of corpus_scan.py in zstd Parquet; a local Ray cluster of two CPUs; each worker
keeps to one thread. Rounds of one and two workers alternate after one round that is not counted;
the ratio is that of the medians. Starting the cluster is not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("POLARS_MAX_THREADS", "1")

from corpus_scan import PATTERNS, build

from workbench.corpus import CompiledQuery, Corpus
from workbench.corpus.cluster import scan_ray
from workbench.corpus.jobs import scan_piece


def measure(corpus: Corpus, pattern: str, rounds: int) -> dict[str, Any]:
    """Seconds by number of workers, and whether the hits are those of this process."""
    query = CompiledQuery.compile({"p": pattern})
    began = time.perf_counter()
    expected = [hit for piece in corpus.pieces for hit in scan_piece(piece, query).to_pylist()]
    alone = time.perf_counter() - began
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(rounds + 1):
        for workers, taken in seconds.items():
            began = time.perf_counter()
            found = scan_ray(corpus, query, workers=workers)
            taken.append(time.perf_counter() - began)
            if found.to_pylist() != expected:
                raise SystemExit(f"the hits of {workers} workers are not those of one process")
    one, two = (statistics.median(taken[1:]) for taken in seconds.values())
    return {
        "hits": len(expected),
        "one process s": round(alone, 2),
        "one worker s": round(one, 2),
        "two workers s": round(two, 2),
        "two / one": round(one / two, 2),
        "rounds": {str(k): [round(s, 2) for s in v[1:]] for k, v in seconds.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=float, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="A corpus of corpus_scan.py that is there.")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    import ray

    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary) / "corpus"
        if not folder.exists():
            build(folder, given.megabytes, ["zstd"])
        corpus = Corpus.open(folder / "zstd")
        told: dict[str, Any] = {
            "megabytes": round(corpus.bytes / 1e6),
            "ray": ray.__version__,
            "pieces": len(corpus.pieces),
        }
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
        try:
            for name in ("ignore case", "classes only"):
                told[name] = measure(corpus, PATTERNS[name], given.rounds)
                print(name, told[name], flush=True)
        finally:
            ray.shutdown()
    given.out.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
