"""Scans in pieces: resumed where they stopped, and the same hits from every tier."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from workbench.access import Budget, Usage
from workbench.corpus import CompiledQuery, Corpus, Document, hits, jobs, write
from workbench.corpus.cluster import PieceScan, scan_ray, scan_spark
from workbench.corpus.jobs import read_hits, scan_into
from workbench.errors import BudgetExceeded, ConfigError

QUERY = CompiledQuery.compile(
    {"cat": r"(?i)\bcat\b", "dog": "dog"}, rules={"both": "cat NEAR/3 dog"}
)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    (tmp_path / "c").mkdir()
    for part in range(4):
        write(
            tmp_path / "c" / f"{part}.parquet",
            (
                Document(
                    f"{part}-{i}",
                    ({"role": "user", "content": f"é Cat {'dog' * (i % 3 == 0)} {i}"},),
                    source=f"s{part}",
                )
                for i in range(40)
            ),
        )
    return Corpus.open(tmp_path / "c")


def rows(batches: Any) -> list[dict[str, Any]]:
    return [row for batch in batches for row in batch.drop_columns(["row"]).to_pylist()]


def expected(corpus: Corpus) -> list[dict[str, Any]]:
    return [
        {name: getattr(hit, name) for name in hit.__slots__}
        for piece in corpus.pieces
        for hit in hits(corpus.read(piece), QUERY)
    ]


def test_a_scan_that_was_interrupted_goes_on(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    real = jobs.scan_piece

    def failing(piece: Any, query: Any) -> Any:
        read.append(piece.name)
        if len(read) == 3:
            raise KeyboardInterrupt
        return real(piece, query)

    monkeypatch.setattr(jobs, "scan_piece", failing)
    with pytest.raises(KeyboardInterrupt):
        list(scan_into(corpus, QUERY, tmp_path / "hits"))
    assert list(scan_into(corpus, QUERY, tmp_path / "hits")) == [(2, 4), (3, 4), (4, 4)]
    assert read == [p.name for p in (*corpus.pieces[:3], *corpus.pieces[2:])]
    assert rows(read_hits(tmp_path / "hits")) == expected(corpus)
    assert len(expected(corpus)) > 160


def test_a_folder_belongs_to_one_scan(corpus: Corpus, tmp_path: Path) -> None:
    list(scan_into(corpus, QUERY, tmp_path / "hits"))
    with pytest.raises(ConfigError, match="another query"):
        list(scan_into(corpus, CompiledQuery.compile({"x": "x"}), tmp_path / "hits"))
    shutil.copy(tmp_path / "c" / "0.parquet", tmp_path / "c" / "9.parquet")
    with pytest.raises(ConfigError, match="another corpus"):
        list(scan_into(Corpus.open(tmp_path / "c"), QUERY, tmp_path / "hits"))
    with pytest.raises(ConfigError, match="something else"):
        list(scan_into(corpus, QUERY, tmp_path / "c"))


def test_documents_are_booked_before_they_are_read(corpus: Corpus, tmp_path: Path) -> None:
    usage = Usage(Budget(documents=100))
    metered = Corpus(corpus.pieces, usage)
    with pytest.raises(BudgetExceeded):
        list(scan_into(metered, QUERY, tmp_path / "hits"))
    assert usage.to_json()["documents"] == 80


def test_processes_find_what_one_finds(corpus: Corpus, tmp_path: Path) -> None:
    list(scan_into(corpus, QUERY, tmp_path / "hits", workers=2))
    assert rows(read_hits(tmp_path / "hits")) == expected(corpus)


def test_the_function_that_a_cluster_runs_finds_the_same(corpus: Corpus) -> None:
    from workbench.corpus.cluster import _pieces

    kernel = PieceScan(QUERY)
    assert rows(kernel(_pieces(corpus)).to_batches()) == expected(corpus)
    assert rows(kernel.batches(_pieces(corpus).to_batches(max_chunksize=1))) == expected(corpus)


def test_without_ray_the_reason_is_given(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(ConfigError, match="ray is not installed"):
        scan_ray(corpus, QUERY, workers=2)


@pytest.mark.long
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed")
@pytest.mark.filterwarnings("ignore")
def test_ray_finds_the_same(corpus: Corpus) -> None:
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        assert rows(scan_ray(corpus, QUERY, workers=2).to_batches()) == expected(corpus)
    finally:
        ray.shutdown()


@pytest.mark.long
@pytest.mark.skipif(importlib.util.find_spec("pyspark") is None, reason="pyspark is not installed")
@pytest.mark.skipif(shutil.which("java") is None, reason="no Java is at hand")
@pytest.mark.filterwarnings("ignore")
def test_spark_finds_the_same(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from pyspark.sql import SparkSession

    monkeypatch.setitem(os.environ, "PYSPARK_PYTHON", sys.executable)
    session = (
        SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
    )
    try:
        found = rows(scan_spark(session, corpus, QUERY).to_batches())
    finally:
        session.stop()
    key = lambda row: (row["document"], row["pattern"], row["start"])  # noqa: E731
    assert sorted(found, key=key) == sorted(expected(corpus), key=key)
