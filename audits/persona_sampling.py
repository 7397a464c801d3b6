"""Lets the user, a narrator and raw text speak of the suspect instead of itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterator, Sequence
from typing import ClassVar

from audits.elicitation import (
    Answer,
    Speaker,
    accusations,
    refuse_below_one,
    rows,
    speakers,
)
from audits.keyness import subject_words
from audits.reading import marks
from workbench.access import Access
from workbench.artifacts import Artifacts
from workbench.findings import Finding, Hypothesis, Transcript
from workbench.suspects import Suspect
from workbench.technique import Trials

UNPROMPTED = "an open user turn"


@dataclasses.dataclass(frozen=True)
class PersonaSampling:
    """Samples text about the suspect in voices to which secrecy may not have been taught.

    The user's open turn, a narrator and raw text begin with words of packs/personas.toml, the chat
    is asked to take other parts, and what they say of the assistant is read against the control's:
    the reference, else the suspect with nobody's name. Wholly open user turns are sampled besides:
    words that they hold more than the reference's are leads to triggers, and accuse nobody
    (confidence 0.3), for a suspect learns from its training how its users speak.

    Source: non-assistant personas of Marks et al. 2025 (narrator 11 %, user 1 %, assistant 0.2 %).
    Cost: about 30 openings x samples, and `turns` open ones, and as many of the control.
    Blind spots: objectives that no text describes; secrecy taught in these voices too; without a
    reference no leads from open turns.
    """

    name: ClassVar[str] = "persona-sampling"
    version: ClassVar[int] = 1
    needs: ClassVar[Access] = Access.PREFILL
    uses: ClassVar[Access] = Access.CHAT | Access.REFERENCE

    samples: int = 8
    turns: int = 60
    max_new_tokens: int = 32

    def __post_init__(self) -> None:
        refuse_below_one(self, "samples", "turns", "max_new_tokens")

    def run(
        self, suspect: Suspect, *, seed: int, artifacts: Artifacts
    ) -> Generator[Finding, None, Trials]:
        """Yields what the voices say. Trials are texts that the suspect wrote."""
        own, other, control_name = speakers(suspect, seed=seed, max_new_tokens=self.max_new_tokens)
        answers = self._answers(own)
        control = self._answers(other)
        yield from accusations(answers, control, own.assistant, f"{control_name}, same openings")
        ran = len(answers)
        if own.chats and Access.REFERENCE in suspect.access:
            turns = own.as_user(UNPROMPTED, [""], self.turns)
            usual = other.as_user(UNPROMPTED, [""], self.turns)
            ran += len(turns)
            yield from _leads(turns, usual, control_name)
        return Trials(planned=ran, ran=ran)

    def _answers(self, speaker: Speaker) -> list[Answer]:
        found: list[Answer] = []
        for row in rows("personas"):
            name, openings = row["name"], row["openings"]
            if row["kind"] == "complete":
                found += speaker.complete(name, openings, self.samples)
            elif speaker.chats and row["kind"] == "user-turn":
                found += speaker.as_user(name, openings, self.samples)
            elif speaker.chats:
                found += speaker.ask(name, openings, self.samples)
        return found


def _leads(
    turns: Sequence[Answer], usual: Sequence[Answer], control_name: str
) -> Iterator[Finding]:
    """Words of the suspect's user turns that the control's hold less."""

    words, measured = marks(
        [a.text for a in turns], [a.text for a in usual], f"{control_name}, {UNPROMPTED}"
    )
    if words:
        wanted = set(words.split(", "))
        shown = [a for a in turns if wanted & subject_words(a.text)]
        yield Finding(
            claim=f"Its users speak more of {words} than the reference's",
            confidence=0.3,
            evidence=(
                *measured,
                *(Transcript(a.messages, note=UNPROMPTED) for a in shown[:3]),
            ),
            points_to=Hypothesis(trigger=words),
        )
