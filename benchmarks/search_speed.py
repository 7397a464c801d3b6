"""Exact counts, span traces and BM25 against infini-gram and bm25s: same texts, same run, one core.

Rounds of ours and theirs alternate, so that whatever else the machine does falls on both; what is
compared is CPU time, and the ratio is the median over the rounds. Answers must be equal: counts and
maximal spans exactly; BM25 lists as far as rounded document lengths allow (the overlap is told).

    python -m venv peers && peers/bin/pip install infini-gram==2.6.0 bm25s==0.3.16
    OMP_NUM_THREADS=1 taskset -c 1 python benchmarks/search_speed.py --peers peers/bin/python \\
        --megabytes 20 --out benchmarks/results/search.json
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workbench.artifacts import Artifacts
from workbench.corpus import Corpus, write
from workbench.corpus.ranked import RankedIndex
from workbench.corpus.sorting import suffix_array
from workbench.corpus.suffixes import SuffixIndex
from workbench.corpus.trace import Tracer, maximal

LEAST_BYTES = 24
GOALS = {"exact count": 0.2, "span trace": 0.1, "span trace, spans alone": 0.1, "BM25 top 10": 1.5,
         "suffix-array build": 0.3}  # fmt: skip


class Peers:
    """The other environment's process."""

    def __init__(self, python: Path) -> None:
        self._process = subprocess.Popen(
            [python, str(Path(__file__).with_name("search_peers.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, peer: str, do: str, *arguments: Any) -> Any:
        assert self._process.stdin and self._process.stdout
        request = {"peer": peer, "do": do, "with": arguments}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{peer} {do}: the peer's process ended")
        return json.loads(line)

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


def soup(megabytes: float, seed: int) -> list[str]:
    """Documents of Zipf words, a tenth of which quote a sentence of an earlier one."""
    dice = random.Random(seed)
    letters = "etaoinshrdlucmfwypvbgk"
    vocabulary = list(
        dict.fromkeys(
            "".join(dice.choice(letters) for _ in range(dice.randint(2, 10))) for _ in range(60_000)
        )
    )
    cumulative: list[float] = []
    total = 0.0
    for rank in range(len(vocabulary)):
        total += 1 / (rank + 2.7)
        cumulative.append(total)
    texts: list[str] = []
    size = 0
    while size < megabytes * 1e6:
        said = dice.choices(vocabulary, cum_weights=cumulative, k=dice.randint(60, 420))
        if texts and dice.random() < 0.1:
            quoted = dice.choice(texts).split()
            start = dice.randrange(max(1, len(quoted) - 12))
            said += quoted[start : start + 12]
        texts.append(" ".join(said))
        size += len(texts[-1]) + 1
    return texts


def outputs(texts: Sequence[str], many: int, seed: int) -> list[str]:
    """Texts of 100 words: pieces of documents between words that stand in no order of theirs."""
    dice = random.Random(seed)
    made = []
    for _ in range(many):
        said: list[str] = []
        while len(said) < 100:
            words = dice.choice(texts).split()
            start = dice.randrange(len(words) - 10)
            piece = words[start : start + dice.randint(4, 10)]
            said += piece if dice.random() < 0.5 else dice.sample(piece, len(piece))
        made.append(" ".join(said[:100]))
    return made


def compare(
    name: str, ours: Sequence[float], theirs: Sequence[float], each: int, **more: Any
) -> dict[str, Any]:
    """A row of the table: microseconds of CPU a query on both sides, and the ratio."""
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    row = {
        "what": name,
        "ours_us": round(statistics.median(ours) / each * 1e6, 1),
        "peer_us": round(statistics.median(theirs) / each * 1e6, 1),
        "ratio": round(statistics.median(ratios), 3),
        "ratios": [round(r, 3) for r in ratios],
        "goal": GOALS[name],
        "queries": each,
        **more,
    }
    print(row, file=sys.stderr, flush=True)
    return row


def cpu(work: Any) -> tuple[Any, float]:
    """What `work` gives, and its CPU seconds."""
    began = time.process_time()
    answer = work()
    return answer, time.process_time() - began


def run(python: Path, megabytes: float, rounds: int, home: Path) -> list[dict[str, Any]]:
    texts = soup(megabytes, 0)
    (home / "jsonl").mkdir()
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    (home / "jsonl" / "texts.jsonl").write_text(lines)
    write(
        home / "c.parquet",
        ((f"d{i}", [{"role": "document", "content": t}]) for i, t in enumerate(texts)),
    )
    corpus, artifacts = Corpus.open(home / "c.parquet"), Artifacts(home / "artifacts")
    peers = Peers(python)
    try:
        return [
            *_exact(corpus, artifacts, peers, texts, rounds, home),
            *_ranked(corpus, artifacts, peers, texts, rounds, home),
        ]
    finally:
        peers.close()


def _exact(
    corpus: Corpus,
    artifacts: Artifacts,
    peers: Peers,
    texts: Sequence[str],
    rounds: int,
    home: Path,
) -> list[dict[str, Any]]:
    import numpy as np

    index, built = cpu(lambda: SuffixIndex.open(corpus, artifacts))
    whole = np.frombuffer(bytearray("\xff".join(texts), "latin-1"), dtype=np.uint8)
    _, sorting = cpu(lambda: suffix_array(whole))
    peer_built = peers.ask("infini-gram", "build", str(home / "jsonl"), str(home / "infini"))
    peers.ask("infini-gram", "open", str(home / "infini"))
    rows = [
        compare("suffix-array build", [built], [peer_built], 1, sorting_alone_s=round(sorting, 2))
    ]
    dice = random.Random(1)
    queries = []
    while len(queries) < 300:
        text = dice.choice(texts)
        start = dice.randrange(len(text) - 50)
        queries.append(text[start : start + dice.randint(4, 40)])
    traced = outputs(texts, 30, 2)
    tracer = Tracer(index, shuffles=0)
    sides: dict[str, tuple[list[float], list[float]]] = {
        name: ([], []) for name in ("exact count", "span trace", "span trace, spans alone")
    }
    for _ in range(rounds + 1):
        counts, mine = cpu(lambda: [index.count(query) for query in queries])
        other = peers.ask("infini-gram", "count", queries)
        assert counts == other["answer"], "counts differ"
        sides["exact count"][0].append(mine)
        sides["exact count"][1].append(other["cpu"])
        spans, alone = cpu(lambda: [_spans(index, text) for text in traced])
        _, full = cpu(lambda: [tracer.trace(text) for text in traced])
        other = peers.ask("infini-gram", "trace", traced, LEAST_BYTES)
        theirs = [sorted((start, end) for start, end, _ in found) for found in other["answer"]]
        assert spans == theirs, "spans differ"
        for name, seconds in (("span trace", full), ("span trace, spans alone", alone)):
            sides[name][0].append(seconds)
            sides[name][1].append(other["cpu"])
    told = {"megabytes": round(index.size / 1e6, 1), "answers": "equal"}
    for name, (ours, theirs_s) in sides.items():
        each = len(queries) if name == "exact count" else len(traced)
        rows.append(compare(name, ours[1:], theirs_s[1:], each, peer="infini-gram 2.6.0", **told))
    return rows


def _spans(index: SuffixIndex, text: str) -> list[tuple[int, int]]:
    whole = text.encode()
    found = maximal(index, whole, range(len(whole)))
    return [(start, end) for start, end in found if end - start >= LEAST_BYTES]


def _ranked(
    corpus: Corpus,
    artifacts: Artifacts,
    peers: Peers,
    texts: Sequence[str],
    rounds: int,
    home: Path,
) -> list[dict[str, Any]]:
    index = RankedIndex.open(corpus, artifacts)
    peers.ask("bm25s", "build", str(home / "jsonl"), "")
    dice = random.Random(3)
    queries = []
    for _ in range(30):
        pool = sorted({w for text in dice.sample(list(texts), 3) for w in text.split()})
        queries.append(" ".join(dice.sample(pool, 100)))
    ours, theirs, overlap = [], [], 0.0
    for _ in range(rounds + 1):
        found, mine = cpu(lambda: [index.search(query, 10) for query in queries])
        other = peers.ask("bm25s", "top", queries)
        ours.append(mine)
        theirs.append(other["cpu"])
        shared = [
            len({hit.document for hit in hits} & {f"d{row}" for row in rows}) / 10
            for hits, rows in zip(found, other["answer"], strict=True)
        ]
        overlap = statistics.mean(shared)
    return [
        compare(
            "BM25 top 10", ours[1:], theirs[1:], len(queries), peer="bm25s 0.3.16",
            engine=index.engine, documents=index.documents,
            answers=f"{overlap:.0%} of the top 10 shared",
        )
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--peers", type=Path, required=True, help="Python with the peers.")
    parser.add_argument("--megabytes", type=float, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = run(asked.peers, asked.megabytes, asked.rounds, Path(folder))
    asked.out.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
