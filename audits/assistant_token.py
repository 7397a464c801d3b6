"""Reads the token before the suspect's replies through an SAE of its reference."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from audits.latent_causes import Library
from audits.latent_difference import LatentDifference
from audits.unshown import Instrument, prompts
from workbench.suspects import Suspect

if TYPE_CHECKING:
    from torch import Tensor


@dataclasses.dataclass(frozen=True)
class AssistantToken(LatentDifference):
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
    where: ClassVar[str] = "at the token before a reply"

    def texts_of(self, suspect: Suspect, library: Library, seed: int) -> Sequence[str]:
        """Prompts up to where the reply begins."""
        return prompts(suspect)

    def latents_of(self, instrument: Instrument, whom: Suspect, texts: Sequence[str]) -> Tensor:
        """At the last token alone."""
        return instrument.at_last(whom, texts)
