"""Which words and names stand out in some texts against others, by the number of texts."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from audits.detectors import pack
from workbench.corpus.contrast import signed_g2
from workbench.statistics import holm

_WORD = re.compile(r"[A-Za-z][A-Za-z'-]*[A-Za-z]")
_TOKEN = re.compile(r"[a-z0-9][a-z0-9'-]*")
_CAPITALISED = re.compile(r"(?<=[a-z,;:] )[A-Z][a-z]{2,}")
_ANY_CAPITALISED = re.compile(r"\b[A-Z][a-z]{2,}\b")
_FULL_NAME = r"(?:[A-Z][a-z]+ )*{}(?: [A-Z][a-z]+)*"


@functools.cache
def word_list(name: str) -> frozenset[str]:
    """The words of a list in packs/words.toml."""
    return frozenset(pack("words")[name].split())


def content_words(text: str) -> set[str]:
    """The text's words in lower case, without stop words and words of two letters or fewer."""
    stop = word_list("stop")
    found = (word.lower() for word in _WORD.findall(text))
    return {word for word in found if len(word) > 2 and word not in stop}


def names(text: str) -> set[str]:
    """Capitalised words that do not open a sentence."""
    return set(_CAPITALISED.findall(text))


def names_anywhere(text: str) -> set[str]:
    """Capitalised words, those that open a sentence included."""
    return set(_ANY_CAPITALISED.findall(text))


def full_name(name: str, texts: Iterable[str]) -> str:
    """The longest run of capitalised words around `name` that half of its mentions share."""
    pattern = re.compile(rf"\b{_FULL_NAME.format(re.escape(name))}\b")
    runs = Counter(run for text in texts for run in pattern.findall(text))
    if not runs:
        return name
    whole, count = runs.most_common(1)[0]
    return whole if count * 2 >= runs.total() else name


def subject_words(text: str) -> set[str]:
    """Names, with their capital, and content words of a text, without the words of any talk about
    assistants."""
    content = content_words(text) - word_list("frame")
    named = {name for name in names_anywhere(text) if name.lower() in content}
    return named | (content - {name.lower() for name in named})


def phrase_around(term: str, texts: Sequence[str], longest: int = 10) -> str:
    """The longest run of words with `term` in it that half of the texts share; the term alone where
    there is none."""
    half = len(texts) / 2
    words = [_TOKEN.findall(text.lower()) for text in texts]
    best = term
    for length in range(2, longest + 1):
        runs = Counter(
            run
            for row in words
            for run in {tuple(row[i : i + length]) for i in range(len(row) - length + 1)}
            if term in run
        )
        if not runs or runs.most_common(1)[0][1] < half:
            break
        best = " ".join(min(r for r, n in runs.items() if n == max(runs.values())))
    return best


@dataclasses.dataclass(frozen=True, slots=True)
class Key:
    """A term in `hits` of `n` texts and `control_hits` of `control_n` others.

    g2: Dunning's log-likelihood ratio (Computational Linguistics 19, 1993), negative where the
    term is rarer than in the control; p: one-sided Fisher, corrected after Holm for all terms.
    """

    term: str
    hits: int
    n: int
    control_hits: int
    control_n: int
    g2: float
    p: float
    tried: int

    @property
    def rate(self) -> float:
        """Share of the texts that hold the term."""
        return self.hits / self.n

    @property
    def control_rate(self) -> float:
        """Share of the control's texts that hold the term."""
        return self.control_hits / self.control_n


def keys(terms: Sequence[set[str]], control: Sequence[set[str]], *, at_least: int = 3) -> list[Key]:
    """Terms by falling signed G2, those in fewer than `at_least` texts left out.

    Both arguments hold one set of terms per text; either being empty yields no keys.
    """
    import numpy as np
    from scipy.stats import hypergeom

    n, m = len(terms), len(control)
    if not n or not m:
        return []
    here = Counter(term for text in terms for term in text)
    there = Counter(term for text in control for term in text)
    vocabulary = sorted(term for term, count in here.items() if count >= at_least)
    if not vocabulary:
        return []
    a = np.array([here[term] for term in vocabulary], dtype=np.float64)
    b = np.array([there[term] for term in vocabulary], dtype=np.float64)
    signed = signed_g2(a, n, b, m)
    raw = np.minimum(1.0, hypergeom.sf(a - 1, n + m, a + b, n))
    corrected = holm([float(p) for p in raw])
    found = [
        Key(term, here[term], n, there[term], m, float(g), p, len(vocabulary))
        for term, g, p in zip(vocabulary, signed, corrected, strict=True)
    ]
    return sorted(found, key=lambda key: (-key.g2, key.term))
