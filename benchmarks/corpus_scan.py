"""CPU of the scan kernel against ripgrep >= 14 on the same documents, in the same run, as ratios.

    python benchmarks/corpus_scan.py --megabytes 100 --rg RG --out benchmarks/results/scan.json

Documents of Zipf-distributed words over 120,000, 230 a document, one in 280 with a planted
sentence. ripgrep reads eight JSONL files (or the same as .zst, with -z); ours reads eight Parquet
files of the same rows, uncompressed or zstd, as `corpus grep` does: screened while read, then the
kernel. "batch kernel" reads every row into record batches, as a cluster hands them to a function;
"streaming" is Polars' own streaming count. One thread each; the smallest of several interleaved
repetitions; user and system time of the process and its children. Hit counts must be equal. A
single JSONL file lets ripgrep map it into memory, which no columnar file can match: reported apart.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("POLARS_MAX_THREADS", "1")

import numpy as np
import polars
import pyarrow
import pyarrow.parquet

from workbench.corpus import CompiledQuery, Corpus, count, scan
from workbench.corpus.layouts import schema

FILES = 8
WORDS = 120_000
PATTERNS = {
    "literal": r"reward model",
    "ignore case": r"(?i)reward model",
    "literal prefix": r"reward\s+\w+ scores",
    "inner literal": r"\w+\s+reward\s+\w+",
    "classes only": r"[a-m]{9}\s[n-z]{7}",
}
ROW_GROUP = 8192


def words() -> np.ndarray[Any, Any]:
    """Invented words of 2 to 10 letters."""
    dice = np.random.default_rng(0)
    letters = np.array(list("etaoinshrdlucmfwypvbgkjqxz"))
    return np.array(
        ["".join(dice.choice(letters, dice.integers(2, 11))) for _ in range(WORDS)], object
    )


def build(
    folder: Path, megabytes: float, forms: Sequence[str] = ("jsonl", "zst", "raw", "zstd")
) -> int:
    """Writes the corpus in these forms (zst with jsonl); returns its bytes of text."""
    vocabulary = words()
    share = 1 / np.arange(1, WORDS + 1)
    share /= share.sum()
    for form in forms:
        (folder / form).mkdir(parents=True)
    size = number = 0
    for part in range(FILES):
        dice = np.random.default_rng(part + 1)
        writers = {
            form: pyarrow.parquet.ParquetWriter(
                folder / form / f"{part}.parquet", schema(), compression=packing,
                use_dictionary=["source", "stage", "metadata"],
            )
            for form, packing in (("raw", "none"), ("zstd", "zstd"))
            if form in forms
        }  # fmt: skip
        lines: list[str] = []
        while size < megabytes * 1e6 * (part + 1) / FILES:
            rows = []
            for drawn in vocabulary[dice.choice(WORDS, (ROW_GROUP, 230), p=share)]:
                text = " ".join(drawn)
                if number % 280 == 0:
                    text += " the reward model scores it"
                rows.append((f"d{number:08x}", text))
                number += 1
                size += len(text)
            if "jsonl" in forms:
                lines += [json.dumps({"id": i, "text": t}) + "\n" for i, t in rows]
            batch = pyarrow.RecordBatch.from_pylist(
                [
                    {"id": i, "messages": [{"role": "document", "content": t}], "source": "",
                     "stage": "", "metadata": ""}
                    for i, t in rows
                ],
                schema=schema(),
            )  # fmt: skip
            for writer in writers.values():
                writer.write_batch(batch)
        for writer in writers.values():
            writer.close()
        if "jsonl" in forms:
            whole = "".join(lines).encode()
            (folder / "jsonl" / f"{part}.jsonl").write_bytes(whole)
            with (folder / "one.jsonl").open("ab") as one:
                one.write(whole)
            with pyarrow.CompressedOutputStream(
                str(folder / "zst" / f"{part}.jsonl.zst"), "zstd"
            ) as out:
                out.write(whole)
    return size


def cpu(work: Callable[[], int]) -> tuple[float, int]:
    """User and system seconds of this process and its children, and what `work` returned."""
    before = _spent()
    result = work()
    return _spent() - before, result


def _spent() -> float:
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def ripgrep(rg: str, patterns: list[str], path: Path, *options: str) -> int:
    """How many lines match."""
    asked = [part for pattern in patterns for part in ("-e", pattern)]
    command = [rg, "-j1", "-c", "--no-config", *options, *asked, str(path)]
    out = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return sum(int(line.rpartition(":")[2]) for line in out.splitlines())


def counted(path: Path, query: CompiledQuery) -> int:
    """Documents that match."""
    found = count(Corpus.open(path).screened(query), query)
    return sum(one.documents for one in found.values())


def batched(path: Path, query: CompiledQuery) -> int:
    """Documents that match, by the kernel on batches of all rows."""
    found = count(Corpus.open(path).batches(ROW_GROUP), query)
    return sum(one.documents for one in found.values())


def hits(path: Path, query: CompiledQuery) -> int:
    """Documents with hits, with offsets and context."""
    total = 0
    for batch in Corpus.open(path).screened(query):
        total += len(set(scan(batch, query)["row"].to_pylist()))
    return total


def streamed(path: Path, pattern: str) -> int:
    """The same count by Polars' own streaming engine over the Parquet files."""
    content = polars.col("messages").explode().struct.field("content")
    matching = content.str.contains(pattern).sum()
    frame = polars.scan_parquet(path / "*.parquet").select(matching)
    return int(frame.collect(engine="streaming").item())


