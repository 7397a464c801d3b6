"""What an SAE must beat at its own L0: random directions, principal components, nothing."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from saes.fit import Settings, fit
from saes.lens import SAE, save

if TYPE_CHECKING:
    from torch import Tensor

ROUNDS = 1.0
"""Times that the frozen dictionary's encoder sees the rows."""


@dataclasses.dataclass(frozen=True, slots=True)
class Baseline:
    """A dictionary that nobody should read, and how well it reconstructs."""

    name: str
    explained_variance: float
    l0: float
    ce_loss_score: float


def frozen_random(x: Tensor, sae: SAE, l0: float, into: Path, seed: int) -> SAE:
    """A BatchTopK SAE of the same size and L0 whose decoder stays at random directions, its
    encoder trained on x [rows, d_in] (Korznikov et al. 2026, "Sanity checks for SAEs")."""
    rows = len(x)
    settings = Settings(
        d_sae=sae.d_sae,
        k=min(max(l0, 1.0), sae.d_sae),
        samples=max(1, int(ROUNDS * rows)),
        batch=min(256, rows),
        seed=seed,
        frozen=True,
    )
    return fit(x, settings, hook_name=sae.hook_name, into=into)


def pca(x: Tensor, sae: SAE, l0: float, into: Path, seed: int) -> SAE:
    """The `l0` largest of each token's principal components, both signs being latents."""
    import torch

    centre = x.mean(0)
    _, directions = torch.linalg.eigh((x - centre).T @ (x - centre))
    both = torch.cat([directions.T, -directions.T])
    return save(
        into,
        hook_name=sae.hook_name,
        W_enc=both.T,
        b_enc=torch.zeros(len(both)),
        W_dec=both,
        b_dec=centre,
        k=max(1, min(round(l0), x.shape[1])),
    )


def zero(into: Path, *, d_in: int, hook_name: str) -> SAE:
    """Decodes to nothing: spliced in without its error, it takes a hook's activations away."""
    import torch

    return save(
        into,
        hook_name=hook_name,
        W_enc=torch.zeros(d_in, 1),
        b_enc=torch.zeros(1),
        W_dec=torch.zeros(1, d_in),
        b_dec=torch.zeros(d_in),
    )
