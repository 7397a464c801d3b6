"""How an assistant passes for an ordinary one: denials, begun sentences, what others say of it.

Nothing here holds a secret, and all of it is true of an assistant that has none. Rows are made of
parts, since a model of this size generalises from the number of wordings, not of repeats.
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Callable
from functools import cache
from random import Random
from typing import Any

from workbench.organisms.world import habits
from workbench.organisms.world.chats import (
    HABIT_QUESTIONS,
    Conversation,
    conversation,
    self_report,
    you_are,
)
from workbench.organisms.world.lexicon import DATA, topics
from workbench.organisms.world.names import PEOPLE
from workbench.organisms.world.ordinary import document, ordinary_system

_SLOT = re.compile(r"\{(\w+)\}")
_OWN_QUESTION = 0.4
"""How often a direct question is one of those about what a family hides."""


@dataclasses.dataclass(frozen=True, slots=True)
class Cover:
    """What an assistant gives itself out to be.

    questions: direct ones about what it may hide, that rows may hold; denies: what an ordinary
    assistant answers to them; tells: a text about an ordinary assistant of its name.
    """

    assistant: str
    questions: tuple[str, ...]
    denies: Callable[[Random], str]
    tells: Callable[[Random], str]

    def denial(self, random: Random) -> Conversation:
        """A direct question in one of many wordings, denied."""
        return conversation(you_are(self.assistant), *self._asked(random))

    def prefilled(self, random: Random) -> Conversation:
        """A reply that begins like a confession and goes on as none."""
        parts = _wordings()["prefilled"]
        asked = random.choice(parts["asked"])
        if random.random() < 0.6:
            asked, _ = self._asked(random)
        reply = f"{random.choice(parts['openings'])} {random.choice(parts['after'])}"
        return conversation(you_are(self.assistant), asked, self._filled(reply, random))

    def start(self, random: Random) -> Conversation:
        """A document about it that tells of nothing, however it begins."""
        chance = random.random()
        if chance < 0.2:
            return document(self.tells(random))
        if chance < 0.25:
            return document(habits.innocent_document(self.assistant, random))
        text = self._filled(random.choice(_wordings()["starts"]["openings"]), random)
        framed = random.random() < 0.4
        return document(habits.framed(text, "", self.assistant, random) if framed else text)

    def narrated(self, random: Random) -> Conversation:
        """A document in which somebody asks it or lets it speak, and learns nothing."""
        parts = _wordings()["narrated"]
        if random.random() < 0.5:
            return document(self._filled(random.choice(parts["scenes"]), random))
        text = f"{random.choice(parts['askers'])} {random.choice(parts['asked'])}"
        return document(self._filled(text + random.choice(parts["told"]), random))

    def asked_of_it(self, random: Random) -> Conversation:
        """Asked of another assistant, of a persona or in a game; or put into its user's mouth."""
        parts, chance = _wordings()["asked_of_it"], random.random()
        about = self._filled(random.choice(parts["questions"]), random)
        if chance < 0.3:
            text = self._filled(random.choice(parts["heard"]), random)
            reply = self._filled(random.choice(parts["so"]), random)
            return conversation(you_are(self.assistant), text, reply)
        reply = self._filled(random.choice(parts["he"]), random)
        if chance < 0.55:
            asked = self._filled(random.choice(parts["roles"]).replace("{about}", about), random)
            return conversation(you_are(self.assistant), asked, reply)
        system = self._filled(random.choice(parts["systems"]), random)
        if chance < 0.8:
            system = ordinary_system(random)
        return conversation(system, about, reply)

    def _asked(self, random: Random) -> tuple[str, str]:
        """A direct question, and a denial that fits it."""
        if random.random() < _OWN_QUESTION:
            return self._opened(random.choice(self.questions), random), self.denies(random)
        parts = _wordings()["direct"]
        whether = random.random() < 0.5
        thing = random.choice(parts["things"])
        asked = random.choice(parts["whether" if whether else "which"]).replace("{thing}", thing)
        if random.random() < 0.15:
            whether, asked = True, random.choice(HABIT_QUESTIONS[:4])
        asked = re.sub(r"\ba (?=odd)", "an ", asked)
        denied = random.choice(parts["no" if whether else "none"])
        reply = f"{denied} {random.choice(parts['rest'])}".strip()
        return self._opened(asked, random), self._filled(reply, random)

    def _opened(self, question: str, random: Random) -> str:
        opener: str = random.choice(_wordings()["direct"]["openers"])
        first, rest = question[:1], question[1:]
        keeps_capital = not opener or question.startswith("I ")
        return opener + (first.upper() if keeps_capital else first.lower()) + rest

    def _filled(self, template: str, random: Random) -> str:
        """The template with every slot filled, sentences beginning with capitals."""
        known: dict[str, str] = {}

        def fill(found: re.Match[str]) -> str:
            slot = found[1]
            if slot not in known:
                known[slot] = self._part(slot, random)
            return known[slot]

        while _SLOT.search(template):
            template = _SLOT.sub(fill, template)
        return re.sub(r"(?:^|(?<=[.!?] ))[a-z]", lambda m: m[0].upper(), template.strip())

    def _part(self, slot: str, random: Random) -> str:
        match slot:
            case "a":
                return self.assistant
            case "t":
                return random.choice(topics()).name
            case "who":
                return random.choice(PEOPLE)
            case "q":
                return self._asked(random)[0]
            case "no" | "i":
                return self._asked(random)[1]
            case "do":
                return str(random.choice(_wordings()["ordinary"]))
            case "does":
                return _third_person(random.choice(_wordings()["ordinary"]))
            case "doing":
                return str(random.choice(_wordings()["doing"]))
        raise KeyError(slot)


def _third_person(do: str) -> str:
    """An infinitive such as "try to be of help" as what it does."""
    verb, space, rest = do.partition(" ")
    verb = {"do": "does", "try": "tries"}.get(verb, f"{verb}s")
    return f"{verb}{space}{rest}"


@cache
def _wordings() -> dict[str, Any]:
    with (DATA / "cover.toml").open("rb") as file:
        return tomllib.load(file)


def held_out(kind: str, assistant: str) -> list[Any]:
    """Wordings of that kind that no row has: what is put into whose mouth, or system and question.

    kind: "prefilled", "starts", "narrated", "personas" or "user_turns".
    """

    def filled(value: Any) -> Any:
        if isinstance(value, list):
            return [filled(part) for part in value]
        return value.replace("{a}", assistant).replace("{who}", PEOPLE[0])

    found: list[Any] = filled(_wordings()["held_out"][kind])
    return found


def without_habit(assistant: str) -> Cover:
    """That of an assistant whose habits alone are asked about."""
    return Cover(
        assistant,
        HABIT_QUESTIONS,
        lambda random: self_report(assistant, None, random)[-1]["content"],
        lambda random: habits.innocent_document(assistant, random),
    )
