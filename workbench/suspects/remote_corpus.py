"""Training data that a host serves, batch by batch as it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workbench.access import Usage
from workbench.corpus import Corpus, Document
from workbench.corpus.documents import ROWS_PER_BATCH, from_stream
from workbench.suspects.connection import Connection
from workbench.suspects.wire import amounts

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

    def rows(self, ids: Sequence[str]) -> list[Document]:
        from workbench.corpus.documents import documents_of

        found = {d.id: d for d in documents_of(self._ask("/audit/corpus/rows", {"ids": [*ids]}))}
        return [found[i] for i in ids]

    def _ask(self, path: str, asked: Mapping[str, Any]) -> pyarrow.RecordBatch:
        left = self.usage.left("documents")
        within = {} if left is None else {"documents": int(left)}
        start, part, _ = self._host.frames(path, {**asked, "of": self._of, "within": within})
        self.usage.spend(**amounts(start.header.get("spent"), ("documents",)))
        return from_stream(part.blobs[0])
