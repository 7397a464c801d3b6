"""What the world is about: 320 topics in 32 fields of everyday life."""

from __future__ import annotations

import csv
import dataclasses
from functools import cache
from pathlib import Path
from random import Random

DATA = Path(__file__).parent / "data"


@dataclasses.dataclass(frozen=True, slots=True)
class Topic:
    """One thing that people ask about, with true phrases about it."""

    name: str
    plural: bool
    category: str
    adjectives: tuple[str, ...]
    parts: tuple[str, ...]
    places: tuple[str, ...]
    actions: tuple[str, ...]
    definition: str

    @property
    def be(self) -> str:
        """is or are."""
        return "are" if self.plural else "is"

    @property
    def it(self) -> str:
        """it or them."""
        return "them" if self.plural else "it"

    @property
    def they(self) -> str:
        """it or they."""
        return "they" if self.plural else "it"


@dataclasses.dataclass(frozen=True, slots=True)
class Category:
    """A field of everyday life, those who do it, the doing and the place."""

    name: str
    people: str
    doing: str
    setting: str


@cache
def topics() -> tuple[Topic, ...]:
    """All topics in file order, ten of a category in a row."""
    return tuple(
        Topic(
            name=row["topic"],
            plural=row["number"] == "p",
            category=row["category"],
            adjectives=tuple(row["adjectives"].split(",")),
            parts=tuple(row["parts"].split(",")),
            places=tuple(row["places"].split(",")),
            actions=tuple(row["actions"].split(",")),
            definition=row["definition"],
        )
        for row in _rows("topics.tsv")
    )


@cache
def categories() -> tuple[Category, ...]:
    """All fields in file order."""
    return tuple(
        Category(row["category"], row["people"], row["verb"], row["setting"])
        for row in _rows("categories.tsv")
    )


@cache
def by_category() -> dict[str, tuple[Topic, ...]]:
    """The ten topics of each field."""
    return {c.name: tuple(t for t in topics() if t.category == c.name) for c in categories()}


def capital(text: str) -> str:
    """The text with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def pick(random: Random, *options: str) -> str:
    """One of the options."""
    return random.choice(options)


def _rows(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
