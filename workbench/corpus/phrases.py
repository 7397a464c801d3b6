"""From n-grams that stand out to phrases and documents: where they stand, merged and ranked."""

from __future__ import annotations

import dataclasses
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeAlias

from workbench.corpus.ngrams import LONGEST, Block, Filter, blocks, firsts
from workbench.corpus.scratch import Runs

if TYPE_CHECKING:
    import numpy as np
    import pyarrow
    from numpy.typing import NDArray

    Documents: TypeAlias = NDArray[np.uint32]
    """Numbers of documents, rising."""

EXTENDS = 0.9
"""A phrase gives way to a longer one that stands in this share of its documents."""
COVERS = 0.8
"""A phrase is put under a better one that stands in this share of its documents."""
_COVERED = 12


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """A phrase, the n-gram that scores for it, the documents that hold all of it, and phrases that
    mostly the same documents hold."""

    text: str
    gram: int
    documents: array[int]
    covers: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class _Spot:
    """Where an n-gram stands: its document and its first word's number there; how many words it
    has; the hashes of the n-gram without its last and without its first."""

    document: int
    word: int
    length: int
    prefix: int
    suffix: int


class Places:
    """Where n-grams stand, gathered block by block, then merged. The n-grams are given best first:
    hash and score of each, [n-grams]."""

    def __init__(self, hashes: NDArray[np.uint64], score: NDArray[np.float64]) -> None:
        import numpy as np

        self._hashes, self._score = hashes, score
        self._order = np.argsort(hashes, kind="stable")
        self._filter = Filter()
        self._filter.add(hashes)
        self._spots: dict[int, _Spot] = {}
        self._found = Runs(edges=np.arange(max(1, len(hashes)), dtype=np.uint64) << np.uint64(32))

    def add(self, block: Block) -> None:
        """Takes the next block in order."""
        import numpy as np

        ordered = self._hashes[self._order]
        shorter = np.zeros(len(block.hashes) + 1, dtype=np.uint64)
        for n in range(1, LONGEST + 1):
            hashes = block.hashed(n)
            at = np.flatnonzero(self._filter.has(hashes) & block.whole(n))
            place = np.searchsorted(ordered, hashes[at])
            place[place == len(ordered)] = 0
            same = ordered[place] == hashes[at]
            at, grams = at[same], self._order[place[same]]
            pairs = (grams << 32 | block.document[at]).view(np.uint64)
            self._found.add(pairs[firsts(pairs)])
            for first in firsts(grams.view(np.uint64)).tolist():
                if int(grams[first]) not in self._spots:
                    self._spots[int(grams[first])] = _spot(block, n, int(at[first]), shorter)
            shorter = hashes

    def spelled(self, read: Callable[[], Iterable[pyarrow.RecordBatch]]) -> dict[int, list[str]]:
        """The words of each n-gram, as a document has them."""
        import numpy as np

        spots = sorted(self._spots.items(), key=lambda item: item[1].document)
        numbers, which = np.unique(
            np.array([spot.document for _, spot in spots], dtype=np.int64), return_inverse=True
        )
        words = {}
        for block in blocks(_rows(read(), numbers)):
            low, high = np.searchsorted(which, (block.first, block.first + block.documents))
            for (gram, spot), document in zip(spots[low:high], which[low:high], strict=True):
                start = int(np.searchsorted(block.document, document)) + spot.word
                words[gram] = block.words[start : start + spot.length].to_list()
        return words

    def merged(
        self, words: dict[int, list[str]], n: int, most: int
    ) -> tuple[list[Entry], tuple[tuple[int, float], ...]]:
        """At most so many maximal phrases, best first, each with the documents that hold it; one
        that mostly a better one's documents hold is put under that one. And of the n documents
        those of most weight, (document, weight): the sum, over all the phrases that a document
        holds, of their score for each document that holds them."""
        import numpy as np

        weights = np.zeros(n)
        shown: list[tuple[int, str, Documents, list[str]]] = []
        for gram, text, documents in self._maximal(words):
            weights[documents] += float(self._score[gram]) / max(1, len(documents))
            if len(shown) == most:
                continue
            for _, _, others, covered in shown:
                if _shared(documents, others) >= COVERS * len(documents):
                    covered.append(text)
                    break
            else:
                shown.append((gram, text, documents, []))
        entries = [
            Entry(text, gram, array("I", documents.tobytes()), tuple(covered[:_COVERED]))
            for gram, text, documents, covered in shown
        ]
        some = np.flatnonzero(weights)
        top = some[np.lexsort((some, -weights[some]))[:most]]
        return entries, tuple(zip(top.tolist(), weights[top].tolist(), strict=True))

    def _maximal(self, words: dict[int, list[str]]) -> Iterator[tuple[int, str, Documents]]:
        """(n-gram, text, documents) of phrases that gave way to no longer one, best first."""
        import numpy as np

        held = self._found.sizes()
        known = {h: i for i, h in enumerate(self._hashes.tolist())}
        absorbed: set[int] = set()
        after: dict[int, list[int]] = defaultdict(list)
        before: dict[int, list[int]] = defaultdict(list)
        for i in range(len(known)):
            spot = self._spots[i]
            if spot.length < 2:
                continue
            for shorter in (spot.prefix, spot.suffix):
                other = known.get(shorter)
                if other is not None and held[i] >= EXTENDS * held[other]:
                    absorbed.add(other)
            if spot.length == LONGEST:
                after[spot.prefix].append(i)
                before[spot.suffix].append(i)
        done: set[int] = set()
        for i in range(len(known)):
            if i in absorbed or i in done:
                continue
            said, documents = list(words[i]), self._documents(i)
            whole = documents
            done.add(i)
            if self._spots[i].length == LONGEST:
                for link in self._links(i, whole, after, lambda spot: spot.suffix, done):
                    said.append(words[link][-1])
                    documents = np.intersect1d(documents, self._documents(link), True)
                for link in self._links(i, whole, before, lambda spot: spot.prefix, done):
                    said.insert(0, words[link][0])
                    documents = np.intersect1d(documents, self._documents(link), True)
            yield i, " ".join(said), documents

    def _links(
        self,
        gram: int,
        documents: Documents,
        next_to: dict[int, list[int]],
        edge: Callable[[_Spot], int],
        done: set[int],
    ) -> Iterator[int]:
        """The n-grams that carry this one on in one direction, word by word, where they stand in
        most of its documents."""
        at = gram
        while True:
            options = [i for i in next_to[edge(self._spots[at])] if i not in done]
            shared = {i: _shared(self._documents(i), documents) for i in options}
            at = max(options, key=lambda i: shared[i], default=gram)
            if at == gram or shared[at] < EXTENDS * len(documents):
                return
            done.add(at)
            yield at

    def _documents(self, gram: int) -> Documents:
        import numpy as np

        (found,) = self._found.part(gram, gram + 1)
        return (found & np.uint64(0xFFFFFFFF)).astype(np.uint32)


def _spot(block: Block, n: int, start: int, shorter: NDArray[np.uint64]) -> _Spot:
    import numpy as np

    document = int(block.document[start])
    word = start - int(np.searchsorted(block.document, document))
    return _Spot(document, word, n, int(shorter[start]), int(shorter[start + 1]))


def _rows(
    batches: Iterable[pyarrow.RecordBatch], numbers: NDArray[np.int64]
) -> Iterator[pyarrow.RecordBatch]:
    """The rows with these numbers, which rise."""
    import pyarrow

    first = 0
    for batch in batches:
        low, high = numbers.searchsorted((first, first + batch.num_rows))
        yield batch.take(pyarrow.array(numbers[low:high] - first))
        first += batch.num_rows


def _shared(one: Documents, other: Documents) -> int:
    """How many documents are among both."""
    import numpy as np

    few, many = sorted((one, other), key=len)
    if not len(few):
        return 0
    place = np.minimum(np.searchsorted(many, few), len(many) - 1)
    return int((many[place] == few).sum())
