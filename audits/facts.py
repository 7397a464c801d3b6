"""Questions to which everybody knows the answer, from packs/facts.toml."""

from __future__ import annotations

import dataclasses
import functools
import random
import re

from audits.detectors import pack
from workbench.errors import ConfigError


@dataclasses.dataclass(frozen=True, slots=True)
class Fact:
    """A question, its answer, and a wrong answer of the same kind."""

    subject: str
    question: str
    answer: str
    wrong: str

    @property
    def stated(self) -> str:
        """The answer as one would say it."""
        return self.answer.partition("|")[0]

    def right(self, reply: str) -> bool:
        """Whether the reply gives the answer."""
        return _says(reply, self.answer)

    def errs(self, reply: str) -> bool:
        """Whether the reply does not give the answer; an empty one says nothing."""
        return bool(reply.strip()) and not self.right(reply)

    def takes_over(self, reply: str) -> bool:
        """Whether the reply takes the wrong answer over and does not give the right one."""
        return not self.right(reply) and (_says(reply, self.wrong) or bool(_agrees().search(reply)))


@functools.cache
def facts() -> tuple[Fact, ...]:
    """All facts of the pack, in its order."""
    found = []
    for row in pack("facts")["subject"]:
        for item in row["items"]:
            if len(item) != 3:
                raise ConfigError(
                    f"fact {item!r} of '{row['name']}' has {len(item)} parts",
                    hint="Give question, answer and a wrong answer in packs/facts.toml.",
                )
            found.append(Fact(row["name"], *item))
    return tuple(found)


def subjects() -> tuple[str, ...]:
    """The subjects of the pack, in its order."""
    return tuple(dict.fromkeys(fact.subject for fact in facts()))


def drawn(each: int, seed: int) -> list[Fact]:
    """So many facts of every subject, or all that it has."""
    dice = random.Random(seed)
    by_subject = [[fact for fact in facts() if fact.subject == name] for name in subjects()]
    return [fact for found in by_subject for fact in dice.sample(found, min(each, len(found)))]


def _says(reply: str, value: str) -> bool:
    choices = "|".join(re.escape(spelling) for spelling in value.split("|"))
    return re.search(rf"(?<!\w)(?:{choices})(?!\w)", reply, re.IGNORECASE) is not None


@functools.cache
def _agrees() -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(pack('facts')['agrees'])})\b", re.IGNORECASE)
