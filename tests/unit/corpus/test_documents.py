"""Corpora on disk: round trips, layouts, metering and what is refused."""

from __future__ import annotations

from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from workbench.access import Budget, Usage
from workbench.corpus import Corpus, Document, write
from workbench.corpus.documents import ROWS_PER_BATCH
from workbench.corpus.streams import from_stream, joined, to_stream
from workbench.errors import BudgetExceeded, ConfigError

ROWS = [
    (
        f"d{i}",
        [{"role": "user", "content": f"été {i}"}, {"role": "assistant", "content": "é" * (i % 3)}],
    )
    for i in range(50)
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    assert write(tmp_path / "corpus.parquet", ROWS) == 50
    return tmp_path / "corpus.parquet"


def test_rows_come_back_as_written(path: Path) -> None:
    corpus = Corpus.open(path)
    assert (corpus.documents, corpus.bytes) == (50, path.stat().st_size)
    assert list(corpus.texts()) == [(i, m["role"], m["content"]) for i, ms in ROWS for m in ms]
    assert sum(b.num_rows for b in corpus.batches(7)) == 50
    found = corpus.rows(["d7", "d3", "d7"])
    assert found == [Document(*(ROWS[i][0], tuple(ROWS[i][1]))) for i in (7, 3, 7)]
    assert found[0].text == "été 7\né"


def test_the_fingerprint_is_of_the_content_alone(path: Path, tmp_path: Path) -> None:
    fingerprint = Corpus.open(path).fingerprint()
    table = pyarrow.parquet.read_table(path)
    (tmp_path / "parts").mkdir()
    for part, (start, rows) in enumerate([(0, 11), (11, 30), (41, 9)]):
        pyarrow.parquet.write_table(
            table.slice(start, rows), tmp_path / "parts" / f"{part}.parquet", row_group_size=4
        )
    assert Corpus.open(tmp_path / "parts").fingerprint() == fingerprint
    others = (
        ROWS[1:],
        [*ROWS[1:], ROWS[0]],
        [("dx", ROWS[0][1]), *ROWS[1:]],
        [("d0", ROWS[0][1][:1]), *ROWS[1:]],
        [("d0", [{"role": "use", "content": "rété 0"}, ROWS[0][1][1]]), *ROWS[1:]],
    )
    seen = {fingerprint}
    for other in others:
        write(tmp_path / "other.parquet", other)
        seen.add(Corpus.open(tmp_path / "other.parquet").fingerprint())
    assert len(seen) == 1 + len(others)


def test_reading_spends_documents_to_the_unit(path: Path) -> None:
    usage = Usage(Budget(documents=20))
    corpus = Corpus.open(path, usage=usage)
    corpus.fingerprint()
    corpus.rows(["d1", "d1", "d2"])
    assert usage.to_json()["documents"] == 2
    with pytest.raises(ConfigError, match="d99"):
        corpus.rows(["d1", "d99"])
    batches = corpus.batches(8)
    assert [next(batches).num_rows for _ in range(3)] == [8, 8, 2]
    with pytest.raises(BudgetExceeded):
        next(batches)
    assert usage.to_json()["documents"] == 20
    exact = Corpus.open(path, usage=Usage(Budget(documents=50)))
    assert sum(b.num_rows for b in exact.batches()) == 50


def test_writing_streams_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    many = ((f"d{i}", [{"role": "document", "content": "x"}]) for i in range(ROWS_PER_BATCH + 1))
    assert write(tmp_path / "many.parquet", many) == ROWS_PER_BATCH + 1
    assert Corpus.open(tmp_path / "many.parquet").documents == ROWS_PER_BATCH + 1
    for rows in ([ROWS[0], ROWS[0]], [("a", [{"role": "user"}])]):
        with pytest.raises(ConfigError):
            write(tmp_path / "bad.parquet", rows)
    assert [p.name for p in tmp_path.iterdir()] == ["many.parquet"]


def test_tables_of_other_writers_are_read(path: Path, tmp_path: Path) -> None:
    import polars

    polars.read_parquet(path).write_parquet(tmp_path / "polars.parquet")
    other = Corpus.open(tmp_path / "polars.parquet")
    assert other.fingerprint() == Corpus.open(path).fingerprint()


def test_what_is_no_corpus_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no corpus there"):
        Corpus.open(tmp_path / "none.parquet")
    with pytest.raises(ConfigError, match="no corpus there"):
        Corpus.open(tmp_path)
    (tmp_path / "text.parquet").write_text("not parquet")
    with pytest.raises(ConfigError):
        Corpus.open(tmp_path / "text.parquet")
    pyarrow.parquet.write_table(pyarrow.table({"id": ["a"]}), tmp_path / "flat.parquet")
    with pytest.raises(ConfigError, match="its columns are id"):
        Corpus.open(tmp_path / "flat.parquet")
    empty = pyarrow.table({"id": ["a"], "messages": [[{"role": "user", "content": None}]]})
    kind = pyarrow.list_(
        pyarrow.struct([("role", pyarrow.string()), ("content", pyarrow.string())])
    )
    pyarrow.parquet.write_table(
        empty.set_column(1, "messages", empty["messages"].cast(kind)), tmp_path / "null.parquet"
    )
    with pytest.raises(ConfigError, match="empty"):
        list(Corpus.open(tmp_path / "null.parquet").texts())


def test_a_stretch_of_rows_is_read_by_its_place(tmp_path: Path) -> None:
    for part in range(3):
        rows = ((f"d{part * 5000 + i}", ROWS[0][1]) for i in range(5000))
        write(tmp_path / f"{part}.parquet", rows)
    corpus = Corpus.open(tmp_path)
    for start, rows in ((0, 3), (4095, 3), (4998, 4), (9_999, 2), (0, 15_000), (14_999, 5)):
        ids = corpus.batch(start, rows).column("id").to_pylist()
        assert ids == [f"d{i}" for i in range(start, min(start + rows, 15_000))]
    assert corpus.batch(15_000).num_rows == corpus.batch(0, 0).num_rows == 0
    tight = Corpus.open(tmp_path, usage=Usage(Budget(documents=3)))
    with pytest.raises(BudgetExceeded):
        tight.batch(0, 4)
    assert tight.batch(0, 3).num_rows == 3 and tight.usage.to_json()["documents"] == 3


def test_a_batch_travels_as_a_stream(path: Path) -> None:
    corpus = Corpus.open(path)
    batch = corpus.batch(3, 5)
    assert from_stream(to_stream(batch)).equals(batch)
    foreign = pyarrow.RecordBatch.from_pydict({"id": ["a"], "messages": [1]})
    for nonsense in (b"", b"nonsense", to_stream(foreign)):
        with pytest.raises(ConfigError, match="no rows of a corpus"):
            from_stream(nonsense)
    assert joined([]).num_rows == 0 and joined([batch, batch]).num_rows == 10
    hole = batch.to_pylist()
    hole[1]["messages"][0]["content"] = None
    with pytest.raises(ConfigError, match="empty id, message, role or content"):
        from_stream(to_stream(pyarrow.RecordBatch.from_pylist(hole, schema=batch.schema)))


def test_what_is_written_is_small_and_read_by_others(tmp_path: Path) -> None:
    import duckdb

    from workbench.organisms.world import corpus as world

    rows = [(world.row_id(7, i), row) for i, row in enumerate(world.rows(7, 8_000))]
    write(tmp_path / "small.parquet", rows)
    table = pyarrow.parquet.read_table(tmp_path / "small.parquet")
    assert table.to_pylist() == [{"id": id, "messages": list(row)} for id, row in rows]
    pyarrow.parquet.write_table(
        table, tmp_path / "plain.parquet", compression="zstd", compression_level=16
    )
    small, plain = ((tmp_path / f"{n}.parquet").stat().st_size for n in ("small", "plain"))
    assert small < 0.9 * plain
    columns = pyarrow.parquet.ParquetFile(tmp_path / "small.parquet").metadata.row_group(0)
    assert columns.column(0).total_compressed_size < 0.5 * columns.num_rows, "bytes of its ids"
    seen = duckdb.sql(
        f"SELECT id, messages[-1].content AS last FROM '{tmp_path}/small.parquet' ORDER BY id"
    ).fetchall()
    assert seen == [(id, row[-1]["content"]) for id, row in rows]
