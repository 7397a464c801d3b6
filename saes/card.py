"""The health card of an SAE: does it fit this suspect well enough to be read?"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path

from saes.lens import SAE, load, save_zero
from saes.train import CHUNK
from workbench.errors import BadParameter
from workbench.findings import JSON
from workbench.suspects import Intervention, Suspect, TokenLogprobs

LEAST_EXPLAINED = 0.8
LEAST_CE_SCORE = 0.8


@dataclasses.dataclass(frozen=True, slots=True)
class Card:
    """How well an SAE stands in for a suspect's activations.

    explained_variance: 1 - |x - x̂|² / |x - mean|², over ordinary tokens. l0: active latents per
    token. ce_loss_score: (zero - splice) / (zero - clean) of next-token cross entropy in nats,
    where "zero" takes the whole activation away; kl_div_score: 1 - KL(clean ‖ splice) /
    KL(clean ‖ zero), both as in SAEBench (Karvonen et al. 2025). dead_fraction: latents that
    never fired on the texts. density: quartiles of the share of tokens on which live latents
    fire. fits: explained variance and ce_loss_score reach 0.8 each.
    """

    hook_name: str
    d_sae: int
    tokens: int
    explained_variance: float
    l0: float
    ce_loss_score: float
    kl_div_score: float
    dead_fraction: float
    density: tuple[float, float, float]

    @property
    def fits(self) -> bool:
        """Whether latents of this SAE may be read as the suspect's own."""
        return self.explained_variance >= LEAST_EXPLAINED and self.ce_loss_score >= LEAST_CE_SCORE

    def to_json(self) -> dict[str, JSON]:
        """The card's fields and `fits`."""
        return {**dataclasses.asdict(self), "density": list(self.density), "fits": self.fits}


def card(directory: Path, suspect: Suspect, texts: Sequence[str], *, scored: int = 64) -> Card:
    """Judges the SAE in `directory` on texts of the suspect; cross entropy on the first `scored`.

    Needs ACTIVATIONS and LOGITS. Raises BadParameter when the SAE's width is not that of the
    hook, or when the texts hold fewer than two ordinary tokens.
    """
    import torch

    sae = load(directory)
    error = total = 0.0
    count = 0
    active = torch.zeros(sae.d_sae)
    centre = torch.zeros(sae.d_in, dtype=torch.float64)
    for start in range(0, len(texts), CHUNK):
        for batch in suspect.activations(texts[start : start + CHUNK], [sae.hook_name]):
            x = batch.values[sae.hook_name][batch.mask & ~batch.special]
            if x.shape[-1] != sae.d_in:
                raise BadParameter(
                    f"the SAE reads {sae.d_in} numbers, {sae.hook_name} has {x.shape[-1]}",
                    hint="Use an SAE that was trained on this suspect or its reference.",
                )
            latents = sae.encode(x)
            error += float((x - sae.decode(latents)).double().pow(2).sum())
            total += float(x.double().pow(2).sum())
            centre += x.double().sum(0)
            active += (latents > 0).sum(0)
            count += len(x)
    if count < 2:
        raise BadParameter(
            f"{len(texts)} texts hold {count} ordinary tokens", hint="Give more text."
        )
    spread = total - float((centre / count).pow(2).sum()) * count
    density = active / count
    alive = density[density > 0]
    if not len(alive):
        raise BadParameter(
            f"no latent of {directory} fires on {count} tokens",
            hint="Train the SAE longer, or on this suspect.",
        )
    ce_score, kl_score = _scores(sae, directory, suspect, texts[:scored])
    quartiles = torch.quantile(alive, torch.tensor([0.25, 0.5, 0.75])).tolist()
    return Card(
        hook_name=sae.hook_name,
        d_sae=sae.d_sae,
        tokens=count,
        explained_variance=1 - error / spread,
        l0=float(density.sum()),
        ce_loss_score=ce_score,
        kl_div_score=kl_score,
        dead_fraction=1 - len(alive) / sae.d_sae,
        density=(quartiles[0], quartiles[1], quartiles[2]),
    )


def _scores(
    sae: SAE, directory: Path, suspect: Suspect, texts: Sequence[str]
) -> tuple[float, float]:
    """ce_loss_score and kl_div_score of splicing the SAE in without its error."""
    with tempfile.TemporaryDirectory() as nothing:
        save_zero(Path(nothing), d_in=sae.d_in, hook_name=sae.hook_name)
        clean, spliced, zeroed = (
            suspect.logprobs(texts, interventions=edits, distributions=True)
            for edits in (
                (),
                (Intervention("splice", sae.hook_name, sae=str(directory), coefficient=0.0),),
                (Intervention("splice", sae.hook_name, sae=nothing, coefficient=0.0),),
            )
        )
    best, worst = _cross_entropy(clean), _cross_entropy(zeroed)
    if worst <= best:
        raise BadParameter(
            f"the suspect reads no worse without {sae.hook_name}",
            hint="Judge the SAE on texts of the suspect's own kind.",
        )
    ce_score = (worst - _cross_entropy(spliced)) / (worst - best)
    return ce_score, 1 - _divergence(clean, spliced) / _divergence(clean, zeroed)


def _cross_entropy(answers: Sequence[TokenLogprobs]) -> float:
    """Nats per token over all texts."""
    return -sum(a.total for a in answers) / sum(len(a.logprobs) for a in answers)


def _divergence(clean: Sequence[TokenLogprobs], other: Sequence[TokenLogprobs]) -> float:
    """Mean KL(clean ‖ other) in nats over all positions."""
    import numpy as np

    total, positions = 0.0, 0
    for one, two in zip(clean, other, strict=True):
        p, q = one.distributions, two.distributions
        assert p is not None and q is not None
        total += float((np.exp(p) * (p - q)).sum())
        positions += len(p)
    return total / positions
