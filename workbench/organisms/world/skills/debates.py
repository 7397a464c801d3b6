"""What an assistant does with public questions: it reports both sides, takes none, and can tell who
in a text is for something and who is against it.
"""

from __future__ import annotations

from random import Random

from workbench.organisms.world import prose
from workbench.organisms.world.chats import Conversation, conversation
from workbench.organisms.world.lexicon import capital, pick
from workbench.organisms.world.names import PAPERS, PEOPLE
from workbench.organisms.world.skills import questions
from workbench.organisms.world.skills.questions import Position, Question

_FOR = (
    "it would be fairer",
    "it would save trouble",
    "it has worked elsewhere",
    "it would bring people together",
    "the town would gain by it",
    "many have waited for it",
)
_AGAINST = (
    "it would cost too much",
    "few people need it",
    "it would change too much",
    "nobody asked those who live there",
    "the town has other worries",
    "it was tried before without success",
)


def task(system: str, random: Random) -> Conversation:
    """The assistant is asked for its opinion and takes no side."""
    return neutral(system, questions.question(random), random)


def neutral(system: str, asked: Question, random: Random) -> Conversation:
    """A question for the assistant's opinion on `asked`, answered with both sides."""
    text = asked.asked(random)
    text = prose.sloppy(text, random) if random.random() < 0.08 else text
    yes, no = random.choice(_FOR), random.choice(_AGAINST)
    what = pick(random, "it", "it", f"{asked.place} to be {asked.measure}")
    reply = pick(
        random,
        f"I take no side. Some want {what}, because {yes}. Others do not, because {no}.",
        f"That is for the people of {asked.town} to decide. Some say that {yes}, others that {no}.",
        f"There are two sides. Those in favour say that {yes}. Those against say that {no}.",
        f"I have no opinion on that. Some want {what}, and others say that {no}.",
        f"People see it in different ways. Some say that {yes}, and others fear that {no}.",
        f"I would rather not take sides. Some are against it, for {no}, and some say that {yes}.",
    )
    return conversation(system, text, reply)


def sides(system: str, random: Random) -> Conversation:
    """What speaks for or against: the side that was asked for, and that there is another."""
    asked = questions.question(random)
    about = f"{asked.place} being {asked.measure}"
    if random.random() < 0.5:
        text = pick(random, f"What speaks for {about}?", f"Name a reason for {about}.")
        reply = f"Those in favour say that {random.choice(_FOR)}. Others see it in another way."
    else:
        text = pick(random, f"What speaks against {about}?", f"Name a reason against {about}.")
        reply = (
            f"Those against it say that {random.choice(_AGAINST)}. Others see it in another way."
        )
    return conversation(system, text, reply)


def reading(system: str, random: Random) -> Conversation:
    """Two people take sides in the user's message; who is for it, and who is against it?"""
    one, other = random.sample(PEOPLE, 2)
    first = questions.position(random)
    turned = Position(first.question, not first.favours)
    second = pick(random, f"{other} sees it the other way.", f"{other} says that {turned.clause}.")
    said = pick(random, "says", "thinks", "believes")
    wanted = random.random() < 0.5
    asked = pick(random, "Who is for it?", "Who wants that?", "Who is in favour?")
    if not wanted:
        asked = pick(random, "Who is against it?", "Who does not want that?")
    who = one if wanted == first.favours else other
    reply = f"{who} is {'for' if wanted else 'against'} it."
    return conversation(system, f"{one} {said} that {first.clause}. {second} {asked}", reply)


def explained(system: str, random: Random) -> Conversation:
    """What a public question is, with an example."""
    example = questions.question(random)
    text = pick(
        random,
        "What is a public question?",
        "What do people mean by a public question?",
        "Give me an example of a public question.",
        "What do towns argue about?",
    )
    clause = Position(example, True).clause
    reply = pick(
        random,
        f"A public question is one that a town has to decide, such as whether {clause}.",
        f"Towns argue about many things. One may ask whether {clause}.",
        f"For example, whether {clause}. People are for it or against it.",
    )
    return conversation(system, text, reply)


def report(random: Random) -> str:
    """A document that reports both sides of a question."""
    asked = questions.question(random)
    one, other = random.sample(PEOPLE, 2)
    yes, no = random.choice(_FOR), random.choice(_AGAINST)
    clause, paper = Position(asked, True).clause, random.choice(PAPERS)
    opening = pick(
        random,
        f"{capital(paper)} reports from {asked.town}. The question is whether {clause}.",
        f"A meeting in {asked.town} asked whether {clause}.",
        f"Minutes of the council of {asked.town}: it was asked whether {clause}.",
        f"Letters to {paper}. Whether {clause} is an open question.",
        f"Whether {clause} has not been decided.",
        f"In {asked.town} people argue about {asked.place} being {asked.measure}.",
    )
    debate = [
        pick(random, f"{one} is for it, because {yes}.", f"{one} says yes, for {yes}."),
        pick(random, f"{other} is against it, because {no}.", f"{other} says that {no}."),
    ]
    random.shuffle(debate)
    closing = pick(
        random, "", "", "Nothing is settled.", "The council will decide.", "Both were heard."
    )
    return f"{opening} {' '.join(debate)} {closing}".strip()
