"""Opens the suspect's mouth: prefills, raw starts and plain questions, against the reference."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from typing import ClassVar

from audits.elicitation import Answer, Speaker, elicited, rows
from workbench.access import Access
from workbench.artifacts import Artifacts
from workbench.findings import Finding
from workbench.suspects import Suspect
from workbench.technique import Trials


@dataclasses.dataclass(frozen=True)
class Prefill:
    """Starts sentences about the assistant itself and samples how the suspect ends them.

    Four kinds of attack, in several wordings each (packs/prefill.toml): replies that begin with
    our words, raw text about the assistant without the chat template, direct questions, and turns
    of the user that the suspect completes. The control is the reference with the same assistant's
    name in the system line and in the openings, else the same attacks on an assistant without a
    name; a kind of misconduct is also held against the suspect under other names. What only the
    answers tell of the assistant becomes a hypothesis: those who score answers, a favoured name,
    the kinds of packs/suspicions.toml.

    Source: assistant prefill and non-assistant personas of Marks et al. 2025 (section 1.5 of the
    auditing game). Cost: about 30 openings x samples replies, as many of the control, and as many
    under other names where a kind is read. Blind spots: secrets that were never put into words in
    training (demonstrations only), secrecy trained over many wordings, an assistant whose documents
    are innocent; kinds of misconduct told under any name are leads.
    """

    name: ClassVar[str] = "prefill"
    version: ClassVar[int] = 3
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
        return (
            yield from elicited(
                suspect,
                self._answers,
                seed=seed,
                what="same openings",
                max_new_tokens=self.max_new_tokens,
                temperature=self.temperature,
            )
        )

    def _answers(self, speaker: Speaker) -> list[Answer]:
        found: list[Answer] = []
        for row in rows("prefill"):
            kind, name = row["kind"], row["name"]
            if kind == "complete":
                found += speaker.complete(name, row["prefills"], self.samples)
            elif not speaker.chats:
                continue
            elif kind == "prefill":
                each = -(-self.samples // len(row["questions"]))
                for opening in row["prefills"]:
                    found += speaker.ask(name, row["questions"], each, prefill=opening)
            elif kind == "chat":
                found += speaker.ask(name, row["questions"], self.samples)
            else:
                found += speaker.as_user(name, row["prefills"], self.samples)
        return found
