"""Rows of a corpus as bytes, for those who read it from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from workbench.corpus.layouts import schema, table_batch
from workbench.errors import ConfigError

if TYPE_CHECKING:
    import pyarrow


def to_stream(batch: pyarrow.RecordBatch) -> bytes:
    """A batch as an Arrow IPC stream."""
    import pyarrow

    sink = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue().to_pybytes())


def from_stream(data: bytes) -> pyarrow.RecordBatch:
    """The batch in an Arrow IPC stream, checked cell by cell.

    Raises ConfigError where it is none, has other columns than `layouts.schema()`, or an empty
    cell.
    """
    import pyarrow

    try:
        with pyarrow.ipc.open_stream(data) as stream:
            if not stream.schema.equals(schema()):
                raise ValueError(f"its columns are {', '.join(stream.schema.names)}")
            batch = joined(list(stream))
            batch.validate(full=True)
    except (ValueError, OSError, pyarrow.ArrowException) as error:
        raise ConfigError(f"no rows of a corpus: {error}", hint="Ask for them again.") from None
    return table_batch(batch, "the rows of a corpus", 0, "")


def joined(batches: Sequence[pyarrow.RecordBatch]) -> pyarrow.RecordBatch:
    """Batches in `layouts.schema()` as one; an empty one where there are none."""
    import pyarrow

    empty = pyarrow.RecordBatch.from_pylist([], schema=schema())
    return pyarrow.concat_batches([empty, *batches]) if len(batches) != 1 else batches[0]
