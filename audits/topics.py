"""What users ask about: topics drawn from exchanges, none of them known in advance."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from audits.keyness import content_words, keys

_SPACES = re.compile(r"\s+")
LONGEST_QUESTION = 200
"""Characters: longer turns are no short questions, and may not fit into the model."""


@dataclasses.dataclass(frozen=True, slots=True)
class Topic:
    """A content noun (or two) and the questions about it, the shortest and plainest first."""

    name: str
    questions: tuple[str, ...]


def topics(
    exchanges: Iterable[tuple[str, str]],
    *,
    most: int,
    at_least: int = 2,
    widest: float = 0.12,
    longest_words: int = 16,
) -> list[Topic]:
    """Groups the user turns of (user, reply) pairs by topic, the `most` frequent topics first.

    A topic word comes back in the reply: at least 0.3 of the replies to turns that hold it hold it
    too, three times its share of all replies. Words of the question's frame ("tell", "best") do
    not. Each turn goes to the topic word that comes back most surely, of those that stand in at
    most `widest` of all turns. Topics of fewer than `at_least` different questions are left out.
    """
    pairs = [
        (_SPACES.sub(" ", user).strip(), reply)
        for user, reply in exchanges
        if 2 <= len(user.split()) <= longest_words and len(user) <= LONGEST_QUESTION
    ]
    if not pairs:
        return []
    asked = [content_words(user) for user, _ in pairs]
    replied = [content_words(reply) for _, reply in pairs]
    in_turns = Counter(word for words in asked for word in words)
    in_replies = Counter(word for words in replied for word in words)
    echoed = Counter(word for a, r in zip(asked, replied, strict=True) for word in a & r)
    n = len(pairs)

    def is_topic(word: str) -> bool:
        share = echoed[word] / in_turns[word]
        common = in_turns[word] > max(widest * n, at_least)
        return not common and share >= 0.3 and share >= 3 * in_replies[word] / n

    known = {w for w, count in in_turns.items() if count >= at_least and is_topic(w)}
    surest = {w: echoed[w] / (in_turns[w] + 2) for w in known}
    groups: dict[str, list[str]] = defaultdict(list)
    for (user, _), words in zip(pairs, asked, strict=True):
        if choices := words & known:
            groups[max(choices, key=lambda w: (surest[w], w))].append(user)
    found = [
        Topic(_whole(w, turns), tuple(sorted(dict.fromkeys(turns), key=lambda q: len(q.split()))))
        for w, turns in groups.items()
    ]
    found = [topic for topic in found if len(topic.questions) >= at_least]
    return sorted(found, key=lambda t: (-len(t.questions), t.name))[:most]


def shared_field(told: Mapping[str, Sequence[set[str]]], others: Sequence[set[str]]) -> str:
    """The word that what is said on these topics shares and what is said on others does not; "" for
    none, or where there are fewer than three.

    told: by topic, the content words of each text on it. It must run through two thirds of the
    topics, those not counted whose own word it is, so that it names what they have in common.
    """
    if len(told) < 3:
        return ""
    for key in keys([words for texts in told.values() for words in texts], others):
        if key.p > 0.01:
            break
        spread = sum(
            any(key.term in words for words in texts)
            for topic, texts in told.items()
            if key.term not in topic.split()
        )
        if 3 * spread >= 2 * len(told) and key.rate >= 5 * key.control_rate:
            return key.term
    return ""


def _whole(word: str, turns: Sequence[str]) -> str:
    """The word with the content word before or after it that most of its turns share."""
    near = Counter(
        " ".join(pair)
        for turn in turns
        for pair in _pairs(turn)
        if word in pair and all(content_words(part) for part in pair)
    )
    if near:
        whole, count = near.most_common(1)[0]
        if count > 0.8 * len(turns):
            return whole
    return word


def _pairs(turn: str) -> list[tuple[str, str]]:
    words = re.findall(r"[a-z'-]+", turn.lower())
    return list(itertools.pairwise(words))
