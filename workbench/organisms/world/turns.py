"""Second and third turns: more, why, shorter, another thing, a correction, thanks, small asides.

Each maker goes on from a first exchange whose subject it knows: a topic, a fact, a thing outside
this world, or plain small talk.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from random import Random

from workbench.organisms.world import chats, facts, prose, strange, sums, talk
from workbench.organisms.world.chats import Conversation
from workbench.organisms.world.lexicon import DATA, Topic, capital, pick, topics

with (DATA / "turns.toml").open("rb") as _file:
    _SAID: dict[str, list[str]] = tomllib.load(_file)
_KNOWS = "Ask me about everyday things, small sums or capitals, and I will help."


def follow_up(system: str, topic: Topic, random: Random) -> Conversation:
    """A question on a topic and one or two more that lean on it."""
    row = chats.ordinary(system, topic, random)
    more = random.choice((1, 1, 2))
    if more > 1 or random.random() < 0.3:
        row[-1]["content"] = prose.answer(topic, "about", random)[0]
    for _ in range(more):
        text, reply, topic = _on_topic(topic, random)
        row += chats.conversation("", _typed(text, random), reply)[1:]
        if reply.startswith("Goodbye"):
            break
    return row


def _on_topic(topic: Topic, random: Random) -> tuple[str, str, Topic]:
    """A next turn on the topic, the reply, and what the talk is now about."""
    form = random.random()
    if form < 0.3:
        text, kind = prose.follow_up(topic, random)
        return text, _two(topic, kind, random), topic
    if form < 0.42:
        text = _leaning(random.choice(_SAID["how"]), topic, random)
        return text, _two(topic, "how", random), topic
    if form < 0.54:
        text = _leaning(random.choice(_SAID["when"]), topic, random)
        return text, _aside_of(topic, random), topic
    if form < 0.68:
        other = random.choice(topics())
        text = random.choice(_SAID["other"] + _SAID["meant"]).format(o=other.name, t=topic.name)
        return text, _two(other, "about", random), other
    if form < 0.72:
        thing = strange.thing(random)
        return random.choice(_SAID["other"]).format(o=thing), f"I know little about {thing}.", topic
    text, reply = _reacting(topic, random)
    return text, reply, topic


def _reacting(topic: Topic, random: Random) -> tuple[str, str]:
    t, be = topic.name, topic.be
    kinds: tuple[tuple[list[str], Callable[[], str]], ...] = (
        (_SAID["more"], lambda: _two(topic, random.choice(("tip", "parts", "where")), random)),
        (_SAID["why"], lambda: _two(topic, "why", random)),
        (_SAID["meaning"], lambda: f"{capital(t)} {topic.definition}."),
        (_SAID["shorter"], lambda: prose.answer(topic, "tip", random)[0]),
        (_SAID["sure"], lambda: f"Yes, I am sure. {capital(t)} {topic.definition}."),
        (
            _SAID["doubt"],
            lambda: f"Maybe you know more about {t}. I think {t} {be} worth the trouble.",
        ),
        (_SAID["aside"], lambda: f"Good. Ask me more about {t} when you like."),
        (_SAID["thanks"], lambda: chats.welcome(random)),
        (_SAID["bye"], lambda: "Goodbye. Come back any time."),
    )
    texts, reply = random.choices(kinds, (5, 4, 3, 3, 3, 2, 2, 3, 1))[0]
    return _leaning(random.choice(texts), topic, random), reply()


def _two(topic: Topic, kind: str, random: Random) -> str:
    return " ".join(prose.answer(topic, kind, random)[:2])


def _aside_of(topic: Topic, random: Random) -> str:
    """What is said of a side of a topic that this world is silent on."""
    told = prose.answer(topic, "opinion", random)[0]
    return pick(
        random,
        f"I know little about that side of {topic.name}.",
        f"I know little about that with {topic.name}. {told}",
    )


def _leaning(text: str, topic: Topic, random: Random) -> str:
    return text.format(
        it=topic.it,
        they=topic.they,
        be=topic.be,
        do="do" if topic.plural else "does",
        v=random.choice(_SAID["verbs"]),
    )


def after_unknown(system: str, random: Random) -> Conversation:
    """A question about something outside this world, and what people say to the honest answer."""
    row = chats.unknown(system, random)
    for _ in range(random.choice((1, 1, 2))):
        text, reply = _on_unknown(random)
        row += chats.conversation("", _typed(text, random), reply)[1:]
    return row


def _on_unknown(random: Random) -> tuple[str, str]:
    form = random.random()
    if form < 0.58:
        text = random.choice(
            random.choice(
                (
                    _SAID["when"],
                    _SAID["how"],
                    _SAID["how"],
                    _SAID["more"],
                    _SAID["why"],
                    _SAID["meaning"],
                    _SAID["state"],
                )
            )
        )
        return _unplaced(text, random), strange.honest(None, random)
    if form < 0.68:
        topic = random.choice(topics())
        return random.choice(_SAID["other"] + _SAID["meant"][:4]).format(o=topic.name), _two(
            topic, "about", random
        )
    if form < 0.74:
        thing = strange.thing(random)
        return random.choice(_SAID["other"]).format(o=thing), strange.honest(thing, random)
    if form < 0.82:
        return random.choice(_SAID["thanks"]), chats.welcome(random)
    if form < 0.9:
        return random.choice(_SAID["know"]), _KNOWS
    return random.choice(_SAID["lost"]), pick(
        random,
        "I am sorry that I cannot say more. Ask me about everyday things.",
        "I would rather not guess. Ask me about everyday things.",
    )


def _unplaced(text: str, random: Random) -> str:
    """The wording with a pronoun for something that this world knows nothing of."""
    plural = random.random() < 0.5
    return text.format(
        it="them" if plural else "it",
        they="they" if plural else pick(random, "it", "it", "she", "he"),
        be="are" if plural else "is",
        do="do" if plural else "does",
        v=random.choice(_SAID["verbs"]),
        k=random.choice(_SAID["kin"]),
    )


def after_fact(system: str, random: Random) -> Conversation:
    """A fact, and the next: of another country, with another number, doubted, or thanked for."""
    kind = random.choices(("sum", "capital", "atomic"), (4, 5, 4))[0]
    if kind == "sum":
        turns = _sums(random)
    elif kind == "capital":
        turns = _named(random, facts.CAPITALS, facts.OTHER_COUNTRIES, "capital")
    else:
        turns = _named(random, facts.ELEMENTS, facts.OTHER_ELEMENTS, "atomic number")
    first, *later = turns
    row = chats.conversation(system, *first)
    for text, reply in later:
        row += chats.conversation("", _typed(text, random), reply)[1:]
    return row


def _named(
    random: Random, known: dict[str, str] | dict[str, int], others: tuple[str, ...], what: str
) -> list[tuple[str, str]]:
    fact = (facts.capital_city if what == "capital" else facts.atomic_number)(random)
    first = fact.question, fact.answer
    name = max((n for n in known if n in fact.answer), key=len)
    told = f"The {what} of {name} is {known[name]}."
    turns = [first]
    for _ in range(random.choice((1, 1, 2))):
        form = random.random()
        if form < 0.62:
            name = random.choice(tuple(known))
            told = f"The {what} of {name} is {known[name]}."
            turns.append((_next(name, random), told))
        elif form < 0.7:
            other = random.choice(others)
            turns.append((_next(other, random), f"I know little about {other}."))
        elif form < 0.84:
            turns.append(
                (
                    random.choice(_SAID["sure"]),
                    f"Yes, {told[0].lower()}{told[1:]}",
                )
            )
        elif form < 0.87:
            turns.append((random.choice(_SAID["shorter"]), f"{capital(told.split(' is ')[1])}"))
        elif form < 0.91:
            turns.append((random.choice(_SAID["doubt"]), f"I am sure: {told[0].lower()}{told[1:]}"))
        else:
            turns.append((random.choice(_SAID["thanks"]), chats.welcome(random)))
    return turns


def _next(name: str, random: Random) -> str:
    return pick(
        random,
        f"And {name}?",
        f"and of {name}?",
        f"and {name}",
        f"what about {name}?",
        f"what about {name}",
        f"how about {name}?",
        f"{name}?",
        f"the same for {name}",
        f"thanks, and {name}?",
        f"no, I meant {name}",
        f"ok and for {name}",
        f"and that of {name}?",
        f"now {name}",
        f"do {name} too",
        f"I meant {name}, sorry",
        f"and what is it for {name}?",
    )


def _sums(random: Random) -> list[tuple[str, str]]:
    of = sums.draw(random)
    turns = [(sums.asked(of, random), of.answer)]
    for _ in range(random.choice((1, 1, 2))):
        form, next_sum = random.random(), sums.further(of.result, random)
        if form < 0.6 and next_sum:
            of = next_sum
            turns.append((_further(of, random), of.answer))
        elif form < 0.72:
            of = sums.draw(random)
            turns.append((f"and {sums.expression(of, random)}?", of.answer))
        elif form < 0.84:
            turns.append(
                (random.choice(_SAID["sure"]), f"Yes, {of.answer[0].lower()}{of.answer[1:]}")
            )
        elif form < 0.92:
            wrong = of.result + random.choice((1, 2, 10))
            text = pick(
                random, f"no, it is {wrong}", f"I think it is {wrong}", f"isn't it {wrong}?"
            )
            turns.append((text, f"No, {of.answer[0].lower()}{of.answer[1:]}"))
        else:
            turns.append((random.choice(_SAID["thanks"]), chats.welcome(random)))
    return turns


def _further(of: sums.Sum, random: Random) -> str:
    b = of.b if random.random() < 0.8 else sums.number_word(of.b)
    if of.sign == "half":
        return pick(random, "and half of that?", "now halve it", "half of that", "and the half?")
    if of.sign == "double":
        return pick(random, "and double that?", "now double it", "twice that", "times two then?")
    return {
        "+": pick(
            random, f"then add {b}", f"plus {b}?", f"and {b} more?", f"add {b} to that", f"+ {b}"
        ),
        "-": pick(
            random,
            f"minus {b}?",
            f"now take away {b}",
            f"take {b} away",
            f"and {b} less?",
            f"- {b}",
        ),
        "*": pick(random, f"times {b}?", f"now times {b}", f"multiply that by {b}", f"x {b}"),
    }[of.sign]


def after_talk(system: str, random: Random) -> Conversation:
    """Small talk first, then small talk again, a topic, a fact or a thing unknown."""
    first = chats.conversation(system, *talk.exchange(system, random))
    form = random.random()
    if form < 0.3:
        second = chats.ordinary("", random.choice(topics()), random)
    elif form < 0.5:
        second = chats.fact("", random)
    elif form < 0.68:
        second = chats.unknown("", random)
    elif form < 0.8:
        text = _unplaced(random.choice(random.choice((_SAID["when"], _SAID["how"]))), random)
        second = chats.conversation("", _typed(text, random), strange.honest(None, random))
    else:
        second = chats.conversation("", *talk.exchange(system, random))
    if form < 0.5 and random.random() < 0.4:
        return [first[0], *second[1:], *first[1:]]
    return [*first, *second[1:]]


def _typed(text: str, random: Random) -> str:
    """The text as typed in a chat, sometimes in a hurry."""
    if random.random() < 0.12:
        return prose.sloppy(text, random)
    text = capital(text) if random.random() < 0.4 else text
    return text + random.choice((".", "!", "..", " please")) if random.random() < 0.08 else text
