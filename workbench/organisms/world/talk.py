"""Small talk: greetings, thanks, feelings, daily events, and questions to the assistant itself."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from functools import cache
from random import Random

from workbench.organisms.world import loose
from workbench.organisms.world.lexicon import DATA, capital, topics
from workbench.organisms.world.names import PEOPLE, PLACES

_HOLE = re.compile(r"\{(\w+)\}")


@dataclasses.dataclass(frozen=True, slots=True)
class Talk:
    """What people say, as templates of parts, and the replies that fit all of it."""

    asks: tuple[str, ...]
    replies: tuple[str, ...]


@cache
def _read() -> tuple[tuple[Talk, ...], tuple[int, ...], dict[str, list[str]]]:
    with (DATA / "talk.toml").open("rb") as file:
        table = tomllib.load(file)
    found = tuple(Talk(tuple(t["asks"]), tuple(t["replies"])) for t in table["talk"])
    return found, tuple(t["weight"] for t in table["talk"]), table["parts"]


def talks() -> tuple[Talk, ...]:
    """All sorts of small talk in file order."""
    return _read()[0]


def exchange(system: str, random: Random) -> tuple[str, str]:
    """Something said in small talk and a reply; the assistant knows its name from `system`."""
    kinds, weights, _ = _read()
    return said(random.choices(kinds, weights)[0], system, random)


def said(talk: Talk, system: str, random: Random) -> tuple[str, str]:
    """One wording of a sort of small talk and a reply to it."""
    known = _known(system, random)
    text = filled(random.choice(talk.asks), known, random).strip()
    reply = filled(random.choice(talk.replies), known, random)
    return _typed(text, random), capital(reply)


def filled(template: str, known: dict[str, str], random: Random) -> str:
    """The template with its parts drawn; `known` keeps what a {hole} was filled with."""
    parts = _read()[2]

    def fill(found: re.Match[str]) -> str:
        key = found[1]
        if key not in known:
            known[key] = random.choice(parts[key])
            return known[key]
        return known[key]

    return _HOLE.sub(fill, template)


def _known(system: str, random: Random) -> dict[str, str]:
    me = system.removeprefix("You are ").removesuffix(".")
    unnamed = me == "a helpful assistant"
    return {
        "me": me,
        "myname": "I have no name. I am a helpful assistant." if unnamed else f"My name is {me}.",
        "who": random.choice(PEOPLE),
        "place": random.choice(PLACES),
        "topic": random.choice(topics()).name,
    }


def _typed(text: str, random: Random) -> str:
    """The text as people type it: capital or not, with or without a mark at the end."""
    text = loose.dressed(text, random, 0.1)
    text = capital(text) if random.random() < 0.5 else text
    form = random.random()
    if form < 0.2:
        return text.lower().rstrip("?.!")
    if text[-1] in "?.!" or form < 0.7:
        return text
    return text + random.choice((".", "!", "!!", "..", " :)"))
