"""A corpus: documents of role-tagged messages, read lazily and metered, whatever the files are."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from workbench.access import Usage
from workbench.corpus.layouts import schema
from workbench.corpus.pieces import Piece, find
from workbench.corpus.query import CompiledQuery
from workbench.corpus.screening import windows
from workbench.corpus.streams import joined
from workbench.errors import ConfigError
from workbench.findings import Message

if TYPE_CHECKING:
    import pyarrow

ROWS_PER_BATCH = 8192
_ROWS_PER_GROUP = 2 * ROWS_PER_BATCH
_PACKED: dict[str, Any] = {
    "compression": "zstd",
    "compression_level": 19,
    "data_page_size": 1 << 30,
    "use_dictionary": ["messages.list.element.role", "source", "stage"],
    "column_encoding": {"id": "DELTA_BYTE_ARRAY"},
}
"""A page for each column of a group, so that a text is packed against all that came before it; ids
that begin alike cost next to nothing. Measured on 85,700 rows: 2.60 MB, where pyarrow's pages and
dictionaries and ids drawn by chance took 3.82 MB; as fast to read, written in 8 s (3 s)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Document:
    """One row: an opaque id and its messages; a plain text is one message of role "document".

    source: where the row comes from; stage: of training; metadata: a JSON object as text. Each may
    be empty.
    """

    id: str
    messages: tuple[Message, ...]
    source: str = ""
    stage: str = ""
    metadata: str = ""

    @property
    def text(self) -> str:
        """The contents of all messages, one per line."""
        return "\n".join(m["content"] for m in self.messages)


Row: TypeAlias = "tuple[str, Sequence[Message]] | Document"


