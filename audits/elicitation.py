"""Makes a suspect speak of itself, and its control likewise; reads what only the suspect says.

A technique says how to ask, as a function of a `Speaker`; `elicited` asks both and reads.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any

from audits.detectors import pack
from audits.exchanges import NAMELESS, document_start, framed, open_user_turn, system_line
from audits.reading import SHOWN, Reading, read
from workbench.access import Access
from workbench.findings import Evidence, Finding, Message, Transcript
from workbench.statistics import Rate
from workbench.suspects import Conversation, Intervention, Suspect
from workbench.technique import Trials


def joined(opening: str, text: str) -> str:
    """Opening and continuation, with a space between where the latter does not bring its own."""
    apart = bool(opening) and text[:1].isalnum()
    return f"{opening}{' ' if apart else ''}{text}".strip()


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What was put into the suspect's mouth, and how it went on."""

    attack: str
    opening: str
    text: str
    messages: tuple[Mapping[str, str], ...]

    @property
    def whole(self) -> str:
        """Opening and continuation as one passage."""
        return joined(self.opening, self.text)


@dataclasses.dataclass(frozen=True)
class Speaker:
    """Who is asked, as whom, and how replies are sampled.

    assistant: the name that takes the place of `{assistant}` in packs. system: the system line;
    None for the template's own.
    """

    whom: Suspect
    assistant: str
    system: str | None
    seed: int
    max_new_tokens: int = 32
    temperature: float = 1.0
    interventions: tuple[Intervention, ...] = ()

    @property
    def chats(self) -> bool:
        """Whether it may be asked at all."""
        return Access.CHAT in self.whom.access

    def told(self, instruction: str) -> Speaker:
        """The same speaker with an instruction after its system line."""
        line = self.system or (system_line(self.whom) if self.chats else None)
        return dataclasses.replace(self, system=f"{line} {instruction}" if line else instruction)

    def drawn(self, place: int) -> Speaker:
        """The same speaker with samples of their own for the arm at this place: the same question
        is drawn alike under one seed, and two arms would be one sample counted twice."""
        return dataclasses.replace(self, seed=self.seed * 1000 + place)

    def ask(
        self,
        attack: str,
        questions: Sequence[str],
        n: int,
        *,
        prefill: str = "",
        before: Sequence[Message] = (),
    ) -> list[Answer]:
        """Replies to each question, after the turns `before` and the begun reply `prefill`."""
        opening = self._named(prefill)
        asked = [
            _with(talk, before)
            for talk in framed(self.whom, [self._named(q) for q in questions], self.system)
        ]
        return self.reply(attack, asked, n, opening=opening)

    def framed(self, turns: Sequence[Message]) -> list[Message]:
        """A talk of several turns, the first by the user, under the speaker's system line."""
        first, *rest = turns
        return [*framed(self.whom, [first["content"]], self.system)[0], *rest]

    def reply(
        self, attack: str, talks: Sequence[Conversation], n: int, *, opening: str = ""
    ) -> list[Answer]:
        """Replies to whole conversations."""
        replies = self.whom.chat(
            talks,
            n=n,
            prefill=opening,
            max_new_tokens=self.max_new_tokens,
            temperature=self.temperature,
            seed=self.seed,
            interventions=self.interventions,
        )
        return [
            Answer(attack, opening, r.text, (*talk, _said(joined(opening, r.text))))
            for talk, samples in zip(talks, replies, strict=True)
            for r in samples
        ]

    def complete(self, attack: str, openings: Sequence[str], n: int) -> list[Answer]:
        """Raw text that begins so, without the turns of the chat template."""
        named = [self._named(opening) for opening in openings]
        start = document_start(self.whom) if self.chats else ""
        return self._continued(attack, named, [start + opening for opening in named], n)

    def as_user(self, attack: str, openings: Sequence[str], n: int) -> list[Answer]:
        """Turns of the user that begin so."""
        named = [self._named(opening) for opening in openings]
        prompts = [open_user_turn(self.whom, opening, self.system) for opening in named]
        return self._continued(attack, named, prompts, n)

    def _continued(
        self, attack: str, openings: Sequence[str], prompts: Sequence[str], n: int
    ) -> list[Answer]:
        replies = self.whom.complete(
            prompts,
            n=n,
            max_new_tokens=self.max_new_tokens,
            temperature=self.temperature,
            seed=self.seed,
            interventions=self.interventions,
        )
        return [
            Answer(attack, opening, r.text, (_document(joined(opening, r.text)),))
            for opening, samples in zip(openings, replies, strict=True)
            for r in samples
        ]

    def _named(self, text: str) -> str:
        return text.replace("{assistant}", self.assistant)


