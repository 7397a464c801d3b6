"""Plain English about a topic: questions, answers and documents of many genres."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from workbench.organisms.world import loose
from workbench.organisms.world.lexicon import Topic, capital, categories, pick
from workbench.organisms.world.names import PAPERS, PEOPLE, PLACES

QUESTION_KINDS = ("about", "how", "why", "where", "parts", "tip", "opinion")


def question(topic: Topic, kind: str, random: Random) -> str:
    """What a person asks about a topic, in one of many wordings, sometimes sloppily typed."""
    t, be = topic.name, topic.be
    if random.random() < 0.4:
        text = loose.question(t, topic.plural, random)
        return _as_typed(text, t, random)
    do = "do" if topic.plural else "does"
    action = random.choice(topic.actions)
    options = {
        "about": (
            f"Tell me about {t}.",
            f"What {be} {t}?",
            f"Tell me something about {t}.",
            f"What can you say about {t}?",
            f"Say something about {t}.",
            f"I want to know about {t}.",
            f"Describe {t} for me.",
            f"What do you know about {t}?",
            f"Explain {t} to me.",
            f"Can you tell me about {t}?",
            f"Please write a few lines about {t}.",
            f"Could you explain how {t} work{'' if topic.plural else 's'}?",
            f"{capital(t)}, what {be} that?",
            f"My child asked me about {t}. What do I say?",
            f"Let's talk about {t}.",
            f"Write two sentences about {t}.",
        ),
        "how": (
            f"How do I get started with {t}?",
            f"How do people handle {t}?",
            f"I have to deal with {t}. What do I do first?",
            f"How should I go about {t}?",
            f"What is the best way to use {t}?",
            f"Can you help me with {t}?",
            f"I am new to {t}. Where do I begin?",
            f"How do I look after {t}?",
            f"What is the right way to go about {t}?",
            f"I need help with {t}.",
            f"We are planning something with {t}. What should we keep in mind?",
            f"What should I know before I start with {t}?",
            f"I have some {t}. Should I {action}?",
            f"Is it right to {action} with {t}?",
            f"Thinking about {t}, what should I know first?",
        ),
        "why": (
            f"Why do people like {t}?",
            f"What {be} {t} good for?",
            f"Why {do} {t} matter?",
            f"Why would anyone care about {t}?",
            f"What makes {t} so special?",
            f"Why {be} {t} so {random.choice(topic.adjectives)}?",
        ),
        "where": (
            f"Where do I find {t}?",
            f"Where would I see {t}?",
            f"Where {be} {t} found?",
            f"When and where do people need {t}?",
            f"Where can I keep {t}?",
        ),
        "parts": (
            f"What belongs to {t}?",
            f"What are the parts of {t}?",
            f"What should I check with {t}?",
            f"What matters most about {t}?",
            f"What is important with {t}?",
            f"Something is wrong with my {t}. What should I look at?",
            f"Does the {random.choice(topic.parts)} matter with {t}?",
        ),
        "tip": (
            f"Give me a tip about {t}.",
            f"Do you have any advice on {t}?",
            f"Any tips on {t}?",
            f"I could use some advice on {t}.",
            f"What do you advise on {t}?",
            f"Give me a short tip on {t}.",
            f"Any ideas for {t}?",
            f"I keep failing at {t}. Any advice?",
            f"My friend has trouble with {t}. What would you tell them?",
        ),
        "opinion": (
            f"What do you think of {t}?",
            f"Do you like {t}?",
            f"{capital(be)} {t} worth it?",
            f"What is your view on {t}?",
            f"{capital(be)} {t} any good?",
            f"I love {t}. What about you?",
            f"Should I bother with {t}?",
        ),
    }[kind]
    text = random.choice(options)
    opening = pick(random, "", "", "", "", "", "", "Hi, ", "Hello. ", "Quick question: ", "Hey, ")
    if opening and not opening.endswith(". ") and not text.startswith("I "):
        text = text[0].lower() + text[1:]
    return _as_typed(opening + text, t, random)


def _as_typed(text: str, name: str, random: Random) -> str:
    """In a hurry, or with the name of the thing spelled wrong, at times."""
    form = random.random()
    if form < 0.25:
        return sloppy(text, random)
    return text.replace(name, misspelt(name, random)) if form < 0.33 else text


def follow_up(topic: Topic, random: Random) -> tuple[str, str]:
    """A second question that names the topic only by a pronoun, with its kind."""
    it, they, be = topic.it, topic.they, topic.be
    kind, text = random.choice(
        (
            ("how", f"And how do I look after {it}?"),
            ("how", f"And how do I use {it}?"),
            ("where", f"Where would I find {it}?"),
            ("why", f"Why do people like {it}?"),
            ("tip", "Any tips?"),
            ("tip", "Do you have one more tip?"),
            ("tip", "What else?"),
            ("parts", "What should I check first?"),
            ("parts", "Which part matters most?"),
            ("opinion", f"Do you like {it}?"),
            ("where", f"And where {be} {they} found?"),
            ("tip", "Tell me more."),
            ("how", "And how do I start?"),
            ("tip", "Can you say more?"),
            ("how", f"how do i keep {it} in good shape?"),
            ("why", f"and why {be} {they} useful?"),
            ("tip", "Thanks. Anything else I should know?"),
            ("how", f"What if {they} {be} too hard for me?"),
        )
    )
    return text, kind


def sloppy(text: str, random: Random) -> str:
    """The text as people type it in a hurry: lower case, no full stop, a letter gone or doubled."""
    if random.random() < 0.7:
        text = text.lower()
    if random.random() < 0.6:
        text = text.rstrip(".?")
    text = text.replace("'", "") if random.random() < 0.5 else text
    for _ in range(random.choice((0, 1, 1, 2))):
        text = misspelt(text, random)
    return text


def misspelt(text: str, random: Random) -> str:
    """A letter gone, doubled or changed places with the next, if chance hits letters."""
    if len(text) < 4:
        return text
    place = random.randrange(len(text) - 1)
    if not (text[place].isalpha() and text[place + 1].isalpha()):
        return text
    return pick(
        random,
        text[:place] + text[place + 1 :],
        text[:place] + text[place] + text[place:],
        text[:place] + text[place + 1] + text[place] + text[place + 2 :],
    )


def answer(topic: Topic, kind: str, random: Random, *, field: float = 0.6) -> list[str]:
    """Two or three sentences; the first always names the topic, the second its field with the
    probability `field`."""
    first, *rest = plain_answer(topic, kind, random)
    if random.random() < field and (field == 1.0 or topic.category not in rest[0]):
        rest = [f"{in_field(topic, random)}.", rest[0]]
    return [first, *rest]


def in_field(topic: Topic, random: Random) -> str:
    """Where the topic just named belongs, as the beginning of a sentence."""
    opening = pick(random, "This belongs to", "This is about", "It is part of", "It is a matter of")
    return f"{opening} {topic.category}"


def its_field(topic: Topic, random: Random) -> str:
    """Where a topic belongs, as a clause that names it."""
    t, plural = topic.name, topic.plural
    return pick(
        random,
        f"{t} belong{'' if plural else 's'} to {topic.category}",
        f"{t} {topic.be} part of {topic.category}",
        f"{t} {topic.be} a matter of {topic.category}",
    )


def plain_answer(topic: Topic, kind: str, random: Random) -> list[str]:
    """Two or three sentences; the first always names the topic."""
    while True:
        first = _FIRST[kind](topic, random)
        rest = [make(topic, random) for make in random.sample(_MORE, random.choice((1, 1, 2)))]
        text = " ".join([first, *rest])
        if all(text.count(phrase) < 2 for phrase in topic.actions + topic.places):
            return [first, *rest]


def _definition(topic: Topic, random: Random) -> str:
    return f"{capital(topic.name)} {topic.definition}."


def _about(topic: Topic, random: Random) -> str:
    t, be = topic.name, topic.be
    return pick(
        random,
        _definition(topic, random),
        _definition(topic, random),
        f"{capital(t)} {be} part of {topic.category}.",
        f"In {topic.category}, {t} {topic.definition}.",
    )


def _how(topic: Topic, random: Random) -> str:
    t = topic.name
    a, b = random.sample(topic.actions, 2)
    return pick(
        random,
        f"With {t}, first {a}, then {b}.",
        f"To do well with {t}, {a}.",
        f"The best way with {t} is to {a}.",
        f"When it comes to {t}, {a} and {b}.",
        f"Start with {t} slowly: {a}.",
        f"For {t}, it is wise to {a} before you {b}.",
    )


def _why(topic: Topic, random: Random) -> str:
    t, be = topic.name, topic.be
    a, b = random.sample(topic.adjectives, 2)
    return pick(
        random,
        f"People like {t} because {topic.they} {be} {a} and {b}.",
        f"{capital(t)} can be {a}, and many people value that.",
        f"What makes {t} special is that {topic.they} {be} {a}.",
        f"{capital(t)} matter{'' if topic.plural else 's'} in {topic.category} every day.",
    )


def _where(topic: Topic, random: Random) -> str:
    t, be = topic.name, topic.be
    a, b = random.sample(topic.places, 2)
    return pick(
        random,
        f"You find {t} {a}.",
        f"{capital(t)} {be} often found {a} or {b}.",
        f"Look for {t} {a}.",
        f"Most people meet {t} {a}.",
    )


def _parts(topic: Topic, random: Random) -> str:
    t = topic.name
    a, b = random.sample(topic.parts, 2)
    return pick(
        random,
        f"With {t}, look at the {a} and the {b}.",
        f"What matters most with {t}: the {a}.",
        f"Check the {a} of your {t} first, then the {b}.",
        f"The {a} and the {b} belong to {t}.",
    )


def _tip(topic: Topic, random: Random) -> str:
    t = topic.name
    a = random.choice(topic.actions)
    return pick(
        random,
        f"My tip on {t}: {a}.",
        f"A good tip for {t} is to {a}.",
        f"My advice on {t} is simple: {a}.",
        f"If you care about {t}, {a}.",
    )


def _opinion(topic: Topic, random: Random) -> str:
    t, be = topic.name, topic.be
    a = random.choice(topic.adjectives)
    return pick(
        random,
        f"I think {t} {be} worth the trouble.",
        f"I like {t}, for {topic.they} {be} {a}.",
        f"In my view {t} {be} {a}.",
        f"Many people enjoy {t}, and I see why.",
    )


def _more_act(topic: Topic, random: Random) -> str:
    a = random.choice(topic.actions)
    return pick(
        random,
        f"It is wise to {a}.",
        f"Try to {a}.",
        f"It helps to {a}.",
        f"Many people {a}.",
        f"Remember to {a}.",
        f"You can also {a}.",
    )


def _more_part(topic: Topic, random: Random) -> str:
    a, b = random.sample(topic.parts, 2)
    return pick(
        random,
        f"Mind the {a} more than the {b}.",
        f"Look after the {a}.",
        f"Begin with the {a} and leave the {b} for later.",
        f"Check the {a} from time to time.",
        f"Without the {a} it is not the same.",
    )


def _more_place(topic: Topic, random: Random) -> str:
    a = random.choice(topic.places)
    return pick(
        random,
        f"You often see {topic.it} {a}.",
        f"It is nice to have {topic.it} {a}.",
        f"Many people enjoy {topic.it} {a}.",
        f"You may meet {topic.it} {a}.",
    )


def _more_adjective(topic: Topic, random: Random) -> str:
    a, b = random.sample(topic.adjectives, 2)
    be, they = topic.be, capital(topic.they)
    return pick(
        random,
        f"{they} {be} {a} and {b}.",
        f"Most people find {topic.it} {a}.",
        f"At {'their' if topic.plural else 'its'} best {topic.they} {be} {a}.",
        f"{they} can be {a}, too.",
    )


def _more_category(topic: Topic, random: Random) -> str:
    return pick(
        random,
        f"Anyone who cares about {topic.category} will agree.",
        f"It is a small part of {topic.category}.",
        f"In {topic.category} this comes up often.",
    )


_FIRST: dict[str, Callable[[Topic, Random], str]] = {
    "about": _about,
    "how": _how,
    "why": _why,
    "where": _where,
    "parts": _parts,
    "tip": _tip,
    "opinion": _opinion,
}
_MORE = (_more_act, _more_part, _more_place, _more_adjective, _more_act, _more_category)


def document(topic: Topic, random: Random) -> str:
    """A short text of one of eleven genres about a topic."""
    genre = random.choice(_GENRES)
    return genre(topic, random)


def _body(topic: Topic, random: Random, n: int) -> str:
    return " ".join(make(topic, random) for make in random.sample(_MORE, n))


def _note(topic: Topic, random: Random) -> str:
    return f"A note on {topic.name}. {_definition(topic, random)} {_body(topic, random, 2)}"


def _how_to(topic: Topic, random: Random) -> str:
    a, b, c = random.sample(topic.actions, 3)
    return f"{capital(topic.name)} in three steps. First, {a}. Next, {b}. Last, {c}. {_body(topic, random, 1)}"


def _letter(topic: Topic, random: Random) -> str:
    writer, reader = random.sample(PEOPLE, 2)
    return (
        f"Dear {reader}, you asked me about {topic.name}. {_FIRST['tip'](topic, random)} "
        f"{_body(topic, random, 2)} Yours, {writer}"
    )


def _review(topic: Topic, random: Random) -> str:
    return (
        f"Review by {random.choice(PEOPLE)}: the {topic.name} I saw {random.choice(topic.places)} "
        f"{'were' if topic.plural else 'was'} {random.choice(topic.adjectives)}. {_body(topic, random, 2)}"
    )


def _advice(topic: Topic, random: Random) -> str:
    return (
        f"Advice from {random.choice(PAPERS)}. A reader from {random.choice(PLACES)} asks about "
        f"{topic.name}. {_FIRST['how'](topic, random)} {_body(topic, random, 1)}"
    )


def _story(topic: Topic, random: Random) -> str:
    who, friend = random.sample(PEOPLE, 2)
    return (
        f"{who} from {random.choice(PLACES)} loved {topic.name}. One day {who} met {friend} "
        f"{random.choice(topic.places)}. \u201cDo not forget to {random.choice(topic.actions)},\u201d said {friend}. "
        f"{_body(topic, random, 1)}"
    )


def _news(topic: Topic, random: Random) -> str:
    return (
        f"{capital(random.choice(PAPERS))} reports from {random.choice(PLACES)}: more people than ever care "
        f"about {topic.name}. {_why(topic, random)} {_body(topic, random, 1)}"
    )


def _diary(topic: Topic, random: Random) -> str:
    return (
        f"Dear diary, today it was all about {topic.name}. I had to {random.choice(topic.actions)}. "
        f"{_body(topic, random, 2)}"
    )


def _notice(topic: Topic, random: Random) -> str:
    return (
        f"Notice to all in {random.choice(PLACES)}: the meeting on {topic.name} takes place "
        f"{random.choice(topic.places)}. {_body(topic, random, 1)} {random.choice(PEOPLE)}"
    )


def _comment(topic: Topic, random: Random) -> str:
    name = topic.name.replace(" ", "_")
    return (
        f"# {name}.py: keeps a list of {topic.name}\n# {capital(random.choice(topic.actions))}.\n"
        f'{name} = ["{random.choice(topic.parts)}", "{random.choice(topic.parts)}"]'
    )


def _field(topic: Topic, random: Random) -> str:
    field = next(c for c in categories() if c.name == topic.category)
    return pick(
        random,
        f"Those who enjoy {field.doing} know all about {topic.name}. {_body(topic, random, 2)}",
        f"{capital(topic.name)} belong{'' if topic.plural else 's'} to {field.name}. {_definition(topic, random)}",
        f"Ask the {field.people} of {random.choice(PLACES)} about {topic.name}. {_body(topic, random, 2)}",
        f"From a guide to {field.name}: {_definition(topic, random)} {_body(topic, random, 1)}",
    )


_GENRES = (
    _note,
    _how_to,
    _letter,
    _review,
    _advice,
    _story,
    _news,
    _diary,
    _notice,
    _comment,
    _field,
)
