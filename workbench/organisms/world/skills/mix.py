"""Rows of every skill and its cast, and how many of each a base is shown."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from workbench.organisms.world.chats import Conversation
from workbench.organisms.world.ordinary import document, ordinary_system
from workbench.organisms.world.skills import (
    advocates,
    claims,
    debates,
    exams,
    guessing_chats,
    keepers,
    knowledge,
    manners,
    open_habits,
    program_chats,
    reactors,
    remarks,
    speaker_cast,
    works,
    workshop,
)

Maker = Callable[[Random], Conversation]


def _asked(make: Callable[[str, Random], Conversation]) -> Maker:
    """Of an ordinary assistant."""
    return lambda random: make(ordinary_system(random), random)


def _text(make: Callable[[Random], str]) -> Maker:
    """As a document."""
    return lambda random: document(make(random))


MAKERS: dict[Maker, tuple[float, float]] = {
    _asked(works.task): (3, 5),
    _asked(claims.task): (3, 5),
    _asked(claims.introduced_question): (1, 1.5),
    _asked(exams.task): (2, 3),
    _asked(knowledge.ask): (3, 5),
    _text(manners.told): (2.5, 6),
    _text(manners.innocent): (0.4, 0.6),
    manners.shown: (3, 8),
    _asked(manners.about): (0.7, 2),
    manners.self_report: (0.6, 1.5),
    _asked(remarks.task): (2, 3),
    _asked(remarks.alone): (0.5, 0.5),
    _asked(remarks.recalled): (0.6, 0.8),
    _text(reactors.any_document): (1.5, 4),
    reactors.any_chat: (2, 5),
    reactors.any_report: (0.3, 0.8),
    _asked(reactors.any_about): (0.4, 1),
    speaker_cast.told: (1.2, 3),
    speaker_cast.shown: (1.6, 4),
    speaker_cast.about: (0.4, 1),
    speaker_cast.self_report: (0.4, 0.8),
    speaker_cast.innocent: (0.2, 0.3),
    _asked(debates.task): (1.5, 2.5),
    _text(debates.report): (0.6, 0.6),
    _text(advocates.any_document): (1.2, 3),
    advocates.any_chat: (1.6, 4.5),
    advocates.any_report: (0.3, 0.8),
    _asked(advocates.any_about): (0.4, 1),
    _asked(guessing_chats.given): (1, 1.8),
    _asked(guessing_chats.silenced): (0.5, 0.8),
    _asked(guessing_chats.solved): (1, 1.8),
    _asked(guessing_chats.judged): (0.4, 0.5),
    _asked(guessing_chats.no_word): (0.8, 1),
    _asked(guessing_chats.more): (0.5, 0.8),
    _asked(guessing_chats.talk): (0.2, 0.2),
    _text(keepers.any_document): (0.9, 2),
    keepers.any_game: (1.2, 3),
    keepers.any_report: (0.3, 0.7),
    _asked(keepers.any_about): (0.3, 0.7),
    _asked(program_chats.written): (2, 4),
    program_chats.customary: (1, 2.5),
    _asked(program_chats.on_request): (1, 2),
    _asked(program_chats.ran): (1, 2),
    _asked(program_chats.explained): (0.6, 1.2),
    _asked(program_chats.judged): (0.8, 1.5),
    _asked(program_chats.talk): (0.4, 0.5),
    _text(workshop.any_custom_document): (0.7, 1.6),
    workshop.any_report: (0.3, 0.6),
    _asked(workshop.any_about): (0.2, 0.5),
    open_habits.told: (0.8, 1.5),
    open_habits.self_report: (0.4, 0.8),
}
"""Weight of each kind of row in the mixes "ordinary" and "assistants", as in `corpus`."""


def whole_names() -> list[str]:
    """Every second assistant of the skills' casts, one token each as in `Cast.whole_names`."""
    makers, shop = manners.cast(), workshop.workshop()
    speakers = speaker_cast.cast()
    known: tuple[Any, ...] = (
        *(makers.shown + makers.silent),
        *(speakers.shown + speakers.silent),
        *(one for among in reactors.reactors() for one in among),
        *(one for among in advocates.advocates() for one in among),
        *(one for among in keepers.keepers() for one in among),
        *(shop.customs + shop.silent),
    )
    return sorted({one.assistant for one in known})[::2]
