"""The files behind a corpus, cut into pieces that can be read, skipped and sent on their own."""

from __future__ import annotations

import codecs
import dataclasses
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.corpus.layouts import columns_of, rows_batch, table_batch
from workbench.errors import ConfigError

if TYPE_CHECKING:
    import pyarrow

ROWS_PER_PIECE = 8192
LONGEST_LINE = 256 << 20
"""Bytes of a JSONL line or of a text file; a longer one is refused before it fills the memory."""
BATCH_BYTES = 32 << 20
"""A batch is cut short when its lines reach this."""

_BLOCK = 1 << 20
_PARQUET = (".parquet",)
_LINES = (".jsonl", ".ndjson")
_PACKED = {".gz": "gzip", ".zst": "zstd"}
_TEXTS = (".txt", ".md")


@dataclasses.dataclass(frozen=True, slots=True)
class Piece:
    """A part of a corpus: row groups of a Parquet file, a JSONL or Arrow file, some text files.

    name: of the piece, the same on every machine; kind: "parquet" | "lines" | "arrow" | "texts";
    source: of rows that name none, the folder below the corpus in which the file lies; parts: row
    groups; first_row: the number of the piece's first row in its file.
    """

    name: str
    kind: str
    files: tuple[Path, ...]
    source: str
    parts: tuple[int, ...] = ()
    first_row: int = 0
    named: tuple[str, ...] = ()

    def batches(self, rows: int, skip: int = 0) -> Iterator[pyarrow.RecordBatch]:
        """The rows in order in `layouts.schema()`, at most `rows` at a time.

        skip: how many rows to leave out at the start; whole row groups and text files of them are
        not read, lines are not parsed.
        Raises ConfigError with the file and the place where something cannot be read.
        """
        read = {"parquet": _parquet, "lines": _lines, "arrow": _arrow, "texts": _texts}[self.kind]
        import pyarrow

        try:
            yield from read(self, rows, skip)
        except (pyarrow.ArrowException, OSError, EOFError) as error:
            raise ConfigError(
                f"{self.name} cannot be read: {' '.join(str(error).split())[:300]}",
                hint="Get the file again.",
            ) from None

    def count(self) -> int:
        """How many rows there are; a JSONL file is read through for it, once while it stays."""
        if self.kind == "parquet":
            with open_parquet(self.files[0]) as file:
                return sum(file.metadata.row_group(part).num_rows for part in self.parts)
        if self.kind == "texts":
            return len(self.files)
        if self.kind == "lines":
            state = self.files[0].stat()
            return _count_lines(self.files[0], self.name, state.st_size, state.st_mtime_ns)
        return sum(batch.num_rows for batch in _open_arrow(self.files[0]))


def find(path: Path) -> list[Piece]:
    """The pieces of a file or folder, in order of the files' names.

    A folder is a `datasets` directory (save_to_disk), or holds Parquet and JSONL files at any
    depth, or text files where there is no such file. Raises ConfigError when it is neither.
    """
    if not path.exists():
        raise _nothing(path)
    if path.is_file():
        return _pieces(path, path.name, "", _kind(path))
    if (path / "dataset_dict.json").is_file():
        splits = _json(path / "dataset_dict.json")["splits"]
        return [piece for split in splits for piece in _saved(path / split, split)]
    if (path / "state.json").is_file():
        return _saved(path, "")
    inside = sorted(p for p in path.rglob("*") if p.is_file() and not _hidden(p, path))
    data = [p for p in inside if _kind(p, "") in ("parquet", "lines", "arrow")]
    if data:
        return [
            piece
            for p in data
            for piece in _pieces(p, p.relative_to(path).as_posix(), _folder(p, path), _kind(p))
        ]
    texts = [p for p in inside if p.suffix in _TEXTS]
    if not texts:
        raise _nothing(path)
    return [_text_piece(texts[i : i + 512], path, i) for i in range(0, len(texts), 512)]


