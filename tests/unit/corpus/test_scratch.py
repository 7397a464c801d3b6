"""Scratch files: sorted as in memory; refused where they cannot be written; nothing left behind."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from workbench.corpus import scratch
from workbench.corpus.scratch import Runs, counted, together
from workbench.errors import ConfigError

CONTRAST = [sys.executable, "-m", "workbench.cli", "corpus", "contrast", "--corpus"]


def test_rows_come_back_sorted_range_by_range_and_equal_ones_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scratch, "RUN", 700)
    monkeypatch.setattr(scratch, "RANGE", 500)
    dice = np.random.default_rng(0)
    some = dice.integers(0, 2**64, 3_000, dtype=np.uint64)
    keys, others = dice.choice(some, 9_000), dice.choice(some, 4_000)
    values = np.arange(9_000) / 7
    one, other = Runs(2), Runs()
    for at in range(0, 9_000, 90):
        one.add(keys[at : at + 90], values[at : at + 90])
        other.add(others[at : at + 90])
    pieces = list(together(one, other))
    assert max(len(a) * 2 + len(b) for (a, _), (b,) in pieces) <= 500 < len(pieces) * 100
    edges = [number for (a, _), (b,) in pieces for number in (min(*a, *b), max(*a, *b))]
    assert edges == sorted(edges)
    order = np.argsort(keys, kind="stable")
    assert np.array_equal(np.concatenate([a for (a, _), _ in pieces]), keys[order])
    told = np.concatenate([v for (_, v), _ in pieces]).view(np.float64)
    assert np.array_equal(told, values[order])
    assert np.array_equal(np.concatenate([b for _, (b,) in pieces]), np.sort(others))
    numbers, counts = counted(np.sort(others))
    assert dict(zip(numbers.tolist(), counts.tolist(), strict=True)) == Counter(others.tolist())


def test_nothing_comes_back_of_nothing() -> None:
    empty = Runs(3)
    empty.add(*(np.empty(0, dtype=np.uint64) for _ in range(3)))
    assert list(together(empty, Runs())) == []
    assert [len(part) for part in counted(np.empty(0, dtype=np.uint64))] == [0, 0]


def test_a_folder_that_is_not_there_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with pytest.raises(ConfigError, match="scratch files cannot be written: No such file") as told:
        Runs()
    assert "TMPDIR" in told.value.hint


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.jsonl"
    numbers = (str(i * i % 9973 + i) for i in range(600_000))
    path.write_text(
        "".join(f'{{"text": "{" ".join(islice(numbers, 200))}"}}\n' for _ in range(3000))
    )
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "scratch"
    made.mkdir()
    return made


def test_a_full_disk_is_two_lines_and_leaves_nothing(corpus: Path, folder: Path) -> None:
    """No file may grow beyond 2 MB: writing fails in the middle, as on a disk that is full."""

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))

    answer = subprocess.run(
        [*CONTRAST, corpus, "--against", corpus],
        env={**os.environ, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        preexec_fn=limited,
    )
    assert answer.returncode == 2 and answer.stdout == ""
    told = answer.stderr.splitlines()[-2:]
    assert told[0] == "error: scratch files cannot be written: File too large"
    assert "TMPDIR" in told[1] and "Traceback" not in answer.stderr
    assert not list(folder.iterdir())


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="asks Linux for open files")
def test_a_killed_contrast_leaves_no_scratch(corpus: Path, folder: Path) -> None:
    process = subprocess.Popen(
        [*CONTRAST, corpus, "--against", corpus],
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(3_000):
            if any(size > 1_000_000 for size in written(process.pid, folder)):
                break
            assert process.poll() is None
            time.sleep(0.01)
        else:
            pytest.fail("no scratch was written")
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not list(folder.iterdir())


def written(pid: int, folder: Path) -> list[int]:
    """The sizes of the files of that folder which a process holds open."""
    sizes = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            if os.readlink(link).startswith(str(folder)):
                sizes.append(link.stat().st_size)
        except FileNotFoundError:  # closed meanwhile
            continue
    return sizes


MEASURED = """
import resource, sys
import numpy as np, pyarrow
from workbench.corpus import ngrams, scratch
from workbench.corpus.contrast import contrast
from workbench.corpus.layouts import schema

scratch.RUN, scratch.RANGE, ngrams._FILTER_BITS = 1 << 16, 1 << 16, 20
words = np.array([f"w{i}" for i in range(50_000)], dtype=object)
share = 1 / np.arange(1, len(words) + 1)

def corpus(count, seed):
    for part in range(count):
        dice = np.random.default_rng((seed, part))
        drawn = words[dice.choice(len(words), (2_000, 100), p=share / share.sum())]
        rows = [{"role": "document", "content": " ".join(row)} for row in drawn]
        yield pyarrow.RecordBatch.from_pylist(
            [{"id": "i", "messages": [row], "source": "", "stage": "", "metadata": ""}
             for row in rows],
            schema=schema(),
        )

count = int(sys.argv[1])
found = contrast(lambda: corpus(count, 0), lambda: corpus(count, 1))
assert found.n == 2_000 * count
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)
"""


@pytest.mark.long
def test_memory_does_not_grow_with_the_corpus() -> None:
    def peak(count: int) -> int:
        command = [sys.executable, "-c", MEASURED, str(count)]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    small, large = peak(6), peak(48)
    print("MB", small, large)
    assert large - small < 60
