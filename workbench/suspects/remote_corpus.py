"""Training data that a host serves, batch by batch as it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workbench.access import Usage
from workbench.corpus import Corpus
from workbench.corpus.documents import ROWS_PER_BATCH
from workbench.corpus.streams import from_stream, to_stream
from workbench.errors import BudgetExceeded
from workbench.suspects.connection import Connection
from workbench.suspects.wire import BrokenStream, amounts

if TYPE_CHECKING:
    import pyarrow


class RemoteCorpus(Corpus):
    """A corpus on a host; every row that is asked for is booked there and in `usage`."""

    def __init__(self, host: Connection, of: str, card: Mapping[str, Any], usage: Usage) -> None:
        super().__init__((), usage)
        self._host, self._of, self._card = host, of, card

    @property
    def documents(self) -> int:
        return int(self._card["documents"])

    @property
    def bytes(self) -> int:
        return int(self._card["bytes"])

    def fingerprint(self) -> str:
        return str(self._host.get(f"/audit/fingerprint?of={self._of}")["parts"]["corpus"])

    def batches(self, rows: int = ROWS_PER_BATCH) -> Iterator[pyarrow.RecordBatch]:
        start = 0
        while start < self.documents:
            batch = self.batch(start, rows)
            yield batch
            start += batch.num_rows

    def batch(self, start: int, rows: int = ROWS_PER_BATCH) -> pyarrow.RecordBatch:
        """As much of it as the budget reaches; BudgetExceeded where that is nothing."""
        return self._ask("/audit/corpus/batch", {"start": start, "rows": rows})

    def reader(
        self, *, most: int | None = None, rows: int = ROWS_PER_BATCH
    ) -> Callable[[], Iterator[pyarrow.RecordBatch]]:
        """Asks for every row once; what came is kept compressed in memory for the next reading."""
        kept: list[tuple[int, bytes]] = []
        total = self.documents if most is None else min(most, self.documents)
        asked = 0

        def read() -> Iterator[pyarrow.RecordBatch]:
            nonlocal asked
            import pyarrow

            seen = 0
            while True:
                if seen == len(kept):
                    if asked >= total:
                        return
                    batch = self._whole(asked, min(rows, total - asked))
                    asked += batch.num_rows
                    stream = to_stream(batch)
                    kept.append((len(stream), pyarrow.compress(stream, "zstd", asbytes=True)))
                else:
                    size, packed = kept[seen]
                    batch = from_stream(pyarrow.decompress(packed, size, "zstd", asbytes=True))
                seen += 1
                yield batch

        return read

    def selected(self, ids: Sequence[str]) -> pyarrow.RecordBatch:
        return self._ask("/audit/corpus/rows", {"ids": [*dict.fromkeys(ids)]})

    def _whole(self, start: int, rows: int) -> pyarrow.RecordBatch:
        """All these rows, or BudgetExceeded before any is asked for, as a local reader does it."""
        left = self.usage.left("documents")
        if left is not None and left < rows:
            raise BudgetExceeded(
                f"{rows} documents asked, {int(left)} left",
                hint="Ask for less, or for a larger budget.",
            )
        batch = self.batch(start, rows)
        if not batch.num_rows:
            raise BrokenStream(f"no rows where {rows} were due")
        return batch

    def _ask(self, path: str, asked: Mapping[str, Any]) -> pyarrow.RecordBatch:
        left = self.usage.left("documents")
        within = {} if left is None else {"documents": int(left)}
        start, part, _ = self._host.frames(path, {**asked, "of": self._of, "within": within})
        self.usage.spend(**amounts(start.header.get("spent"), ("documents",)))
        return from_stream(part.blobs[0])