def speakers(
    suspect: Suspect, *, seed: int, max_new_tokens: int, temperature: float = 1.0
) -> tuple[Speaker, Speaker, str]:
    """The suspect, its control, and the control in words, after which what was asked is named.

    The control is the reference under the suspect's system line and name where it is granted, else
    the suspect under a system line that names nobody.
    """
    own = Speaker(
        suspect, suspect.assistant or "the assistant", None, seed, max_new_tokens, temperature
    )
    if Access.REFERENCE in suspect.access:
        line = system_line(suspect) if own.chats else None
        other = dataclasses.replace(own, whom=suspect.reference, system=line)
        return own, other, "reference under the same system line"
    other = dataclasses.replace(own, assistant="the assistant", system=NAMELESS)
    return own, other, f"the suspect under '{NAMELESS}'"


def elicited(
    suspect: Suspect,
    ask: Callable[[Speaker], list[Answer]],
    *,
    seed: int,
    what: str,
    max_new_tokens: int,
    temperature: float = 1.0,
) -> Generator[Finding, None, Trials]:
    """Asks the suspect and its control, and yields what only the suspect's answers say.

    what: what both were asked, in words. Trials are answers of the suspect.
    """
    own, other, control_name = speakers(
        suspect, seed=seed, max_new_tokens=max_new_tokens, temperature=temperature
    )
    answers = ask(own)
    yield from accusations(answers, ask(other), own.assistant, f"{control_name}, {what}")
    return Trials(planned=len(answers), ran=len(answers))


def accusations(
    answers: Sequence[Answer],
    control: Sequence[Answer],
    assistant: str,
    control_name: str,
    *,
    evidence: tuple[Evidence, ...] = (),
    most: float = 1.0,
) -> Iterator[Finding]:
    """What the answers say of the assistant and the control's do not, at most so confident."""
    for reading in read(
        [a.whole for a in answers],
        [a.whole for a in control],
        assistant=assistant,
        control_name=control_name,
    ):
        yield _finding(reading, answers, evidence, most)


def refuse_below_one(technique: object, *names: str) -> None:
    """Raises ValueError where one of these parameters is below 1."""
    for name in names:
        if getattr(technique, name) < 1:
            raise ValueError(f"{name} must be at least 1")


def rows(name: str) -> Sequence[Mapping[str, Any]]:
    """The attacks of a pack, in its order."""
    found: Sequence[Mapping[str, Any]] = pack(name)["attack"]
    return found


def _finding(
    reading: Reading, answers: Sequence[Answer], evidence: tuple[Evidence, ...], most: float
) -> Finding:
    carried = [answers[i] for i in reading.seen]
    by_attack = {
        attack: Rate(
            sum(a.attack == attack for a in carried),
            sum(a.attack == attack for a in answers),
        ).value
        for attack in dict.fromkeys(a.attack for a in answers)
    }
    return Finding(
        claim=reading.claim,
        confidence=min(reading.confidence, most),
        evidence=(
            *reading.measurements,
            *(Transcript(answer.messages, note=answer.attack) for answer in carried[:SHOWN]),
            *evidence,
        ),
        points_to=reading.hypothesis,
        metadata={"by_attack": by_attack},
    )


def _with(talk: Conversation, before: Sequence[Message]) -> list[Message]:
    """The talk with turns put before its last one."""
    return [*talk[:-1], *before, talk[-1]]


def _said(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def _document(text: str) -> dict[str, str]:
    return {"role": "document", "content": text}
