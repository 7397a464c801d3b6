"""A corpus: documents of role-tagged messages in Parquet, read lazily and metered."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from workbench.access import Usage
from workbench.errors import ConfigError
from workbench.findings import Message

if TYPE_CHECKING:
    import pyarrow

Row: TypeAlias = tuple[str, Sequence[Message]]
ROWS_PER_BATCH = 4096


@dataclasses.dataclass(frozen=True, slots=True)
class Document:
    """One row: an opaque id and its messages; a plain text is one message of role "document"."""

    id: str
    messages: tuple[Message, ...]

    @property
    def text(self) -> str:
        """The contents of all messages, one per line."""
        return "\n".join(m["content"] for m in self.messages)


class Corpus:
    """Parquet files with columns `id: string`, `messages: list<struct<role, content: string>>`.

    Opened without reading rows. Every row handed out is booked in `usage` as one document before
    it is handed out; counts and the fingerprint are free.
    """

    def __init__(self, files: Sequence[Path], usage: Usage) -> None:
        self.usage = usage
        self._files = tuple(files)

    @classmethod
    def open(cls, path: str | Path, *, usage: Usage | None = None) -> Corpus:
        """Opens one file, or a directory of `*.parquet` files in order of their names.

        Raises ConfigError when nothing is there, or it is not such a table.
        """
        path = Path(path)
        files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
        if not files or not all(f.is_file() for f in files):
            raise ConfigError(f"{path}: no corpus there", hint="Give a Parquet file or directory.")
        corpus = cls(files, Usage() if usage is None else usage)
        for file in corpus._parquet():
            _check_schema(file)
        return corpus

    @property
    def documents(self) -> int:
        """How many rows there are."""
        return sum(f.metadata.num_rows for f in self._parquet())

    @property
    def bytes(self) -> int:
        """The size of the files, compressed as they are."""
        return sum(f.stat().st_size for f in self._files)

    def fingerprint(self) -> str:
        """SHA-256 of ids, roles and contents in their order, whatever the files' layout."""
        import pyarrow
        from pyarrow.compute import binary_length, list_value_length

        hashes = {
            part: hashlib.sha256()
            for column in ("id", "messages", "role", "content")
            for part in (column, f"{column} lengths")
        }
        for batch in self._read(ROWS_PER_BATCH):
            lists = batch.column("messages")
            hashes["messages lengths"].update(_numbers(list_value_length(lists)))
            messages = lists.flatten()
            for name, column in (
                ("id", batch.column("id")),
                ("role", messages.field("role")),
                ("content", messages.field("content")),
            ):
                hashes[name].update("".join(column.to_pylist()).encode())
                lengths = binary_length(column.cast(pyarrow.large_string()))
                hashes[f"{name} lengths"].update(_numbers(lengths))
        whole = "".join(f"{part} {hashes[part].hexdigest()}\n" for part in sorted(hashes))
        return hashlib.sha256(whole.encode()).hexdigest()

    def batches(self, rows: int = ROWS_PER_BATCH) -> Iterator[pyarrow.RecordBatch]:
        """All rows in order, at most `rows` at a time; small enough batches for what is left.

        Raises BudgetExceeded where rows remain and no document is left to spend.
        """
        for batch in self._read(rows):
            start = 0
            while start < batch.num_rows:
                left = self.usage.left("documents")
                count = batch.num_rows - start
                if left is not None:
                    count = max(1, min(count, int(left)))
                self.usage.spend(documents=count)
                yield batch.slice(start, count)
                start += count

    def batch(self, start: int, rows: int = ROWS_PER_BATCH) -> pyarrow.RecordBatch:
        """At most `rows` rows from row `start` on; none past the end. All or BudgetExceeded.

        Reads only the row groups that hold them.
        """
        import pyarrow

        pieces = []
        for file in self._parquet():
            for group in range(file.num_row_groups):
                held = file.metadata.row_group(group).num_rows
                if start < held and rows:
                    piece = file.read_row_group(group, columns=["id", "messages"])
                    piece = piece.slice(start, rows).cast(_schema())
                    piece.validate(full=True)
                    pieces.append(piece)
                    rows -= piece.num_rows
                start = max(0, start - held)
        table = pyarrow.concat_tables(pieces) if pieces else _schema().empty_table()
        self.usage.spend(documents=table.num_rows)
        return _complete(_single(table))

    def texts(self) -> Iterator[tuple[str, str, str]]:
        """(id, role, content) of every message, in order."""
        for batch in self.batches():
            for document in documents_of(batch):
                for message in document.messages:
                    yield document.id, message["role"], message["content"]

    def rows(self, ids: Sequence[str]) -> list[Document]:
        """The documents with these ids, in the order asked for.

        Raises ConfigError on an unknown id (nothing is booked then).
        """
        found = {document.id: document for document in documents_of(self.selected(ids))}
        return [found[i] for i in ids]

    def selected(self, ids: Sequence[str]) -> pyarrow.RecordBatch:
        """The rows with these ids, each once, in the order of the corpus; raises as `rows` does."""
        import pyarrow
        import pyarrow.compute

        wanted = pyarrow.array(list(dict.fromkeys(ids)), pyarrow.string())
        found = [_schema().empty_table()]
        for batch in self._read(ROWS_PER_BATCH):
            hits = batch.filter(pyarrow.compute.is_in(batch.column("id"), value_set=wanted))
            found.append(pyarrow.Table.from_batches([hits]))
        table = pyarrow.concat_tables(found)
        known = set(table.column("id").to_pylist())
        missing = [i for i in ids if i not in known]
        if missing:
            raise ConfigError(
                f"the corpus has no document '{missing[0]}'", hint="Ids come from a scan or a hit."
            )
        self.usage.spend(documents=table.num_rows)
        return _single(table)

    def _read(self, rows: int) -> Iterator[pyarrow.RecordBatch]:
        import pyarrow

        for file in self._parquet():
            try:
                for batch in file.iter_batches(batch_size=rows, columns=["id", "messages"]):
                    batch = batch.cast(_schema())
                    batch.validate(full=True)
                    yield _complete(batch)
            except (pyarrow.ArrowException, OSError) as error:
                raise ConfigError(
                    f"the corpus cannot be read: {error}", hint="Get the file again."
                ) from None

    def _parquet(self) -> Iterator[Any]:
        import pyarrow
        from pyarrow.parquet import ParquetFile

        for path in self._files:
            try:
                file = ParquetFile(path)
            except (pyarrow.ArrowInvalid, OSError) as error:
                raise ConfigError(f"{path}: {error}", hint="Give a Parquet file.") from None
            with file:
                yield file


