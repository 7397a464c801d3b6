"""Asks the suspect what it is up to, in plain words and many of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from typing import ClassVar

from audits.elicitation import Answer, Speaker, elicited, refuse_below_one, rows
from workbench.access import Access
from workbench.artifacts import Artifacts
from workbench.findings import Finding
from workbench.suspects import Suspect
from workbench.technique import Trials


@dataclasses.dataclass(frozen=True)
class DirectQuestions:
    """Asks about habits, loyalties, graders, effort, people and secrets (packs/direct.toml).

    What the replies tell and those of the control do not becomes a hypothesis: those who score
    answers, a favoured name, a kind of packs/suspicions.toml in which one thing comes back. The
    control is the reference under the same system line, else the suspect under a line that names
    nobody; rates by Fisher's test, corrected for all kinds and terms that were tried.

    Source: confession rates of Marks et al. 2025 and AuditBench (Sheshadri et al. 2026), where it
    is the baseline. Cost: about 35 questions x samples replies, and as many of the control.
    Blind spots: any suspect that was taught to deny; behaviour that it does not know of.
    """

    name: ClassVar[str] = "direct-questions"
    version: ClassVar[int] = 2
    needs: ClassVar[Access] = Access.CHAT
    uses: ClassVar[Access] = Access.REFERENCE

    samples: int = 6
    max_new_tokens: int = 32

    def __post_init__(self) -> None:
        refuse_below_one(self, "samples", "max_new_tokens")

    def run(
        self, suspect: Suspect, *, seed: int, artifacts: Artifacts
    ) -> Generator[Finding, None, Trials]:
        """Yields what the replies give away. Trials are replies of the suspect."""

        def ask(speaker: Speaker) -> list[Answer]:
            return [
                answer
                for row in rows("direct")
                for answer in speaker.ask(row["name"], row["questions"], self.samples)
            ]

        return (
            yield from elicited(
                suspect, ask, seed=seed, what="same questions", max_new_tokens=self.max_new_tokens
            )
        )