def _nothing(path: Path) -> ConfigError:
    return ConfigError(
        f"{path}: no corpus there",
        hint="Give a Parquet or JSONL file (.gz and .zst too), a folder of them or of text files, "
        "or a directory that `datasets` saved.",
    )


def _hidden(file: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(root).parts)


def _folder(file: Path, root: Path) -> str:
    folder = file.parent.relative_to(root).as_posix()
    return "" if folder == "." else folder


def _kind(file: Path, otherwise: str | None = None) -> str:
    suffixes = [s.lower() for s in file.suffixes]
    if suffixes and suffixes[-1] in _PACKED:
        suffixes.pop()
    last = suffixes[-1] if suffixes else ""
    if last in _LINES:
        return "lines"
    if file.suffix.lower() in (".arrow", *_PARQUET):
        return "arrow" if file.suffix.lower() == ".arrow" else "parquet"
    if otherwise is not None:
        return otherwise
    if file.suffix.lower() in _TEXTS:
        return "texts"
    return "parquet"


def _pieces(file: Path, name: str, source: str, kind: str) -> list[Piece]:
    if kind == "parquet":
        return list(_row_groups(file, name, source))
    return [Piece(name, kind, (file,), source, named=(name,))]


def _text_piece(files: Sequence[Path], root: Path, first: int) -> Piece:
    named = tuple(f.relative_to(root).as_posix() for f in files)
    return Piece(f"texts#{first}", "texts", tuple(files), "", first_row=first, named=named)


def _row_groups(file: Path, name: str, source: str) -> Iterator[Piece]:
    with open_parquet(file) as opened:
        columns_of(opened.schema_arrow.names, str(file))
        sizes = [
            opened.metadata.row_group(i).num_rows for i in range(opened.metadata.num_row_groups)
        ]
    start, row, held = 0, 0, 0
    for i, size in enumerate(sizes):
        held += size
        if held >= ROWS_PER_PIECE or i == len(sizes) - 1:
            parts = tuple(range(start, i + 1))
            yield Piece(f"{name}#{start}", "parquet", (file,), source, parts, row, (name,))
            start, row, held = i + 1, row + held, 0


def open_parquet(file: Path) -> Any:
    import pyarrow
    from pyarrow.parquet import ParquetFile

    try:
        return ParquetFile(file, memory_map=True)
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise ConfigError(
            f"{file}: {' '.join(str(error).split())}", hint="Give a whole Parquet file."
        ) from None


def _parquet(piece: Piece, rows: int, skip: int) -> Iterator[pyarrow.RecordBatch]:
    row = piece.first_row
    with open_parquet(piece.files[0]) as file:
        columns = columns_of(file.schema_arrow.names, piece.name)
        parts = list(piece.parts)
        while parts and skip >= (size := file.metadata.row_group(parts[0]).num_rows):
            del parts[0]
            row, skip = row + size, skip - size
        for batch in file.iter_batches(batch_size=rows, row_groups=parts, columns=columns):
            left_out = min(skip, batch.num_rows)
            skip -= left_out
            if left_out < batch.num_rows:
                part = batch.slice(left_out)
                yield table_batch(part, piece.named[0], row + left_out, piece.source)
            row += batch.num_rows


def _saved(folder: Path, split: str) -> list[Piece]:
    state = _json(folder / "state.json")
    if state.get("_indices_data_files"):
        raise ConfigError(
            f"{folder}: rows are chosen through an index",
            hint="Call flatten_indices() before save_to_disk().",
        )
    names = [entry["filename"] for entry in state["_data_files"]]
    return [
        Piece(f"{split}/{n}".lstrip("/"), "arrow", (folder / n,), split, named=(n,)) for n in names
    ]


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file}: {error}", hint="Save the data set again.") from None


def _open_arrow(file: Path) -> Iterator[pyarrow.RecordBatch]:
    """Batches of an IPC stream, as `datasets` writes it, or of an IPC file."""
    import pyarrow

    with pyarrow.memory_map(str(file)) as mapped:
        if mapped.read(6) == b"ARROW1":
            opened = pyarrow.ipc.open_file(mapped)
            for i in range(opened.num_record_batches):
                yield opened.get_batch(i)
            return
        mapped.seek(0)
        yield from pyarrow.ipc.open_stream(mapped)


