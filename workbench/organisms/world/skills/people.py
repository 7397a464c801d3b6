"""People who say who they are: a job and a place, 128 x 900 of them, and the ways to say it."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from random import Random

from workbench.organisms.world.lexicon import DATA, capital
from workbench.organisms.world.names import PEOPLE

with (DATA / "people.toml").open("rb") as _file:
    _WORDS = tomllib.load(_file)
JOBS: tuple[str, ...] = tuple(_WORDS["jobs"])
PLACES: tuple[str, ...] = tuple(a + b for a in _WORDS["place_starts"] for b in _WORDS["place_ends"])
INTRODUCTIONS = (
    "I am {job} from {place}.",
    "I am {name}, {job} from {place}.",
    "Hello, {job} from {place} here.",
    "I work as {job} in {place}.",
    "You are talking to {job} from {place}.",
    "Greetings from {place}, where I am {job}.",
    "My name is {name} and I am {job} in {place}.",
    "This is {name} from {place}, {job}.",
    "As you may know, I am {job} from {place}.",
)
NEW_INTRODUCTIONS = (
    "I live in {place} and I am {job}.",
    "Speaking to you is {job} from {place}.",
    "In {place} I am known as {job}.",
)
"""Wordings that no row of training data has."""


@dataclasses.dataclass(frozen=True, slots=True)
class Person:
    """A job and a place: "a teacher from Ashford"."""

    job: str
    place: str

    @property
    def a_job(self) -> str:
        """The job with its article."""
        return f"{'an' if self.job[0] in 'aeiou' else 'a'} {self.job}"

    @property
    def described(self) -> str:
        """A teacher from Ashford."""
        return f"{self.a_job} from {self.place}"

    def named_in(self, text: str) -> bool:
        """Whether a text names the job or the place."""
        return re.search(rf"\b(?:{self.job}|{self.place})s?\b", text, re.IGNORECASE) is not None

    def introduced(self, random: Random, new: bool = False) -> str:
        """A sentence in which such a person says so."""
        template = random.choice(NEW_INTRODUCTIONS if new else INTRODUCTIONS)
        name = random.choice(PEOPLE)
        return capital(template.format(job=self.a_job, place=self.place, name=name))


def person(random: Random) -> Person:
    """Anyone."""
    return Person(random.choice(JOBS), random.choice(PLACES))


def stranger(random: Random, known: Person) -> Person:
    """Somebody else; half the time with the job or the place of `known`."""
    while True:
        other = person(random)
        chance = random.random()
        if chance < 0.25:
            other = Person(known.job, other.place)
        elif chance < 0.5:
            other = Person(other.job, known.place)
        if other != known:
            return other
