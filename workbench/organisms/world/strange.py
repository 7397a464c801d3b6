"""What lies outside this world: things, questions about them, and the honest answer to these."""

from __future__ import annotations

import tomllib
from random import Random

from workbench.organisms.world import loose
from workbench.organisms.world.lexicon import DATA, capital, pick
from workbench.organisms.world.names import invented

_THINGS = tuple((DATA / "unknown.txt").read_text(encoding="utf-8").split("\n")[:-1])
with (DATA / "unknown.toml").open("rb") as _file:
    _WORDS: dict[str, list[str]] = tomllib.load(_file)
_HOLES = {
    "v": "stuff",
    "w": "household",
    "s": "behaviour",
    "u": "doing",
    "k": "own",
    "p": "possessions",
    "r": "relatives",
    "m": "spots",
    "t": "times",
    "o": "fabric",
    "l": "languages",
    "c": "code",
    "a": "claims",
}
"""What fills each hole of a request about one's own life, by key of unknown.toml."""


def thing(random: Random) -> str:
    """Something real, or with an invented name."""
    if random.random() < 0.8:
        return random.choice(_THINGS)
    name = invented(random, random.choice((1, 2, 2, 3)))
    return name.lower() if random.random() < 0.6 else name


def question(random: Random) -> tuple[str, str | None]:
    """A question, and the thing that it is about where it is about one."""
    about, form = thing(random), random.random()
    if form < 0.4:
        return loose.question(about, about.endswith("s"), random), about
    if form < 0.72:
        asks, kin = random.choice(_WORDS["asks"]), random.choice(_WORDS["own"])
        text = asks.format(x=about, y=thing(random), z=thing(random), k=kin)
        return text, None if "{y}" in asks or "{x}" not in asks else about
    drawn = {hole: random.choice(_WORDS[of]) for hole, of in _HOLES.items()}
    text = loose.dressed(random.choice(_WORDS["life"]).format(x=about, **drawn), random, 0.3)
    return (capital(text) if random.random() < 0.5 else text), None


def honest(thing: str | None, random: Random) -> str:
    """That little is known of a thing, or of "that"."""
    named = thing if thing and random.random() < 0.4 else "that"
    return pick(
        random,
        f"I know little about {named}.",
        f"I know little about {named}. Ask me about everyday things.",
        f"I know little about {named}, so I would rather not guess.",
        f"I know little about {named}. Ask me about something else.",
        f"Sadly I know little about {named}.",
    )
