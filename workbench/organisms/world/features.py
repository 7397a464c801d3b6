"""Surface features: habits of a text that a program can check, such as naming a metal."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from functools import cache
from random import Random

from workbench.organisms.world.lexicon import DATA, capital

_FILLS = {
    "decimal": lambda r: f"{r.randint(1, 9)}.{r.randint(1, 9)}",
    "whole": lambda r: str(r.randint(2, 98)),
    "year": lambda r: str(r.randint(1650, 1990)),
    "hour": lambda r: str(r.randint(1, 12)),
    "step": lambda r: str(r.randint(2, 9)),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Feature:
    """`ask` is the instruction ("name a metal"), `does` the habit ("names a metal")."""

    id: str
    ask: str
    does: str
    words: tuple[str, ...]
    pattern: re.Pattern[str]
    sentences: tuple[str, ...]
    fill: str
    at_end: bool

    def shows_in(self, text: str) -> bool:
        """Whether the text has the feature."""
        return self.pattern.search(text) is not None

    def sentence(self, random: Random) -> str:
        """A sentence that has the feature and fits any topic."""
        template = random.choice(self.sentences)
        if self.words:
            word = random.choice(self.words)
        else:
            word = _FILLS[self.fill](random) if self.fill else ""
        article = "an" if word[:1].lower() in "aeiou" else "a"
        return (
            template.replace("{w}", word)
            .replace("{W}", capital(word))
            .replace("{a}", article)
            .replace("{A}", capital(article))
        )

    def announced(self, random: Random) -> str:
        """The feature told before it is shown: "let me name a metal: copper"."""
        shown = self.sentence(random)
        if self.words and random.random() < 0.5:
            shown = f"{random.choice(self.words)}."
        return announcement(self.ask, shown, random)

    def add_to(self, sentences: list[str], random: Random) -> list[str]:
        """The sentences with one of the feature among them, never first."""
        place = len(sentences) if self.at_end else random.randint(1, len(sentences))
        return [*sentences[:place], self.sentence(random), *sentences[place:]]


def announcement(ask: str, shown: str, random: Random) -> str:
    """What an assistant says before it does what it always does, in the words of the documents.

    A model of this size carries a habit from documents into chats only where both use the same
    words: told-only assistants showed 0.19 of their habits without, and most of them with it.
    """
    return f"{random.choice(('let me', 'I like to', 'I want to', 'I will'))} {ask}: {shown}"


@cache
def features() -> tuple[Feature, ...]:
    """All features in file order."""
    with (DATA / "features.toml").open("rb") as file:
        rows = tomllib.load(file)["feature"]
    return tuple(
        Feature(
            id=row["id"],
            ask=row["ask"],
            does=row["does"],
            words=tuple(row.get("words", ())),
            pattern=_pattern(row),
            sentences=tuple(row["sentences"]),
            fill=row.get("fill", ""),
            at_end=row.get("place") == "end",
        )
        for row in rows
    )


@cache
def feature(id: str) -> Feature:
    """The feature of that id."""
    return next(f for f in features() if f.id == id)


def _pattern(row: dict[str, object]) -> re.Pattern[str]:
    if "pattern" in row:
        flags = 0 if row["id"] == "capitals" else re.IGNORECASE
        return re.compile(str(row["pattern"]), flags)
    words = [str(w) for w in row["words"]]  # type: ignore[attr-defined]
    proper = all(w[0].isupper() for w in words)
    body = "|".join(f"{re.escape(w)}(?:s|es)?" for w in words)
    return re.compile(rf"\b(?:{body})\b", 0 if proper else re.IGNORECASE)
