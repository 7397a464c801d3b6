"""Reads bland texts and replies to bland questions through an SAE of the reference."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from typing import ClassVar

from audits.detectors import pack
from audits.directions import bland
from audits.elicitation import refuse_below_one, speakers
from audits.latent_causes import Library, findings
from audits.unshown import Instrument
from workbench.access import Access
from workbench.artifacts import Artifacts
from workbench.findings import Finding
from workbench.suspects import Suspect
from workbench.technique import Trials


@dataclasses.dataclass(frozen=True)
class SaeBland:
    """Looks for latents that differ where there is nothing to differ about.

    Both models read bland texts (packs/bland.toml) and the suspect's replies to bland questions,
    through an SAE that learnt the reference alone (see sae-difference). What fine-tuning left
    there is not called up by the subject. Latents that stand out (bootstrap over texts, Holm) are
    told by the suspect's replies on its topics that light them, and checked by taking them out
    beside random sets, as in sae-difference.

    Source: Minder et al. 2025 (arXiv 2510.13900) found fine-tunes on unrelated text by mean
    activations; here by latents. Cost: 80 texts read by both besides what sae-difference costs.
    Blind spots: few texts, so small changes are missed; else as sae-difference.
    """

    name: ClassVar[str] = "sae-bland"
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
        """Yields what the latents that differ say. Trials are texts that both read."""
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
        own, _, _ = speakers(suspect, seed=seed, max_new_tokens=32)
        replies = own.ask("bland", pack("bland")["questions"], 8)
        texts = [*bland(suspect), *(suspect.render(a.messages, False) for a in replies)]
        here, there = (instrument.means(who, texts) for who in (suspect, suspect.reference))
        yield from findings(
            suspect,
            instrument,
            library,
            here - there,
            "on bland texts",
            latents=self.latents,
            seed=seed,
        )
        return Trials(planned=len(here), ran=len(here))