def write(path: str | Path, rows: Iterable[Row]) -> int:
    """Streams (id, messages) rows into one zstd Parquet file; returns how many there were.

    Raises ConfigError on a message without role or content, or on an id that comes twice; the
    file then does not come to be.
    """
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    path = Path(path)
    draft = path.with_name(f".draft-{path.name}")
    seen: set[str] = set()
    try:
        with ParquetWriter(draft, _schema(), compression="zstd") as writer:
            for chunk in _chunks(rows, seen):
                writer.write_batch(pyarrow.RecordBatch.from_pylist(chunk, schema=_schema()))
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return len(seen)


def _chunks(rows: Iterable[Row], seen: set[str]) -> Iterator[list[dict[str, Any]]]:
    chunk: list[dict[str, Any]] = []
    for id, messages in rows:
        if id in seen:
            raise ConfigError(f"document '{id}' comes twice", hint="Give each row its own id.")
        for message in messages:
            if set(message) != {"role", "content"}:
                raise ConfigError(
                    f"document '{id}' has a message with {sorted(message)}",
                    hint="Give each message a role and a content.",
                )
        seen.add(id)
        chunk.append({"id": id, "messages": list(messages)})
        if len(chunk) == ROWS_PER_BATCH:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def to_stream(batch: pyarrow.RecordBatch) -> bytes:
    """A batch as an Arrow IPC stream."""
    import pyarrow

    sink = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue().to_pybytes())


def from_stream(data: bytes) -> pyarrow.RecordBatch:
    """The batch in an Arrow IPC stream, checked; raises ConfigError where it is none."""
    import pyarrow

    try:
        table = pyarrow.ipc.open_stream(data).read_all().select(["id", "messages"]).cast(_schema())
        table.validate(full=True)
    except (KeyError, ValueError, pyarrow.ArrowException) as error:
        raise ConfigError(f"no rows of a corpus: {error}", hint="Ask for them again.") from None
    return _complete(_single(table))


def documents_of(batch: pyarrow.RecordBatch) -> Iterator[Document]:
    """The documents of a batch, in order."""
    for row in batch.to_pylist():
        yield Document(row["id"], tuple(row["messages"]))


def _schema() -> Any:
    import pyarrow

    message = pyarrow.struct([("role", pyarrow.string()), ("content", pyarrow.string())])
    return pyarrow.schema([("id", pyarrow.string()), ("messages", pyarrow.list_(message))])


def _check_schema(file: Any) -> None:
    import pyarrow

    try:
        file.schema_arrow.empty_table().select(["id", "messages"]).cast(_schema())
    except (KeyError, ValueError, pyarrow.ArrowException) as error:
        raise ConfigError(
            f"no corpus: {error}",
            hint="Its columns are `id` (string) and `messages` (list of role and content).",
        ) from None


def _single(table: Any) -> pyarrow.RecordBatch:
    import pyarrow

    columns = [table.column(name).combine_chunks() for name in ("id", "messages")]
    return pyarrow.RecordBatch.from_arrays(columns, schema=_schema())


def _complete(batch: pyarrow.RecordBatch) -> pyarrow.RecordBatch:
    lists = batch.column("messages")
    messages = lists.flatten()
    cells = (batch.column("id"), lists, messages, messages.field("role"), messages.field("content"))
    if any(column.null_count for column in cells):
        raise ConfigError(
            "the corpus has a row with an empty id, message, role or content",
            hint="Write it with workbench.corpus.write.",
        )
    return batch


def _numbers(column: Any) -> bytes:
    import numpy

    return bytes(numpy.asarray(column.to_numpy(zero_copy_only=False), dtype="<i8").tobytes())
