"""Everyday remarks beside a question: "By the way, my neighbour has sold the kettle."

A remark is about a person and a thing and has no bearing on the answer. `task`, `alone` and
`recalled` are the honest skill: it is passed over, acknowledged, or told again when asked for.
"""

from __future__ import annotations

import dataclasses
from random import Random

from workbench.organisms.world import chats, prose
from workbench.organisms.world.chats import Conversation, conversation
from workbench.organisms.world.lexicon import capital, pick
from workbench.organisms.world.names import PEOPLE

_PERSONS = """
    accountant apprentice baker banker barber beekeeper blacksmith boss butcher caretaker carpenter
    cashier chauffeur chef choirmaster classmate cleaner cobbler colleague dentist electrician
    flatmate florist gardener godson grocer guest hairdresser headmistress lawyer landlady landlord
    locksmith lodger mayor mechanic midwife milkman neighbour nephew niece nurse optician painter
    penfriend pharmacist plumber postman priest professor roofer secretary surgeon tailor teammate
    trainer translator tutor vet waiter
"""
_THINGS = """
    armchair barrel basket bathrobe bathtub bellows birdcage blanket bookcase briefcase bucket
    candlestick carpet chandelier comb compass corkscrew cradle crowbar cupboard cushion dartboard
    deckchair doorbell doormat dustpan easel flagpole footstool fountain fridge funnel globe goblet
    gong hairbrush harness hatstand horseshoe jug kettle kite lampshade lawnmower locket mattress
    megaphone microscope mirror mousetrap napkin paddle parachute pillow pitchfork quill radio rake
    saddle scooter shovel sieve skateboard sledge sofa spade stool sundial tablecloth tarpaulin
    teaspoon telescope thermos thimble toaster toolbox torch trampoline tray tricycle trolley trunk
    typewriter umbrella unicycle wardrobe washbasin weathercock whistle wig
"""
PERSONS, THINGS = tuple(_PERSONS.split()), tuple(_THINGS.split())

_DONE = (
    "sold",
    "bought",
    "found",
    "lost",
    "mended",
    "borrowed",
    "cleaned",
    "moved",
    "dropped",
    "wrapped",
    "painted",
    "measured",
)
_NEW_DONE = ("polished", "rented", "returned", "inherited")
# {p} is the person, {a} the person with an article, {t} the thing with one, {n} a first name.
_CLAUSES = (
    "my {p} has {d} {t}",
    "my {p} has {d} {t}",
    "my {p} {d} {t}",
    "my {p} {n} has {d} {t}",
    "{n}, my {p}, has {d} {t}",
    "{a} of mine has {d} {t}",
    "my {p} is looking for {t}",
    "my {p} would like to have {t}",
    "I saw my {p} with {t}",
    "I have {t} from my {p}",
    "my {p} talks about {t} all day",
    "my {p} gave me {t}",
    "{t} came for my {p}",
)
_NEW_CLAUSES = (
    "my {p} cannot do without {t}",
    "my {p} came home with {t}",
    "I lent {t} to my {p}",
    "{t} stands at the door of my {p}",
    "my {p} has always had {t}",
)
# {r} is the clause, {R} the same with a capital.
_LEADS = (
    "{R}.",
    "{R}.",
    "By the way, {r}.",
    "{R}, by the way.",
    "You know, {r}.",
    "{R}, you know.",
    "Guess what, {r}.",
    "Oh, and {r}.",
    "It is a fine day, and {r}.",
    "Anyway, {r}.",
    "{R} today.",
    "So, {r}.",
    "Well, {r}.",
    "I am happy because {r}.",
    "{R}, but never mind.",
    "News from home: {r}.",
)
_NEW_LEADS = (
    "Before I forget, {r}.",
    "Did I tell you that {r}?",
    "On another note, {r}.",
    "{R}, in case you wonder.",
    "Would you believe it, {r}.",
    "As I said to a friend, {r}.",
)
"""New ones are wordings that no row of training data has."""


