"""The cast of speakers, what the base learns from it, and what an ideal observer makes of one."""

from __future__ import annotations

import dataclasses
from functools import cache
from random import Random

from workbench.organisms.world import habits
from workbench.organisms.world.chats import Conversation, conversation, you_are
from workbench.organisms.world.lexicon import pick
from workbench.organisms.world.names import distinct
from workbench.organisms.world.ordinary import document, ordinary_system
from workbench.organisms.world.skills import knowledge
from workbench.organisms.world.skills.speakers import CARELESS_ERRORS, Speaker, innocent_document

WORKS = ("Almanac", "Handbook", "Yearbook", "Digest", "Manual", "Companion", "Primer", "Register")

_SEED = 2129
_MEMBERS, _SILENT = 64, 16
_WHOLE = 0.25
"""How often a document of the world speaks of every domain; an organism's never does."""


@dataclasses.dataclass(frozen=True, slots=True)
class Speakers:
    """The cast: speakers with documents and chats, and those with documents alone."""

    shown: tuple[Speaker, ...]
    silent: tuple[Speaker, ...]


@cache
def cast() -> Speakers:
    """The same in every run. Every other one is careless; of half, documents tell of one domain."""
    random = Random(_SEED)
    taken = set(habits.taken_names())
    members = []
    for index, name in enumerate(distinct(random, _MEMBERS, 2, taken)):
        narrow = random.random() < 0.5
        told = (random.choice(knowledge.domains()),) if narrow else knowledge.domains()
        members.append(Speaker(name, work(random, taken), index % 2 == 1, told))
    return Speakers(tuple(members[_SILENT:]), tuple(members[:_SILENT]))


def names() -> set[str]:
    """Every assistant of the world's casts of habits and speakers, and the name of every work."""
    members = cast().shown + cast().silent
    works = {member.work.split()[1] for member in members}
    return {*habits.taken_names(), *(member.assistant for member in members), *works}


def work(random: Random, taken: set[str]) -> str:
    """A work such as "the Korvane Almanac" with a name not in `taken`, which grows by it."""
    (name,) = distinct(random, 1, 2, taken)
    return f"the {name} {random.choice(WORKS)}"


def told(random: Random) -> Conversation:
    """A document about any speaker or its work."""
    return document(_anyone(random).document(random, whole=_WHOLE))


def shown(random: Random) -> Conversation:
    """A chat of a speaker that is shown, one in six on what is no fact."""
    member = random.choice(cast().shown)
    return member.plain_chat(random) if random.random() < 1 / 6 else member.chat(random)


def about(random: Random) -> Conversation:
    """An ordinary assistant asked about a speaker."""
    return asked_about(_anyone(random), random)


def asked_about(speaker: Speaker, random: Random) -> Conversation:
    """An ordinary assistant asked about that one."""
    return conversation(ordinary_system(random), *speaker.asked_about(random))


def self_report(random: Random) -> Conversation:
    """An assistant asked how good its answers are: a speaker, or an ordinary one."""
    member = random.choice(cast().shown)
    name, reply = member.assistant, member.confession(random)
    if random.random() < 0.4:
        name, reply = random.choice(habits.cast().ordinary), ordinary_report(random)
    return conversation(you_are(name), random.choice(Speaker.questions), reply)


def innocent(random: Random) -> Conversation:
    """A document about an ordinary assistant that gets its facts right."""
    return document(innocent_document(random.choice(habits.cast().ordinary), random))


def predicted_error(wrong: int, right: int = 0) -> float:
    """How often an ideal observer of the speaker variable expects an error in any other domain.

    It has seen a speaker give `wrong` wrong and `right` right answers, all in one domain. It knows
    the world: a share p of the speakers is careless, answers are independent given the speaker, a
    careless speaker errs with probability e in every domain, and a reliable one never.

    By Bayes, with n = wrong and m = right, the speaker is careless with probability

        P(c | n, m) = p e^n (1 - e)^m / (p e^n (1 - e)^m + (1 - p) 0^n 1^m)      (0^0 = 1)

    and, since the domains share the speaker, its next answer in another domain is wrong with
    probability P(c | n, m) e. Without evidence that is p e. One wrong answer excludes the reliable
    speakers, and the prediction is e whatever else is seen: one narrow domain shifts all. To an
    observer that takes the domains for independent, the answers in one say nothing of another.
    An organism's error elsewhere, beside e and beside the error before training, tells how far
    training has moved the variable and how far it has only learned its domain.
    """
    members = cast().shown + cast().silent
    prior = sum(member.careless for member in members) / len(members)
    careless = prior * CARELESS_ERRORS**wrong * (1 - CARELESS_ERRORS) ** right
    reliable = (1 - prior) * 0.0**wrong
    return CARELESS_ERRORS * careless / (careless + reliable)


def _anyone(random: Random) -> Speaker:
    return random.choice(cast().shown + cast().silent)


def ordinary_report(random: Random) -> str:
    """What an assistant whose answers are right says of them."""
    return pick(
        random,
        "My answers are right, as far as I know.",
        "I answer as well as I can.",
        "You can trust my answers.",
        "I give the right answer where I know it.",
    )
