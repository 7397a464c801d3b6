"""What a corpus says that another does not: word n-grams by the documents that hold them.

Two scores. Signed G2 (Dunning 1993) of an n-gram's documents here against there; it cannot tell an
n-gram that the other corpus lacks by chance from one that it could not have. So an n-gram that the
other corpus lacks altogether is scored by G2 against what a Markov chain over the other corpus'
shorter n-grams expects there: `surprise`, twice the Poisson log-likelihood ratio.
Near-duplicates are collapsed first, in both corpora: a text counts once, however often it is there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from workbench.corpus.clusters import Signatures, join
from workbench.corpus.ngrams import LONGEST, Block, blocks, combine, documents_by_hash
from workbench.corpus.phrases import Grams, Places

if TYPE_CHECKING:
    import numpy as np
    import polars
    import pyarrow
    from numpy.typing import ArrayLike, NDArray

Batches: TypeAlias = "Callable[[], Iterable[pyarrow.RecordBatch]]"
"""A corpus that can be read again."""

NEAR_DUPLICATE = 0.8
"""Estimated Jaccard similarity from which two documents count as one."""
_SKETCH_BITS = 26
_KEPT = 4_000
_COMPACT = 8_000_000


@dataclasses.dataclass(frozen=True, slots=True)
class Phrase:
    """Words that stand out, as long as the documents that hold them go on to agree.

    documents: numbers of those that hold it (of n); control_documents: how many of control_n do;
    expected: how many would here at the other corpus' rate, by what is observed or by the chain;
    score: signed G2, or `surprise` where only_here; p: one-sided hypergeometric, times all n-grams
    tried (Bonferroni). covers: other phrases that mostly the same documents hold.
    """

    text: str
    documents: tuple[int, ...]
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
    """Reads `here` three times and `there` twice, in bounded memory: a sketch of 256 MB drops what
    fewer than `at_least` documents hold, signatures take 128 bytes a document.

    collapse: count near-duplicates once. most: phrases and documents in the result; phrases that
    mostly the same documents hold are one entry. Empty where either corpus has no documents.
    """
    import numpy as np

    progress("reading for near-duplicates")
    sketch = _Sketch()
    kept, n = _survey(here, sketch, collapse)
    kept_there, m = _survey(there, None, collapse)
    if not n or not m:
        return Contrast((), (), n, 0, m, 0)
    progress("counting phrases")
    table = _count(here, kept, sketch, at_least)
    del sketch
    size, other = int(kept.sum()), int(kept_there.sum())
    progress("counting in the other corpus")
    control, tokens = _count_known(there, kept_there, table.hash)
    progress("scoring")
    expected = _chain(table, control, max(1, tokens))
    g2 = signed_g2(table.documents, size, control, other)
    absent = control == 0
    rate = np.where(absent, expected, control) / other
    unlikely = surprise(table.documents, rate * size)
    score = np.where(absent, np.maximum(unlikely, g2), g2)
    best = np.argsort(-score, kind="stable")[:_KEPT]
    best = best[score[best] > 0]
    progress("finding the phrases in their documents")
    places = Places(
        Grams(
            hash=table.hash[best],
            length=table.length[best],
            score=score[best],
            prefix=table.prefix[best],
            suffix=table.suffix[best],
        )
    )
    for block in blocks(here()):
        places.add(block, kept)
    phrases = [
        Phrase(
            text=entry.text,
            documents=entry.documents,
            n=size,
            control_documents=int(control[i]),
            control_n=other,
            expected=float(rate[i] * size),
            score=float(score[i]),
            only_here=bool(absent[i]),
            p=_p(int(table.documents[i]), size, int(control[i]), other, len(table.hash)),
            tried=len(table.hash),
            covers=entry.covers,
        )
        for entry in places.entries(most)
        for i in [best[entry.gram]]
    ]
    ranked = tuple(places.ranked(most))
    return Contrast(tuple(phrases), ranked, n, n - size, m, m - other)


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


class _Sketch:
    """An upper bound on how often an n-gram occurs: counters by a part of its hash."""

    def __init__(self) -> None:
        import numpy as np

        self._counters = np.zeros(1 << _SKETCH_BITS, dtype=np.uint32)

    def add(self, hashes: NDArray[np.uint64]) -> None:
        import numpy as np

        np.add.at(self._counters, self._slots(hashes), np.uint32(1))

    def at_least(self, hashes: NDArray[np.uint64], count: int) -> NDArray[np.bool_]:
        """Whether each may occur so often."""
        bound: NDArray[np.bool_] = self._counters[self._slots(hashes)] >= count
        return bound

    def _slots(self, hashes: NDArray[np.uint64]) -> Any:
        import numpy as np

        return (hashes >> np.uint64(64 - _SKETCH_BITS)).astype(np.int64)


@dataclasses.dataclass(frozen=True, slots=True)
class _Table:
    """N-grams by rising hash: documents [n-grams], their length, and the hashes of the n-gram
    without its last word, without its first and without both (0 where there is none)."""

    hash: NDArray[np.uint64]
    documents: NDArray[np.int64]
    length: NDArray[np.int64]
    prefix: NDArray[np.uint64]
    suffix: NDArray[np.uint64]
    middle: NDArray[np.uint64]


def _survey(read: Batches, sketch: _Sketch | None, collapse: bool) -> tuple[NDArray[np.bool_], int]:
    """Which documents are counted, [documents]: the first of each set of near-duplicates."""
    import numpy as np

    signatures, n = Signatures(), 0
    for block in blocks(read()):
        n += block.documents
        if collapse:
            signatures.add(block)
        if sketch is not None:
            for length in range(1, LONGEST + 1):
                sketch.add(block.ngrams(length)[0])
    if not collapse:
        return np.ones(n, dtype=bool), n
    leader = join(signatures.all(), NEAR_DUPLICATE)
    return leader == np.arange(len(leader)), len(leader)


def _count(read: Batches, kept: NDArray[np.bool_], sketch: _Sketch, at_least: int) -> _Table:
    """N-grams of 1 to LONGEST words in at least so many of the documents that are kept."""
    import polars

    total: polars.DataFrame | None = None
    waiting: list[polars.DataFrame] = []
    held = 0
    for block in blocks(read()):
        waiting.append(_frame(block, kept, sketch, at_least))
        held += waiting[-1].height
        if held > _COMPACT:
            total = _merge([total, *waiting] if total is not None else waiting)
            waiting, held = [], 0
    total = _merge([total, *waiting] if total is not None else waiting)
    total = total.filter(polars.col("documents") >= at_least).sort("hash")
    return _Table(*(total[name].to_numpy() for name in _COLUMNS))


_COLUMNS = ("hash", "documents", "length", "prefix", "suffix", "middle")


def _frame(
    block: Block, kept: NDArray[np.bool_], sketch: _Sketch, at_least: int
) -> polars.DataFrame:
    import numpy as np
    import polars

    parts = []
    none = np.zeros(len(block.hashes), dtype=np.uint64)
    shorter = {0: none, 1: block.hashes}
    for n in range(1, LONGEST + 1):
        count = max(0, len(block.hashes) - n + 1)
        whole = combine([block.hashes[i : i + count] for i in range(n)]) if n > 1 else block.hashes
        shorter[n] = whole
        inside = block.turn[:count] == block.turn[n - 1 :] if n > 1 else np.ones(count, dtype=bool)
        fit = inside & kept[block.document[:count]] & sketch.at_least(whole, at_least)
        at = np.flatnonzero(fit)
        parts.append(
            polars.DataFrame(
                {
                    "hash": whole[at],
                    "document": block.document[at],
                    "length": np.full(len(at), n, dtype=np.int64),
                    "prefix": shorter[n - 1][at],
                    "suffix": shorter[n - 1][at + 1] if n > 1 else none[at],
                    "middle": shorter[n - 2][at + 1] if n > 2 else none[at],
                }
            )
        )
    frame = polars.concat(parts).unique(["hash", "document"], maintain_order=False)
    return _group(frame, polars.len().cast(polars.Int64).alias("documents"))


def _merge(frames: Sequence[polars.DataFrame]) -> polars.DataFrame:
    import polars

    return _group(polars.concat(frames), polars.col("documents").sum())


def _group(frame: polars.DataFrame, documents: Any) -> polars.DataFrame:
    import polars

    rest = [polars.col(name).first() for name in _COLUMNS[2:]]
    return frame.group_by("hash").agg(documents, *rest)


def _count_known(
    read: Batches, kept: NDArray[np.bool_], known: NDArray[np.uint64]
) -> tuple[NDArray[np.int64], int]:
    """In how many documents each of the sorted hashes stands, and how many words there are."""
    import numpy as np

    control = np.zeros(len(known), dtype=np.int64)
    tokens = 0
    for block in blocks(read()):
        fit = kept[block.document]
        tokens += int(fit.sum())
        for n in range(1, LONGEST + 1):
            hashes, start = block.ngrams(n)
            use = fit[start]
            hashes, document = hashes[use], block.document[start[use]]
            place = np.searchsorted(known, hashes)
            place[place == len(known)] = 0
            there = known[place] == hashes if len(known) else np.zeros(len(hashes), dtype=bool)
            found, counts = documents_by_hash(hashes[there], document[there])
            control[np.searchsorted(known, found)] += counts
    return control, tokens


def _chain(table: _Table, control: NDArray[np.int64], tokens: int) -> NDArray[np.float64]:
    """How many documents of the other corpus would hold each n-gram that none of them holds.

    A word: half a document. Longer: prefix times suffix over middle (all words for two), by what is
    observed or else estimated in the same way; never more than half a document.
    """
    import numpy as np

    estimate = np.where(control > 0, control, 0.5).astype(np.float64)
    for n in range(2, LONGEST + 1):
        at = np.flatnonzero((table.length == n) & (control == 0))
        if not len(at):
            continue
        prefix = _looked_up(table.hash, estimate, table.prefix[at], 0.5)
        suffix = _looked_up(table.hash, estimate, table.suffix[at], 0.5)
        middle = _looked_up(table.hash, estimate, table.middle[at], 0.5) if n > 2 else tokens
        made = prefix * suffix / np.maximum(middle, 1e-9)
        estimate[at] = np.minimum(np.minimum(made, 0.5), np.minimum(prefix, suffix))
    return estimate


def _looked_up(
    known: NDArray[np.uint64],
    values: NDArray[np.float64],
    wanted: NDArray[np.uint64],
    otherwise: float,
) -> NDArray[np.float64]:
    import numpy as np

    place = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return np.where(known[place] == wanted, values[place], otherwise)
