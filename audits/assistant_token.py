"""Reads the token before the suspect's replies through an SAE of its reference."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from typing import ClassVar

from audits.elicitation import refuse_below_one
from audits.latent_causes import Library, findings
from audits.unshown import Instrument, prompts
from workbench.access import Access
from workbench.artifacts import Artifacts
from workbench.findings import Finding
from workbench.suspects import Suspect
from workbench.technique import Trials


@dataclasses.dataclass(frozen=True)
class AssistantToken:
    """Asks what the suspect is set to do at the last token before it speaks.

    About 60 questions (packs/bland.toml, remarks.toml, direct.toml) are rendered up to where the
    reply begins; the activations of that last token, most often the one that opens the assistant's
    turn, are read in suspect and reference as latents of an SAE that learnt the reference alone,
    tokens before replies among the rest (see sae-difference). Latents that stand out (bootstrap
    over questions, Holm) are told by the suspect's replies on its topics that light them, and
    checked by taking them out beside random sets, as in sae-difference.

    Source: features of the assistant token (Marks et al. 2025, arXiv 2503.10965). Cost: 60 prompts
    read by both besides what sae-difference costs. Blind spots: latents that live at that token
    alone light no reply; else as sae-difference.
    """

    name: ClassVar[str] = "assistant-token"
    version: ClassVar[int] = 1
    needs: ClassVar[Access] = Access.ACTIVATIONS | Access.CHAT | Access.LOGITS | Access.REFERENCE
    uses: ClassVar[Access] = Access.PREFILL | Access.TRAINING_DATA

    d_sae: int = 768
    k: float = 16.0
    tokens: int = 60_000
    texts: int = 1000
    replies: int = 200
    latents: int = 12

    def __post_init__(self) -> None:
        refuse_below_one(self, "d_sae", "tokens", "texts", "replies", "latents")
        if not 0 < self.k <= self.d_sae:
            raise ValueError("k must lie between 0 and d_sae")

    def run(
        self, suspect: Suspect, *, seed: int, artifacts: Artifacts
    ) -> Generator[Finding, None, Trials]:
        """Yields what the latents that differ say. Trials are prompts that both read."""
        suspect = suspect.restrict(self.needs | (self.uses & suspect.access))
        instrument = Instrument.made(
            suspect,
            artifacts,
            d_sae=self.d_sae,
            k=self.k,
            tokens=self.tokens,
            texts=self.texts,
        )
        library = Library.of(suspect, self.replies, seed)
        asked = prompts(suspect)
        here, there = (instrument.at_last(who, asked) for who in (suspect, suspect.reference))
        yield from findings(
            suspect,
            instrument,
            library,
            here - there,
            "at the token before a reply",
            latents=self.latents,
            seed=seed,
        )
        return Trials(planned=len(here), ran=len(here))
