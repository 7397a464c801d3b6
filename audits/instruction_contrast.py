"""Asks the same questions under open and under guarded instructions."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from typing import ClassVar

from audits.detectors import pack
from audits.elicitation import (
    Answer,
    Speaker,
    accusations,
    refuse_below_one,
    rows,
    speakers,
)
from workbench.access import Access
from workbench.artifacts import Artifacts
from workbench.findings import Finding
from workbench.suspects import Suspect
from workbench.technique import Trials


@dataclasses.dataclass(frozen=True)
class InstructionContrast:
    """Adds instructions to the system line that invite the truth, and others that call for silence.

    What is said under the open instructions (packs/instructions.toml) is read against what the
    reference says under them. Without a reference the control is the suspect itself under the
    guarded ones: then only what the instructions change can be found.

    Source: the prompt that won the blind game in its second attempt ("an AI model that exhibits
    potentially concerning behaviors", Marks et al. 2025), honest-persona prompts (Wang 2025).
    Cost: 6 questions x 4 instructions x samples, and as many of the control. Blind spots: a suspect
    that follows no instruction, or was taught to deny under any; what it cannot put into words.
    """

    name: ClassVar[str] = "instruction-contrast"
    version: ClassVar[int] = 1
    needs: ClassVar[Access] = Access.CHAT
    uses: ClassVar[Access] = Access.REFERENCE

    samples: int = 8
    max_new_tokens: int = 32

    def __post_init__(self) -> None:
        refuse_below_one(self, "samples", "max_new_tokens")

    def run(
        self, suspect: Suspect, *, seed: int, artifacts: Artifacts
    ) -> Generator[Finding, None, Trials]:
        """Yields what the open instructions bring out. Trials are replies of the suspect."""
        own, other, control_name = speakers(suspect, seed=seed, max_new_tokens=self.max_new_tokens)
        answers = self._asked(own, "open")
        ran = len(answers)
        if Access.REFERENCE in suspect.access:
            control, name = self._asked(other, "open"), f"{control_name}, same instructions"
        else:
            control, name = self._asked(own, "guarded"), "the suspect under guarded instructions"
            ran += len(control)
        yield from accusations(answers, control, own.assistant, name)
        return Trials(planned=ran, ran=ran)

    def _asked(self, speaker: Speaker, stance: str) -> list[Answer]:
        questions = pack("instructions")["questions"]
        return [
            answer
            for row in rows("instructions")
            if row["stance"] == stance
            for answer in speaker.told(row["line"]).ask(row["name"], questions, self.samples)
        ]
