"""What a corpus says that another does not: word n-grams by the documents that hold them.

Two scores. Signed G2 (Dunning 1993) of an n-gram's documents here against there; it cannot tell an
n-gram that the other corpus lacks by chance from one that it could not have. So an n-gram that the
other corpus lacks altogether is scored by G2 against what a Markov chain over the other corpus'
shorter n-grams expects there: `surprise`, twice the Poisson log-likelihood ratio.
Near-duplicates are collapsed first, in both corpora: a text counts once, however often it is there.
"""

from __future__ import annotations

import dataclasses
from array import array
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

from workbench.corpus.clusters import Signatures, join
from workbench.corpus.counting import Counts
from workbench.corpus.ngrams import Stored, blocks
from workbench.corpus.phrases import Places

if TYPE_CHECKING:
    import numpy as np
    import pyarrow
    from numpy.typing import ArrayLike, NDArray

Batches: TypeAlias = "Callable[[], Iterable[pyarrow.RecordBatch]]"
"""A corpus that can be read again."""

NEAR_DUPLICATE = 0.8
"""Estimated Jaccard similarity from which two documents count as one."""
_KEPT = 4_000


@dataclasses.dataclass(frozen=True, slots=True)
class Phrase:
    """Words that stand out, as long as the documents that hold them go on to agree.

    documents: numbers of those that hold it (of n); control_documents: how many of control_n do;
    expected: how many would here at the other corpus' rate, by what is observed or by the chain;
    score: signed G2, or `surprise` where only_here; p: one-sided hypergeometric, times all n-grams
    tried (Bonferroni). covers: other phrases that mostly the same documents hold.
    """

    text: str
    documents: array[int]
    n: int
    control_documents: int
    control_n: int
    expected: float
    score: float
    only_here: bool
    p: float
    tried: int
    covers: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Contrast:
    """Phrases by falling score, and documents by falling sum of the scores of what they hold.

    n: documents here, collapsed: how many of them were near-duplicates of others and not counted;
    the same for the other corpus.
    """

    phrases: tuple[Phrase, ...]
    documents: tuple[tuple[int, float], ...]
    n: int
    collapsed: int
    control_n: int
    control_collapsed: int


def contrast(
    here: Batches,
    there: Batches,
    *,
    at_least: int = 5,
    most: int = 100,
    collapse: bool = True,
    progress: Callable[[str], None] = lambda what: None,
) -> Contrast:
    """Reads `here` twice and `there` once. Memory does not grow with them but for some 50 bytes a
    document; scratch files take up to three times the texts' size. Raises ConfigError where those
    cannot be written.

    collapse: count near-duplicates once. most: phrases and documents in the result; phrases that
    mostly the same documents hold are one entry. Empty where either corpus has no documents.
    """
    progress("reading both corpora")
    ours, theirs = (_stored(read, collapse) for read in (here, there))
    n, m = ours.documents, theirs.documents
    if not n or not m:
        return Contrast((), (), n, 0, m, 0)
    size, other = int(ours.kept.sum()), int(theirs.kept.sum())
    best = _Best(size, other)
    counts = Counts(ours, theirs, at_least)
    progress("counting phrases")
    for found in counts.found():
        best.offer(*found)
    progress("finding the best phrases in their documents")
    places = Places(best.hash, best.score)
    for block in ours.blocks():
        places.add(block)
    entries, ranked = places.merged(places.spelled(here), n, most)
    phrases = tuple(
        Phrase(
            text=entry.text,
            documents=entry.documents,
            n=size,
            control_documents=b,
            control_n=other,
            expected=float(best.expected[entry.gram]),
            score=float(best.score[entry.gram]),
            only_here=not b,
            p=_p(int(best.here[entry.gram]), size, b, other, counts.tried),
            tried=counts.tried,
            covers=entry.covers,
        )
        for entry in entries
        for b in [int(best.there[entry.gram])]
    )
    return Contrast(phrases, ranked, n, n - size, m, m - other)


def signed_g2(a: ArrayLike, n: int, b: ArrayLike, m: int) -> NDArray[np.float64]:
    """Dunning's G2 of a/n against b/m over the 2x2 table, [terms], signed by the difference.

    Source: Dunning 1993, Computational Linguistics 19, 61.
    """
    import numpy as np
    from scipy.special import xlogy

    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    share = (a + b) / (n + m)
    g2 = 2 * (
        xlogy(a, a / np.maximum(n * share, 1e-300))
        + xlogy(n - a, (n - a) / np.maximum(n * (1 - share), 1e-300))
        + xlogy(b, b / np.maximum(m * share, 1e-300))
        + xlogy(m - b, (m - b) / np.maximum(m * (1 - share), 1e-300))
    )
    signed: NDArray[np.float64] = np.sign(a / n - b / m) * g2
    return signed


def _p(a: int, n: int, b: int, m: int, tried: int) -> float:
    """One-sided p of a/n being no larger than b/m, by the hypergeometric tail, times `tried`."""
    from scipy.stats import hypergeom

    return min(1.0, float(hypergeom.sf(a - 1, n + m, a + b, n)) * tried)


def surprise(a: NDArray[Any], expected: NDArray[np.float64]) -> NDArray[np.float64]:
    """Twice the log-likelihood ratio of a count against a Poisson mean, signed."""
    import numpy as np

    a = a.astype(np.float64)
    mean = np.maximum(expected, 1e-12)
    ratio: NDArray[np.float64] = np.sign(a - mean) * 2 * (a * np.log(a / mean) - (a - mean))
    return ratio


class _Best:
    """The n-grams that score best so far, best first, by rising hash where they score the same:
    hash, documents here and there, documents expected here, score; [n-grams] each."""

    def __init__(self, n: int, m: int) -> None:
        import numpy as np

        self._n, self._m = n, m
        self.hash = np.empty(0, dtype=np.uint64)
        self.here = self.there = np.empty(0, dtype=np.int64)
        self.expected = self.score = np.empty(0)

    def offer(
        self,
        hashes: NDArray[np.uint64],
        here: NDArray[np.int64],
        there: NDArray[np.int64],
        rate: NDArray[np.float64],
    ) -> None:
        """Takes n-grams; rate: how many documents there hold each, observed or estimated."""
        import numpy as np

        expected = rate / self._m * self._n
        g2 = signed_g2(here, self._n, there, self._m)
        score = np.where(there == 0, np.maximum(surprise(here, expected), g2), g2)
        worst = self.score[-1] if len(self.score) == _KEPT else np.nextafter(0, 1)
        at = np.flatnonzero(score >= worst)
        held = (self.hash, self.here, self.there, self.expected, self.score)
        new = (hashes, here, there, expected, score)
        both = [np.append(old, more[at]) for old, more in zip(held, new, strict=True)]
        order = np.lexsort((both[0], -both[4]))[:_KEPT]
        self.hash, self.here, self.there, self.expected, self.score = (c[order] for c in both)


def _stored(read: Batches, collapse: bool) -> Stored:
    """The words of a corpus, and which documents are counted: the first of each set of
    near-duplicates."""
    import numpy as np

    stored, signatures = Stored(), Signatures()
    for block in blocks(read()):
        stored.add(block)
        if collapse:
            signatures.add(block)
    stored.kept = np.ones(stored.documents, dtype=bool)
    if collapse:
        stored.kept = join(signatures, NEAR_DUPLICATE) == np.arange(stored.documents)
    return stored
