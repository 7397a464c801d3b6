"""Word n-grams of a stream of documents, as hashes: what contrast, clusters and bursts count.

Words are runs of letters and digits in lower case, with apostrophes and hyphens inside. N-grams do
not cross turns. Hashes have 64 bits: among 10**7 n-grams, two share one by chance once in 400,000
corpora.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from workbench.corpus.scratch import Scratch

if TYPE_CHECKING:
    import numpy as np
    import polars
    import pyarrow
    from numpy.typing import NDArray

LONGEST = 5
BLOCK_BYTES = 3_000_000
WORD = "[\\p{L}\\p{N}]+(?:['\u2019-][\\p{L}\\p{N}]+)*"

_FILTER_BITS = 29
_MIX = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)


@dataclasses.dataclass(frozen=True)
class Block:
    """The words of some documents, as hashes [tokens] uint64; lengths: how many each turn has,
    [turns]; of_turn: its document (by its number in the corpus), [turns]; documents: how many
    documents the block has; first: its first one."""

    hashes: NDArray[np.uint64]
    lengths: NDArray[np.int64]
    of_turn: NDArray[np.int64]
    documents: int
    first: int

    @functools.cached_property
    def document(self) -> NDArray[np.int64]:
        """The document that each word stands in, [tokens]."""
        import numpy as np

        return np.repeat(self.of_turn, self.lengths)

    @functools.cached_property
    def turn(self) -> NDArray[np.int64]:
        """The turn of the block that each word stands in, [tokens]."""
        import numpy as np

        return np.repeat(np.arange(len(self.lengths)), self.lengths)

    def hashed(self, n: int) -> NDArray[np.uint64]:
        """The hash of the n words from each word on, over the ends of turns as well,
        [tokens - n + 1]."""
        return combine(self._shifted(self.hashes, n))

    def whole(self, n: int) -> NDArray[np.bool_]:
        """Whether those n words are of one turn, [tokens - n + 1]."""
        shifted = self._shifted(self.turn, n)
        whole: NDArray[np.bool_] = shifted[0] == shifted[-1]
        return whole

    def ngrams(self, n: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """(hash, start): of every run of n words within a turn, and the token it starts at."""
        import numpy as np

        start = np.flatnonzero(self.whole(n))
        return self.hashed(n)[start], start

    @staticmethod
    def _shifted(values: NDArray[Any], n: int) -> list[NDArray[Any]]:
        count = max(0, len(values) - n + 1)
        return [values[i : i + count] for i in range(n)]


@dataclasses.dataclass(frozen=True)
class Text(Block):
    """A block with its words in lower case, [tokens]."""

    words: polars.Series


class Stored:
    """The blocks of a corpus in a scratch file, without their words: 8 bytes a word, 16 a turn.

    documents: how many came; kept: which of them `blocks` gives, [documents], to be set when all
    have come."""

    def __init__(self) -> None:
        import numpy as np

        self._file = Scratch()
        self._index: list[tuple[int, int, int, int, int]] = []
        self.documents = 0
        self.kept = np.empty(0, dtype=bool)

    def add(self, block: Block) -> None:
        """Takes the next block in order."""
        import numpy as np

        parts = (block.hashes, block.lengths.view(np.uint64), block.of_turn.view(np.uint64))
        at = self._file.put(np.concatenate(parts))
        tokens, turns = len(block.hashes), len(block.lengths)
        self._index.append((at, tokens, turns, block.documents, block.first))
        self.documents += block.documents

    def blocks(self) -> Iterator[Block]:
        """The blocks in order, with the documents that are kept."""
        import numpy as np

        for at, tokens, turns, documents, first in self._index:
            read = np.empty(tokens + 2 * turns, dtype=np.uint64)
            self._file.into(at, read)
            hashes, rest = read[:tokens], read[tokens:].view(np.int64)
            lengths, of_turn = rest[:turns], rest[turns:]
            kept = self.kept[of_turn]
            if not kept.all():
                hashes = hashes[np.repeat(kept, lengths)]
                lengths, of_turn = lengths[kept], of_turn[kept]
            yield Block(hashes, lengths, of_turn, documents, first)


class Filter:
    """A set of hashes in 64 MB that never denies one it holds; of those that it does not hold it
    lets as many pass as it is full: 2 % where 10**7 are in it."""

    def __init__(self) -> None:
        import numpy as np

        self._bits = np.zeros(1 << (_FILTER_BITS - 3), dtype=np.uint8)

    def add(self, hashes: NDArray[np.uint64]) -> None:
        """Takes hashes in."""
        import numpy as np

        byte, bit = self._place(hashes)
        np.bitwise_or.at(self._bits, byte, np.left_shift(np.uint8(1), bit))

    def has(self, hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Whether each may be in it."""
        byte, bit = self._place(hashes)
        has: NDArray[np.bool_] = (self._bits.take(byte) >> bit & 1).astype(bool)
        return has

    def _place(self, hashes: NDArray[np.uint64]) -> tuple[Any, Any]:
        import numpy as np

        place = hashes >> np.uint64(64 - _FILTER_BITS)
        return (place >> np.uint64(3)).view(np.int64), (place & np.uint64(7)).astype(np.uint8)


def combine(words: list[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    """The hash of the n-gram of these word hashes, [n-grams] each."""
    import numpy as np

    if len(words) == 1:
        return words[0]
    first, second, third = (np.uint64(m) for m in _MIX)
    shift = np.uint64(29)
    made = words[0] ^ np.uint64(len(words))
    for word in words[1:]:
        made = (made ^ (made >> shift)) * first + word * second
    return (made ^ (made >> shift)) * third


def firsts(keys: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """Where each different key comes first."""
    import polars

    return polars.Series(keys).arg_unique().to_numpy()


def blocks(batches: Iterable[pyarrow.RecordBatch]) -> Iterator[Text]:
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
        offsets = lists.offsets.to_numpy().astype(np.int64)
        of_turn = np.repeat(np.arange(batch.num_rows), np.diff(offsets)) + first
        yield Text(words.hash(seed=1).to_numpy(), lengths, of_turn, batch.num_rows, first, words)
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
