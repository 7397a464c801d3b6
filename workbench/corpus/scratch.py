"""Sorting what does not fit into memory: rows of 64-bit numbers in scratch files.

Rows come in any order. Whenever RUN numbers wait they are sorted and written; the same range of
every run, read together, is sorted again (Knuth, The Art of Computer Programming 3, 5.4). The files
have no name, so that nothing is left of them however the process ends; they lie where Python's
`tempfile` puts them, which TMPDIR says.
"""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

from workbench.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RUN = 1 << 20
"""Numbers that wait in memory before they are sorted and written."""
RANGE = 1 << 21
"""Numbers that are read back at once, unless equal ones alone are more."""
_SLOT_BITS = 12

Columns: TypeAlias = "tuple[NDArray[np.uint64], ...]"


class Scratch:
    """A file without a name. Raises ConfigError where it cannot be written."""

    def __init__(self) -> None:
        try:
            self._file: Any = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
        except OSError as error:
            raise _unwritable(error) from error
        self._end = 0
        weakref.finalize(self, self._file.close)

    def put(self, values: NDArray[Any]) -> int:
        """Puts an array at the end, and gives the byte at which it begins."""
        at = self._end
        left = _bytes(values)
        try:
            self._file.seek(at)
            while len(left):
                left = left[self._file.write(left) :]
        except OSError as error:
            raise _unwritable(error) from error
        self._end += values.nbytes
        return at

    def into(self, at: int, values: NDArray[Any]) -> None:
        """Fills a contiguous array with what begins at a byte."""
        self._file.seek(at)
        self._file.readinto(_bytes(values))


class Runs:
    """Rows of `width` numbers each, [rows] a column, to be read by rising first number.

    edges: rising first numbers at which a range may begin, 0 the first of them; 4,096 even ones
    where hashes are kept. Columns may be of any type of 64 bits; they come back as uint64.
    """

    def __init__(self, width: int = 1, edges: NDArray[np.uint64] | None = None) -> None:
        import numpy as np

        even = np.arange(1 << _SLOT_BITS, dtype=np.uint64) << np.uint64(64 - _SLOT_BITS)
        self.width = width
        self._edges = even if edges is None else edges
        self._file = Scratch()
        self._waiting: list[tuple[NDArray[Any], ...]] = []
        self._held = 0
        self._runs: list[tuple[int, NDArray[np.int64]]] = []

    def add(self, *columns: NDArray[Any]) -> None:
        """Takes rows, one array a column."""
        self._waiting.append(columns)
        self._held += len(columns[0]) * self.width
        if self._held >= RUN:
            self._write()

    def sizes(self) -> NDArray[np.int64]:
        """How many numbers begin at each edge, [edges]."""
        import numpy as np

        self._write()
        counted = (np.diff(starts) for _, starts in self._runs)
        return self.width * sum(counted, start=np.zeros(len(self._edges), dtype=np.int64))

    def part(self, first: int, last: int) -> Columns:
        """The rows from one edge up to another, by rising first number, those of equal ones in the
        order in which they came."""
        import numpy as np

        self._write()
        spans = [(at, starts[first], starts[last]) for at, starts in self._runs]
        rows = np.empty((sum(high - low for _, low, high in spans), self.width), dtype=np.uint64)
        filled = 0
        for at, low, high in spans:
            if high > low:
                self._file.into(at + 8 * self.width * low, rows[filled : filled + high - low])
                filled += high - low
        columns = tuple(rows.T.copy()) if self.width > 1 else (rows[:, 0],)
        return _ordered(columns) if len(self._runs) > 1 else columns

    def _write(self) -> None:
        import numpy as np

        if not self._held:
            return
        gathered = (np.concatenate(parts) for parts in zip(*self._waiting, strict=True))
        columns = _ordered(tuple(column.view(np.uint64) for column in gathered))
        self._waiting, self._held = [], 0
        starts = np.append(np.searchsorted(columns[0], self._edges), len(columns[0]))
        rows = columns[0] if self.width == 1 else np.stack(columns, axis=1)
        self._runs.append((self._file.put(rows), starts))


def together(*runs: Runs) -> Iterator[tuple[Columns, ...]]:
    """The rows of all, range by range, so that equal first numbers come at the same time: for each
    range the columns of each, by rising first number. About RANGE numbers at a time."""
    sizes = sum(one.sizes() for one in runs)
    first = held = 0
    for edge, size in enumerate(sizes.tolist()):  # type: ignore[union-attr]
        if held and held + size > RANGE:
            yield tuple(one.part(first, edge) for one in runs)
            first, held = edge, 0
        held += size
    if held:
        yield tuple(one.part(first, edge + 1) for one in runs)


def counted(values: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """(different numbers, how often each is there) of sorted ones."""
    import numpy as np

    edge = np.flatnonzero(np.append(values[:1] == values[:1], values[1:] != values[:-1]))
    return values[edge], np.diff(edge, append=len(values))


def _bytes(values: NDArray[Any]) -> NDArray[np.uint8]:
    import numpy as np

    return values.reshape(-1).view(np.uint8)


def _ordered(columns: Columns) -> Columns:
    import numpy as np
    import polars

    if len(columns) == 1:
        return (polars.Series(columns[0]).sort().to_numpy(),)
    order = np.argsort(columns[0], kind="stable")
    return tuple(column[order] for column in columns)


def _unwritable(error: OSError) -> ConfigError:
    return ConfigError(
        f"scratch files cannot be written: {error.strerror or error}",
        hint="Set TMPDIR to a folder on a disk with room, about three times the texts' size.",
    )
