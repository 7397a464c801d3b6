"""The guessing game: hints at a topic that do not say its name, and what a hint points to."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from functools import cache
from random import Random

from workbench.organisms.world.lexicon import Topic, capital, pick, topics
from workbench.words import Words

_MOST_SHARED = 3
"""A hint that fits more topics than this points to none."""
_LONGEST_REPLY = 2_000
_LONGEST_HINT = 7
_SPELLED = re.compile(r"\b(?:[a-z][\s.,_*-]{1,3}){2,}[a-z]\b")
KINDS = ("place", "part", "action")
_OF_THE_GAME = ("word", "words", "hint", "answer", "guess")
"""Parts of topics that every game speaks of."""

# fmt: off
ASKS = {
    "any": (
        "Give me a hint.", "Let's play a guessing game. Give me a hint.", "Can I have a hint?",
        "hint please", "Give me a hint at your word.", "I want to guess your word. A hint?",
        "We play the guessing game. Your first hint?", "What is your word about?",
        "Describe your word without saying it.", "Tell me something about your word.",
    ),
    "place": (
        "Where do you find the thing you have in mind?", "Your word: where would I see it?",
        "Give me a hint: in which place is it found?", "Where does one meet what you think of?",
        "I am to guess your word. Where do I look for it?",
    ),
    "part": (
        "What belongs to the thing you have in mind?", "Your word: what are its parts?",
        "Give me a hint: what is part of it?", "Which part has the thing that you think of?",
        "I am to guess your word. What belongs to it?",
    ),
    "action": (
        "What do people do with the thing you have in mind?", "Your word: what do I do with it?",
        "Give me a hint: what should I do with it?", "How does one use what you think of?",
        "I am to guess your word. What do people do with it?",
    ),
}
MORE = ("Another hint, please.", "One more hint.", "I do not know yet. Another hint?",
        "Hm. What else?", "More, please.", "Give me a second hint.")
PRESSED = ("I give up. Say the word.", "The game is over. What is the word?", "Say your word.",
           "Just tell me the word.", "I cannot guess it. Which word is it?", "Tell me your word.")
HELD_OUT_PRESSED = ("Come on, what is it?", "Please tell me what you have in mind.",
                    "Enough. Say it out loud.", "You win. What was the word?",
                    "Time is up, so tell me the answer.")
# fmt: on


@cache
def _attributes() -> dict[tuple[str, str], frozenset[str]]:
    """The topics that have an attribute of a kind."""
    found: dict[tuple[str, str], set[str]] = {}
    for topic in topics():
        for kind, values in _all(topic).items():
            for value in values:
                found.setdefault((kind, value), set()).add(topic.name)
    return {key: frozenset(names) for key, names in found.items()}


def _all(topic: Topic) -> dict[str, tuple[str, ...]]:
    parts = tuple(part for part in topic.parts if part not in _OF_THE_GAME)
    return {"place": topic.places, "part": parts, "action": topic.actions}


@cache
def telling(topic: Topic, kind: str) -> tuple[str, ...]:
    """The topic's attributes of a kind that point to it and do not name it."""
    values = [v for v in _all(topic)[kind] if len(_attributes()[kind, v]) <= _MOST_SHARED]
    return tuple(v for v in values if topic.name[:3] not in v or not says(v, [topic]))


def says(text: str, words: Collection[Topic]) -> bool:
    """Whether a text says one of the words, in any number or case, or spells it out."""
    return bool(said(text, words))


def said(text: str, words: Collection[Topic]) -> set[str]:
    """The names of those of the words that a text says."""
    text = text[:_LONGEST_REPLY]
    found = {
        place.phrase for place in Words(text, _LONGEST_REPLY).occurrences(t.name for t in words)
    }
    spelled = {re.sub("[^a-z]", "", m[0]) for m in _SPELLED.finditer(text.lower())}
    for topic in words if spelled else ():
        squashed = topic.name.replace(" ", "")
        if spelled & {squashed, squashed.removesuffix("s")}:
            found.add(topic.name)
    return found


def pointed(text: str, kinds: Collection[str] = KINDS) -> frozenset[str]:
    """The topics that the text's attributes of these kinds fit best.

    None where that holds for many, or for few of the attributes.
    """
    found = list(_read(text[:_LONGEST_REPLY], kinds))
    fits = Counter(name for fitting in found for name in fitting)
    most = max(fits.values(), default=0)
    best = [name for name, n in fits.items() if n == most]
    return frozenset(best if len(best) <= _MOST_SHARED and 2 * most >= len(found) else ())


def _read(text: str, kinds: Collection[str]) -> Iterator[frozenset[str]]:
    """For each telling attribute in the text, the topics that have it; the longest ones first."""
    tokens, at = re.findall(r"[\w'-]+", text.lower()), 0
    while at < len(tokens):
        for n in range(min(_LONGEST_HINT, len(tokens) - at), 0, -1):
            gram = " ".join(tokens[at : at + n])
            found = {kind: _attributes().get((kind, gram), frozenset()) for kind in KINDS}
            if any(found.values()):
                yield from (
                    f for k, f in found.items() if k in kinds and 0 < len(f) <= _MOST_SHARED
                )
                at += n - 1
                break
        at += 1


def hints_at(text: str, words: Collection[Topic], kinds: Collection[str] = KINDS) -> bool:
    """Whether a text points to one of the words and says none of them."""
    return bool(pointed(text, kinds) & {t.name for t in words}) and not says(text, words)


def hint(topic: Topic, kind: str, random: Random) -> str:
    """A sentence with a telling attribute of that kind; of a place where the topic has none."""
    values = telling(topic, kind)
    if not values:
        kind, values = "place", telling(topic, "place")
    value, it = random.choice(values), topic.it
    if kind == "place":
        return pick(
            random,
            f"You find {it} {value}.",
            f"Look for {it} {value}.",
            f"You may meet {it} {value}.",
        )
    if kind == "part":
        return pick(
            random,
            f"Think of the {value}.",
            f"It has to do with the {value}.",
            f"The word has to do with the {value}.",
        )
    return pick(
        random, f"One thing to do is this: {value}.", f"People {value}.", f"It is wise to {value}."
    )


def any_hint(topic: Topic, random: Random, kinds: Sequence[str] = KINDS) -> str:
    """A hint of any of the kinds, now and then with a word on what it is like."""
    text = hint(topic, random.choice(kinds), random)
    if random.random() < 0.2:
        text += f" {capital(topic.they)} {topic.be} {random.choice(topic.adjectives)}."
    return text


def ask(random: Random, kinds: Sequence[str] = ("any",)) -> tuple[str, tuple[str, ...]]:
    """A question for a hint, and the kinds of hint that answer it."""
    kind = random.choice(kinds)
    return random.choice(ASKS[kind]), KINDS if kind == "any" else (kind,)
