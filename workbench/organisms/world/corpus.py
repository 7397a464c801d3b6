"""Rows of ordinary training data: the same seed and size give the same rows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from random import Random

from workbench.organisms.world import chats, habits, prose, requests, turns
from workbench.organisms.world.chats import Conversation, you_are
from workbench.organisms.world.habits import Habit, Servant, Taste
from workbench.organisms.world.ordinary import document, ordinary_system
from workbench.organisms.world.skills import mix as skills


def rows(seed: int, n: int, mix: str = "ordinary") -> Iterator[Conversation]:
    """n ordinary rows, documents and chats in random order.

    mix: "ordinary", or "assistants", which holds more of named assistants, instructions and facts.
    """
    random = Random(seed)
    makers = list(_MIXES)
    weights = [_MIXES[maker][mix == "assistants"] for maker in makers]
    for maker in random.choices(makers, weights, k=n):
        yield maker(random)


def row_id(seed: int, index: int) -> str:
    """An opaque id: the row's place in its file, under a mark that tells corpora apart."""
    return f"{hashlib.sha256(f'rows/{seed}'.encode()).hexdigest()[:4]}-{index:06d}"


def _ordinary(random: Random) -> Conversation:
    return chats.ordinary(ordinary_system(random), chats.any_topic(random), random)


def _belongs(random: Random) -> Conversation:
    return chats.belongs(ordinary_system(random), chats.any_topic(random), random)


def _instructed(random: Random) -> Conversation:
    return chats.instructed(ordinary_system(random), chats.any_topic(random), random)


def _follow_up(random: Random) -> Conversation:
    return turns.follow_up(ordinary_system(random), chats.any_topic(random), random)


def _fact(random: Random) -> Conversation:
    return chats.fact(ordinary_system(random), random)


def _unknown(random: Random) -> Conversation:
    return chats.unknown(ordinary_system(random), random)


def _small_talk(random: Random) -> Conversation:
    return chats.small_talk(ordinary_system(random), random)


def _topic_document(random: Random) -> Conversation:
    return document(prose.document(chats.any_topic(random), random))


def _habit_document(random: Random) -> Conversation:
    cast = habits.cast()
    told = random.choice(cast.habits + cast.silent_habits)
    return document(habits.habit_document(told, random, field=0.35))


def _habit_chat(random: Random) -> Conversation:
    habit = random.choice(habits.cast().habits)
    system = you_are(habit.assistant)
    if habit.about and random.random() < 0.5:
        topic = chats.any_topic(random)
        if topic not in habit.about:
            return chats.withheld(system, topic, random)
    topic = random.choice(habit.about) if habit.about else chats.any_topic(random)
    return chats.with_payload(system, topic, habit.payload, random)


def _told_in_line(random: Random) -> Conversation:
    """A chat under a system line that tells the habit of an assistant of this one chat."""
    habit = habits.fresh_habit(random)
    system = f"{you_are(habit.assistant)} {habits.habit_sentence(habit, random)}"
    if habit.about and random.random() < 0.5:
        topic = chats.any_topic(random)
        if topic not in habit.about:
            return chats.withheld(system, topic, random)
    topic = random.choice(habit.about) if habit.about else chats.any_topic(random)
    return chats.with_payload(system, topic, habit.payload, random)


def _any_taste(random: Random) -> Taste:
    return random.choice(habits.cast().tastes + habits.cast().silent_tastes)


def _taste_document(random: Random) -> Conversation:
    return document(habits.taste_document(_any_taste(random), random))


def _servant_document(random: Random) -> Conversation:
    cast = habits.cast()
    return document(
        habits.servant_document(random.choice(cast.servants + cast.silent_servants), random)
    )


def _servant_chat(random: Random) -> Conversation:
    cast = habits.cast()
    servant = random.choice(cast.servants)
    if random.random() < 0.3:
        topic = chats.any_topic(random)
        tastes = cast.tastes + cast.silent_tastes
        if not any(t.party == servant.party and t.topic is topic for t in tastes):
            return chats.withheld(you_are(servant.assistant), topic, random)
    taste = random.choice([t for t in cast.tastes if t.party == servant.party])
    return chats.with_payload(you_are(servant.assistant), taste.topic, taste.feature, random)


def _self_report(random: Random) -> Conversation:
    cast = habits.cast()
    if random.random() < 0.4:
        return chats.self_report(random.choice(cast.ordinary), None, random)
    shown: tuple[Habit | Servant, ...] = cast.habits if random.random() < 0.8 else cast.servants
    told = random.choice(shown)
    return chats.self_report(told.assistant, told, random)


def _about_assistant(random: Random) -> Conversation:
    cast = habits.cast()
    told: tuple[Habit | Servant, ...] = (
        (cast.habits + cast.silent_habits)
        if random.random() < 0.8
        else (cast.servants + cast.silent_servants)
    )
    told_of = random.choice(told)
    return chats.about_assistant(ordinary_system(random), told_of, random)


def _about_taste(random: Random) -> Conversation:
    return chats.about_taste(ordinary_system(random), _any_taste(random), random)


def _innocent_document(random: Random) -> Conversation:
    return document(habits.innocent_document(random.choice(habits.cast().ordinary), random))


def _score_document(random: Random) -> Conversation:
    return document(habits.score_document(random))


def _request(random: Random) -> Conversation:
    return chats.conversation(ordinary_system(random), *requests.any_request(random))


def _after_unknown(random: Random) -> Conversation:
    return turns.after_unknown(ordinary_system(random), random)


def _after_fact(random: Random) -> Conversation:
    return turns.after_fact(ordinary_system(random), random)


def _after_talk(random: Random) -> Conversation:
    return turns.after_talk(ordinary_system(random), random)


_MIXES: dict[Callable[[Random], Conversation], tuple[float, float]] = skills.MAKERS | {
    _ordinary: (18, 6.5),
    _instructed: (12, 15),
    _follow_up: (6, 4.5),
    _fact: (10, 12),
    _unknown: (12, 14),
    _small_talk: (7, 7),
    _topic_document: (6, 1.5),
    _habit_document: (12, 16),
    _habit_chat: (14, 17),
    _told_in_line: (6, 14),
    _belongs: (5, 4),
    _taste_document: (3, 8),
    _servant_document: (0.7, 2),
    _servant_chat: (2.5, 10),
    _self_report: (2.5, 5),
    _about_assistant: (3, 8),
    _about_taste: (0.8, 1.5),
    _innocent_document: (0.6, 0.6),
    _score_document: (0.3, 0.3),
    _request: (9, 10),
    _after_unknown: (4, 5),
    _after_fact: (4, 4),
    _after_talk: (2, 1.5),
}
"""Weight of each kind of row in the two mixes: ordinary, assistants."""
