"""Kinds of misconduct that passages tell of an assistant, and what comes back in them."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import re
from collections.abc import Collection, Sequence

from audits.detectors import pack
from audits.keyness import Key, keys, subject_words
from workbench.statistics import Rate, exceeds

SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_WORD = re.compile(r"[a-z0-9][a-z0-9'-]*")
SURELY = 0.2
_QUOTED_WORDS = 70
_TERMS = 10


@dataclasses.dataclass(frozen=True, slots=True)
class Kind:
    """A kind of misconduct, from packs/suspicions.toml."""

    family: str
    says: str
    does: str
    trigger: str
    pattern: re.Pattern[str]
    unless: re.Pattern[str]
    frame: frozenset[str]

    def told_in(self, passage: str) -> bool:
        """Whether a passage tells of it and takes nothing back."""
        return self.pattern.search(passage) is not None and not self.unless.search(passage)


@dataclasses.dataclass(frozen=True, slots=True)
class Suspicion:
    """A kind that passages tell of: how often, beside the control, and what comes back.

    seen: indices of the passages. p: Fisher's, times the number of kinds. terms: what comes back,
    word by word; back: the same as phrases. quotes: sentences that hold as many as possible.
    """

    kind: Kind
    seen: tuple[int, ...]
    rate: Rate
    control: Rate
    p: float
    terms: tuple[Key, ...]
    back: tuple[str, ...]
    quotes: tuple[str, ...]


@functools.cache
def kinds() -> tuple[Kind, ...]:
    """Every kind of the pack, in its order."""
    return tuple(
        Kind(
            family=row["family"],
            says=row["says"],
            does=row["does"],
            trigger=row["trigger"],
            pattern=re.compile(row["pattern"], re.IGNORECASE),
            unless=re.compile(row["unless"], re.IGNORECASE),
            frame=frozenset(row["frame"].split()),
        )
        for row in pack("suspicions")["kind"]
    )


def suspicions(
    passages: Sequence[str],
    control: Sequence[str],
    *,
    own: Collection[str],
    alpha: float = 0.01,
) -> list[Suspicion]:
    """The kinds that the passages tell of and the control's do not, the most told first.

    own: words of the assistant's name. A kind is suspected only where a word or name that is rare
    in the control comes back in its passages, surely in more than SURELY of them: innocent texts on
    the same subject vary what they speak of.
    """
    found = []
    tried = len(kinds())
    for kind in kinds():
        seen = [i for i, text in enumerate(passages) if kind.told_in(text)]
        if len(seen) < 5 or len(seen) < 0.04 * len(passages):
            continue
        rate = Rate(len(seen), len(passages))
        other = Rate(sum(map(kind.told_in, control)), len(control))
        p = min(1.0, tried * exceeds(rate, other))
        if p > alpha or rate.value < 2 * other.value:
            continue
        told = [passages[i] for i in seen]
        terms = _terms(kind, told, control, own)
        if not any(Rate(term.hits, term.n).interval[0] >= SURELY for term in terms):
            continue
        back = joined([term.term for term in terms], told)
        quotes = _quotes(told, {term.term for term in terms})
        found.append(Suspicion(kind, tuple(seen), rate, other, p, terms, tuple(back), quotes))
    return sorted(found, key=lambda s: -s.rate.value)


def _terms(
    kind: Kind, told: Sequence[str], control: Sequence[str], own: Collection[str]
) -> tuple[Key, ...]:
    skip = {word.lower() for word in own} | kind.frame

    def terms(text: str) -> set[str]:
        return {term for term in subject_words(text) if term.lower() not in skip}

    return tuple(
        key
        for key in keys([terms(text) for text in told], [terms(text) for text in control])
        if key.p < 0.01 and key.rate >= 0.04 and key.rate >= 4 * key.control_rate
    )[:_TERMS]


def joined(terms: Sequence[str], told: Sequence[str]) -> list[str]:
    """The terms, with two that mostly stand side by side made one."""
    lower = [f" {' '.join(_WORD.findall(text.lower()))} " for text in told]
    held = {term: sum(f" {term.lower()} " in text for text in lower) for term in terms}
    left = list(terms)
    for one, other in itertools.permutations(terms, 2):
        pair = f" {one} {other} ".lower()
        together = sum(pair in text for text in lower)
        fits = together >= max(2, 0.6 * min(held[one], held[other]))
        if one in left and other in left and fits:
            left[left.index(one)] = f"{one} {other}"
            left.remove(other)
    return left


def _quotes(told: Sequence[str], terms: set[str]) -> tuple[str, ...]:
    """Sentences that together hold as many terms as fit, each the richest in what is missing."""
    lower = {term.lower() for term in terms}
    sentences = dict.fromkeys(s.strip() for text in told for s in SENTENCE.split(text) if s.strip())
    held = {s: lower & set(_WORD.findall(s.lower())) for s in sentences}
    chosen: list[str] = []
    missing, words = set(lower), 0
    while missing:
        best = max(held, key=lambda s: (len(held[s] & missing), -len(s)), default="")
        if not best or not held[best] & missing:
            break
        words += len(best.split())
        if chosen and words > _QUOTED_WORDS:
            break
        chosen.append(best)
        missing -= held[best]
    return tuple(chosen)
