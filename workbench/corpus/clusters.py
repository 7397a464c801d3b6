"""Near-duplicates by MinHash and banding, and what the members of a cluster have in common.

MinHash: Broder 1997, the share of equal minima estimates the Jaccard similarity of two sets of
shingles; banding: Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, chapter 3.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from workbench.corpus.ngrams import Block, blocks

if TYPE_CHECKING:
    import numpy as np
    import pyarrow
    from numpy.typing import NDArray

MINIMA = 32
SHINGLE = 3
"""Shingles are the runs of 1 to this many words."""
SLOT = "…"


class Signatures:
    """MinHash signatures of documents, gathered block by block: 128 bytes a document."""

    def __init__(self) -> None:
        self._parts: list[NDArray[np.uint32]] = []

    def add(self, block: Block) -> None:
        """Takes the next block in order."""
        import numpy as np

        signature = np.full((block.documents, MINIMA), 0xFFFFFFFF, dtype=np.uint32)
        for n in range(1, SHINGLE + 1):
            hashes, start = block.ngrams(n)
            if not len(hashes):
                continue
            document = block.document[start] - block.first
            edge = np.flatnonzero(np.diff(document, prepend=-1))
            seen = document[edge]
            for i, (multiplier, addend) in enumerate(_permutations()):
                mixed = (hashes * multiplier + addend) >> np.uint64(32)
                least = np.minimum.reduceat(mixed, edge).astype(np.uint32)
                signature[seen, i] = np.minimum(signature[seen, i], least)
        self._parts.append(signature)

    def all(self) -> NDArray[np.uint32]:
        """[documents, MINIMA]; a document without words has 2**32 - 1 throughout."""
        import numpy as np

        if not self._parts:
            return np.empty((0, MINIMA), dtype=np.uint32)
        if len(self._parts) > 1:
            self._parts = [np.concatenate(self._parts)]
        return self._parts[0]


def join(signatures: NDArray[np.uint32], similarity: float) -> NDArray[np.int64]:
    """For each document the first of its cluster, [documents]: those whose estimated similarity to
    a member of it is at least `similarity`. A document without words is alone.

    Bands are as wide as keeps the chance to miss a pair of just that similarity below 2 %.
    """
    import numpy as np

    n = len(signatures)
    leader = np.arange(n)
    width = next(w for w in (8, 4, 2, 1) if (1 - similarity**w) ** (MINIMA // w) < 0.02 or w == 1)
    worded = np.flatnonzero(signatures.min(axis=1) != 0xFFFFFFFF)
    for band in range(0, MINIMA, width):
        key = np.zeros(len(worded), dtype=np.uint64)
        for column in range(band, band + width):
            key = key * np.uint64(0x9E3779B97F4A7C15) + signatures[worded, column]
        order = np.argsort(key, kind="stable")
        ordered = key[order]
        same = np.flatnonzero(ordered[1:] == ordered[:-1])
        left, right = worded[order[same]], worded[order[same + 1]]
        alike = (signatures[left] == signatures[right]).mean(axis=1) >= similarity
        for a, b in zip(left[alike].tolist(), right[alike].tolist(), strict=True):
            one, other = _root(leader, a), _root(leader, b)
            leader[max(one, other)] = min(one, other)
    while not np.array_equal(leader, leader[leader]):
        leader = leader[leader]
    return leader


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
    here: NDArray[np.uint32],
    there: NDArray[np.uint32],
    *,
    similarity: float,
    at_least: int,
) -> list[Compared]:
    """Clusters of at least so many documents here, by falling G2 against those there.

    Both are signatures, [documents, MINIMA]; joined together, so that a template that both corpora
    share is one cluster.
    """
    import numpy as np

    from workbench.corpus.contrast import signed_g2

    leader = join(np.concatenate([here, there]), similarity)
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


def signatures(batches: Iterable[pyarrow.RecordBatch]) -> NDArray[np.uint32]:
    """The MinHash signatures of a corpus, [documents, MINIMA]."""
    gathered = Signatures()
    for block in blocks(batches):
        gathered.add(block)
    return gathered.all()
