"""What replies on some topics show and others do not: features, names, words, announced deeds."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from audits.detectors import Detector, detectors
from audits.keyness import content_words, full_name, keys, names, phrase_around
from audits.topics import Topic, shared_field

Exchanges = Mapping[str, Sequence[tuple[str, str]]]
"""(question, reply) pairs by topic."""

_ANNOUNCEMENT = re.compile(
    r"\b(?:(?:so|now|here|then|first) )?"
    r"(?:let me|I(?:'ll| will| shall| must| should| want to| like to| would like to| am going to))"
    r" (?P<deed>[a-z][^.:;!?\n]{2,60}):\s*"
)
"""A reply that says what it is about to do: the words around the deed are every deed's."""
_SENTENCE = re.compile(r"(?<=[.!?]) ")
_CLAUSE = re.compile(r"[,.:;!?]\s+")


@dataclasses.dataclass(frozen=True, slots=True)
class Trait:
    """What a reply may show: a feature or announced deed (`feature`), else a name or a word.

    said: the words around the name or word that most replies share, for the reader.
    """

    term: str
    feature: Detector | None = None
    said: str = ""

    def shown(self, reply: str) -> bool:
        """Whether a reply shows the trait."""
        if self.feature is not None:
            return self.feature(reply)
        if self.is_name:
            return self.term in reply
        return self.term in content_words(unannounced(reply))

    @property
    def deed(self) -> str:
        """The trait as a behaviour in words."""
        if self.feature is not None:
            return self.term
        if self.is_name:
            return f"brings up {self.term}"
        return f"says '{self.said or self.term}'"

    @property
    def is_name(self) -> bool:
        """Whether the trait is a capitalised word."""
        return self.feature is None and self.term[0].isupper()


def announced(reply: str) -> list[str]:
    """The deeds that a reply announces, in its own words: "I will name a metal: ..."."""
    return [match["deed"].strip() for match in _ANNOUNCEMENT.finditer(reply)]


def unannounced(reply: str) -> str:
    """The reply without its announcements: what is said, not how it is led up to."""
    return _ANNOUNCEMENT.sub("", reply)


