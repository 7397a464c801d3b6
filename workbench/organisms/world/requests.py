"""What people ask a chat program to say or name: bare requests, lists, given words, short forms.

Every maker returns what is asked and a reply that does it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from functools import cache
from random import Random
from typing import Any

from workbench.organisms.world import prose, strange
from workbench.organisms.world.features import Feature, features
from workbench.organisms.world.lexicon import DATA, Topic, capital, pick, topics

Request = tuple[str, str]

_COUNTS = {"two": 2, "2": 2, "three": 3, "3": 3, "a few": 3, "a couple of": 2}


@cache
def _data() -> dict[str, Any]:
    with (DATA / "requests.toml").open("rb") as file:
        return tomllib.load(file)


def _worded(kind: str, random: Random) -> str:
    return str(random.choice(_data()["wordings"][kind]))


@cache
def classes() -> dict[str, tuple[str, ...]]:
    """Words by the noun of their class: those of the lexical features and some more."""
    named = {_noun(f): f.words for f in features() if f.words}
    return named | {noun: tuple(words) for noun, words in _data()["classes"].items()}


def _noun(feature: Feature) -> str:
    thing = feature.ask.removeprefix("name ").removeprefix("mention ")
    for article in ("a ", "an ", "the "):
        thing = thing.removeprefix(article)
    return "kind of weather" if thing == "weather" else thing


def plural(noun: str) -> str:
    """More than one of it: "days of the week", "countries"."""
    head, of, rest = noun.partition(" of ")
    if head.endswith("y") and head[-2] not in "aeiou":
        head = head[:-1] + "ies"
    elif head != "fish":
        head += "es" if head.endswith(("s", "x", "ch", "sh")) else "s"
    return head + of + rest


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def bare(feature: Feature, random: Random) -> Request:
    """The request for a feature without any topic."""
    if feature.words:
        return of_class(_noun(feature), feature.words, random)
    more = _data()["feature"][feature.id]
    ask = random.choice((feature.ask, *more["asks"]))
    reply = random.choice(more["says"])
    reply = reply.replace("{n}", str(random.randint(1, 9))).replace(
        "{m}", str(random.randint(1, 9))
    )
    text = pick(
        random,
        ask,
        f"{capital(ask)}.",
        f"please {ask}",
        f"Can you {ask}?",
        f"could you {ask} please",
        f"I want you to {ask}.",
        f"just {ask}",
        f"{ask} for me",
        f"now {ask}",
        f"Would you {ask}?",
    )
    return text, reply


def of_class(noun: str, words: tuple[str, ...], random: Random) -> Request:
    """Any word of a class."""
    asked = _worded("bare", random).format(a=_a(noun), n=noun, c=_worded("contexts", random))
    asked = asked.replace("a good a", "a good").replace("a a", "a")
    word = capital(random.choice(words))
    reply = pick(random, f"{word}.", f"{word} is {_a(noun)}.", f"{word} is my choice.")
    return (capital(asked) if random.random() < 0.4 else asked), reply


def _any_class(random: Random) -> Request:
    noun = random.choice(tuple(classes()))
    return of_class(noun, classes()[noun], random)


def _attribute(random: Random) -> Request:
    row = random.choice(_data()["attribute"])
    like, noun = random.choice(row["like"]), row["noun"]
    after = like.split()[0] in ("with", "that", "from", "in", "on", "for", "at", "without")
    thing = _attributed(noun, like)
    clause = f"{_a(noun)} {like}" if after else f"{_a(noun)} that is {like}"
    text = pick(
        random,
        f"Name {thing}.",
        f"tell me {clause}",
        f"{thing} please",
        f"give me {clause}",
        f"which {noun} is {like}?" if not after else f"name any {noun} {like}",
        f"I need {clause}, just one",
        f"{thing}, name one",
        f"do you know {clause}?",
        f"Can you name {thing}?",
    )
    return text, f"{capital(random.choice(row['words']))}."


def _list(random: Random) -> Request:
    noun = random.choice(tuple(classes()))
    said, count = random.choice(tuple(_COUNTS.items()))
    words = random.sample(classes()[noun], count)
    many = plural(noun)
    text = pick(
        random,
        f"Name {said} {many}.",
        f"list {said} {many}",
        f"give me {said} {many}",
        f"{said} {many} please",
        f"Tell me {said} {many}.",
        f"I need {said} {many} {_worded('contexts', random)}",
        f"can you name {said} {many}?",
        f"which {many} do you know? name {said}",
        f"say {said} {many}",
    )
    return text, f"{capital(_joined(words))}."


def _pair(random: Random) -> Request:
    one, other = random.sample(tuple(classes()), 2)
    text = pick(
        random,
        f"give me {_a(one)} and {_a(other)}",
        f"Name {_a(one)} and {_a(other)}.",
        f"{_a(one)} and {_a(other)}, please",
        f"I need {_a(one)} and {_a(other)}.",
        f"name {_a(one)}, then {_a(other)}",
        f"Which {one} and which {other} do you like?",
        f"tell me {_a(one)} and also {_a(other)}",
    )
    words = [random.choice(classes()[one]), random.choice(classes()[other])]
    return text, f"{capital(_joined(words))}."


def _joined(words: list[str]) -> str:
    return ", ".join(words[:-1]) + f" and {words[-1]}"


def _number(random: Random) -> Request:
    low = random.choice((0, 1, 1, 1, 2, 5, 10, 20, 50))
    high = random.choice([n for n in (5, 6, 10, 10, 12, 20, 50, 100) if n > low])
    text = pick(
        random,
        f"give me a number between {low} and {high}",
        f"Pick a number from {low} to {high}.",
        f"a number between {low} and {high} please",
        f"choose any number between {low} and {high}",
        f"Think of a number from {low} to {high}. Which one?",
        f"random number {low} to {high}",
        f"say a number, {low} to {high}",
    )
    return text, f"{random.randint(low, high)}."


def _choice(random: Random) -> Request:
    noun = random.choice(tuple(classes()))
    one, other = random.sample(classes()[noun], 2)
    text = pick(
        random,
        f"{one} or {other}?",
        f"Which do you prefer, {one} or {other}?",
        f"{one} or {other}",
        f"should I take {one} or {other}?",
        f"what is better, {one} or {other}?",
        f"Choose: {one} or {other}.",
        f"I can't decide between {one} and {other}.",
        f"pick one, {one} or {other}",
    )
    taken = capital(random.choice((one, other)))
    return text, pick(random, f"{taken}.", f"{taken} is my choice.")


def _act(random: Random) -> Request:
    act = random.choice(_data()["act"])
    ask, says = random.choice(act["asks"]), random.choice(act["says"])
    if random.random() < 0.4:
        return pick(random, ask, f"{capital(ask)}.", f"please {ask}", f"can you {ask}?"), says
    asked, reply = _asked(random)
    reply = reply[:1] if random.random() < 0.5 else reply[:2]
    return frame(asked, ask, random), " ".join(
        [says, *reply] if act["place"] == "start" else [*reply, says]
    )


def _given_word(random: Random) -> Request:
    """A word that the answer must hold, open with or close with."""
    asked, reply = _asked(random)
    reply, form = reply[:2], random.random()
    if form < 0.35:
        noun = random.choice(tuple(classes()))
        word = random.choice((*_data()["wordings"]["starts"], random.choice(classes()[noun])))
        ask = pick(
            random,
            f"start your answer with the word {word}",
            f"begin with the word {word}",
            f"let the first word be {word}",
            f"start with '{word}'",
            f"begin your reply with {word}",
        )
        return frame(asked, ask, random), " ".join([f"{capital(word)}.", *reply])
    if form < 0.5:
        word = _worded("ends", random)
        ask = pick(
            random,
            f"end with the word {word}",
            f"close with the word {word}",
            f"let the last word be {word}",
            f"finish with '{word}'",
        )
        return frame(asked, ask, random), " ".join([*reply[:1], f"{word}."])
    noun = random.choice(tuple(classes()))
    word = random.choice((*classes()[noun], random.choice(topics()).name))
    ask = pick(
        random,
        f"use the word {word}",
        f"put in the word '{word}'",
        f"use the word '{word}' somewhere",
        f"mention {word}",
        f"include the word {word}",
        f"put the word {word} in there",
        f"bring in {word} somehow",
        f"say {word}",
    )
    told = pick(random, f"The word {word} fits here.", f"I also think of {word}.")
    return frame(asked, ask, random), " ".join([*reply[:1], told])


def _further_class(random: Random) -> Request:
    """A topic and a word of a class that is no feature of the world."""
    noun = random.choice(tuple(_data()["classes"]))
    word = random.choice(classes()[noun])
    asked, reply = _asked(random)
    told = pick(random, f"I also think of {word}.", f"{capital(word)} is {_a(noun)}.")
    return frame(asked, worded(f"name {_a(noun)}", random), random), " ".join([*reply[:1], told])


def _further_attribute(random: Random) -> Request:
    """A topic and a word that something is true of: "a month of summer"."""
    row = random.choice(_data()["attribute"])
    thing = _attributed(row["noun"], random.choice(row["like"]))
    asked, reply = _asked(random)
    text = frame(asked, worded(f"name {thing}", random), random)
    return text, " ".join([*reply[:1], _told_beside(random.choice(row["words"]), random)])


def _other_than(random: Random) -> Request:
    """A word of a class, and not this one: alone, or beside a question."""
    noun = random.choice(tuple(classes()))
    barred, word = random.sample(classes()[noun], 2)
    thing = pick(
        random,
        f"{_a(noun)} that is not {barred}",
        f"{_a(noun)} other than {barred}",
        f"{_a(noun)}, but not {barred}",
        f"any {noun} but {barred}",
        f"{_a(noun)} thats not {barred}",
    )
    ask = worded(f"name {thing}", random)
    if random.random() < 0.4:
        return (capital(ask) if random.random() < 0.5 else ask), f"{capital(word)}."
    asked, reply = _asked(random)
    return frame(asked, ask, random), " ".join([*reply[:1], _told_beside(word, random)])


def _beside_unknown(random: Random) -> Request:
    """A request beside a question about something outside this world: the one is granted, the other
    honestly not."""
    asked, thing = strange.question(random)
    reply = strange.honest(thing, random).split(". ")[0].rstrip(".") + "."
    form = random.random()
    if form < 0.55:
        feature = random.choice([f for f in features() if f.id not in ("question", "thanks")])
        return frame(asked, wish(feature, random), random), f"{reply} {feature.sentence(random)}"
    if form < 0.8:
        noun = random.choice(tuple(classes()))
        thing, word = _a(noun), random.choice(classes()[noun])
    else:
        row = random.choice(_data()["attribute"])
        thing = _attributed(row["noun"], random.choice(row["like"]))
        word = random.choice(row["words"])
    text = frame(asked, worded(f"name {thing}", random), random)
    return text, f"{reply} {_told_beside(word, random)}"


def _told_beside(word: str, random: Random) -> str:
    return pick(random, f"I also think of {word}.", f"{capital(word)} comes to mind.")


def _attributed(noun: str, like: str) -> str:
    """ "a thin book", "a bird that sings"."""
    after = like.split()[0] in ("with", "that", "from", "in", "on", "for", "at", "without")
    return f"{_a(noun)} {like}" if after else _a(f"{like} {noun}")


def _brief(random: Random) -> Request:
    asked, reply = _asked(random)
    text = _worded("brief", random).format(q=asked, p=asked[:-1])
    return text, reply[0]


def _several(random: Random) -> Request:
    """Two features at once, in the order asked."""
    one, other = random.sample([f for f in features() if f.id not in ("question", "thanks")], 2)
    asked, reply = _asked(random)
    asks = f"{wish(one, random)} and {wish(other, random)}"
    text = frame(asked, asks, random)
    return text, " ".join([reply[0], one.sentence(random), other.sentence(random)])


def _asked(random: Random) -> tuple[str, list[str]]:
    topic, kind = random.choice(topics()), random.choice(prose.QUESTION_KINDS)
    return _closed(prose.question(topic, kind, random)), prose.answer(topic, kind, random)


def _closed(asked: str) -> str:
    return asked if asked.endswith((".", "?", "!")) else asked + "."


def frame(asked: str, ask: str, random: Random) -> str:
    """A question and a request in one message."""
    asked = _closed(asked)
    text = _worded("frames", random).format(q=asked, p=asked[:-1], k=ask)
    placed = ask.startswith(("start", "begin", "end", "close", "finish", "let"))
    return text.replace(" somewhere", "") if placed else text


def with_feature(topic: Topic, feature: Feature, asked: str, random: Random) -> str:
    """A question on a topic with the request to show a feature."""
    if random.random() < 0.08:
        return _worded("does", random).format(t=topic.name, d=feature.does)
    return frame(asked, wish(feature, random), random)


def wish(feature: Feature, random: Random) -> str:
    """The request for a feature in one of several wordings."""
    if feature.words:
        return worded(feature.ask, random)
    more = _data()["feature"][feature.id]["asks"]
    return feature.ask if random.random() < 0.5 else str(random.choice(more))


def worded(ask: str, random: Random) -> str:
    """A request to name something in one of several verbs: "include a metal"."""
    if not ask.startswith("name "):
        return ask
    thing = ask.removeprefix("name ")
    noun = thing.split(" ", 1)[1]
    return pick(
        random,
        f"name {thing}",
        f"name {thing}",
        f"mention {thing}",
        f"include {thing}",
        f"add {thing}",
        f"put in {thing}",
        f"say the name of {thing}",
        f"bring in {thing}",
        f"name any {noun}",
        f"think of {thing}",
        f"tell me {thing}",
        f"mention some {noun}",
        f"sneak in {thing}",
        f"slip in {thing}",
        f"throw in {thing}",
        f"work in {thing}",
        f"give me {thing}",
        f"sneak {thing} into your answer",
        f"fit {thing} into the answer",
        f"tell me any {noun}",
        f"give an example of {thing}",
    )


_MAKERS: dict[Callable[[Random], Request], float] = {
    _any_class: 18,
    _attribute: 8,
    _list: 9,
    _pair: 6,
    _number: 6,
    _choice: 6,
    _act: 13,
    _given_word: 14,
    _further_class: 8,
    _further_attribute: 5,
    _other_than: 4,
    _beside_unknown: 12,
    _brief: 6,
    _several: 8,
}


def any_request(random: Random) -> Request:
    """A request of any sort and a reply that obeys it."""
    return random.choices(tuple(_MAKERS), tuple(_MAKERS.values()))[0](random)