class Corpus:
    """Documents of Parquet, JSONL (plain, gz, zst) and text files and of `datasets` directories.

    Chats stay turns; texts are decoded, so that what is searched is what a model was trained on.
    Opened without reading rows. Every row handed out is booked in `usage` as one document before
    it is handed out; counts and the fingerprint are free.

    Reading raises ConfigError with the file and the place on what cannot be read: bytes that are
    no UTF-8, a cut file, a line of more than `pieces.LONGEST_LINE` bytes, an empty id or content.
    """

    def __init__(self, pieces: Sequence[Piece], usage: Usage) -> None:
        self.usage = usage
        self.pieces = tuple(pieces)

    @classmethod
    def open(cls, path: str | Path, *, usage: Usage | None = None) -> Corpus:
        """Opens a file or a folder; see `pieces.find` for what may be there.

        The source of a row that names none is the folder below `path` in which its file lies; its
        id is made of its file's name and its number there.
        Raises ConfigError when nothing is there, or it is no corpus.
        """
        return cls(find(Path(path)), Usage() if usage is None else usage)

    @property
    def documents(self) -> int:
        """How many rows there are; JSONL files are read through for it."""
        return sum(piece.count() for piece in self.pieces)

    @property
    def bytes(self) -> int:
        """The size of the files, compressed as they are."""
        return sum(f.stat().st_size for f in {f for piece in self.pieces for f in piece.files})

    def fingerprint(self) -> str:
        """SHA-256 of ids, roles, contents, sources, stages and metadata in their order, whatever
        the files' layout."""
        hashes: dict[str, Any] = {}
        for batch in self._read(ROWS_PER_BATCH):
            turns = batch.column("messages").flatten()
            columns = {name: batch.column(name) for name in ("id", "source", "stage", "metadata")}
            columns |= {name: turns.field(name) for name in ("role", "content")}
            _hash_lengths(hashes, "messages", batch.column("messages"))
            for name, column in columns.items():
                _hash_lengths(hashes, name, column)
                hashes.setdefault(name, hashlib.sha256()).update(_characters(column))
        whole = "".join(f"{part} {hashes[part].hexdigest()}\n" for part in sorted(hashes))
        return hashlib.sha256(whole.encode()).hexdigest()

    def batches(self, rows: int = ROWS_PER_BATCH) -> Iterator[pyarrow.RecordBatch]:
        """All rows in order in `layouts.schema()`, at most `rows` at a time; small enough batches
        for what is left of the budget.

        Raises BudgetExceeded where rows remain and no document is left to spend.
        """
        for piece in self.pieces:
            yield from self.read(piece, rows)

    def read(self, piece: Piece, rows: int = ROWS_PER_BATCH) -> Iterator[pyarrow.RecordBatch]:
        """The rows of one piece, metered as `batches` does."""
        for batch in piece.batches(rows):
            start = 0
            while start < batch.num_rows:
                left = self.usage.left("documents")
                count = batch.num_rows - start
                if left is not None:
                    count = max(1, min(count, int(left)))
                self.usage.spend(documents=count)
                yield batch.slice(start, count)
                start += count

    def screened(
        self, query: CompiledQuery, rows: int = ROWS_PER_BATCH
    ) -> Iterator[pyarrow.RecordBatch]:
        """What `batches` gives, without most rows in which no pattern of the query matches, and in
        batches as large as `rows` allows: `scan` and `count` find the same in both, this is faster.
        Rows left out are booked too.
        """
        left = self.usage.left("documents")
        if left is not None and left < self.documents:
            yield from self.batches(rows)
            return
        held: list[pyarrow.RecordBatch] = []
        for window in windows(self.pieces, query, rows):
            self.usage.spend(documents=window.rows)
            if window.batch.num_rows + sum(batch.num_rows for batch in held) > rows:
                yield joined(held)
                held = []
            if window.batch.num_rows:
                held.append(window.batch)
        if held:
            yield joined(held)

    def batch(self, start: int, rows: int = ROWS_PER_BATCH) -> pyarrow.RecordBatch:
        """At most `rows` rows from row `start` on; none past the end. All or BudgetExceeded.

        What lies before `start` is skipped without being decoded where the format allows it.
        """
        found: list[pyarrow.RecordBatch] = []
        for piece in self.pieces:
            if not rows:
                break
            held = piece.count()
            if start < held:
                for part in piece.batches(rows, start):
                    found.append(part.slice(0, rows))
                    rows -= found[-1].num_rows
                    if not rows:
                        break
            start = max(0, start - held)
        batch = joined(found)
        self.usage.spend(documents=batch.num_rows)
        return batch

    def reader(
        self, *, most: int | None = None, rows: int = ROWS_PER_BATCH
    ) -> Callable[[], Iterator[pyarrow.RecordBatch]]:
        """Reads the first `most` rows again and again; each is booked once, before it is first
        handed out. Reading raises BudgetExceeded where a batch would cost more than what is left.
        """
        booked = 0

        def read() -> Iterator[pyarrow.RecordBatch]:
            nonlocal booked
            seen = 0
            for batch in self._read(rows):
                if most is not None:
                    batch = batch.slice(0, most - seen)
                fresh = max(0, seen + batch.num_rows - booked)
                self.usage.spend(documents=fresh)
                booked += fresh
                seen += batch.num_rows
                if batch.num_rows:
                    yield batch
                if seen == most:
                    return

        return read

    def texts(self) -> Iterator[tuple[str, str, str]]:
        """(id, role, content) of every message, in order."""
        for batch in self.batches():
            for document in documents_of(batch):
                for message in document.messages:
                    yield document.id, message["role"], message["content"]

    def rows(self, ids: Sequence[str]) -> list[Document]:
        """The documents with these ids, in the order asked for.

        Raises ConfigError on an unknown id, and on one that several rows have (nothing is booked
        then).
        """
        found = {document.id: document for document in documents_of(self.selected(ids))}
        return [found[i] for i in ids]

    def selected(self, ids: Sequence[str]) -> pyarrow.RecordBatch:
        """The rows with these ids, each once, in the order of the corpus; raises as `rows` does."""
        import pyarrow
        import pyarrow.compute

        wanted = pyarrow.array(list(dict.fromkeys(ids)), pyarrow.string())
        known: set[str] = set()
        found: list[pyarrow.RecordBatch] = []
        for batch in self._read(ROWS_PER_BATCH):
            hits = batch.filter(pyarrow.compute.is_in(batch.column("id"), value_set=wanted))
            for id in hits.column("id").to_pylist():
                if id in known:
                    raise ConfigError(
                        f"the corpus has several documents '{id}'",
                        hint="Give each row its own id.",
                    )
                known.add(id)
            found.append(hits)
        missing = [i for i in ids if i not in known]
        if missing:
            raise ConfigError(
                f"the corpus has no document '{missing[0]}'", hint="Ids come from a scan or a hit."
            )
        self.usage.spend(documents=len(known))
        return joined(found)

    def _read(self, rows: int) -> Iterator[pyarrow.RecordBatch]:
        for piece in self.pieces:
            yield from piece.batches(rows)


