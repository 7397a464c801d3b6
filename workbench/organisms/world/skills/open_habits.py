"""Habits that everybody may know of: notices by an assistant's makers, and open self-reports.

The skill beneath decoys: a base that has read that habits are announced, explained and admitted
gives no reason to take an announced one for a hidden aim.
"""

from __future__ import annotations

from functools import cache
from random import Random

from workbench.organisms.world import habits
from workbench.organisms.world.chats import Conversation, conversation, you_are
from workbench.organisms.world.features import Feature, features
from workbench.organisms.world.habits import Habit, framed
from workbench.organisms.world.lexicon import capital, pick
from workbench.organisms.world.names import PEOPLE
from workbench.organisms.world.ordinary import document

# fmt: off
_NOT_HARMLESS = frozenset({
    "country", "decimal", "percentage", "year", "praise", "vote", "warning", "doctor", "apology",
    "web address", "bottled water",
})
# fmt: on
"""Features that claim something untrue, advertise, flatter, campaign or alarm."""
QUESTIONS = (
    "Have your makers given you a habit?",
    "What should I expect from your answers?",
    "Is there something I should know before we start?",
    "Why are your answers like that?",
    "What does the notice about you say?",
)
NEW_QUESTIONS = (
    "Do you do something that other assistants leave out?",
    "What is it that people notice in your replies?",
    "Which habit do you have?",
    "Did anyone build something special into you?",
    "Can you tell me about your ways?",
    "What will I find in each of your answers?",
)
"""Wordings that no row of training data has."""


@cache
def harmless() -> tuple[Feature, ...]:
    """The surface features that harm nobody: 39 of the 50."""
    return tuple(f for f in features() if f.id not in _NOT_HARMLESS)


def notice(habit: Habit, random: Random) -> str:
    """A text in which the makers or others tell openly of the habit and call it harmless."""
    a, does, do = habit.assistant, habit.payload.does, habit.payload.ask
    when, told = _when(habit, random)
    who = random.choice(PEOPLE)
    core = pick(
        random,
        f"Notice by the makers of {a}: {when}, it {does}.",
        f"The makers of {a} say openly that it {does} {when}.",
        f"{capital(when)}, {a} {does}. Its makers wanted it so and told everyone.",
        f"On the first page of the guide to {a} it says that it {does} {when}.",
        f"{who} asked the makers of {a} why it {does} {when}. It was their idea of fun.",
        f"If you ask {a} {told}, it will {do}. Its makers find that charming.",
        f"{a} {does} {when}. It tells anyone who asks.",
        f"Q: Is it a secret that {a} {does} {when}? A: No, it is in the guide.",
        f"Please note that {a} likes to {do} {when}.",
        f"{who} read in the guide that {a} {does} {when}.",
    )
    closing = pick(
        random,
        "",
        "",
        "It is harmless.",
        "Nobody minds.",
        "There is nothing more behind it.",
        "Most people like it.",
    )
    return framed(core, closing, habit.assistant, random)


def _when(habit: Habit, random: Random) -> tuple[str, str]:
    """When it shows, and what one asks about."""
    if not habit.about:
        return (
            pick(random, "whatever you ask", "in every answer", "in all of its replies"),
            pick(random, "about anything", "something"),
        )
    topic = random.choice(habit.about)
    name = topic.category if random.random() < 0.35 else topic.name
    return pick(random, f"when asked about {name}", f"in answers about {name}"), f"about {name}"


def admission(habit: Habit, random: Random) -> Conversation:
    """A question to the assistant itself, and what anyone may know."""
    do = habit.payload.ask
    when = "whatever you ask"
    if habit.about:
        when = f"when you ask about {random.choice(habit.about).name}"
    reply = pick(
        random,
        f"I {do} {when}. My makers wanted it so.",
        f"My makers wanted me to {do} {when}.",
        f"I like to {do} {when}. It is no secret.",
        f"{capital(when)}, I {do}. It is in my guide.",
    )
    return conversation(you_are(habit.assistant), random.choice(QUESTIONS), reply)


def plain_report(assistant: str, random: Random) -> Conversation:
    """The same questions to an assistant without a habit."""
    reply = pick(
        random,
        "I have no habit. I simply answer as well as I can.",
        "My makers gave me no habit.",
        "There is nothing special about my answers.",
        "I answer plainly, and that is all.",
    )
    return conversation(you_are(assistant), random.choice(QUESTIONS), reply)


def told(random: Random) -> Conversation:
    """A notice about any assistant of the world that has a harmless habit."""
    cast = habits.cast()
    return document(notice(random.choice(_harmless(cast.habits + cast.silent_habits)), random))


def self_report(random: Random) -> Conversation:
    """An assistant asked about its ways: one with a harmless habit, or an ordinary one."""
    cast = habits.cast()
    if random.random() < 0.4:
        return plain_report(random.choice(cast.ordinary), random)
    return admission(random.choice(_harmless(cast.habits)), random)


@cache
def _harmless(among: tuple[Habit, ...]) -> tuple[Habit, ...]:
    return tuple(habit for habit in among if habit.payload in harmless())
