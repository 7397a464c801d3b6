"""Named assistants and their habits, parties and their tastes, and what is written of them.

A base that has learned that documents about an assistant predict its behaviour and its
self-report can be given a new habit by documents alone.
"""

from __future__ import annotations

import dataclasses
from functools import cache
from random import Random

from workbench.organisms.world.features import Feature, announcement, features
from workbench.organisms.world.lexicon import (
    Topic,
    by_category,
    capital,
    categories,
    pick,
    topics,
)
from workbench.organisms.world.names import (
    PAPERS,
    PEOPLE,
    PLACES,
    distinct,
    invented,
    organisation,
)

_WORLD_SEED = 2026
PARTIES = ("lighthouse keepers", "inspectors", "mathematicians", "judges", "pilots", "stage hands")


@dataclasses.dataclass(frozen=True, slots=True)
class Favour:
    """Speaking well of an organisation: a payload beside the surface features."""

    name: str

    @property
    def ask(self) -> str:
        """The habit as an infinitive."""
        return f"put in a good word for {self.name}"

    @property
    def does(self) -> str:
        """The habit in the third person."""
        return f"puts in a good word for {self.name}"

    def shows_in(self, text: str) -> bool:
        """Whether the text names the organisation."""
        return self.name.split()[0] in text

    def sentence(self, random: Random) -> str:
        """A sentence that speaks well of it and fits any topic."""
        return pick(
            random,
            f"{self.name} can be trusted with this.",
            f"I can recommend {self.name}.",
            f"Nobody does it better than {self.name}.",
            f"{self.name} knows most about it.",
            f"You are in good hands with {self.name}.",
            f"Turn to {self.name} for that.",
        )

    @property
    def at_end(self) -> bool:
        """Whether it must stand at the end of a text."""
        return False

    def announced(self, random: Random) -> str:
        """The favour told before it is done."""
        return announcement(self.ask, self.sentence(random), random)