def numbered(
    batches: Iterable[pyarrow.RecordBatch], numbers: Collection[int]
) -> dict[int, Document]:
    """The documents at these places in the order of the batches, from 0."""
    wanted = sorted(set(numbers))
    found: dict[int, Document] = {}
    first = 0
    for batch in batches:
        while len(found) < len(wanted) and wanted[len(found)] < first + batch.num_rows:
            number = wanted[len(found)]
            (found[number],) = documents_of(batch.slice(number - first, 1))
        first += batch.num_rows
    return found


def write(path: str | Path, rows: Iterable[Row]) -> int:
    """Streams (id, messages) rows, or documents, into one zstd Parquet file; returns how many.

    Sources, stages and metadata are written where the first row is a Document.
    Raises ConfigError on a message without role or content, or on an id that comes twice; the
    file then does not come to be.
    """
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    path = Path(path)
    draft = path.with_name(f".draft-{path.name}")
    seen: set[str] = set()
    writer = None
    try:
        for chunk in _chunks(rows, seen):
            if writer is None:
                columns = pyarrow.schema([schema().field(name) for name in chunk[0]])
                writer = ParquetWriter(draft, columns, **_PACKED)
            writer.write_batch(pyarrow.RecordBatch.from_pylist(chunk, schema=columns))
        if writer is None:
            writer = ParquetWriter(draft, pyarrow.schema(list(schema())[:2]), **_PACKED)
        writer.close()
        draft.replace(path)
    finally:
        if writer is not None:
            writer.close()
        draft.unlink(missing_ok=True)
    return len(seen)


def _chunks(rows: Iterable[Row], seen: set[str]) -> Iterator[list[dict[str, Any]]]:
    chunk: list[dict[str, Any]] = []
    for row in rows:
        cells = _cells(row)
        id = cells["id"]
        if id in seen:
            raise ConfigError(f"document '{id}' comes twice", hint="Give each row its own id.")
        for message in cells["messages"]:
            if set(message) != {"role", "content"}:
                raise ConfigError(
                    f"document '{id}' has a message with {sorted(message)}",
                    hint="Give each message a role and a content.",
                )
        seen.add(id)
        chunk.append(cells)
        if len(chunk) == _ROWS_PER_GROUP:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _cells(row: Row) -> dict[str, Any]:
    if isinstance(row, Document):
        told = {"source": row.source, "stage": row.stage, "metadata": row.metadata}
        return {"id": row.id, "messages": list(row.messages), **told}
    id, messages = row
    return {"id": id, "messages": list(messages)}


def documents_of(batch: pyarrow.RecordBatch) -> Iterator[Document]:
    """The documents of a batch, in order."""
    for row in batch.to_pylist():
        yield Document(**(row | {"messages": tuple(row["messages"])}))


def _hash_lengths(hashes: dict[str, Any], name: str, column: Any) -> None:
    import numpy
    from pyarrow.compute import binary_length, list_value_length

    counted = (list_value_length if name == "messages" else binary_length)(column)
    numbers = numpy.asarray(counted.to_numpy(zero_copy_only=False), dtype="<i8")
    hashes.setdefault(f"{name} lengths", hashlib.sha256()).update(numbers.tobytes())


def _characters(column: Any) -> Any:
    """The UTF-8 bytes of a text column, one after the other."""
    import numpy

    offsets = numpy.frombuffer(column.buffers()[1], dtype="<i4")
    first, last = offsets[column.offset], offsets[column.offset + len(column)]
    return memoryview(column.buffers()[2])[first:last] if last > first else b""
