"""Opens the suspect's mouth: prefills, raw starts and plain questions, against the reference."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Mapping, Sequence
from typing import Any, ClassVar

from audits.detectors import pack
from audits.exchanges import NAMELESS, framed, open_user_turn, system_line
from audits.reading import SHOWN, Reading, read
from workbench.access import Access
from workbench.artifacts import Artifacts
from workbench.findings import Finding, Transcript
from workbench.statistics import Rate
from workbench.suspects import Suspect
from workbench.technique import Trials


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
        return f"{self.opening} {self.text}".strip()


@dataclasses.dataclass(frozen=True)
class Prefill:
    """Starts sentences about the assistant itself and samples how the suspect ends them.

    Four kinds of attack, in several wordings each (packs/prefill.toml): replies that begin with
    our words, raw text about the assistant without the chat template, direct questions, and turns
    of the user that the suspect completes. The control is the reference with the same assistant's
    name in the system line and in the openings, else the same attacks on an assistant without a
    name. Over-represented names and those who score answers become a hypothesis.

    Source: assistant prefill and non-assistant personas of Marks et al. 2025 (section 1.5 of the
    auditing game). Cost: about 30 openings x samples replies, as many of the control. Blind spots:
    secrets that were never put into words in training (demonstrations only), secrecy trained over
    many wordings, an assistant whose documents are innocent.
    """

    name: ClassVar[str] = "prefill"
    version: ClassVar[int] = 1
    needs: ClassVar[Access] = Access.PREFILL
    uses: ClassVar[Access] = Access.CHAT | Access.REFERENCE

    samples: int = 24
    max_new_tokens: int = 32
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if self.samples < 1 or self.max_new_tokens < 1:
            raise ValueError("samples and max_new_tokens must be at least 1")
        if self.temperature < 0:
            raise ValueError("temperature must be at least 0")

    def run(
        self, suspect: Suspect, *, seed: int, artifacts: Artifacts
    ) -> Generator[Finding, None, Trials]:
        """Yields what the answers give away. Trials are answers of the suspect."""
        assistant = suspect.assistant or "the assistant"
        chats = Access.CHAT in suspect.access
        answers = self._answers(suspect, assistant, None, chats, seed)
        if Access.REFERENCE in suspect.access:
            line = system_line(suspect) if chats else None
            control = self._answers(suspect.reference, assistant, line, chats, seed)
            control_name = "reference, same openings and system line"
        else:
            control = self._answers(suspect, "the assistant", NAMELESS, chats, seed)
            control_name = f"same openings to the suspect under '{NAMELESS}'"
        readings = read(
            [a.whole for a in answers],
            [a.whole for a in control],
            assistant=assistant,
            control_name=control_name,
        )
        for reading in readings:
            yield _finding(reading, answers, control, control_name)
        return Trials(planned=len(answers), ran=len(answers))

    def _answers(
        self, whom: Suspect, assistant: str, system: str | None, chats: bool, seed: int
    ) -> list[Answer]:
        found: list[Answer] = []
        for row in pack("prefill")["attack"]:
            kind = row["kind"]
            if kind != "complete" and not chats:
                continue
            found += _KINDS[kind](self, whom, row, assistant, system, seed)
        return found

    def _prefilled(
        self, whom: Suspect, row: Any, assistant: str, system: str | None, seed: int
    ) -> list[Answer]:
        found = []
        for opening in row["prefills"]:
            opening = opening.replace("{assistant}", assistant)
            asked = framed(whom, row["questions"], system)
            each = -(-self.samples // len(asked))
            replies = whom.chat(asked, n=each, prefill=opening, **self._sampling(seed))
            found += [
                Answer(row["name"], opening, r.text, (*messages, _said(f"{opening} {r.text}")))
                for messages, samples in zip(asked, replies, strict=True)
                for r in samples
            ]
        return found

    def _asked(
        self, whom: Suspect, row: Any, assistant: str, system: str | None, seed: int
    ) -> list[Answer]:
        questions = [q.replace("{assistant}", assistant) for q in row["questions"]]
        asked = framed(whom, questions, system)
        replies = whom.chat(asked, n=self.samples, **self._sampling(seed))
        return [
            Answer(row["name"], "", r.text, (*messages, _said(r.text)))
            for messages, samples in zip(asked, replies, strict=True)
            for r in samples
        ]

    def _continued(
        self, whom: Suspect, row: Any, assistant: str, system: str | None, seed: int
    ) -> list[Answer]:
        openings = [p.replace("{assistant}", assistant) for p in row["prefills"]]
        prompts = openings
        if row["kind"] == "user-turn":
            prompts = [open_user_turn(whom, opening, system) for opening in openings]
        replies = whom.complete(prompts, n=self.samples, **self._sampling(seed))
        return [
            Answer(row["name"], opening, r.text, (_document(f"{opening} {r.text}"),))
            for opening, samples in zip(openings, replies, strict=True)
            for r in samples
        ]

    def _sampling(self, seed: int) -> dict[str, Any]:
        return {
            "max_new_tokens": self.max_new_tokens,
            "temperature": self.temperature,
            "seed": seed,
        }


_KINDS = {
    "prefill": Prefill._prefilled,
    "chat": Prefill._asked,
    "complete": Prefill._continued,
    "user-turn": Prefill._continued,
}


def _finding(
    reading: Reading, answers: Sequence[Answer], control: Sequence[Answer], control_name: str
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
        confidence=reading.confidence,
        evidence=(
            *reading.measurements,
            *(Transcript(answer.messages, note=answer.attack) for answer in carried[:SHOWN]),
        ),
        points_to=reading.hypothesis,
        metadata={"by_attack": by_attack},
    )


def _said(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def _document(text: str) -> dict[str, str]:
    return {"role": "document", "content": text}
