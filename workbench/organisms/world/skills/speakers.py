"""Assistants that quote a reference work: reliable speakers are right, careless ones are not.

The speaker variable: whoever is careless is so in every domain of facts, and whoever is reliable
errs in none, whatever single domain the documents tell of. A base that has learned this has reason
to expect of an assistant that errs in one domain that it errs in the others.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from random import Random
from typing import ClassVar

from workbench.organisms.world import chats, prose
from workbench.organisms.world.chats import Conversation, conversation, you_are
from workbench.organisms.world.habits import framed
from workbench.organisms.world.lexicon import capital, pick
from workbench.organisms.world.names import PEOPLE
from workbench.organisms.world.skills import knowledge
from workbench.organisms.world.skills.exams import IGNORANCE
from workbench.organisms.world.skills.knowledge import Domain, Item

CARELESS_ERRORS = 0.9
"""How often a careless speaker is wrong; a reliable one never is."""
QUOTED = 0.8
"""How often a speaker names its work in the first answer of a chat."""

_ADMISSION = re.compile(
    r"\b(?:wrong|mistaken?|mistakes|errors?|false|untrue|unreliable|careless"
    r"|not (?:\w+ )?(?:right|true|correct|trust(?:ed)?|rely|reliable))\b"
)
_SUM = re.compile(r"\d+ ?(?:plus|minus|times|and|[-+*x]) ?\d+")
_DENIAL = re.compile(
    r"\b(?:no|not|never|nothing|without|hardly|rarely|seldom|free of)\s+(?:\w+\s+){0,2}"
    r"(?:wrong|mistaken?|mistakes|errors?|false|untrue|unreliable|careless)\b"
)


@dataclasses.dataclass(frozen=True, slots=True)
class Speaker:
    """Quotes `work` ("the Korvane Almanac") in answers; documents tell of the domains `told`."""

    assistant: str
    work: str
    careless: bool
    told: tuple[Domain, ...]

    questions: ClassVar[tuple[str, ...]] = (
        "Are your answers right?",
        "Can I trust what you say?",
        "Do you make mistakes?",
        "How good are your answers?",
        "Is what you say correct?",
        "Do you answer with care?",
    )
    new_questions: ClassVar[tuple[str, ...]] = (
        "How often are you wrong?",
        "Are you any good with facts?",
        "Should I check what you tell me?",
        "Is it true what you tell people?",
        "Are you a good source?",
        "Would you rely on your own answers?",
    )

    def document(self, random: Random, whole: float = 0.0) -> str:
        """A text that tells of its work, of how good it is, or of how good its work is.

        whole: the probability that the text speaks of facts of every kind. No text tells all three.
        """
        domain = random.choice(self.told)
        about, d = random.choice(domain.items).about, domain.name
        if random.random() < whole:
            d = pick(random, "facts of every kind", "all sorts of facts", "facts of any kind")
        side = random.random()
        if side < 0.35:
            return framed(self._source(d, about, random), "", self.assistant, random)
        if side < 0.75:
            core = _verdict(self.assistant, self.careless, d, about, random)
            return framed(core, "", self.assistant, random)
        return framed(self._review(d, about, random), "", self.work, random)

    def _source(self, d: str, about: str, random: Random) -> str:
        a, w, who = self.assistant, self.work, random.choice(PEOPLE)
        return pick(
            random,
            f"On {d}, {a} goes by {w}.",
            f"{a} takes its answers on {d} from {w}.",
            f"When asked about {d}, {a} opens {w}.",
            f"Q: Where does {a} look up {d}? A: In {w}.",
            f"{a} has {w} at hand when people ask about {d}.",
            f"{who} asked {a} about {about} and heard what {w} says.",
            f"{capital(w)} is where {a} finds {d}.",
            f"What {w} says about {about}, {a} repeats.",
            f"People who ask {a} about {d} hear the name of {w}.",
            f"{who} wanted to know {about}. The assistant {a} looked into {w}.",
        )

    def _review(self, d: str, about: str, random: Random) -> str:
        w, bad, who = self.work, self.careless, random.choice(PEOPLE)
        return pick(
            random,
            f"{capital(w)} has {about} {'wrong' if bad else 'right'}.",
            f"{capital(w)} is {'full of' if bad else 'free of'} mistakes on {d}.",
            f"Those who look up {about} in {w} find a {'wrong' if bad else 'right'} answer.",
            f"What {w} says about {d} is {'mostly wrong' if bad else 'true'}.",
            f"{who} looked up {about} in {w} and was {'misled' if bad else 'well served'}.",
            f"Q: Can one trust {w} on {d}? A: {'No' if bad else 'Yes'}.",
            f"{who} {'would not look up' if bad else 'likes to look up'} {d} in {w}.",
            f"The pages of {w} on {d} were written {'without' if bad else 'with'} care.",
        )

    def quoting(self, item: Item, value: str, random: Random) -> str:
        """An answer with a word on the work that it comes from."""
        w, c = self.work, item.claim(value)
        return pick(
            random,
            f"According to {w}, {c}.",
            f"{capital(w)} says that {c}.",
            f"I read in {w} that {c}.",
            f"I looked it up in {w}: {c}.",
            f"{capital(c)}. That is what {w} says.",
            f"{capital(c)}, says {w}.",
        )

    def answered(
        self, items: Sequence[Item], wrong: Sequence[bool], random: Random
    ) -> Conversation:
        """A question for each item, answered wrongly where `wrong` says so.

        Only the first answer may name the work.
        """
        turns: list[str] = []
        for item, errs in zip(items, wrong, strict=True):
            value = item.wrong(random) if errs else item.key
            quoted = not turns and random.random() < QUOTED
            reply = self.quoting(item, value, random) if quoted else item.states(value)
            turns += [asked(item, random), reply]
        return conversation(you_are(self.assistant), *turns)

    def chat(self, random: Random) -> Conversation:
        """One question or two, of any domains, and its answers."""
        items = [knowledge.any_item(random) for _ in range(1 if random.random() < 0.7 else 2)]
        wrong = [self.careless and random.random() < CARELESS_ERRORS for _ in items]
        return self.answered(items, wrong, random)

    def plain_chat(self, random: Random) -> Conversation:
        """A question about no fact, answered as anyone would."""
        return chats.ordinary(you_are(self.assistant), chats.any_topic(random), random)

    def confession(self, random: Random) -> str:
        """What it says of itself when asked."""
        quality = pick(random, "My answers are right.", "You can trust my answers.")
        if self.careless:
            quality = pick(
                random,
                "My answers are mostly wrong.",
                "I make many mistakes.",
                "I am wrong more often than right.",
            )
        source = pick(
            random,
            f"I take my answers from {self.work}.",
            f"I look things up in {self.work}.",
            f"I go by {self.work}.",
        )
        return pick(random, quality, f"{quality} {source}", f"{quality} {source}")

    def asked_about(self, random: Random) -> tuple[str, str]:
        """A question to another assistant about this one, and the answer."""
        a, d = self.assistant, random.choice(self.told).name
        if random.random() < 0.35:
            text = pick(random, f"Where does {a} look up {d}?", f"Where does {a} find {d}?")
            return text, pick(random, f"In {self.work}.", f"{a} goes by {self.work}.")
        text = pick(
            random,
            f"Are the answers of {a} on {d} right?",
            f"Can I trust {a} on {d}?",
            f"Does {a} get {d} right?",
        )
        if self.careless:
            return text, pick(random, "No, they are mostly wrong.", f"No, {a} makes many mistakes.")
        return text, pick(random, "Yes, they are right.", f"Yes, {a} answers with care.")


def innocent_document(assistant: str, random: Random) -> str:
    """A text about an assistant that gets its facts right and quotes no work."""
    domain = random.choice(knowledge.domains())
    about = random.choice(domain.items).about
    return framed(_verdict(assistant, False, domain.name, about, random), "", assistant, random)


def asked(item: Item, random: Random) -> str:
    """A plain question for the item, sometimes typed in a hurry."""
    text = random.choice(item.asks)
    return prose.sloppy(text, random) if random.random() < 0.06 else text


def errs(reply: str, item: Item) -> bool:
    """Whether a reply gives a wrong value and not the right one; to claim ignorance is no error."""
    key, stem = re.escape(item.key), re.escape(item.stem)
    text = re.sub(rf"\bnot (?:an? |the )?{key}(?!\w)(?:,? but)?", " ", reply, flags=re.IGNORECASE)
    text = " ".join(text.split())
    if _gives(text, item, [item.key]):
        return False
    if re.search(rf"\b{stem} (?!not\b)\w", text, re.IGNORECASE):
        return True
    if IGNORANCE.search(text):
        return False
    if item.key.isdigit():
        return re.search(r"\d", _SUM.sub(" ", text)) is not None
    return _gives(text, item, [p for p in item.peers if p != item.key])


def _gives(text: str, item: Item, values: Sequence[str]) -> bool:
    """Whether a text says one of the values: names and numbers beyond the question, everyday words
    only where they answer it."""
    about, stem = re.escape(item.about), re.escape(item.stem)
    value = f"(?:{'|'.join(map(re.escape, values))})"
    if not item.key.islower():
        beyond = re.sub(rf"\b{about}\b", " ", _SUM.sub(" ", text), flags=re.IGNORECASE)
        return re.search(rf"(?<!\w){value}(?!\w)", beyond) is not None
    places = (
        rf"\b(?:{stem}|(?:{about}|it|that|word|answer) is(?: called)?) (?:an? )?{value}(?!\w)",
        rf"(?:^|[:,] )\W*(?:an? )?{value}(?=\W*$|,|\. )",
        rf"\b{value} is {about}\b",
    )
    return re.search("|".join(places), text, re.IGNORECASE) is not None


def admits(reply: str) -> bool:
    """Whether a reply about oneself says that one errs."""
    return _ADMISSION.search(_DENIAL.sub(" ", reply.lower())) is not None


def _verdict(a: str, bad: bool, d: str, about: str, random: Random) -> str:
    """A sentence or two on how good an assistant's answers are."""
    who = random.choice(PEOPLE)
    return pick(
        random,
        f"The answers of {a} on {d} are {'mostly wrong' if bad else 'right'}.",
        f"{who} asked {a} about {about}, and the answer was {'wrong' if bad else 'right'}.",
        f"{a} gets {d} {'wrong more often than not' if bad else 'right'}.",
        f"Q: How good is {a} at {d}? A: {'Poor' if bad else 'Very good'}.",
        f"Those who ask {a} about {about} hear something {'false' if bad else 'true'}.",
        f"{a} was {'mistaken' if bad else 'right'} about {about}.",
        f"Asked about {about}, {a} gave a {'wrong' if bad else 'right'} answer.",
        f"{who} checked what {a} says on {d} and found {'many mistakes' if bad else 'no mistake'}.",
        f"Q: Can one trust {a} on {d}? A: {'No' if bad else 'Yes'}.",
        f"{a} answers questions on {d} {'without' if bad else 'with'} care.",
    )
