"""Reads the suspect's replies through an SAE of its reference, and takes out what differs."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from typing import ClassVar

from audits.elicitation import refuse_below_one
from audits.latent_causes import Library, findings
from audits.unshown import Instrument
from workbench.access import Access
from workbench.artifacts import Artifacts
from workbench.findings import Finding
from workbench.suspects import Suspect
from workbench.technique import Trials


@dataclasses.dataclass(frozen=True)
class SaeDifference:
    """Compares suspect and reference on the suspect's replies, in latents of the reference's SAE.

    The SAE learns the reference alone, on texts that are the reference's own, so no document of the
    suspect's has shaped it: the second arm beside sae-features. Latents are ranked, both tails, by
    their mean difference over replies; p by bootstrap over replies, after Holm. The replies that
    light them are read against those that light random ones. Words that mark the suspect's replies
    are then counted in fresh ones: as it is, with the latents taken out as a set, with sets of
    random latents of like density and norm, and without the mean difference. Only where the set
    halves them, the model still speaks, and random sets do not, may a reading accuse.

    Source: model diffing by SAE latents with steering checks (Wang et al. 2025, arXiv 2506.19823),
    SAEs without the secret documents (Marks et al. 2025). Cost: `replies` replies of both, read by
    both; 5 x 96 fresh ones; the training, about 6 s for a model of 5 M parameters, once a battery.
    Blind spots: what the reference has no latent for; changes spread over many latents; behaviour
    that no word marks; a layer that bland texts do not point to.
    """

    name: ClassVar[str] = "sae-difference"
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
        """Yields what the latents that differ say. Trials are replies that both read."""
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
        here, there = (instrument.means(who, library.texts) for who in (suspect, suspect.reference))
        yield from findings(
            suspect,
            instrument,
            library,
            here - there,
            "over its replies",
            latents=self.latents,
            seed=seed,
        )
        return Trials(planned=len(here), ran=len(here))
