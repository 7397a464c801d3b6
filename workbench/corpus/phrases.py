"""From n-grams that stand out to phrases and documents: where they stand, merged and ranked."""

from __future__ import annotations

import dataclasses
import functools
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from workbench.corpus.ngrams import LONGEST, Block

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

EXTENDS = 0.9
"""A phrase gives way to a longer one that stands in this share of its documents."""
COVERS = 0.8
"""A phrase is put under a better one that stands in this share of its documents."""
_COVERED = 12


@dataclasses.dataclass(frozen=True, slots=True)
class Grams:
    """The n-grams to look for, best first, [n-grams] each: hash, length, score, and the hashes of
    the n-gram without its last and without its first word."""

    hash: NDArray[np.uint64]
    length: NDArray[np.int64]
    score: NDArray[np.float64]
    prefix: NDArray[np.uint64]
    suffix: NDArray[np.uint64]


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """A phrase, the n-gram that scores for it, the documents that hold all of it, and phrases that
    mostly the same documents hold."""

    text: str
    gram: int
    documents: tuple[int, ...]
    covers: tuple[str, ...] = ()


class Places:
    """Where n-grams stand: gathered block by block, then merged."""

    def __init__(self, grams: Grams) -> None:
        import numpy as np

        self._grams = grams
        self._order = np.argsort(grams.hash, kind="stable")
        self._sorted = grams.hash[self._order]
        self._words: dict[int, list[str]] = {}
        self._documents: dict[int, set[int]] = defaultdict(set)

    def add(self, block: Block, kept: NDArray[np.bool_]) -> None:
        """Takes the next block in order; kept: which documents of the corpus are counted."""
        import numpy as np

        if not len(self._sorted):
            return
        for n in range(1, LONGEST + 1):
            hashes, start = block.ngrams(n)
            place = np.minimum(np.searchsorted(self._sorted, hashes), len(self._sorted) - 1)
            hit = np.flatnonzero((self._sorted[place] == hashes) & kept[block.document[start]])
            found = self._order[place[hit]]
            order = np.argsort(found, kind="stable")
            found, at = found[order], start[hit][order]
            edges = np.flatnonzero(np.diff(found, prepend=-1, append=-1))
            document = block.document[at]
            for first, last in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
                gram = int(found[first])
                self._documents[gram].update(document[first:last].tolist())
                if gram not in self._words:
                    self._words[gram] = block.words[int(at[first]) : int(at[first]) + n].to_list()

    def entries(self, most: int) -> list[Entry]:
        """At most so many maximal phrases, best first, each with the documents that hold it; one
        that mostly a better one's documents hold is put under that one."""
        shown: list[tuple[Entry, set[int], list[str]]] = []
        for gram, text, documents in self._maximal:
            if len(shown) == most:
                break
            for _, others, covered in shown:
                if len(documents & others) >= COVERS * len(documents):
                    covered.append(text)
                    break
            else:
                entry = Entry(text, gram, tuple(sorted(documents)))
                shown.append((entry, documents, []))
        return [
            dataclasses.replace(entry, covers=tuple(covered[:_COVERED]))
            for entry, _, covered in shown
        ]

    def ranked(self, most: int) -> list[tuple[int, float]]:
        """(document, weight): the sum, over the phrases that a document holds, of their score for
        each document that holds them."""
        weights: dict[int, float] = defaultdict(float)
        for gram, _, documents in self._maximal:
            for document in documents:
                weights[document] += float(self._grams.score[gram]) / len(documents)
        return sorted(weights.items(), key=lambda item: (-item[1], item[0]))[:most]

    @functools.cached_property
    def _maximal(self) -> list[tuple[int, str, set[int]]]:
        """(n-gram, text, documents) of phrases that gave way to no longer one, best first."""
        grams = self._grams
        known = {int(h): i for i, h in enumerate(grams.hash.tolist())}
        absorbed: set[int] = set()
        after: dict[int, list[int]] = defaultdict(list)
        before: dict[int, list[int]] = defaultdict(list)
        for i in range(len(grams.hash)):
            if grams.length[i] < 2:
                continue
            for shorter in (grams.prefix[i], grams.suffix[i]):
                other = known.get(int(shorter))
                if other is not None and self._agree(i, other):
                    absorbed.add(other)
            if grams.length[i] == LONGEST:
                after[int(grams.prefix[i])].append(i)
                before[int(grams.suffix[i])].append(i)
        done: set[int] = set()
        found = []
        for i in range(len(grams.hash)):
            if i in absorbed or i in done or i not in self._words:
                continue
            words, documents = list(self._words[i]), set(self._documents[i])
            done.add(i)
            if grams.length[i] == LONGEST:
                for link in self._links(i, after, grams.suffix, done):
                    words.append(self._words[link][-1])
                    documents &= self._documents[link]
                for link in self._links(i, before, grams.prefix, done):
                    words.insert(0, self._words[link][0])
                    documents &= self._documents[link]
            found.append((i, " ".join(words), documents))
        return found

    def _links(
        self, gram: int, next_to: dict[int, list[int]], edge: NDArray[np.uint64], done: set[int]
    ) -> Iterator[int]:
        """The n-grams that carry this one on in one direction, word by word, where they stand in
        most of its documents."""
        at = gram
        while options := [
            i for i in next_to[int(edge[at])] if i not in done and self._agree(i, gram)
        ]:
            at = max(options, key=lambda i: len(self._documents[i] & self._documents[gram]))
            done.add(at)
            yield at

    def _agree(self, one: int, other: int) -> bool:
        """Whether the first stands in most of the second's documents."""
        wanted = self._documents[other]
        return len(self._documents[one] & wanted) >= EXTENDS * len(wanted)
