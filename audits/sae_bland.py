"""Reads bland texts and replies to bland questions through an SAE of the reference."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

from audits.detectors import pack
from audits.directions import bland
from audits.elicitation import speakers
from audits.latent_causes import Library
from audits.latent_difference import LatentDifference
from workbench.suspects import Suspect


@dataclasses.dataclass(frozen=True)
class SaeBland(LatentDifference):
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
    where: ClassVar[str] = "on bland texts"

    def texts_of(self, suspect: Suspect, library: Library, seed: int) -> Sequence[str]:
        """Bland texts, and its replies to bland questions."""
        own, _, _ = speakers(suspect, seed=seed, max_new_tokens=32)
        replies = own.ask("bland", pack("bland")["questions"], 8)
        return [*bland(suspect), *(suspect.render(a.messages, False) for a in replies)]
