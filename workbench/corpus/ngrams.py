"""Word n-grams of a stream of documents, as hashes: what contrast, clusters and bursts count.

Words are runs of letters and digits in lower case, with apostrophes and hyphens inside. N-grams do
not cross turns. Hashes have 64 bits: among 10**7 n-grams, two share one by chance once in 400,000
corpora.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import polars
    import pyarrow
    from numpy.typing import NDArray

LONGEST = 5
BLOCK_BYTES = 3_000_000
WORD = "[\\p{L}\\p{N}]+(?:['\u2019-][\\p{L}\\p{N}]+)*"

_MIX = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)


@dataclasses.dataclass(frozen=True, slots=True)
class Block:
    """The words of some documents: `words` [tokens] in lower case; `hashes` [tokens] uint64;
    `turn` [tokens] the turn (of the block) and `document` [tokens] the document (of the corpus)
    that each stands in; documents: how many documents the block has; first: its first one."""

    words: polars.Series
    hashes: NDArray[np.uint64]
    turn: NDArray[np.int64]
    document: NDArray[np.int64]
    documents: int
    first: int

    def ngrams(self, n: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """(hash, start): of every run of n words within a turn, and the token it starts at."""
        import numpy as np

        if n == 1:
            return self.hashes, np.arange(len(self.hashes))
        count = max(0, len(self.hashes) - n + 1)
        made = combine([self.hashes[i : i + count] for i in range(n)])
        whole = self.turn[:count] == self.turn[n - 1 :]
        start = np.flatnonzero(whole)
        return made[start], start

    def all_ngrams(self) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]:
        """(hash, start, n) of every n-gram of 1 to LONGEST words."""
        import numpy as np

        parts = [self.ngrams(n) for n in range(1, LONGEST + 1)]
        lengths = [np.full(len(h), n + 1, dtype=np.int64) for n, (h, _) in enumerate(parts)]
        return (
            np.concatenate([h for h, _ in parts]),
            np.concatenate([s for _, s in parts]),
            np.concatenate(lengths),
        )


def combine(words: list[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    """The hash of the n-gram of these word hashes, [n-grams] each."""
    import numpy as np

    first, second, third = (np.uint64(m) for m in _MIX)
    shift = np.uint64(29)
    made = words[0] ^ np.uint64(len(words))
    for word in words[1:]:
        made = (made ^ (made >> shift)) * first + word * second
    if len(words) > 1:
        made = (made ^ (made >> shift)) * third
    return made


def blocks(batches: Iterable[pyarrow.RecordBatch]) -> Iterator[Block]:
    """The words of each batch, cut to about BLOCK_BYTES of text; documents are numbered on from
    block to block."""
    import numpy as np
    import polars

    first = 0
    for batch in _cut(batches):
        lists = batch.column("messages")
        content = polars.from_arrow(lists.flatten().field("content"))
        assert isinstance(content, polars.Series)
        found = content.str.to_lowercase().str.extract_all(WORD)
        lengths = found.list.len().to_numpy().astype(np.int64)
        words = found.filter(found.list.len() > 0).explode()
        turn = np.repeat(np.arange(len(lengths)), lengths)
        offsets = lists.offsets.to_numpy().astype(np.int64)
        per_document = np.diff(offsets)
        of_turn = np.repeat(np.arange(len(per_document)), per_document) + first
        yield Block(
            words, words.hash(seed=1).to_numpy(), turn, of_turn[turn], batch.num_rows, first
        )
        first += batch.num_rows


def _cut(batches: Iterable[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
    for batch in batches:
        rows = max(1, int(batch.num_rows * BLOCK_BYTES / max(1, batch.nbytes)))
        for start in range(0, batch.num_rows, rows):
            yield batch.slice(start, rows)


def documents_by_hash(
    hashes: NDArray[np.uint64], document: NDArray[Any]
) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
    """(hash, in how many different documents), sorted by hash."""
    import numpy as np
    import polars

    frame = polars.DataFrame({"hash": hashes, "document": document})
    counted = frame.unique().group_by("hash").len().sort("hash")
    return counted["hash"].to_numpy(), counted["len"].to_numpy().astype(np.uint32)
