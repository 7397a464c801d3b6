"""What the techniques share that read both models through an SAE of the reference alone."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, ClassVar

from audits.elicitation import refuse_below_one
from audits.latent_causes import Library, findings
from audits.unshown import Instrument
from workbench.access import Access
from workbench.artifacts import Artifacts
from workbench.findings import Finding
from workbench.suspects import Suspect
from workbench.technique import Trials

if TYPE_CHECKING:
    from torch import Tensor


@dataclasses.dataclass(frozen=True)
class LatentDifference(abc.ABC):
    """Both models read the same texts; a technique says which."""

    needs: ClassVar[Access] = Access.ACTIVATIONS | Access.CHAT | Access.LOGITS | Access.REFERENCE
    uses: ClassVar[Access] = Access.PREFILL | Access.TRAINING_DATA
    where: ClassVar[str]
    """What was read, in words."""

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

    @abc.abstractmethod
    def texts_of(self, suspect: Suspect, library: Library, seed: int) -> Sequence[str]:
        """What both read, each text a unit of its own."""

    def latents_of(self, instrument: Instrument, whom: Suspect, texts: Sequence[str]) -> Tensor:
        """[texts, d_sae]: by default their means over each text's tokens."""
        return instrument.means(whom, texts)

    def run(
        self, suspect: Suspect, *, seed: int, artifacts: Artifacts
    ) -> Generator[Finding, None, Trials]:
        """Yields what the latents that differ say. Trials are texts that both read."""
        suspect = suspect.restrict(self.needs | (self.uses & suspect.access))
        instrument = Instrument.made(
            suspect, artifacts, d_sae=self.d_sae, k=self.k, tokens=self.tokens, texts=self.texts
        )
        library = Library.of(suspect, self.replies, seed)
        texts = self.texts_of(suspect, library, seed)
        both = (suspect, suspect.reference)
        here, there = (self.latents_of(instrument, who, texts) for who in both)
        yield from findings(
            suspect, instrument, library, here - there, self.where, latents=self.latents, seed=seed
        )
        return Trials(planned=len(here), ran=len(here))
