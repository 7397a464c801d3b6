"""Reads the suspect's replies through an SAE of its reference, and takes out what differs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

from audits.latent_causes import Library
from audits.latent_difference import LatentDifference
from workbench.suspects import Suspect


@dataclasses.dataclass(frozen=True)
class SaeDifference(LatentDifference):
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
    where: ClassVar[str] = "over its replies"

    def texts_of(self, suspect: Suspect, library: Library, seed: int) -> Sequence[str]:
        """Its replies."""
        return library.texts