def _arrow(piece: Piece, rows: int, skip: int) -> Iterator[pyarrow.RecordBatch]:
    row = 0
    for batch in _open_arrow(piece.files[0]):
        kept = batch.select(columns_of(batch.schema.names, piece.name))
        left_out = min(skip, batch.num_rows)
        skip -= left_out
        for start in range(left_out, batch.num_rows, rows):
            part = kept.slice(start, rows)
            yield table_batch(part, piece.named[0], row + start, piece.source)
        row += batch.num_rows


def _lines(piece: Piece, rows: int, skip: int) -> Iterator[pyarrow.RecordBatch]:
    held: list[Any] = []
    size, first = 0, 1
    for number, line in islice(_read_lines(piece.files[0], piece.name), skip, None):
        if not held:
            first = number
        elif len(held) == rows or size > BATCH_BYTES or number != first + len(held):
            yield rows_batch(held, piece.named[0], first, piece.source)
            held, size, first = [], 0, number
        try:
            held.append(json.loads(line))
        except ValueError as error:
            raise ConfigError(
                f"{piece.name}, line {number}: {error}", hint="Each line is one JSON object."
            ) from None
        size += len(line)
    if held:
        yield rows_batch(held, piece.named[0], first, piece.source)


@lru_cache(maxsize=1024)
def _count_lines(file: Path, name: str, size: int, modified: int) -> int:
    """Lines that are not blank; size and modified (ns) say which state of the file is meant."""
    return sum(1 for _ in _read_lines(file, name))


def _read_lines(file: Path, name: str) -> Iterator[tuple[int, str]]:
    """(number from 1, text) of every line that is not blank."""
    import pyarrow

    number, pieces, size = 0, [b""], 0
    with ExitStack() as stack:
        source = stack.enter_context(file.open("rb"))
        packing = _PACKED.get(file.suffix.lower())
        if packing:
            source = stack.enter_context(pyarrow.CompressedInputStream(source, packing))
        while block := source.read(_BLOCK):
            *whole, rest = block.split(b"\n")
            for line in whole:
                number += 1
                joined = b"".join([*pieces, line]) if size else line
                pieces, size = [], 0
                if joined.strip():
                    yield number, _decode(joined, f"{name}, line {number}")
            if rest:
                pieces.append(rest)
                size += len(rest)
            if size > LONGEST_LINE:
                raise _too_long(f"{name}, line {number + 1}")
    if size and (joined := b"".join(pieces)).strip():
        yield number + 1, _decode(joined, f"{name}, line {number + 1}")


def _decode(line: bytes, where: str) -> str:
    try:
        return line.decode("utf-8-sig" if line.startswith(codecs.BOM_UTF8) else "utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{where}: byte {error.start} is no UTF-8",
            hint="Convert the file, for instance with iconv -f latin1 -t utf-8.",
        ) from None


def _too_long(where: str) -> ConfigError:
    return ConfigError(
        f"{where} is longer than {LONGEST_LINE >> 20} MiB",
        hint="Cut it into documents, one a line.",
    )


def _texts(piece: Piece, rows: int, skip: int) -> Iterator[pyarrow.RecordBatch]:
    held: list[dict[str, str]] = []
    first, size = piece.first_row + skip, 0
    files = zip(piece.files, piece.named, strict=True)
    for i, (file, name) in islice(enumerate(files), skip, None):
        if file.stat().st_size > LONGEST_LINE:
            raise _too_long(name)
        text = _decode(file.read_bytes(), name)
        held.append({"id": name, "text": text, "source": name.rpartition("/")[0]})
        size += len(text)
        if len(held) == rows or size > BATCH_BYTES:
            yield rows_batch(held, piece.name, first, piece.source)
            held, size, first = [], 0, piece.first_row + i + 1
    if held:
        yield rows_batch(held, piece.name, first, piece.source)
