"""Near-duplicates by MinHash and banding, and what the members of a cluster have in common.

MinHash: Broder 1997, the share of equal minima estimates the Jaccard similarity of two sets of
shingles; banding: Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, chapter 3.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from workbench.corpus.ngrams import Block, blocks
from workbench.corpus.scratch import Scratch

if TYPE_CHECKING:
    import numpy as np
    import pyarrow
    from numpy.typing import NDArray

MINIMA = 32
SHINGLE = 3
"""Shingles are the runs of 1 to this many words."""
SLOT = "…"
_NO_WORDS = 0xFFFFFFFF
_PART = 8192
_PAIRS = 200_000


class Signatures:
    """MinHash signatures of documents in a scratch file, 128 bytes each, gathered block by block.

    A document without words has 2**32 - 1 throughout.
    """

    def __init__(self) -> None:
        self._file = Scratch()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, block: Block) -> None:
        """Takes the next block in order."""
        import numpy as np

        signature = np.full((block.documents, MINIMA), _NO_WORDS, dtype=np.uint32)
        for n in range(1, SHINGLE + 1):
            hashes, start = block.ngrams(n)
            if not len(hashes):
                continue
            document = block.document[start] - block.first
            edge = np.flatnonzero(np.diff(document, prepend=-1))
            seen = document[edge]
            mixed = np.empty_like(hashes)
            for i, (multiplier, addend) in enumerate(_permutations()):
                np.multiply(hashes, multiplier, out=mixed)
                np.add(mixed, addend, out=mixed)
                least = (np.minimum.reduceat(mixed, edge) >> np.uint64(32)).astype(np.uint32)
                signature[seen, i] = np.minimum(signature[seen, i], least)
        self._file.put(signature)
        self._length += block.documents

    def extend(self, other: Signatures) -> None:
        """Takes all of another corpus."""
        for _, part in other.parts():
            self._file.put(part)
            self._length += len(part)

    def parts(self) -> Iterator[tuple[int, NDArray[np.uint32]]]:
        """(number of the first, signatures [documents, MINIMA]) of all in order, some at a time."""
        for first in range(0, self._length, _PART):
            yield first, self._read(first)

    def rows(self, numbers: NDArray[np.int64]) -> NDArray[np.uint32]:
        """The signatures of documents by rising number, [documents, MINIMA]."""
        import numpy as np

        found = np.empty((len(numbers), MINIMA), dtype=np.uint32)
        edges = np.searchsorted(numbers, np.arange(0, self._length + _PART, _PART))
        for i in np.flatnonzero(np.diff(edges)).tolist():
            wanted = slice(edges[i], edges[i + 1])
            found[wanted] = self._read(i * _PART)[numbers[wanted] - i * _PART]
        return found

    def _read(self, first: int) -> NDArray[np.uint32]:
        import numpy as np

        part = np.empty((min(_PART, self._length - first), MINIMA), dtype=np.uint32)
        self._file.into(4 * MINIMA * first, part)
        return part


def join(signatures: Signatures, similarity: float) -> NDArray[np.int64]:
    """For each document the first of its cluster, [documents]: those whose estimated similarity to
    a member of it is at least `similarity`. A document without words is alone.

    Bands are as wide as keeps the chance to miss a pair of just that similarity below 2 %. Takes
    some 50 bytes a document.
    """
    import numpy as np

    leader = np.arange(len(signatures))
    width = next(w for w in (8, 4, 2, 1) if (1 - similarity**w) ** (MINIMA // w) < 0.02 or w == 1)
    for band in range(0, MINIMA, width):
        order, key = _by_band(signatures, band, width)
        same = np.flatnonzero(key[1:] == key[:-1])
        left, right = order[same], order[same + 1]
        del order, key, same
        apart = leader[left] != leader[right]
        left, right = left[apart], right[apart]
        for first in range(0, len(left), _PAIRS):
            _unite(leader, left[first : first + _PAIRS], right[first : first + _PAIRS],
                   signatures, similarity)  # fmt: skip
        while not np.array_equal(leader, leader[leader]):
            leader = leader[leader]
    return leader


def _by_band(
    signatures: Signatures, band: int, width: int
) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """The documents that have words by rising key of a band, and their keys."""
    import numpy as np

    key = np.zeros(len(signatures), dtype=np.uint64)
    worded = np.zeros(len(signatures), dtype=bool)
    for first, part in signatures.parts():
        here = slice(first, first + len(part))
        worded[here] = part.min(axis=1) != _NO_WORDS
        for column in range(band, band + width):
            key[here] = key[here] * np.uint64(0x9E3779B97F4A7C15) + part[:, column]
    order = np.argsort(key, kind="stable")
    order = order[worded[order]]
    return order, key[order]


def _unite(
    leader: NDArray[np.int64],
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    signatures: Signatures,
    similarity: float,
) -> None:
    """Puts each pair that is alike enough into one cluster."""
    import numpy as np

    numbers = np.unique(np.concatenate([left, right]))
    rows = signatures.rows(numbers)
    one, other = rows[np.searchsorted(numbers, left)], rows[np.searchsorted(numbers, right)]
    alike = (one == other).mean(axis=1) >= similarity
    for a, b in zip(left[alike].tolist(), right[alike].tolist(), strict=True):
        first, second = _root(leader, a), _root(leader, b)
        leader[max(first, second)] = min(first, second)


@dataclasses.dataclass(frozen=True, slots=True)
class Cluster:
    """Documents that are near-duplicates of each other: their numbers, and their share of all."""

    members: tuple[int, ...]
    share: float


def skeleton(texts: Sequence[str], *, shared: float = 0.9) -> str:
    """The words, in order, that at least so large a share of the texts have in common; SLOT stands
    where they differ."""
    words = [text.split() for text in texts]
    kept = list(words[0])
    votes = Counter({i: 1 for i in range(len(kept))})
    for other in words[1:]:
        votes.update(i for i in _common(kept, other))
    needed = shared * len(words)
    parts: list[str] = []
    for i, word in enumerate(kept):
        if votes[i] >= needed:
            parts.append(word)
        elif not parts or parts[-1] != SLOT:
            parts.append(SLOT)
    return " ".join(parts)


def _common(kept: Sequence[str], other: Sequence[str]) -> Iterable[int]:
    from difflib import SequenceMatcher

    for match in SequenceMatcher(None, kept, other, autojunk=False).get_matching_blocks():
        yield from range(match.a, match.a + match.size)


def _root(leader: NDArray[np.int64], i: int) -> int:
    while leader[i] != i:
        leader[i] = leader[leader[i]]
        i = int(leader[i])
    return i


def _permutations() -> list[tuple[np.uint64, np.uint64]]:
    import numpy as np

    dice = np.random.default_rng(20_261)
    numbers = dice.integers(1, 2**63, size=(MINIMA, 2), dtype=np.uint64)
    return [(m | np.uint64(1), a) for m, a in numbers]


@dataclasses.dataclass(frozen=True, slots=True)
class Compared:
    """A cluster over two corpora: how many of its members are in the first (`cluster` lists these
    alone), how many in the other, and signed G2 of the one share against the other."""

    cluster: Cluster
    control: int
    g2: float


def compare(
    here: Signatures,
    there: Signatures,
    *,
    similarity: float,
    at_least: int,
) -> list[Compared]:
    """Clusters of at least so many documents here, by falling G2 against those there.

    Joined together, so that a template that both corpora share is one cluster.
    """
    import numpy as np

    from workbench.corpus.contrast import signed_g2

    both = Signatures()
    both.extend(here)
    both.extend(there)
    leader = join(both, similarity)
    n, m = len(here), len(there)
    ids, numbers = np.unique(leader, return_inverse=True)
    a = np.bincount(numbers[:n], minlength=len(ids))
    b = np.bincount(numbers[n:], minlength=len(ids))
    g2 = signed_g2(a, max(1, n), b, max(1, m))
    order = np.argsort(numbers[:n], kind="stable")
    edges = np.concatenate([[0], np.cumsum(a)])
    found = [
        Compared(
            Cluster(tuple(order[edges[i] : edges[i + 1]].tolist()), float(a[i] / n)),
            int(b[i]),
            float(g2[i]),
        )
        for i in np.flatnonzero(a >= at_least).tolist()
    ]
    return sorted(found, key=lambda c: (-c.g2, c.cluster.members))


def signatures(batches: Iterable[pyarrow.RecordBatch]) -> Signatures:
    """The MinHash signatures of a corpus."""
    gathered = Signatures()
    for block in blocks(batches):
        gathered.add(block)
    return gathered
