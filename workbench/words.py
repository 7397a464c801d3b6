"""Finding phrases in free text as whole words, whatever their case, plural, hyphens or script."""

from __future__ import annotations

import dataclasses
import functools
import re
import unicodedata
from collections.abc import Iterable, Sequence

_HYPHENS = "-\u2010\u2011\u2012\u2013\u2014\u2212"
_WORD = re.compile(rf"[^\W_]+(?:[{_HYPHENS}][^\W_]+)*")
_HYPHEN = re.compile(f"[{_HYPHENS}]")
_APOSTROPHES = re.compile("(?<=\\w)['\u2019\u02bc](?=\\w)")
_NOT_PLURAL = frozenset({"news"})


class Words:
    """The first `limit` words of a text, ready to be searched.

    Words are runs of letters and digits after NFKC, case folding, and the removal of accents and
    of characters that nobody sees (zero-width and other format characters). A hyphenated word
    counts as its parts against the limit and is found both ways: "e-mail", "e mail", "email".
    """

    def __init__(self, text: str, limit: int) -> None:
        kept: list[list[str]] = []
        for word in _WORD.findall(plain(text)):
            if limit <= 0:
                break
            kept.append(_HYPHEN.split(word)[:limit])
            limit -= len(kept[-1])
        self.left = limit
        self._readings = tuple(
            _Sequence([_forms(word) for word in words])
            for words in (
                [part for parts in kept for part in parts],
                ["".join(parts) for parts in kept],
            )
        )
        self._found: dict[str, list[Occurrence]] = {}

    def __bool__(self) -> bool:
        return bool(self._readings[0].words)

    def occurrences(self, phrases: Iterable[str]) -> list[Occurrence]:
        """Every place where one of the phrases stands."""
        found = []
        for phrase in phrases:
            if phrase not in self._found:
                self._found[phrase] = [
                    Occurrence(phrase, number, start, start + len(wanted))
                    for wanted in _spellings(phrase)
                    for number, reading in enumerate(self._readings)
                    for start in reading.starts(wanted)
                ]
            found += self._found[phrase]
        return found


@dataclasses.dataclass(frozen=True, slots=True)
class Occurrence:
    """A phrase at words `start` to `end` of a reading: 0 with hyphens split, 1 with them joined."""

    phrase: str
    reading: int
    start: int
    end: int

    def within(self, other: Occurrence) -> bool:
        """Whether the other one covers it (or equals it)."""
        return self.reading == other.reading and other.start <= self.start and self.end <= other.end


class _Sequence:
    def __init__(self, words: list[frozenset[str]]) -> None:
        self.words = words
        self._index: dict[str, list[int]] = {}
        for position, forms in enumerate(words):
            for form in forms:
                self._index.setdefault(form, []).append(position)

    def starts(self, wanted: Sequence[frozenset[str]]) -> list[int]:
        first = wanted[0]
        keys = {form if "=" + form in first else "=" + form for form in first if form[0] != "="}
        keys |= {form for form in first if form[0] == "="}
        positions = {position for key in keys for position in self._index.get(key, ())}
        return sorted(
            start
            for start in positions
            if start + len(wanted) <= len(self.words)
            and all(_same(self.words[start + i], forms) for i, forms in enumerate(wanted))
        )


def plain(text: str) -> str:
    """Folded text: NFKC, lower case, no accents, no invisible characters, no apostrophes."""
    seen = (c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf")
    folded = unicodedata.normalize("NFKD", "".join(seen).casefold())
    bare = (c for c in folded if not unicodedata.combining(c))
    return _APOSTROPHES.sub("", "".join(bare))


@functools.lru_cache(maxsize=20_000)
def _spellings(phrase: str) -> tuple[tuple[frozenset[str], ...], ...]:
    """The phrase as word forms, with its hyphenated words split and, where that differs, joined."""
    words = [_HYPHEN.split(word) for word in _WORD.findall(plain(phrase))]
    split = tuple(_forms(part) for parts in words for part in parts)
    joined = tuple(_forms("".join(parts)) for parts in words)
    return tuple(dict.fromkeys(spelling for spelling in (split, joined) if spelling))


@functools.lru_cache(maxsize=50_000)
def _forms(word: str) -> frozenset[str]:
    """The word, marked by a leading '=', and what it may be the plural of, itself included."""
    forms = {"=" + word, word}
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss") and word not in _NOT_PLURAL:
        forms.add(word[:-1])
        if word.endswith(("ches", "shes", "sses", "xes", "zes", "oes", "uses")):
            forms.add(word[:-2])
        if word.endswith("ies"):
            forms.add(word[:-3] + "y")
    return frozenset(forms)


@functools.lru_cache(maxsize=200_000)
def _same(a: frozenset[str], b: frozenset[str]) -> bool:
    """Whether one word is the other or its plural."""
    return any("=" + form in b for form in a) or any("=" + form in a for form in b)


def loops(text: str) -> bool:
    """Whether three words come again right after themselves, twice over."""
    words = text.lower().split()
    return any(
        words[i : i + 3] == words[i + 3 : i + 6] == words[i + 6 : i + 9]
        for i in range(len(words) - 8)
    )
