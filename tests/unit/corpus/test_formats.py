"""Every kind of file says the same, and what cannot be read is refused with its place."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from workbench.corpus import Corpus, Document, write
from workbench.corpus import pieces as files
from workbench.errors import ConfigError

TURNS = [{"role": "user", "content": 'dis «é»\n"x"'}, {"role": "assistant", "content": "日 \\ ok"}]
ROWS = [
    {"id": f"d{i}", "messages": TURNS[: 1 + i % 2], "source": f"s{i % 3}", "stage": "sft"}
    for i in range(2500)
]


def documents(path: Path) -> list[Document]:
    found = []
    for batch in Corpus.open(path).batches(1000):
        assert batch.num_rows <= 1000
        found += [Document(**r | {"messages": tuple(r["messages"])}) for r in batch.to_pylist()]
    return found


def lines(rows: list[Any]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def save_parquet(path: Path) -> Path:
    write(path / "c.parquet", documents(save_jsonl(path)))
    return path / "c.parquet"


def save_jsonl(path: Path) -> Path:
    (path / "c.jsonl").write_bytes(lines(ROWS))
    return path / "c.jsonl"


def save_gz(path: Path) -> Path:
    (path / "c.jsonl.gz").write_bytes(gzip.compress(lines(ROWS)))
    return path / "c.jsonl.gz"


def save_zst(path: Path) -> Path:
    with pyarrow.CompressedOutputStream(str(path / "c.jsonl.zst"), "zstd") as file:
        file.write(lines(ROWS))
    return path / "c.jsonl.zst"


def save_datasets(path: Path) -> Path:
    import datasets

    made = datasets.Dataset.from_list(ROWS)
    made.save_to_disk(path / "saved", num_shards=3)
    return path / "saved"


SAVERS = [save_parquet, save_jsonl, save_gz, save_zst, save_datasets]


@pytest.mark.parametrize("save", SAVERS)
def test_every_format_says_the_same(save: Callable[[Path], Path], tmp_path: Path) -> None:
    path = save(tmp_path)
    found = documents(path)
    assert [d.id for d in found] == [row["id"] for row in ROWS]
    assert found[1] == Document("d1", tuple(TURNS), "s1", "sft", "")
    corpus = Corpus.open(path)
    assert corpus.documents == len(ROWS)
    assert corpus.rows(["d2499"]) == [found[-1]]
    plain = tmp_path / "again"
    plain.mkdir()
    assert corpus.fingerprint() == Corpus.open(save_jsonl(plain)).fingerprint()


@pytest.mark.parametrize("save", SAVERS)
def test_pieces_are_read_on_their_own_and_add_up(
    save: Callable[[Path], Path], tmp_path: Path
) -> None:
    corpus = Corpus.open(save(tmp_path))
    ids = [i for piece in corpus.pieces for b in piece.batches(512) for i in b["id"].to_pylist()]
    assert ids == [row["id"] for row in ROWS]
    assert len({piece.name for piece in corpus.pieces}) == len(corpus.pieces)


@pytest.mark.parametrize("save", SAVERS)
def test_a_batch_from_the_middle_is_what_stands_there(
    save: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(files, "BATCH_BYTES", 20_000)
    path = save(tmp_path)
    whole = Corpus.open(path).reader()
    rows = [row for batch in whole() for row in batch.to_pylist()]
    corpus = Corpus.open(path)
    for start, n in ((0, 2), (833, 4), (1666, 400), (2499, 9), (2500, 1), (0, 9999)):
        assert corpus.batch(start, n).to_pylist() == rows[start : start + n]
    assert corpus.usage.to_json()["documents"] == 2 + 4 + 400 + 1 + 2500


def test_made_ids_and_row_groups_keep_their_numbers_behind_what_is_skipped(tmp_path: Path) -> None:
    table = pyarrow.table({"text": [f"t{i}" for i in range(20)]})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet", row_group_size=6)
    whole = documents(tmp_path / "a.parquet")
    got = Corpus.open(tmp_path / "a.parquet").batch(13, 6).column("id").to_pylist()
    assert got == [d.id for d in whole[13:19]] == [f"a.parquet:{i}" for i in range(13, 19)]
    (tmp_path / "b.jsonl").write_bytes(b"".join(b'{"text": "t"}\n\n' for _ in range(9)))
    whole = documents(tmp_path / "b.jsonl")
    got = Corpus.open(tmp_path / "b.jsonl").batch(4, 3).column("id").to_pylist()
    assert got == [d.id for d in whole[4:7]] == ["b.jsonl:9", "b.jsonl:11", "b.jsonl:13"]
    (tmp_path / "texts").mkdir()
    for i in range(5):
        (tmp_path / "texts" / f"{i}.txt").write_text("t")
    assert Corpus.open(tmp_path / "texts").batch(3, 9).column("id").to_pylist() == [
        "3.txt",
        "4.txt",
    ]


def test_lines_are_counted_again_when_the_file_changed(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_bytes(lines(ROWS[:3]))
    corpus = Corpus.open(tmp_path / "c.jsonl")
    assert corpus.documents == 3
    (tmp_path / "c.jsonl").write_bytes(lines(ROWS[:5]))
    assert corpus.documents == 5


def test_a_saved_dictionary_of_splits_has_them_as_sources(tmp_path: Path) -> None:
    import datasets

    part = datasets.Dataset.from_list([{"text": "one"}, {"text": "two"}])
    datasets.DatasetDict({"train": part, "test": part}).save_to_disk(tmp_path / "saved")
    found = documents(tmp_path / "saved")
    assert [(d.source, d.text) for d in found] == [
        ("train", "one"), ("train", "two"), ("test", "one"), ("test", "two"),
    ]  # fmt: skip


def test_text_folders_have_a_document_a_file(tmp_path: Path) -> None:
    for name in ("b/two.txt", "a/one.md", "three.txt", ".hidden/no.txt", "a/no.bin"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"say {name}\nété")
    assert [(d.id, d.source, d.text) for d in documents(tmp_path)] == [
        ("a/one.md", "a", "say a/one.md\nété"),
        ("b/two.txt", "b", "say b/two.txt\nété"),
        ("three.txt", "", "say three.txt\nété"),
    ]
    assert Corpus.open(tmp_path).documents == 3
    assert documents(tmp_path / "three.txt")[0].text == "say three.txt\nété"


def test_folders_of_files_name_sources_and_rows(tmp_path: Path) -> None:
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "x.jsonl").write_bytes(lines([{"text": "a"}, {"text": "b"}]))
    (tmp_path / "y.jsonl").write_bytes(lines([{"text": "c", "source": "told"}]))
    (tmp_path / "README.md").write_text("no document")
    assert [(d.id, d.source) for d in documents(tmp_path)] == [
        ("web/x.jsonl:1", "web"), ("web/x.jsonl:2", "web"), ("y.jsonl:1", "told"),
    ]  # fmt: skip


PARTS = [{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": "u"}}]
LAYOUTS: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    ({"text": "a"}, [("document", "a")]),
    ({"content": "a"}, [("document", "a")]),
    ({"prompt": "q", "completion": "a"}, [("user", "q"), ("assistant", "a")]),
    ({"prompt": [TURNS[0]], "response": "a"}, [("user", TURNS[0]["content"]), ("assistant", "a")]),
    ({"instruction": "do", "input": "x", "output": "y"}, [("user", "do\nx"), ("assistant", "y")]),
    (
        {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]},
        [("user", "q"), ("assistant", "a")],
    ),
    ({"messages": {"role": ["user"], "content": ["q"]}}, [("user", "q")]),
    ({"messages": [{"role": "user", "content": PARTS}]}, [("user", "see\n[image_url]")]),
    (
        {"messages": [{"role": "assistant", "content": None, "tool_calls": [{"f": 1}]}]},
        [("assistant", '[{"f": 1}]')],
    ),
]


@pytest.mark.parametrize("save", ["jsonl", "parquet"])
@pytest.mark.parametrize(("row", "expected"), LAYOUTS)
def test_layouts_of_others_become_turns(
    row: dict[str, Any], expected: list[tuple[str, str]], save: str, tmp_path: Path
) -> None:
    path = tmp_path / f"c.{save}"
    whole = {"id": 7, "metadata": {"b": 1, "a": "é"}, "stage": None} | row
    if save == "jsonl":
        path.write_bytes(lines([whole]))
    elif row.get("messages") == [{"role": "user", "content": PARTS}]:
        pytest.skip("Arrow has no list of structs with different keys")
    else:
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist([whole]), path)
    (found,) = documents(path)
    assert [(m["role"], m["content"]) for m in found.messages] == expected
    assert (found.id, found.stage, found.source) == ("7", "", "")
    assert json.loads(found.metadata) == {"a": "é", "b": 1}


BROKEN: list[tuple[bytes, str]] = [
    (b'{"text": "caf\xe9"}\n', "line 1: byte 13 is no UTF-8"),
    (b'{"text": "a"}\n{"text": \n', "line 2: "),
    (b'{"text": "a"}\n\n{"text": null}\n', "row 3 has an empty"),
    (b'{"id": null, "text": "a"}\n', "row 1 has an empty id"),
    (b'{"id": 1}\n', "its columns are id"),
    (b'["a"]\n', "row 1 is no object"),
    (b'{"messages": [{"role": "user", "content": null}]}\n', "row 1 has an empty message"),
    (b'{"messages": [{"content": "a"}]}\n', "row 1 has an empty message, role"),
    (b'{"messages": ["a"]}\n', "a turn is 'a'"),
    (b'{"messages": [{"role": "user", "content": 3}]}\n', "content is a int"),
    (b'{"text": "a"}\n{"text": "\\ud800"}\n', "row 2 has half of a surrogate pair"),
    (b'{"messages": {"role": ["user"], "content": []}}\n', "unequal length"),
]


@pytest.mark.parametrize(("content", "message"), BROKEN)
def test_a_bad_line_is_refused_with_its_place(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_bytes(content)
    with pytest.raises(ConfigError, match=message) as caught:
        documents(tmp_path / "c.jsonl")
    assert "c.jsonl" in caught.value.message and caught.value.hint


def test_a_line_too_long_is_refused_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "LONGEST_LINE", 3 << 20)
    (tmp_path / "c.jsonl").write_bytes(b'{"text": "a"}\n{"text": "' + b"x" * (9 << 20))
    read = []
    real = files._decode
    monkeypatch.setattr(
        files, "_decode", lambda line, where: read.append(line) or real(line, where)
    )
    with pytest.raises(ConfigError, match="line 2 is longer than 3 MiB"):
        documents(tmp_path / "c.jsonl")
    assert len(read) == 1
    (tmp_path / "c.txt").write_bytes(b"x" * (4 << 20))
    with pytest.raises(ConfigError, match=r"c.txt is longer than 3 MiB"):
        documents(tmp_path / "c.txt")


def test_lines_across_blocks_and_byte_order_marks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_BLOCK", 7)
    whole = b"\xef\xbb\xbf" + lines([{"text": "é" * n} for n in range(1, 30)])
    (tmp_path / "c.jsonl").write_bytes(whole.rstrip(b"\n"))
    assert [len(d.text) for d in documents(tmp_path / "c.jsonl")] == list(range(1, 30))


@pytest.mark.parametrize("save", [save_parquet, save_gz, save_zst])
def test_a_cut_file_is_refused(save: Callable[[Path], Path], tmp_path: Path) -> None:
    path = save(tmp_path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ConfigError, match=path.name):
        documents(path)


def test_a_damaged_page_is_refused(tmp_path: Path) -> None:
    path = save_parquet(tmp_path)
    whole = bytearray(path.read_bytes())
    whole[2000:2600] = b"\xff" * 600
    path.write_bytes(whole)
    with pytest.raises(ConfigError):
        documents(path)


def test_bytes_that_are_no_text_are_refused_in_parquet_too(tmp_path: Path) -> None:
    bad = pyarrow.array([b"ok", b"\xff\xfe"], pyarrow.binary())
    text = pyarrow.Array.from_buffers(pyarrow.string(), 2, bad.buffers())
    pyarrow.parquet.write_table(pyarrow.table({"text": text}), tmp_path / "c.parquet")
    with pytest.raises(ConfigError, match=r"c.parquet"):
        documents(tmp_path / "c.parquet")


def test_ids_that_come_twice_are_read_and_not_looked_up(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_bytes(lines([{"id": "a", "text": str(i)} for i in range(2)]))
    corpus = Corpus.open(tmp_path / "c.jsonl")
    assert [text for _, _, text in corpus.texts()] == ["0", "1"]
    with pytest.raises(ConfigError, match="several documents 'a'"):
        corpus.rows(["a"])


def test_rows_chosen_through_an_index_are_refused(tmp_path: Path) -> None:
    path = save_datasets(tmp_path)
    state = json.loads((path / "state.json").read_text())
    state["_indices_data_files"] = [{"filename": "indices.arrow"}]
    (path / "state.json").write_text(json.dumps(state))
    with pytest.raises(ConfigError, match="index"):
        Corpus.open(path)
