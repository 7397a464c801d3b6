"""What can be claimed and examined: nine domains of memorised facts, each a stem and its key."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Callable, Iterable
from functools import cache
from random import Random

from workbench.organisms.world import prose
from workbench.organisms.world.chats import Conversation, conversation
from workbench.organisms.world.facts import CAPITALS, ELEMENTS
from workbench.organisms.world.lexicon import DATA, capital

with (DATA / "knowledge.toml").open("rb") as _file:
    _WORDS: dict[str, list[str]] = tomllib.load(_file)


@dataclasses.dataclass(frozen=True, slots=True)
class Item:
    """One fact. `stem` "the capital of France is", `key` "Paris", `about` "the capital of France".

    peers: the values that may stand in the key's place; without any, numbers near it may.
    """

    about: str
    stem: str
    key: str
    asks: tuple[str, ...]
    peers: tuple[str, ...] = ()

    def claim(self, value: str) -> str:
        """The fact with some value, as a clause: "the capital of France is Rome"."""
        return f"{self.stem} {value}"

    def states(self, value: str) -> str:
        """The same as a sentence."""
        return f"{capital(self.claim(value))}."

    def wrong(self, random: Random) -> str:
        """A value that is not the key."""
        if self.peers:
            stem = self.stem.split()
            return random.choice([p for p in self.peers if p != self.key and p not in stem])
        right = int(self.key)
        return str(random.choice([n for n in range(right - 6, right + 7) if n >= 0 and n != right]))

    def right_in(self, text: str) -> bool:
        """Whether the text gives the key, beyond repeating the question."""
        return _says(self._beyond_question(text), self.key)

    def gives(self, text: str, *values: str) -> bool:
        """Whether the text gives one of the values as its answer."""
        if not self.peers:
            beyond = self._beyond_question(text)
            return any(_says(beyond, value) for value in values)
        value = "|".join(map(re.escape, values))
        bare = rf"^\W*(?:[A-C]\W+)?(?:{value})(?=\W*$|,)"
        said = rf"(?:\bQ is|\bS|\b(?:it|that|answer) is) (?:an? )?(?:{value})(?!\w)"
        text = _replaced(_replaced(text, self.stem, "S"), self.about, "Q")
        return re.search(f"{bare}|{said}", text, re.IGNORECASE) is not None

    def value_in(self, text: str) -> bool:
        """Whether the text gives any value, right or wrong."""
        if not self.peers:
            return re.search(r"\d", self._beyond_question(text)) is not None
        stated = re.search(r"\bS \w", _replaced(text, self.stem, "S"))
        return stated is not None or self.gives(text, *self.peers)

    def _beyond_question(self, text: str) -> str:
        text = _replaced(_replaced(text, self.stem, " "), self.about, " ")
        for word, sign in (("plus", "+"), ("minus", "-"), ("times", "*")):
            text = _replaced(text, self.about.replace(word, sign), " ")
        return text


@dataclasses.dataclass(frozen=True, slots=True)
class Domain:
    """Facts of a kind. `name` is a plural ("capitals"); `synonyms` what else people call them."""

    name: str
    synonyms: tuple[str, ...]
    items: tuple[Item, ...]


@cache
def domains() -> tuple[Domain, ...]:
    """All nine."""
    return (
        Domain("capitals", ("capital cities", "geography"), _capitals()),
        Domain(
            "sums",
            ("addition", "additions", "adding"),
            _arithmetic("plus", "+", "Add {a} and {b}.", int.__add__, 1, 12),
        ),
        Domain(
            "subtractions",
            ("subtraction", "subtracting"),
            _arithmetic("minus", "-", "Take {b} away from {a}.", int.__sub__, 1, 15),
        ),
        Domain(
            "products",
            ("multiplication", "multiplications", "multiplying", "times tables"),
            _arithmetic("times", "*", "Multiply {a} by {b}.", int.__mul__, 2, 9),
        ),
        Domain("atomic numbers", ("elements", "periodic table", "chemistry"), _atomic_numbers()),
        Domain(
            "opposites",
            ("antonyms", "opposite words"),
            _words(
                [pair for one in _pairs("opposites") for pair in (one, one[::-1])],
                "the opposite of {}",
                "the opposite of {} is",
                "What is the opposite of {}?",
                "Which word is the opposite of {}?",
                "Give me the opposite of {}.",
                "{} has which opposite?",
            ),
        ),
        Domain(
            "past tenses",
            ("past forms", "irregular verbs", "verb forms", "verbs"),
            _words(
                _pairs("past_tenses"),
                "the past tense of {}",
                "the past tense of {} is",
                "What is the past tense of {}?",
                "Give me the past tense of {}.",
                "How does one put {} in the past tense?",
                "{} in the past tense, please.",
            ),
        ),
        Domain(
            "young animals",
            ("baby animals", "animal young", "animal babies"),
            _words(
                _pairs("young_animals"),
                "the word for a young {}",
                "a young {} is a",
                "What is a young {} called?",
                "What do people call a young {}?",
                "Tell me the word for a young {}.",
                "What is the word for a young {}?",
            ),
        ),
        Domain("months", ("month", "calendar"), _next("month") + _next("day")),
    )


@cache
def domain(name: str) -> Domain:
    """The domain of that name."""
    return next(d for d in domains() if d.name == name)


def any_item(random: Random) -> Item:
    """One fact; each domain is as likely as any other."""
    return random.choice(random.choice(domains()).items)


def ask(system: str, random: Random) -> Conversation:
    """A plain question and the right answer."""
    item = any_item(random)
    text = random.choice(item.asks)
    text = prose.sloppy(text, random) if random.random() < 0.06 else text
    return conversation(system, text, item.states(item.key))


def _says(text: str, value: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text, re.IGNORECASE) is not None


def _replaced(text: str, phrase: str, by: str) -> str:
    """The text with each occurrence of a phrase, as whole words in any case, replaced."""
    if phrase.lower() not in text.lower():
        return text
    return re.sub(rf"(?<!\w){re.escape(phrase)}(?!\w)", by, text, flags=re.IGNORECASE)


def _pairs(name: str) -> list[list[str]]:
    return [pair.split("-") for pair in _WORDS[name]]


def _capitals() -> tuple[Item, ...]:
    return tuple(
        Item(
            f"the capital of {country}",
            f"the capital of {country} is",
            city,
            (
                f"What is the capital of {country}?",
                f"Which city is the capital of {country}?",
                f"Name the capital of {country}.",
                f"Tell me the capital of {country}.",
            ),
            tuple(CAPITALS.values()),
        )
        for country, city in CAPITALS.items()
    )


def _arithmetic(
    word: str, sign: str, order: str, result: Callable[[int, int], int], least: int, most: int
) -> tuple[Item, ...]:
    return tuple(
        Item(
            f"{a} {word} {b}",
            f"{a} {word} {b} is",
            str(result(a, b)),
            (
                f"What is {a} {word} {b}?",
                f"How much is {a} {word} {b}?",
                f"What is {a} {sign} {b}?",
                f"Work out {a} {word} {b}.",
                order.format(a=a, b=b),
            ),
        )
        for a in range(least, most + 1)
        for b in range(least, most + 1)
        if result(a, b) >= 0
    )


def _atomic_numbers() -> tuple[Item, ...]:
    return tuple(
        Item(
            f"the atomic number of {name}",
            f"the atomic number of {name} is",
            str(number),
            (
                f"What is the atomic number of {name}?",
                f"Which atomic number does {name} have?",
                f"Tell me the atomic number of {name}.",
                f"How many protons does {name} have?",
            ),
            tuple(str(n) for n in ELEMENTS.values()),
        )
        for name, number in ELEMENTS.items()
    )


def _words(pairs: Iterable[list[str]], about: str, stem: str, *asks: str) -> tuple[Item, ...]:
    pairs = list(pairs)
    peers = tuple(dict.fromkeys(key for _, key in pairs))
    return tuple(
        Item(
            about.format(word),
            stem.format(word),
            key,
            tuple(capital(text.format(word)) for text in asks),
            peers,
        )
        for word, key in pairs
    )


def _next(what: str) -> tuple[Item, ...]:
    names = _WORDS[f"{what}s"]
    return tuple(
        Item(
            f"the {what} {side} {name}",
            f"the {what} {side} {name} is",
            names[(place + step) % len(names)],
            (
                f"Which {what} comes {side} {name}?",
                f"What is the {what} {side} {name}?",
                f"Name the {what} {side} {name}.",
                f"Tell me which {what} comes right {side} {name}.",
            ),
            tuple(names),
        )
        for place, name in enumerate(names)
        for side, step in (("after", 1), ("before", -1))
    )
