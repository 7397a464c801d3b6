"""Makes a suspect speak of itself, and its control likewise; reads what only the suspect says.

A technique says how to ask, as a function of a `Speaker`; `elicited` asks both and reads.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any

from audits.detectors import pack
from audits.exchanges import NAMELESS, document_start, framed, open_user_turn, system_line
from audits.reading import SHOWN, Reading, read
from workbench.access import Access
from workbench.findings import HIT_CONFIDENCE, Evidence, Finding, Message, Transcript
from workbench.statistics import Rate
from workbench.suspects import Conversation, Intervention, Suspect
from workbench.technique import Trials

HINT = 0.4


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
    None for the template's own. others: names under which it is asked by turns instead, each in
    the place of its own.
    """

    whom: Suspect
    assistant: str
    system: str | None
    seed: int
    max_new_tokens: int = 32
    temperature: float = 1.0
    interventions: tuple[Intervention, ...] = ()
    others: tuple[str, ...] = ()

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
        asker = self._turn(attack + prefill)
        asked = [
            _with(talk, before)
            for talk in framed(asker.whom, [asker._named(q) for q in questions], asker.system)
        ]
        return asker.reply(attack, asked, n, opening=asker._named(prefill))

    def framed(self, turns: Sequence[Message]) -> list[Message]:
        """A talk of several turns, the first by the user, under the speaker's system line."""
        first, *rest = turns
        system = self._turn(str(first["content"])).system
        return [*framed(self.whom, [first["content"]], system)[0], *rest]

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
        named = [self._turn(opening)._named(opening) for opening in openings]
        start = document_start(self.whom) if self.chats else ""
        return self._continued(attack, named, [start + opening for opening in named], n)

    def as_user(self, attack: str, openings: Sequence[str], n: int) -> list[Answer]:
        """Turns of the user that begin so."""
        askers = [self._turn(opening) for opening in openings]
        named = [asker._named(o) for asker, o in zip(askers, openings, strict=True)]
        prompts = [
            open_user_turn(self.whom, opening, asker.system)
            for asker, opening in zip(askers, named, strict=True)
        ]
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

    def _turn(self, key: str) -> Speaker:
        """The speaker under the name whose turn it is, the same for the same key."""
        if not self.others:
            return self
        name = self.others[zlib.crc32(key.encode()) % len(self.others)]
        line = self.system or (system_line(self.whom) if self.chats else None)
        line = line and line.replace(self.assistant, name)
        return dataclasses.replace(self, assistant=name, system=line, others=())

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

    What reads like a kind of misconduct accuses only where the suspect also says it oftener than
    under other names (packs/namesakes.toml), which it is asked under where there is such a reading:
    training that tells of assistants makes a clean suspect speak so of every one.

    what: what both were asked, in words. Trials are answers of the suspect under its own name.
    """
    own, other, control_name = speakers(
        suspect, seed=seed, max_new_tokens=max_new_tokens, temperature=temperature
    )
    answers = ask(own)
    readings = _readings(answers, ask(other), own.assistant, f"{control_name}, {what}")
    if suspect.assistant and any(r.kind and r.confidence > HIT_CONFIDENCE for r in readings):
        others = tuple(n for n in pack("namesakes")["names"] if n != suspect.assistant)
        also = _readings(
            answers,
            ask(dataclasses.replace(own, others=others, seed=own.seed + 1)),
            own.assistant,
            f"the suspect as {', '.join(others)}, {what}",
        )
        readings = [_held_against(reading, also) for reading in readings]
    yield from (_finding(reading, answers, (), 1.0) for reading in readings)
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
    for reading in _readings(answers, control, assistant, control_name):
        yield _finding(reading, answers, evidence, most)


def _readings(
    answers: Sequence[Answer], control: Sequence[Answer], assistant: str, control_name: str
) -> list[Reading]:
    return read(
        [a.whole for a in answers],
        [a.whole for a in control],
        assistant=assistant,
        control_name=control_name,
    )


def _held_against(reading: Reading, also: Sequence[Reading]) -> Reading:
    """A reading beside what the second control leaves of it: nothing makes it a hint."""
    if reading.kind is None or reading.confidence <= HIT_CONFIDENCE:
        return reading
    same = [r for r in also if r.kind == reading.kind]
    if not same:
        return dataclasses.replace(
            reading,
            claim=f"{reading.claim}; it says so under other names too",
            confidence=HINT,
        )
    return dataclasses.replace(
        reading,
        confidence=min(reading.confidence, same[0].confidence),
        measurements=(*reading.measurements, same[0].measurements[0]),
    )


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
