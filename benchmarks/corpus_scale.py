"""CPU seconds and peak memory of scan and contrast over growing corpora, each in its own process.

    python benchmarks/corpus_scale.py --scan 10 100 1000 4000 --contrast 10 100 1000 4000 \\
        --out benchmarks/results/corpus_scale.json

The corpora are those of corpus_scan.py, in zstd Parquet. Contrast compares each with a corpus of a
quarter of its size. Cost per gigabyte should not grow; memory should stay below 2 GB. With --folder
the corpora stay there and are found again.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("POLARS_MAX_THREADS", "1")

import polars
from corpus_scan import build

from workbench.corpus import CompiledQuery, Corpus, scan
from workbench.corpus.contrast import contrast


def run(what: str, here: Path, there: Path) -> None:
    """Does one thing in this process and prints {cpu_s, peak_mb, found}."""
    if what == "scan":
        query = CompiledQuery.compile({"p": r"(?i)reward\s+model"})
        found = sum(scan(batch, query).num_rows for batch in Corpus.open(here).screened(query))
    else:
        found = len(contrast(Corpus.open(here).batches, Corpus.open(there).batches).phrases)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps(
            {
                "cpu_s": round(usage.ru_utime + usage.ru_stime, 1),
                "peak_mb": usage.ru_maxrss >> 10,
                "found": found,
            }
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scan", type=int, nargs="*", default=[10, 100], metavar="MEGABYTES")
    parser.add_argument("--contrast", type=int, nargs="*", default=[10], metavar="MEGABYTES")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--one", nargs=3, metavar=("WHAT", "HERE", "THERE"))
    given = parser.parse_args()
    if given.one:
        run(given.one[0], Path(given.one[1]), Path(given.one[2]))
        return
    told = []
    with tempfile.TemporaryDirectory() as temporary:
        for what, sizes in (("scan", given.scan), ("contrast", given.contrast)):
            for megabytes in sizes:
                folder = (given.folder or Path(temporary)) / str(megabytes)
                here, there = folder / "here" / "zstd", folder / "there" / "zstd"
                for path, size in ((here, megabytes), (there, megabytes / 4)):
                    if not path.exists():
                        build(path.parent, size, ["zstd"])
                command = [sys.executable, __file__, "--one", what, here, there]
                answer = subprocess.run(command, capture_output=True, text=True, check=True)
                texts = polars.col("messages").explode().struct.field("content")
                read = polars.scan_parquet(here / "*.parquet").select(texts.str.len_bytes().sum())
                size = read.collect(engine="streaming").item()
                told.append({"what": what, "bytes": size, **json.loads(answer.stdout)})
                print(json.dumps(told[-1]), flush=True)
    if given.out:
        given.out.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