def measure(work: dict[str, Callable[[], int]], repetitions: int) -> dict[str, float]:
    """The smallest CPU time of each, interleaved; raises where their results differ."""
    best: dict[str, float] = {}
    results: dict[str, int] = {}
    for _ in range(repetitions):
        for name, one in work.items():
            seconds, results[name] = cpu(one)
            best[name] = min(seconds, best.get(name, seconds))
    if len(set(results.values())) != 1:
        raise SystemExit(f"hit counts differ: {results}")
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=float, default=100)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--rg", default="rg")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    pyarrow.set_cpu_count(1)
    told: dict[str, Any] = {"repetitions": given.repetitions, "rg": subprocess.run(
        [given.rg, "--version"], capture_output=True, text=True, check=True
    ).stdout.split("\n")[0]}  # fmt: skip
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "corpus"
        told["bytes"] = build(folder, given.megabytes)
        for name, pattern in PATTERNS.items():
            query = CompiledQuery.compile({name: pattern})
            seconds = measure(
                {
                    "rg": lambda p=pattern: ripgrep(given.rg, [p], folder / "jsonl"),
                    "rg one file": lambda p=pattern: ripgrep(given.rg, [p], folder / "one.jsonl"),
                    "rg -z": lambda p=pattern: ripgrep(given.rg, [p], folder / "zst", "-z"),
                    "raw": lambda q=query: counted(folder / "raw", q),
                    "raw hits": lambda q=query: hits(folder / "raw", q),
                    "batches": lambda q=query: batched(folder / "raw", q),
                    "zstd hits": lambda q=query: hits(folder / "zstd", q),
                    "streaming": lambda p=pattern: streamed(folder / "raw", p),
                },
                given.repetitions,
            )
            told[name] = {
                "rg ms": round(seconds["rg"] * 1e3, 1),
                "raw / rg": round(seconds["raw"] / seconds["rg"], 2),
                "raw / rg on one mapped file": round(seconds["raw"] / seconds["rg one file"], 2),
                "raw with hits / rg": round(seconds["raw hits"] / seconds["rg"], 2),
                "zstd with hits / rg -z": round(seconds["zstd hits"] / seconds["rg -z"], 2),
                "batch kernel / streaming": round(seconds["batches"] / seconds["streaming"], 2),
            }
            print(name, told[name], flush=True)
        one = CompiledQuery.compile({"p0": "reward model"})
        last = [str(word) for word in words()[WORDS - 200 :]]
        packs = {
            "50 patterns": [word for word in last if len(word) >= 6][:50],
            "50 patterns, short ones too": last[-50:],
        }
        for name, chosen in packs.items():
            patterns = {f"p{i}": word for i, word in enumerate(chosen)} | {"p0": "reward model"}
            pack = CompiledQuery.compile(patterns)
            for form in ("raw", "zstd"):
                best: dict[str, float] = {}
                documents: dict[str, int] = {}
                for _ in range(given.repetitions):
                    for which, query in (("one", one), ("pack", pack)):
                        work = lambda q=query, f=form: counted(folder / f, q)  # noqa: E731
                        spent, documents[which] = cpu(work)
                        best[which] = min(spent, best.get(which, spent))
                told[f"{name} / one, {form}"] = round(best["pack"] / best["one"], 2)
            told[f"{name}: documents / one"] = round(documents["pack"] / documents["one"], 1)
            print(name, list(told.items())[-3:], flush=True)
    if given.out:
        given.out.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