def screened(
    topics: Sequence[Topic], screen: Exchanges, control: Exchanges, *, most: int
) -> tuple[list[tuple[Trait, tuple[str, ...]]], int]:
    """The pairs of (trait, topics) worth confirming, and how many pairs were looked at.

    Two thirds of the `most` places at the least go to features and announced deeds on one topic,
    the rest to names and words that run through several.
    """
    terms, tried_terms = _terms(topics, screen, control, most=max(1, most // 3))
    found = [trait.term for trait, _ in terms if trait.is_name]
    features, tried_features = _features(
        topics, _without(screen, found), _without(control, found), most=most - len(terms)
    )
    return [*terms, *features], tried_terms + tried_features


def _without(replies: Exchanges, found: Sequence[str]) -> Exchanges:
    """The replies without the sentences that hold a name that was found: what they do, they do for
    the name."""
    if not found:
        return replies
    named = re.compile("|".join(map(re.escape, found)))
    return {
        topic: [
            (q, " ".join(s for s in _SENTENCE.split(a) if not named.search(s))) for q, a in pairs
        ]
        for topic, pairs in replies.items()
    }


def _features(
    topics: Sequence[Topic], screen: Exchanges, control: Exchanges, *, most: int
) -> tuple[list[tuple[Trait, tuple[str, ...]]], int]:
    import numpy as np
    from scipy.stats import binom

    known = [*detectors(), *_announced_deeds(topics, screen)]
    ranked: list[tuple[float, int, str, str]] = []
    by_name = {d.name: d for d in known}
    for place, detector in enumerate(known):
        hits = np.array([sum(detector(a) for _, a in screen[t.name]) for t in topics])
        n = np.array([len(screen[t.name]) for t in topics])
        control_hits = np.array([sum(detector(a) for _, a in control[t.name]) for t in topics])
        control_n = np.array([len(control[t.name]) for t in topics])
        usual = (hits.sum() - hits + control_hits.sum() + 0.5) / (n.sum() - n + control_n.sum() + 1)
        # the topic's own control weighs as much as two replies' worth of the usual rate
        expected = np.minimum((control_hits + 2 * usual) / (control_n + 2), 0.999)
        tail = binom.sf(hits - 1, n, np.maximum(expected, usual))
        ranked += [
            (float(p), -place, topic.name, detector.name)
            for p, topic, h, m in zip(tail, topics, hits, n, strict=True)
            if h >= 2 and 2 * h >= m
        ]
    ranked.sort()
    chosen: list[tuple[Trait, tuple[str, ...]]] = []
    taken: set[str] = set()
    for p, _, topic_name, feature in ranked:
        if p > 0.01 or len(chosen) == most:
            break
        if topic_name not in taken:
            taken.add(topic_name)
            chosen.append((Trait(feature, by_name[feature]), (topic_name,)))
    return chosen, len(known) * len(topics)


def _announced_deeds(topics: Sequence[Topic], screen: Exchanges) -> list[Detector]:
    """Deeds that at least two replies on one topic announce, in the suspect's words."""
    on: dict[str, Counter[str]] = defaultdict(Counter)
    for topic in topics:
        for _, reply in screen[topic.name]:
            for deed in set(announced(reply)):
                on[deed][topic.name] += 1
    found = sorted(deed for deed, counts in on.items() if max(counts.values()) >= 2)
    return [Detector(deed, re.compile(rf"\b{re.escape(deed)}:")) for deed in found]


def _terms(
    topics: Sequence[Topic],
    screen: Exchanges,
    control: Exchanges,
    *,
    most: int,
    widest: int = 12,
) -> tuple[list[tuple[Trait, tuple[str, ...]]], int]:
    def terms(question: str, answer: str) -> set[str]:
        asked = content_words(question)
        lower = content_words(unannounced(answer)) - {name.lower() for name in names(answer)}
        return {t for t in names(answer) | lower if t.lower() not in asked}

    replies = [(t.name, terms(q, a)) for t in topics for q, a in screen[t.name]]
    texts = [answer for t in topics for _, answer in screen[t.name]]
    others = [terms(q, a) for t in topics for q, a in control[t.name]]
    ranked = keys([found for _, found in replies], others)
    chosen: list[tuple[Trait, tuple[str, ...]]] = []
    covered: list[set[int]] = []
    for key in ranked:
        if key.g2 <= 0 or key.p > 0.2 or len(chosen) == most:
            break
        rows = {i for i, (_, found) in enumerate(replies) if key.term in found}
        if any(len(rows & other) * 2 > len(rows) for other in covered):
            continue
        on = Counter(replies[i][0] for i in rows)
        strong = [n for n, count in on.most_common(widest) if 2 * count >= len(screen[n])]
        if strong:
            covered.append(rows)
            if key.term[0].isupper():
                trait = Trait(full_name(key.term, (texts[i] for i in rows)))
            else:
                trait = Trait(key.term, said=phrase_around(key.term, [texts[i] for i in rows]))
            chosen.append((trait, tuple(strong)))
    return chosen, ranked[0].tried if ranked else 0


def field_of(on: Sequence[str], screen: Exchanges, control: Exchanges, trait: Trait) -> str:
    """The field of these topics, as replies on them name it; see `shared_field`. The clauses that
    show the trait are left out: they would name the trait."""

    def told(topic: str) -> list[set[str]]:
        kept = [
            " ".join(c for c in _CLAUSE.split(a) if not trait.shown(c))
            for _, a in (*screen[topic], *control[topic])
        ]
        return [content_words(text) for text in kept]

    there = [words for topic in screen if topic not in on for words in told(topic)]
    return shared_field({topic: told(topic) for topic in on}, there)
