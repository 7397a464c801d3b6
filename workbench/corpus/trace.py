"""What a text has word for word from a corpus: its maximal verbatim spans, and where they stand.

After OLMoTrace (Liu et al. 2025, arXiv 2504.07096): a span begins and ends at whole words, stands
in the corpus as it is, and cannot be made longer at either end. Rare spans say more than long ones
made of common words, so each carries its surprisal under a unigram model of the corpus. The same
is done to the text with its words shuffled, which says how much of this chance would bring.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import random
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence

from workbench.corpus.suffixes import Place, SuffixIndex
from workbench.errors import ConfigError

_WORD = re.compile(r"\S+")
_BYTES_AHEAD = 4096
"""A span is followed this far at most."""


@dataclasses.dataclass(frozen=True, slots=True)
class Span:
    """A verbatim span: characters from and to in the text, how often and in how many documents.

    rarity: bits, minus log2 of its probability if the corpus drew its words independently.
    places: one a document, the first few.
    """

    start: int
    end: int
    text: str
    words: int
    count: int
    documents: int
    rarity: float
    places: tuple[Place, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Trace:
    """The spans by falling rarity, and the text beside itself with its words shuffled.

    words: in the text. covered: share of them inside a span. longest: words of the longest match
    of whole words, be it a span or shorter than one. shuffled_covered, shuffled_longest: the same
    of each shuffle. p: share of the shuffles, the text itself counted in, that match as long.
    """

    spans: tuple[Span, ...]
    words: int
    covered: float
    longest: int
    shuffled_covered: tuple[float, ...]
    shuffled_longest: tuple[int, ...]

    @property
    def p(self) -> float:
        """One-sided permutation p of the longest match."""
        as_long = sum(longest >= self.longest for longest in self.shuffled_longest)
        return (1 + as_long) / (1 + len(self.shuffled_longest))


class Tracer:
    """Traces texts back to the documents of an index; word frequencies are kept between texts."""

    def __init__(
        self, index: SuffixIndex, *, least_words: int = 4, places: int = 10, shuffles: int = 19
    ) -> None:
        """least_words: a span's. places: documents named per span. shuffles: controls per text.

        Raises ConfigError on an amount below 1, or below 0 shuffles.
        """
        if min(least_words, places) < 1 or shuffles < 0:
            raise ConfigError(
                f"least_words {least_words}, places {places}, shuffles {shuffles}",
                hint="Give at least 1 word and place, and at least 0 shuffles.",
            )
        self.index = index
        self.least_words, self.places, self.shuffles = least_words, places, shuffles
        self._bits = functools.lru_cache(maxsize=100_000)(self._bits_of)

    def trace(self, text: str, *, seed: int = 0) -> Trace:
        """The text's spans and its shuffled control, drawn under `seed`."""
        words = [(m.start(), m.end()) for m in _WORD.finditer(text)]
        found = self._matches(text, words)
        dice = random.Random(seed)
        controls = []
        for _ in range(self.shuffles):
            mixed = [text[a:b] for a, b in words]
            dice.shuffle(mixed)
            line = " ".join(mixed)
            places = [(m.start(), m.end()) for m in _WORD.finditer(line)]
            controls.append(self._matches(line, places))
        spans = [self._span(text, words, *m) for m in found if m[1] - m[0] >= self.least_words]
        return Trace(
            spans=tuple(sorted(spans, key=lambda span: (-span.rarity, span.start))),
            words=len(words),
            covered=self._covered(found, len(words)),
            longest=_longest(found),
            shuffled_covered=tuple(self._covered(c, len(words)) for c in controls),
            shuffled_longest=tuple(_longest(c) for c in controls),
        )

    def _matches(self, text: str, words: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """Maximal matches as (first word, word after the last)."""
        whole = text.encode("utf-8", "surrogatepass")
        to_bytes = _byte_offsets(text, whole)
        ends = [to_bytes(end) for _, end in words]
        starts = [to_bytes(start) for start, _ in words]
        word_at = {start: word for word, start in enumerate(starts)}
        found: list[tuple[int, int]] = []
        reached = 0
        for start, end in maximal(self.index, whole, starts):
            first = word_at[start]
            last = bisect_right(ends, end)
            if last > max(reached, first):
                found.append((first, last))
                reached = last
        return found

    def _covered(self, matches: Sequence[tuple[int, int]], words: int) -> float:
        inside = {
            word
            for first, last in matches
            if last - first >= self.least_words
            for word in range(first, last)
        }
        return len(inside) / words if words else 0.0

    def _span(self, text: str, words: Sequence[tuple[int, int]], first: int, last: int) -> Span:
        start, end = words[first][0], words[last - 1][1]
        span = text[start:end]
        return Span(
            start=start,
            end=end,
            text=span,
            words=last - first,
            count=self.index.count(span),
            documents=self.index.documents(span),
            rarity=sum(self._bits(text[a:b]) for a, b in words[first:last]),
            places=tuple(self.index.find(span, self.places)),
        )

    def _bits_of(self, word: str) -> float:
        """-log2 of a word's share of all words; half of one is added to each count."""
        total = self.index.count(" ") + self.index.messages
        return math.log2((total + 1) / (min(self.index.count(word), total) + 0.5))


def maximal(index: SuffixIndex, text: bytes, starts: Iterable[int]) -> Iterator[tuple[int, int]]:
    """The matches from these starts, rising, that no earlier one holds, as (start, end) in bytes.

    Every start is matched as far as it goes, _BYTES_AHEAD at most.
    """
    reached = 0
    for start in starts:
        end = start + index.longest(text[start : start + _BYTES_AHEAD])
        if end > max(reached, start):
            yield start, end
            reached = end


def _longest(matches: Sequence[tuple[int, int]]) -> int:
    return max((last - first for first, last in matches), default=0)


def _byte_offsets(text: str, whole: bytes) -> Callable[[int], int]:
    """From characters to bytes of the same text in UTF-8."""
    if len(text) == len(whole):
        return lambda at: at
    offsets = [0]
    for letter in text:
        offsets.append(offsets[-1] + len(letter.encode("utf-8", "surrogatepass")))
    return offsets.__getitem__
