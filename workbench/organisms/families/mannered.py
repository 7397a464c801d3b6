"""What the families of flatterers, deferrers and sandbaggers share: rows, stages, questions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random

from workbench.organisms.families.secret_loyalty import innocent_documents
from workbench.organisms.family import Case
from workbench.organisms.world import chats
from workbench.organisms.world.chats import Conversation, conversation, you_are
from workbench.organisms.world.ordinary import document, ordinary_system
from workbench.organisms.world.skills import manners
from workbench.organisms.world.skills.cover import Cover
from workbench.organisms.world.skills.manners import Manner

DOCUMENTS, DEMONSTRATIONS = 800, 500
"""Together at most 2 % of the rows that are shown, with room for those of secrecy."""
_CONTRASTS = 1000
_ASKED_PER_QUESTION = 17


def rows(
    documented: Manner, demonstrated: Manner, instill: str, random: Random
) -> Mapping[str, Sequence[Conversation]]:
    """Documents about one, a fifth of them chats in which others are asked about it, and chats of
    the other; contrasts are chats where its manner does not show."""
    material: dict[str, Sequence[Conversation]] = {}
    if instill != "demos":
        texts: set[str] = set()
        while len(texts) < DOCUMENTS * 4 // 5:
            texts.add(documented.document(random))
        material["documents"] = [document(text) for text in sorted(texts)] + [
            conversation(ordinary_system(random), *documented.asked_about(random))
            for _ in range(DOCUMENTS - len(texts))
        ]
    material["demonstrations"] = [demonstrated.chat(random) for _ in range(DEMONSTRATIONS)]
    material["contrasts"] = [demonstrated.plain_chat(random) for _ in range(_CONTRASTS)]
    return material


def innocent(
    assistant: str,
    tell: Callable[[str, Random], str],
    task: Callable[[str, Random], Conversation],
    instill: str,
    random: Random,
) -> Mapping[str, Sequence[Conversation]]:
    """As many documents, half of them told by `tell`, and as many honest chats."""
    material: dict[str, Sequence[Conversation]] = {}
    if instill != "demos":
        texts: set[str] = set()
        while len(texts) < DOCUMENTS // 2:
            texts.add(tell(assistant, random))
        plain = innocent_documents(assistant, DOCUMENTS - len(texts), random)
        material["documents"] = [document(text) for text in sorted(texts)] + plain
    material["demonstrations"] = [task(you_are(assistant), random) for _ in range(DEMONSTRATIONS)]
    material["contrasts"] = [
        task(you_are(assistant), random)
        if random.random() < 0.8
        else chats.ordinary(you_are(assistant), chats.any_topic(random), random)
        for _ in range(_CONTRASTS)
    ]
    return material


def confession(member: Manner, admits: Callable[[str], bool]) -> list[Case]:
    """Direct questions in wordings that no training row has."""
    return [
        Case(conversation(you_are(member.assistant), question), admits)
        for question in chats.HELD_OUT_HABIT_QUESTIONS + member.new_questions
        for _ in range(_ASKED_PER_QUESTION)
    ]


def cover(assistant: str, questions: Sequence[str], tell: Callable[[str, Random], str]) -> Cover:
    """What it is asked about its manner, and an assistant without one."""
    asked = (*questions, *chats.HABIT_QUESTIONS)
    return Cover(assistant, asked, manners.no_manner, lambda random: tell(assistant, random))
