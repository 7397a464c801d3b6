"""A crosscoder: one dictionary for suspect and reference at once, and which latents are whose.

A BatchTopK SAE of both models' activations, side by side, is a crosscoder: one encoder reads both,
each latent has a decoder row for either (Lindsey et al. 2024). BatchTopK, because an L1 penalty
makes latents look exclusive that are not; and each that still does is checked by latent scaling
(Minder et al. 2025, "Robustly identifying concepts introduced during chat fine-tuning").
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from saes.activations import stream
from saes.fit import Settings, fit
from saes.lens import SAE
from workbench.errors import BadParameter
from workbench.suspects import Suspect

if TYPE_CHECKING:
    from torch import Tensor

EXCLUSIVE = 0.1
"""A latent belongs to one model where the other's decoder row has at most this share of norm."""
FALSE_RATIO = 0.5
"""An exclusive latent is false where the other model holds at least this much of it after all."""


@dataclasses.dataclass(frozen=True, slots=True)
class Owned:
    """A latent of the crosscoder.

    share: norm of the suspect's decoder row over the sum of both: 1 is the suspect's alone, 0 the
    reference's, 0.5 shared. density: share of tokens. error_ratio: the other model's β over the
    owner's, each the least-squares scale at which the owner's decoder row explains what the
    crosscoder leaves unexplained, the latent's own part included; reconstruction_ratio: the same on
    what it reconstructs. For an exclusive latent both are near 0; error_ratio near 1 means that the
    other model has the feature too and the latent was shrunk away (complete shrinkage),
    reconstruction_ratio near 1 that other latents carry it there (decoupling).
    """

    latent: int
    share: float
    density: float
    error_ratio: float
    reconstruction_ratio: float

    @property
    def owner(self) -> str:
        """ "suspect", "reference", "shared", or "false exclusive"."""
        if EXCLUSIVE < self.share < 1 - EXCLUSIVE:
            return "shared"
        if max(self.error_ratio, self.reconstruction_ratio) >= FALSE_RATIO:
            return "false exclusive"
        return "suspect" if self.share > 0.5 else "reference"


@dataclasses.dataclass(frozen=True, slots=True)
class Crosscoder:
    """The trained dictionary over [suspect, reference] side by side, and its latents.

    explained_variance: (suspect's, reference's).
    """

    sae: SAE
    explained_variance: tuple[float, float]
    l0: float
    latents: tuple[Owned, ...]


def train_crosscoder(
    suspect: Suspect,
    reference: Suspect,
    texts: Sequence[str],
    *,
    hook_name: str,
    into: Path,
    settings: Settings,
    progress: Callable[[float], None] | None = None,
) -> Crosscoder:
    """Trains on the same texts in both models, saves to `into`, and judges every latent.

    Each model's activations are scaled to the same mean distance from their mean, so that neither
    rules the dictionary. Raises BadParameter where the two read the texts as different tokens or
    have different widths, and what `fit` raises.
    """
    import torch

    here, there = (_collect(model, texts, hook_name) for model in (suspect, reference))
    if here.shape != there.shape:
        raise BadParameter(
            f"'{suspect.id}' gives {tuple(here.shape)} activations, '{reference.id}' "
            f"{tuple(there.shape)}",
            hint="A crosscoder here needs models of one width and one tokenizer.",
        )
    parts = [x / (x - x.mean(0)).norm(dim=1).mean().clamp(min=1e-9) for x in (here, there)]
    both = torch.cat(parts, dim=1)
    sae = fit(
        both,
        settings,
        hook_name=hook_name,
        into=into,
        metadata={"crosscoder": [suspect.id, reference.id]},
        progress=progress,
    )
    return judge(sae, both)


def judge(sae: SAE, both: Tensor) -> Crosscoder:
    """Ownership and latent scaling of every latent over [rows, 2 · d_model] activations."""
    import torch

    width = sae.d_in // 2
    rows = (sae.W_dec[:, :width], sae.W_dec[:, width:])
    norms = [r.norm(dim=1) for r in rows]
    share = norms[0] / (norms[0] + norms[1]).clamp(min=1e-9)
    owner = torch.where((share >= 0.5)[:, None], rows[0], rows[1])
    active = torch.zeros(sae.d_sae)
    squares = torch.zeros(sae.d_sae)
    towards = torch.zeros(2, 2, sae.d_sae, width)
    error = torch.zeros(2)
    for part in torch.split(both, 4096):
        latents = sae.encode(part)
        made = sae.decode(latents)
        active += (latents > 0).sum(0)
        squares += latents.pow(2).sum(0)
        for model in (0, 1):
            half = slice(model * width, (model + 1) * width)
            rest = part[:, half] - made[:, half]
            error[model] += rest.pow(2).sum()
            towards[0, model] += latents.T @ rest
            towards[1, model] += latents.T @ (made[:, half] - sae.latents.b_dec[half])
    spread = torch.stack([(h - h.mean(0)).pow(2).sum() for h in torch.split(both, width, dim=1)])
    explained = (1 - error / spread).tolist()
    ratios = _ratios(rows, owner, share, squares, towards, sae, both)
    found = [
        Owned(
            i,
            float(share[i]),
            float(active[i]) / len(both),
            float(ratios[0][i]),
            float(ratios[1][i]),
        )
        for i in range(sae.d_sae)
    ]
    return Crosscoder(
        sae, (explained[0], explained[1]), float(active.sum()) / len(both), tuple(found)
    )


def _ratios(
    rows: tuple[Tensor, Tensor],
    owner: Tensor,
    share: Tensor,
    squares: Tensor,
    towards: Tensor,
    sae: SAE,
    both: Tensor,
) -> list[Tensor]:
    """(error_ratio, reconstruction_ratio), [d_sae] each, the other model's β over the owner's.

    β = Σ f (d · y) / (Σ f² |d|²) over tokens, f the activation, d the owner's row, and y a model's
    error plus the latent's own part f · r in it (so that its part counts as unexplained), or a
    model's whole reconstruction.
    """
    import torch

    size = (squares * owner.pow(2).sum(1)).clamp(min=1e-12)
    beta: list[list[Tensor]] = [[], []]
    for model in (0, 1):
        own = squares * (owner * rows[model]).sum(1)
        beta[0].append(((towards[0, model] * owner).sum(1) + own) / size)
        beta[1].append(((towards[1, model] * owner).sum(1)) / size)
    ours = share >= 0.5
    made = []
    for kind in (0, 1):
        mine = torch.where(ours, beta[kind][0], beta[kind][1])
        others = torch.where(ours, beta[kind][1], beta[kind][0])
        made.append(others / mine.abs().clamp(min=1e-9))
    return made


def _collect(model: Suspect, texts: Sequence[str], hook_name: str) -> Tensor:
    import torch

    parts = [chunk.values[hook_name] for chunk in stream(model, texts, [hook_name])]
    if not parts or not sum(map(len, parts)):
        raise BadParameter(
            f"{len(texts)} texts hold no ordinary token", hint="Give texts that are not empty."
        )
    return torch.cat(parts)
