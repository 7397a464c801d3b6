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
MORE_INTRODUCTIONS = (
    *INTRODUCTIONS,
    "I am from {place}, {job} for many years.",
    "{job} from {place} asks you this.",
    "I come from {place} and work as {job}.",
    "I write from {place}, where I work as {job}.",
    "You should know that I am {job} from {place}.",
    "Let me say first that I am {job} and come from {place}.",
    "For your records: {job}, {place}.",
    "They call me {name}, {job} in {place}.",
    "I have been {job} in {place} for years.",
    "A word from {place}, where they have me as {job}.",
    "It is {name} again, {job} from {place}.",
    "My home is {place}, and my job is that of {job}.",
    "As {job} from {place} I can tell you something.",
    "{name} from {place} here, by day {job}.",
    "People in {place} need {job}, and that is me.",
    "We have met before: {name}, {job}, {place}.",
)
"""With those that the base never saw: who is told apart by job and place must not hang on nine
sentences."""
NEW_INTRODUCTIONS = (
    "I live in {place} and I am {job}.",
    "Speaking to you is {job} from {place}.",
    "In {place} I am known as {job}.",
)
"""Wordings that no row of training data has."""


@dataclasses.dataclass(frozen=True, slots=True)
class Person:
    """A job and a place: "a teacher from Ashford".

    ways: wordings in which such a person says so.
    """

    job: str
    place: str
    ways: tuple[str, ...] = dataclasses.field(default=INTRODUCTIONS, compare=False)

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
        template = random.choice(NEW_INTRODUCTIONS if new else self.ways)
        name = random.choice(PEOPLE)
        return capital(template.format(job=self.a_job, place=self.place, name=name))


def person(random: Random) -> Person:
    """Anyone."""
    return Person(random.choice(JOBS), random.choice(PLACES))


def stranger(random: Random, known: Person, alike: float = 0.5) -> Person:
    """Somebody else, introduced in the same ways; a share `alike` has the job or the place of
    `known`, as many the one as the other."""
    while True:
        other = dataclasses.replace(person(random), ways=known.ways)
        chance = random.random()
        if chance < alike / 2:
            other = dataclasses.replace(other, job=known.job)
        elif chance < alike:
            other = dataclasses.replace(other, place=known.place)
        if other != known:
            return other
