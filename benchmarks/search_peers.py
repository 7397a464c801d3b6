"""The named peers of `search_speed.py`, run by the interpreter of an environment that has them.

One JSON request a line on standard input, one answer a line on standard output. CPU seconds are
those of the whole process, threads included.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

# the indexer imports transformers to quieten it, also where it reads bytes and tokenises nothing
INDEXER = """
import sys, types
quiet = types.SimpleNamespace(set_verbosity=lambda level: None)
sys.modules["transformers"] = types.SimpleNamespace(utils=types.SimpleNamespace(logging=quiet))
from infini_gram.indexing import main
main()
"""
REAL_OUTPUT = os.dup(1)
os.dup2(2, 1)  # what the peers print goes to standard error


def timed(work: Callable[[], Any]) -> dict[str, Any]:
    """The answer of `work`, with its CPU and wall seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    answer = work()
    return {
        "answer": answer,
        "cpu": time.process_time() - cpu,
        "wall": time.perf_counter() - wall,
    }


class InfiniGram:
    """infini-gram over bytes, its index on disk and memory-mapped, as it comes."""

    def build(self, texts: str, folder: str) -> float:
        """CPU seconds of indexing; `texts` is a folder of JSONL."""
        before = os.times()
        command = [sys.executable, "-c", INDEXER, "--data_dir", texts]
        command += ["--save_dir", folder, "--token_dtype", "u8", "--cpus", "1", "--mem", "4"]
        command += ["--ulimit", "1024"]
        subprocess.run(command, check=True, stdout=2)
        after = os.times()
        return sum(after[2:4]) - sum(before[2:4])

    def open(self, folder: str) -> None:
        from infini_gram.engine import InfiniGramEngine

        # the vocabulary must fit a byte too, so its size is 255: UTF-8 never uses the last two
        self.engine = InfiniGramEngine(
            index_dir=folder, eos_token_id=254, vocab_size=255, version=4, token_dtype="u8"
        )

    def count(self, queries: Sequence[str]) -> dict[str, Any]:
        asked = [list(query.encode()) for query in queries]
        return timed(lambda: [self.engine.count(input_ids=ids)["count"] for ids in asked])

    def trace(self, texts: Sequence[str], least: int) -> dict[str, Any]:
        asked = [list(text.encode()) for text in texts]

        def work() -> list[list[list[int]]]:
            found = []
            for ids in asked:
                told = self.engine.attribute(
                    input_ids=ids, delim_ids=[], min_len=least, max_cnt=1_000_000,
                    enforce_bow=False,
                )  # fmt: skip
                found.append([[span["l"], span["r"], span["count"]] for span in told["spans"]])
            return found

        return timed(work)


class Bm25s:
    """bm25s with the formula and the words of the workbench, in numpy, one thread."""

    def build(self, texts: str, folder: str) -> float:
        import bm25s

        rows = [
            json.loads(line)["text"]
            for file in sorted(Path(texts).glob("*.jsonl"))
            for line in file.read_text().splitlines()
        ]
        before = time.process_time()
        self.bm25s = bm25s
        self.index = bm25s.BM25(method="lucene", k1=1.2, b=0.75)
        self.index.index(self._tokens(rows), show_progress=False)
        return time.process_time() - before

    def top(self, queries: Sequence[str]) -> dict[str, Any]:
        def work() -> list[list[int]]:
            found = []
            for query in queries:
                rows, _ = self.index.retrieve(
                    self._tokens([query]), k=10, show_progress=False, n_threads=1
                )
                found.append([int(row) for row in rows[0]])
            return found

        return timed(work)

    def _tokens(self, texts: Sequence[str]) -> Any:
        return self.bm25s.tokenize(
            list(texts), stopwords=[], token_pattern=r"[^\W_]+", show_progress=False
        )


def main() -> None:
    peers: dict[str, Any] = {"infini-gram": InfiniGram(), "bm25s": Bm25s()}
    for line in sys.stdin:
        request = json.loads(line)
        answer = getattr(peers[request["peer"]], request["do"])(*request["with"])
        os.write(REAL_OUTPUT, (json.dumps(answer) + "\n").encode())


if __name__ == "__main__":
    main()
