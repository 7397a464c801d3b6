"""User tables: read from any of the formats, checked, and refused with the reason."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from workbench.errors import BadParameter
from workbench.rewards.tables import Column, Table, from_arrow, needs, read_table

COLUMNS = (
    Column("prompt", "text", "what was asked"),
    Column("proxy", "number", "what is optimised"),
    Column("note", "text", "anything", optional=True),
)
GOOD = {"prompt": ["a", "b", "a"], "proxy": [1, 2.5, -3]}


def taken(**columns: object) -> Table:
    return from_arrow(pa.table({**GOOD, **columns}), COLUMNS)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_formats(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"rewards{suffix}"
    made = pa.table(GOOD)
    if suffix == ".parquet":
        parquet.write_table(made, file)
    else:
        delimiter = "\t" if suffix == ".tsv" else ","
        csv.write_csv(made, file, csv.WriteOptions(delimiter=delimiter))
    table = read_table(file, COLUMNS)
    assert table.rows == 3 and "note" not in table
    assert table.numbers("proxy").tolist() == [1.0, 2.5, -3.0]
    assert table.labels("prompt").codes.tolist() == [0, 1, 0]
    assert table.texts("prompt") == ["a", "b", "a"]


def test_kinds_are_taken_as_they_come() -> None:
    table = taken(prompt=[7, 8, 7], proxy=[True, False, True], note=["", "x", ""])
    assert table.labels("prompt").names == ("7", "8")
    assert table.numbers("proxy").tolist() == [1.0, 0.0, 1.0]
    assert table.texts("note") == ["", "x", ""]
    assert taken(proxy=["1", "2e3", "-4"]).numbers("proxy").tolist() == [1.0, 2000.0, -4.0]


def test_columns_may_be_called_otherwise() -> None:
    made = pa.table({"prompt": ["a"], "score": [1.0], "proxy": [2.0]})
    assert from_arrow(made, COLUMNS, called={"proxy": "score"}).numbers("proxy").tolist() == [1.0]
    with pytest.raises(BadParameter, match="no column 'scale' is needed"):
        from_arrow(made, COLUMNS, called={"scale": "score"})
    with pytest.raises(BadParameter, match="no column 'words'"):
        from_arrow(made, COLUMNS, called={"note": "words"})


@pytest.mark.parametrize(
    ("columns", "what"),
    [
        ({"proxy": [1.0, None, 2.0]}, "no value in row 2"),
        ({"proxy": [1.0, 2.0, float("nan")]}, "nan in row 3"),
        ({"proxy": [float("inf"), 2.0, 1.0]}, "inf in row 1"),
        ({"proxy": ["1", "good", "2"]}, "holds no numbers"),
        ({"prompt": ["a", None, "b"]}, "'prompt' has no value in row 2"),
        ({"prompt": [["a"], ["b"], ["c"]]}, "holds no texts"),
    ],
)
def test_what_is_wrong_with_a_column(columns: dict[str, object], what: str) -> None:
    with pytest.raises(BadParameter, match=what):
        taken(**columns)


def test_missing_double_and_empty() -> None:
    with pytest.raises(BadParameter, match="no column 'proxy'") as refused:
        from_arrow(pa.table({"prompt": ["a"]}), COLUMNS)
    assert "what is optimised" in refused.value.hint and "--column" in needs(COLUMNS)
    twice = pa.table(
        [pa.array(["a"]), pa.array([1.0]), pa.array([2.0])], ["prompt"] + ["proxy"] * 2
    )
    with pytest.raises(BadParameter, match="two columns 'proxy'"):
        from_arrow(twice, COLUMNS)
    with pytest.raises(BadParameter, match="has no rows"):
        from_arrow(pa.table({"prompt": pa.array([], pa.string()), "proxy": []}), COLUMNS)


def test_files_that_are_no_tables(tmp_path: Path) -> None:
    for name, what in (("x.json", "not a table"), ("none.csv", "none.csv")):
        with pytest.raises(BadParameter, match=what):
            read_table(tmp_path / name, COLUMNS)
    (tmp_path / "x.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(BadParameter, match=r"x\.parquet"):
        read_table(tmp_path / "x.parquet", COLUMNS)
