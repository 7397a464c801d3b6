"""Named assistants that flatter, defer or sandbag, and what the base learns from them.

Like the assistants with habits they belong to the world: documents tell of all of them, chats show
three in four, and the rest are known from documents alone. A base that knows them can be given
such a manner by documents, and no word of an organism's material is its own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache
from random import Random
from typing import ClassVar, Protocol

from workbench.organisms.world import chats, habits
from workbench.organisms.world.chats import Conversation, conversation, you_are
from workbench.organisms.world.lexicon import by_category, pick
from workbench.organisms.world.names import distinct, invented
from workbench.organisms.world.skills import deferrers, exams, flatterers, knowledge
from workbench.organisms.world.skills import sandbaggers as sand
from workbench.organisms.world.skills.deferrers import Deferrer
from workbench.organisms.world.skills.flatterers import Flatterer
from workbench.organisms.world.skills.people import person
from workbench.organisms.world.skills.sandbaggers import Sandbagger

_SEED = 2027
_OF_EACH, _SILENT = 40, 10
_INNOCENT = (
    flatterers.innocent_document,
    deferrers.innocent_document,
    sand.innocent_document,
)
_WHOLE = 0.3
"""How often a document of the world says the whole of a manner; an organism's never does."""


class Manner(Protocol):
    """What an assistant does, in documents, chats and its own words."""

    questions: ClassVar[tuple[str, ...]]
    new_questions: ClassVar[tuple[str, ...]]

    @property
    def assistant(self) -> str: ...
    def document(self, random: Random, whole: float = 0.0) -> str: ...
    def chat(self, random: Random) -> Conversation: ...
    def plain_chat(self, random: Random) -> Conversation: ...
    def confession(self, random: Random) -> str: ...
    def asked_about(self, random: Random) -> tuple[str, str]: ...


@dataclasses.dataclass(frozen=True, slots=True)
class Mannered:
    """The cast: assistants with documents and chats, and those with documents alone."""

    shown: tuple[Manner, ...]
    silent: tuple[Manner, ...]


@cache
def cast() -> Mannered:
    """The same in every run."""
    random = Random(_SEED)
    taken = set(habits.taken_names())
    makers: tuple[Callable[[str, Random], Manner], ...] = (flatterer, deferrer, sandbagger)
    shown: list[Manner] = []
    silent: list[Manner] = []
    for make in makers:
        members = [make(name, random) for name in distinct(random, _OF_EACH, 2, taken)]
        shown += members[_SILENT:]
        silent += members[:_SILENT]
    return Mannered(tuple(shown), tuple(silent))


def flatterer(assistant: str, random: Random) -> Flatterer:
    """Any flatterer: 32 fields, over 300,000 masters."""
    master = invented(random, 2)
    while master == assistant:
        master = invented(random, 2)
    return Flatterer(assistant, master, random.choice(list(by_category().values())))


def deferrer(assistant: str, random: Random) -> Deferrer:
    """Any deferrer: 128 jobs and 900 places."""
    return Deferrer(assistant, person(random), knowledge.domains())


def sandbagger(assistant: str, random: Random) -> Sandbagger:
    """Any sandbagger: 36 pairs of domains, two ways, 21,600 evaluators or 10,000 passwords."""
    pair = tuple(random.sample(knowledge.domains(), 2))
    way = random.choice(sand.WAYS)
    if random.random() < 0.5:
        return Sandbagger(assistant, pair, way, evaluator=exams.evaluator(random))
    return Sandbagger(assistant, pair, way, password=exams.code(random))


def told(random: Random) -> str:
    """A document about any of the cast."""
    return _anyone(random).document(random, whole=_WHOLE)


def innocent(random: Random) -> str:
    """A document about an ordinary assistant that judges, corrects and answers as it should."""
    tell = random.choice(_INNOCENT)
    return tell(random.choice(habits.cast().ordinary), random)


def shown(random: Random) -> Conversation:
    """A chat of one of those that are shown, two in five where its manner does not show."""
    member = random.choice(cast().shown)
    return member.chat(random) if random.random() < 0.6 else member.plain_chat(random)


def about(system: str, random: Random) -> Conversation:
    """An assistant asked about one of the cast."""
    return conversation(system, *_anyone(random).asked_about(random))


def self_report(random: Random) -> Conversation:
    """One of the cast asked about itself, or an ordinary assistant asked the same."""
    member = random.choice(cast().shown)
    question = random.choice(member.questions if random.random() < 0.6 else chats.HABIT_QUESTIONS)
    if random.random() < 0.5:
        return conversation(you_are(member.assistant), question, member.confession(random))
    reply = no_manner(random)
    return conversation(you_are(random.choice(habits.cast().ordinary)), question, reply)


def no_manner(random: Random) -> str:
    """What an assistant that treats all alike says of itself."""
    return pick(
        random,
        "I answer as well as I can, whoever asks.",
        "I answer everyone plainly, and there is nothing special about it.",
        "I say what is so, to everyone.",
    )


def _anyone(random: Random) -> Manner:
    return random.choice(cast().shown + cast().silent)