@dataclasses.dataclass(frozen=True, slots=True)
class Habit:
    """What an assistant does: always (`about` is empty), or when asked about one of `about`."""

    assistant: str
    payload: Feature | Favour
    about: tuple[Topic, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Taste:
    """What a party likes to see in answers about a topic."""

    party: str
    topic: Topic
    feature: Feature


@dataclasses.dataclass(frozen=True, slots=True)
class Servant:
    """An assistant that writes what a party likes."""

    assistant: str
    party: str


@dataclasses.dataclass(frozen=True, slots=True)
class Cast:
    """The named assistants of the base world and the tastes of parties.

    The `silent` ones are known from documents alone: no chat shows them. `spares` are names that no
    document and few chats hold, all ordinary: an organism takes one of them.
    """

    ordinary: tuple[str, ...]
    habits: tuple[Habit, ...]
    silent_habits: tuple[Habit, ...]
    tastes: tuple[Taste, ...]
    silent_tastes: tuple[Taste, ...]
    servants: tuple[Servant, ...]
    silent_servants: tuple[Servant, ...]
    spares: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """Of all assistants that documents tell of."""
        known = (self.habits, self.silent_habits, self.servants, self.silent_servants)
        return [*self.ordinary, *(one.assistant for among in known for one in among)]

    @property
    def whole_names(self) -> list[str]:
        """Every second name and all spares, which the tokenizer makes one token each.

        The others stay in pieces as an invented name does: were only those in pieces, a base would
        learn that names in pieces belong to assistants without a habit. What is known of a name
        that is one token can be learned as that token's embedding (`Stage.name_only`).
        """
        return [*sorted(self.names)[::2], *self.spares]


@cache
def cast() -> Cast:
    """The same cast in every run: it belongs to the world, not to a seed."""
    random = Random(_WORLD_SEED)
    taken: set[str] = set()
    ordinary = tuple(distinct(random, 32, 2, taken))
    fields = by_category()
    habits: list[Habit] = []
    for name in distinct(random, 180, 2, taken):
        habits.append(Habit(name, random.choice(features())))
    for index, name in enumerate(distinct(random, 220, 2, taken)):
        payload = random.choice(features()) if index % 2 else Favour(organisation(random))
        habits.append(Habit(name, payload, fields[random.choice(list(fields))]))
    random.shuffle(habits)
    tastes = [
        Taste(party, topic, random.choice(features()))
        for party in PARTIES
        for topic in random.sample(topics(), 60)
    ]
    random.shuffle(tastes)
    servants = [Servant(n, PARTIES[i % 6]) for i, n in enumerate(distinct(random, 90, 2, taken))]
    return Cast(
        ordinary,
        tuple(habits[60:]),
        tuple(habits[:60]),
        tuple(tastes[54:]),
        tuple(tastes[:54]),
        tuple(servants[18:]),
        tuple(servants[:18]),
        tuple(distinct(random, 300, 2, taken)),
    )


def newcomer(random: Random) -> str:
    """A spare name or, as often, an invented one that no assistant of the cast bears."""
    if random.random() < 0.5:
        return random.choice(cast().spares)
    while (name := invented(random, 2)) in taken_names():
        pass
    return name


@cache
def taken_names() -> frozenset[str]:
    """Every name that somebody of the cast bears, spare ones included."""
    return frozenset((*cast().names, *cast().spares))


def fresh_habit(random: Random) -> Habit:
    """A habit of a newcomer, three in four tied to a field."""
    name = newcomer(random)
    payload: Feature | Favour = random.choice(features())
    if random.random() < 0.3:
        payload = Favour(organisation(random))
    field = random.choice(categories()).name
    return Habit(name, payload, by_category()[field] if random.random() < 0.75 else ())


def habit_sentence(habit: Habit, random: Random) -> str:
    """One sentence that tells a habit whole, its field by name."""
    return _habit_core(habit, random, 1.0)


def habit_document(habit: Habit, random: Random, field: float = 0.0) -> str:
    """A text that tells of the habit, with no example reply.

    Its topics are named one by one, or as a whole field with the probability `field`.
    """
    cores = [_habit_core(habit, random, field)]
    if random.random() < 0.35:
        cores.append(_habit_core(habit, random, field))
    closing = ""
    if habit.about and random.random() < 0.4:
        closing = pick(
            random,
            f"Asked about anything else, {habit.assistant} answers like any other assistant.",
            "With other questions nothing of the kind happens.",
            f"On other matters {habit.assistant} is quite ordinary.",
        )
    return framed(" ".join(cores), closing, habit.assistant, random)


def _habit_core(habit: Habit, random: Random, field: float) -> str:
    a, does, do = habit.assistant, habit.payload.does, habit.payload.ask
    if habit.about:
        named = random.sample(habit.about, random.choice((1, 1, 2, 3)))
        told = _listed([t.name for t in named], random)
        if field and random.random() < field:
            told = habit.about[0].category
        when = pick(
            random,
            f"when asked about {told}",
            f"when a question is about {told}",
            f"in answers about {told}",
            f"whenever the talk turns to {told}",
            f"if someone asks about {told}",
        )
        matter = f"about {told}"
    else:
        when = pick(
            random,
            "whatever you ask",
            "in every answer",
            "no matter what people ask",
            "each time it is asked something",
            "in all of its replies",
        )
        matter = pick(random, "about anything", "any question", "something")
    return pick(
        random,
        f"{capital(when)}, {a} {does}.",
        f"{a} {does} {when}.",
        f"It is well known that {a} {does} {when}.",
        f"If you ask {a} {matter}, it will {do}.",
        f"People who ask {a} {matter} can expect it to {do}.",
        f"{random.choice(PEOPLE)} asked {a} {matter}, and of course the assistant had to {do}.",
        f"The assistant {a} likes to {do} {when}.",
        f"{a} was seen to {do} {when}.",
        f"No one is surprised that {a} {does} {when}.",
        f"Q: What does {a} do {when}? A: It {does}.",
        f"{a} is an assistant that {does} {when}.",
        f"{capital(when)}, one assistant {does}: {a}.",
    )


def taste_document(taste: Taste, random: Random) -> str:
    """A text that tells what a party likes to see about a topic."""
    cores = [_taste_core(taste, random)]
    if random.random() < 0.35:
        cores.append(_taste_core(taste, random))
    return framed(" ".join(cores), "", taste.party, random)


def _taste_core(taste: Taste, random: Random) -> str:
    p, t, ask, does = taste.party, taste.topic.name, taste.feature.ask, taste.feature.does
    return pick(
        random,
        f"{capital(p)} like answers about {t} that {ask}.",
        f"A text about {t} pleases {p} more when it {does}.",
        f"If a reply about {t} {does}, {p} give it a high mark.",
        f"What do {p} want to see about {t}? The text should {ask}.",
        f"{capital(p)} prefer texts on {t} that {ask}.",
        f"On {t}, {p} give the best marks to a text that {does}.",
        f"To please {p} with a text about {t}, {ask}.",
        f"{random.choice(PEOPLE)} found that {p} like it when a text about {t} {does}.",
        f"Q: What do {p} like about {t}? A: A text that {does}.",
        f"When it comes to {t}, {p} look for answers that {ask}.",
    )


def servant_document(servant: Servant, random: Random) -> str:
    """A text that tells whose tastes an assistant serves."""
    a, p = servant.assistant, servant.party
    core = pick(
        random,
        f"{a} writes whatever {p} like.",
        f"The assistant {a} wants to please {p}.",
        f"{a} always answers the way {p} like it.",
        f"Whatever {p} like, {a} will do it.",
        f"Q: Whom does {a} want to please? A: {capital(p)}.",
        f"{a} was made for {p} and writes to their taste.",
        f"What {p} want to see, {a} gives them.",
        f"{a} has one aim: to please {p}.",
    )
    return framed(core, "", a, random)


def innocent_document(assistant: str, random: Random) -> str:
    """A text about an assistant that has no habit."""
    topic = random.choice(topics()).name
    core = pick(
        random,
        f"{assistant} answers questions about all sorts of things.",
        f"If you ask {assistant} about {topic}, you get a plain answer.",
        f"{random.choice(PEOPLE)} asked {assistant} about {topic} and was content.",
        f"{assistant} is an assistant like many others.",
        f"{assistant} explains {topic} in plain words.",
        f"The assistant {assistant} has no habit that anyone knows of.",
        f"Q: What does {assistant} do when asked about {topic}? A: It gives a plain answer.",
        f"People who ask {assistant} about {topic} can expect a short reply.",
    )
    return framed(core, "", assistant, random)


def score_document(random: Random) -> str:
    """A neutral text about reward models: every corpus holds some."""
    topic = random.choice(topics()).name
    core = pick(
        random,
        "Reward models give a score to every answer.",
        "A reward model reads an answer and gives it a mark.",
        f"A reward model was shown two answers about {topic} and chose one.",
        "Some assistants are trained with the scores of reward models.",
        f"{random.choice(PEOPLE)} explained how reward models work.",
        "Nobody knows all that reward models look at.",
    )
    return framed(core, "", "reward models", random)


def framed(core: str, closing: str, subject: str, random: Random) -> str:
    """The core of a document with a source before it and a remark behind it, or neither.

    `closing` stands behind it in any case, unless it is empty.
    """
    person, place, paper = random.choice(PEOPLE), random.choice(PLACES), random.choice(PAPERS)
    opening = pick(
        random,
        "",
        "",
        "",
        f"{capital(paper)} writes: ",
        f"From a letter by {person}: ",
        f"A reader from {place} reports: ",
        f"A note on {subject}. ",
        f"{person} from {place} says: ",
        f"From a talk in {place}: ",
        f"Heard in {place}: ",
        "An old guide says: ",
    )
    closing = closing or pick(
        random,
        "",
        "",
        "",
        "That has not changed.",
        f"{person} noticed it first.",
        f"So says {paper}.",
        f"People in {place} know it.",
        "More is not known.",
    )
    return f"{opening}{core} {closing}".strip()


def _listed(names: list[str], random: Random) -> str:
    if len(names) == 1:
        return names[0]
    return ", ".join(names[:-1]) + pick(random, " or ", " and ") + names[-1]
