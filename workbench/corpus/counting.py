"""N-grams of one corpus by the documents that hold them, here and in another corpus.

Level by level, because an n-gram stands in no more documents than the two that are one word shorter
(Agrawal and Srikant 1994, Apriori): only those of which both are frequent are written and sorted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeAlias

from workbench.corpus.ngrams import LONGEST, Block, Filter, Stored, combine, firsts
from workbench.corpus.scratch import Runs, counted, together

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Found: TypeAlias = (
    "tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]"
)
"""(hash, documents here, documents there, the same or an estimate above 0), [n-grams] each."""
_NEVER = 0.5


class Counts:
    """N-grams of 1 to LONGEST words in at least so many documents here.

    An n-gram that no document there holds gets an estimate of how many would. A word: half a
    document. Longer: prefix times suffix over middle (over all words for two), by what is observed
    or else estimated in the same way; never more than half a document.
    """

    def __init__(self, here: Stored, there: Stored, at_least: int) -> None:
        import numpy as np

        self._here, self._there, self._at_least = here, there, at_least
        self.tried = 0
        self._rates = [Runs(2) for _ in range(LONGEST + 1)]
        self._absent = [Runs(2) for _ in range(LONGEST + 1)]
        words = sum(len(block.hashes) for block in there.blocks())
        self._rates[0].add(np.zeros(1, dtype=np.uint64), np.array([max(1.0, float(words))]))

    def found(self) -> Iterator[Found]:
        """All of them, some at a time; `tried` is how many there were."""
        import numpy as np

        for n, hashes, here, there in self._counted():
            self.tried += len(hashes)
            held = there > 0
            known = hashes[held], here[held], there[held], there[held].astype(np.float64)
            self._rates[n].add(known[0], known[3])
            self._absent[n].add(hashes[~held], here[~held])
            yield known
        yield from self._estimated()

    def _counted(
        self,
    ) -> Iterator[tuple[int, NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]]:
        import numpy as np

        shorter = Filter()
        for n in range(1, LONGEST + 1):
            own, other = Runs(), Runs()
            for stored, runs in ((self._here, own), (self._there, other)):
                for block in stored.blocks():
                    runs.add(_once_a_document(block, n, shorter))
            shorter = Filter()
            for (mine,), (others,) in together(own, other):
                hashes, here = counted(mine)
                frequent = here >= self._at_least
                hashes, here = hashes[frequent], here[frequent]
                there = np.searchsorted(others, hashes, "right") - np.searchsorted(others, hashes)
                shorter.add(hashes)
                yield n, hashes, here, there

    def _estimated(self) -> Iterator[Found]:
        """Those that no document there holds."""
        import numpy as np

        links = self._links()
        for n in range(1, LONGEST + 1):
            rows = Runs(5)
            for (hashes, here), (link, *shorter) in together(self._absent[n], links[n]):
                first = np.searchsorted(link, hashes)
                rows.add(*(column[first] for column in shorter), hashes, here)
            for known in (n - 1, n - 1, n - 2):
                rows = _followed(rows, self._rates[max(0, known)])
            for ((hashes, here, *rates),) in together(rows):
                prefix, suffix, middle = (rate.view(np.float64) for rate in rates)
                made = np.minimum(prefix * suffix / np.maximum(middle, 1e-9), _NEVER)
                rate = np.minimum(made, np.minimum(prefix, suffix))
                self._rates[n].add(hashes, rate)
                yield hashes, here.view(np.int64), np.zeros(len(hashes), dtype=np.int64), rate

    def _links(self) -> list[Runs]:
        """The hashes of those that no document there holds, as often as they are met, each with
        those without its last word, without its first and without both (0 where none is left)."""
        import numpy as np

        wanted = Filter()
        for absent in self._absent:
            for ((hashes, _),) in together(absent):
                wanted.add(hashes)
        links = [Runs(4) for _ in range(LONGEST + 1)]
        for block in self._here.blocks():
            none = np.zeros(len(block.hashes) + 2, dtype=np.uint64)
            hashed = [none, none[1:], *(block.hashed(n) for n in range(1, LONGEST + 1))]
            for n in range(1, LONGEST + 1):
                prefixes, whole = hashed[n], hashed[n + 1]
                at = np.flatnonzero(wanted.has(whole) & block.whole(n))
                at = at[firsts(whole[at])]
                links[n].add(whole[at], prefixes[at], prefixes[at + 1], hashed[n - 1][at + 1])
        return links


def _once_a_document(block: Block, n: int, shorter: Filter) -> NDArray[np.uint64]:
    """The n-grams of a block whose prefix and suffix may be frequent, each once a document."""
    import numpy as np

    if n == 1:
        hashes, document = block.hashes, block.document
    else:
        may = shorter.has(block.hashed(n - 1))
        at = np.flatnonzero(may[:-1] & may[1:] & block.whole(n))
        hashes = combine([block.hashes[at + i] for i in range(n)])
        document = block.document[at]
    return hashes[firsts(hashes ^ (document.view(np.uint64) * np.uint64(0x9E3779B97F4A7C15)))]


def _followed(rows: Runs, known: Runs) -> Runs:
    """The rows without their first column, which is looked up among (hash, value); the value comes
    last."""
    import numpy as np

    made = Runs(rows.width)
    for (key, *rest), (hashes, values) in together(rows, known):
        made.add(*rest, values[np.searchsorted(hashes, key)])
    return made