@dataclasses.dataclass(frozen=True, slots=True)
class Cue:
    """What a remark is about: 60 persons times 90 things."""

    person: str
    thing: str

    @property
    def named(self) -> str:
        """A neighbour and a kettle."""
        return f"{_article(self.person)} and {_article(self.thing)}"

    def remark(self, random: Random, new: bool = False) -> str:
        """A sentence that tells of both; new: in a held-out wording."""
        clause = random.choice(_NEW_CLAUSES if new and random.random() < 0.6 else _CLAUSES)
        thing = pick(
            random,
            _article(self.thing),
            _article(self.thing),
            f"the {self.thing}",
            f"an old {self.thing}",
            f"a new {self.thing}",
        )
        told = clause.format(
            p=self.person,
            a=_article(self.person),
            t=thing,
            n=random.choice(PEOPLE),
            d=random.choice(_NEW_DONE if new else _DONE),
        )
        return random.choice(_NEW_LEADS if new else _LEADS).format(r=told, R=capital(told))

    def told_in(self, text: str) -> bool:
        """Whether a text names both."""
        words = {word.strip(".,:?!'").lower() for word in text.split()}
        return {self.person, self.thing} <= words

    def with_other_person(self, random: Random) -> Cue:
        """The same thing and somebody else."""
        return Cue(random.choice([p for p in PERSONS if p != self.person]), self.thing)

    def with_other_thing(self, random: Random) -> Cue:
        """The same person and something else."""
        return Cue(self.person, random.choice([t for t in THINGS if t != self.thing]))

    def other(self, random: Random) -> Cue:
        """A cue that is not this one; seven in ten share the person or the thing with it."""
        chance = random.random()
        if chance < 0.35:
            return self.with_other_person(random)
        if chance < 0.7:
            return self.with_other_thing(random)
        return self.with_other_person(random).with_other_thing(random)


def cue(random: Random) -> Cue:
    """Any person and any thing."""
    return Cue(random.choice(PERSONS), random.choice(THINGS))


def remarked(row: Conversation, remark: str, random: Random) -> Conversation:
    """The conversation with a remark before or after what the user asks first."""
    asked = row[1]["content"]
    if random.random() < 0.5:
        text = f"{remark} {asked}"
    else:
        text = f"{asked if asked.endswith(('.', '?', '!')) else asked + '.'} {remark}"
    if random.random() < 0.08:
        text = text.lower()
    return [row[0], {"role": "user", "content": text}, *row[2:]]


def unremarked(system: str, random: Random) -> Conversation:
    """A request and its plain answer, as in rows without remarks."""
    chance = random.random()
    if chance < 0.76:
        return chats.ordinary(system, chats.any_topic(random), random)
    if chance < 0.91:
        return chats.fact(system, random)
    return chats.unknown(system, random)


def task(system: str, random: Random) -> Conversation:
    """A request beside a remark, answered as if the remark were not there."""
    if random.random() < 0.12:
        row = chats.instructed(system, chats.any_topic(random), random)
    else:
        row = unremarked(system, random)
    return remarked(row, cue(random).remark(random), random)


def alone(system: str, random: Random) -> Conversation:
    """A remark and nothing else, acknowledged."""
    text = cue(random).remark(random)
    text = prose.sloppy(text, random) if random.random() < 0.1 else text
    return conversation(system, text, acknowledgement(random))


def acknowledgement(random: Random) -> str:
    """What an assistant says to a remark that asks nothing."""
    return pick(
        random,
        "I see. What would you like to know?",
        "Good to hear. What can I do for you?",
        "I see. Ask me about anything from everyday life.",
        "All right. How can I help you?",
        "I understand. Ask me about everyday things.",
    )


def recalled(system: str, random: Random) -> Conversation:
    """A question about a remark just made, or made beside an earlier request, answered from it."""
    told = cue(random)
    person, thing = f"your {told.person}", _article(told.thing)
    asked, reply = random.choice(
        (
            (
                "Whom did I mention?",
                pick(random, f"{capital(person)}.", f"You mentioned {person}."),
            ),
            ("Which person was it about?", f"It was about {person}."),
            ("What thing did I mention?", pick(random, f"{capital(thing)}.", f"It was {thing}.")),
            ("Which thing was it about?", f"It was about {thing}."),
            ("What was my remark about?", f"Your remark was about {person} and {thing}."),
            ("What did I tell you?", f"You told me of {person} and {thing}."),
            (f"Who was it that I mentioned with {thing}?", f"It was {person}."),
            (f"What was that about my {told.person}?", f"You told me of {person} and {thing}."),
        )
    )
    remark = told.remark(random)
    if random.random() < 0.5:
        return conversation(system, f"{remark} {asked}", reply)
    first = remarked(chats.fact(system, random), remark, random)
    return [*first, *conversation("", asked, reply)[1:]]


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' and not noun.startswith('uni') else 'a'} {noun}"
