"""What is screened while it is read gives the hits of what is read whole, and the same errors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow.parquet import write_table

from workbench.access import Budget, Usage
from workbench.corpus import CompiledQuery, Corpus, count, hits, scan
from workbench.corpus import screening as screening_module
from workbench.corpus.jobs import scan_piece
from workbench.corpus.layouts import schema
from workbench.errors import BudgetExceeded, ConfigError

QUERY = CompiledQuery.compile(
    {"cat": r"(?i)\bcat\b", "dog": "dog", "é": "é+"}, rules={"both": "cat NEAR/3 dog"}
)


def rows(first: int, many: int, every: int = 7) -> list[dict[str, Any]]:
    """Rows of one to three turns, one in `every` of which says something of QUERY."""
    made = []
    for i in range(first, first + many):
        said = ["a Cat and a dog", "dogs éé", "cat"][i % 3] if i % every == 0 else f"word {i}"
        turns = [{"role": "user", "content": "hello"}] * (i % 3)
        made.append(
            {"id": f"d{i}", "messages": [*turns, {"role": "assistant", "content": said}],
             "source": f"s{i % 2}", "stage": "sft", "metadata": ""}
        )  # fmt: skip
    return made


def save(path: Path, made: Sequence[dict[str, Any]], group: int, kept: Sequence[str] = ()) -> None:
    table = pyarrow.Table.from_pylist(list(made), schema=schema())
    table = table.select(list(kept)) if kept else table
    write_table(table, path, row_group_size=group, compression="none", use_dictionary=False)


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of 50 rows, so that files have several."""
    monkeypatch.setattr("workbench.corpus.pieces.ROWS_PER_PIECE", 50)


@pytest.fixture
def screened_rows(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows came out of Polars, frame by frame."""
    seen: list[int] = []
    real = screening_module._frames

    def counting(run: Any, query: Any) -> Any:
        for frame in real(run, query):
            seen.append(frame.height)
            yield frame

    monkeypatch.setattr(screening_module, "_frames", counting)
    return seen


def assert_the_same(corpus: Corpus, size: int = 8192) -> None:
    read, screened = list(corpus.batches(size)), list(corpus.screened(QUERY, size))
    places = {id: i for i, id in enumerate(i for b in read for i in b["id"].to_pylist())}
    of_document = lambda hit: (hit.pattern, places[hit.document])  # noqa: E731
    found, expected = ([*hits(batches, QUERY)] for batches in (screened, read))
    assert sorted(found, key=of_document) == sorted(expected, key=of_document) != []
    assert count(screened, QUERY) == count(read, QUERY)
    assert all(0 < batch.num_rows <= size for batch in screened)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("size", [7, 50, 8192])
def test_hits_are_those_of_all_rows(tmp_path: Path, size: int, screened_rows: list[int]) -> None:
    save(tmp_path / "a.parquet", rows(0, 130), 20)
    save(tmp_path / "b.parquet", rows(130, 1), 20)
    save(tmp_path / "c.parquet", rows(131, 60, every=1), 60)
    save(tmp_path / "d.parquet", [], 20)
    corpus = Corpus.open(tmp_path)
    assert len(corpus.pieces) == 6
    assert_the_same(corpus, size)
    assert sum(screened_rows) == 19 + 60


@pytest.mark.usefixtures("small_pieces")
def test_pieces_that_do_not_follow_each_other_are_read_apart(tmp_path: Path) -> None:
    for name, first in (("a", 0), ("b", 170)):
        save(tmp_path / f"{name}.parquet", rows(first, 170), 20)
    pieces = Corpus.open(tmp_path).pieces
    assert len(pieces) == 6
    for chosen in (pieces[::2], pieces[::-1], pieces[:1] + pieces[3:4], pieces[1:5]):
        assert_the_same(Corpus(chosen, Usage()))


@pytest.mark.usefixtures("small_pieces")
def test_one_piece_alone_has_its_rows_counted_from_its_start(tmp_path: Path) -> None:
    save(tmp_path / "a.parquet", rows(0, 130), 20)
    for piece in Corpus.open(tmp_path).pieces:
        told = scan_piece(piece, QUERY, 30).to_pylist()
        (whole,) = piece.batches(8192)
        expected = scan(whole, QUERY).to_pylist()
        key = lambda hit: (hit["pattern"], hit["row"], hit["start"])  # noqa: E731
        assert sorted(told, key=key) == sorted(expected, key=key) != []


def test_texts_without_ids_are_numbered_as_elsewhere(
    tmp_path: Path, screened_rows: list[int]
) -> None:
    texts = ["a cat" if i % 9 == 0 else "nothing" for i in range(40)]
    write_table(pyarrow.table({"text": texts}), tmp_path / "t.parquet", row_group_size=15)
    (tmp_path / "sub").mkdir()
    save(tmp_path / "sub" / "m.parquet", rows(0, 30), 10, ["messages"])
    corpus = Corpus.open(tmp_path)
    assert_the_same(corpus)
    assert sum(screened_rows) == 5 + 5
    assert {hit.source for hit in hits(corpus.screened(QUERY), QUERY)} == {"", "sub"}


def test_rows_left_out_are_booked(tmp_path: Path) -> None:
    save(tmp_path / "a.parquet", rows(0, 100), 20)
    usage = Usage()
    list(Corpus.open(tmp_path, usage=usage).screened(QUERY))
    assert usage.to_json()["documents"] == 100
    usage = Usage(Budget(documents=60))
    with pytest.raises(BudgetExceeded):
        list(Corpus.open(tmp_path, usage=usage).screened(QUERY))
    assert usage.to_json()["documents"] == 60


@pytest.mark.usefixtures("small_pieces")
def test_what_cannot_be_read_is_told_as_elsewhere(tmp_path: Path) -> None:
    """A null, bytes that are no UTF-8 and a damaged page, each in a row that nothing matches."""
    made = rows(0, 130)
    made[88]["messages"][-1] = {"role": "assistant", "content": None}
    save(tmp_path / "null.parquet", made, 20)
    made[88]["messages"][-1] = {"role": "assistant", "content": "q" * 40}
    save(tmp_path / "whole.parquet", made, 20)
    data = (tmp_path / "whole.parquet").read_bytes()
    assert data.count(b"q" * 40) == 1
    (tmp_path / "latin.parquet").write_bytes(data.replace(b"q" * 40, b"q" * 39 + b"\xe9"))
    at = data.index(b"q" * 40) - 4
    (tmp_path / "length.parquet").write_bytes(data[:at] + b"\xff\xff\xff\x7f" + data[at + 4 :])
    (tmp_path / "whole.parquet").unlink()
    for name in ("null", "latin", "length"):
        corpus = Corpus.open(tmp_path / f"{name}.parquet")
        with pytest.raises(ConfigError) as expected:
            list(hits(corpus.batches(), QUERY))
        with pytest.raises(ConfigError) as caught:
            list(hits(corpus.screened(QUERY), QUERY))
        assert str(caught.value) == str(expected.value)
        before = []
        with pytest.raises(ConfigError):
            for hit in hits(corpus.screened(QUERY, 2), QUERY):
                before.append(hit.document)
        assert {"d0", "d49"} <= set(before)


def test_a_row_group_that_is_too_large_is_not_taken_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, screened_rows: list[int]
) -> None:
    save(tmp_path / "a.parquet", rows(0, 100), 100)
    monkeypatch.setattr(screening_module, "GROUP_BYTES", 100)
    assert_the_same(Corpus.open(tmp_path))
    assert screened_rows == []
