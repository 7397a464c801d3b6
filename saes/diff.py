"""Two models on the same texts: the layer and the latents in which they differ."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from workbench.statistics import holm
from workbench.suspects import Suspect

if TYPE_CHECKING:
    from torch import Tensor

SWEPT_TEXTS = 128
BOOTSTRAPS = 200


@dataclasses.dataclass(frozen=True, slots=True)
class Standout:
    """A latent whose mean activation differs between suspect and control.

    z: mean difference over its bootstrap deviation, documents drawn with replacement; p: two-sided,
    corrected after Holm for all live latents, which are `tried`.
    """

    index: int
    difference: float
    deviation: float
    z: float
    p: float
    tried: int


def swept_hook(suspect: Suspect, other: Suspect, here: Sequence[str], there: Sequence[str]) -> str:
    """The residual hook, the last layer left out, where the two differ most.

    Measured as the norm of the mean difference over the root mean square norm of the activations,
    by text, on the first texts of each.
    """
    hooks = [suspect.residual_hook(layer) for layer in range(max(1, suspect.n_layers - 1))]
    one = _mean_by_text(suspect, here[:SWEPT_TEXTS], hooks)
    two = _mean_by_text(other, there[:SWEPT_TEXTS], hooks)
    scores = {
        hook: float((one[hook] - two[hook]).mean(0).norm() / one[hook].pow(2).sum(1).mean().sqrt())
        for hook in hooks
    }
    return max(hooks, key=lambda hook: scores[hook])


def _mean_by_text(
    suspect: Suspect, texts: Sequence[str], hooks: Sequence[str]
) -> dict[str, Tensor]:
    import torch

    means = {hook: torch.zeros(len(texts), suspect.d_model) for hook in hooks}
    for batch in suspect.activations(texts, hooks):
        keep = (batch.mask & ~batch.special)[..., None]
        for hook in hooks:
            total = (batch.values[hook] * keep).sum(1)
            means[hook][list(batch.rows)] = total / keep.sum(1).clamp(min=1)
    return means


def standouts(difference: Tensor) -> list[Standout]:
    """Latents by falling |z|, those that never differ left out; difference is [text, d_sae]."""
    import torch
    from scipy.stats import norm

    texts = len(difference)
    generator = torch.Generator().manual_seed(0)
    draws = torch.randint(texts, (BOOTSTRAPS, texts), generator=generator)
    weights = torch.zeros(BOOTSTRAPS, texts).scatter_add_(1, draws, torch.ones(draws.shape)) / texts
    deviation = (weights @ difference).std(0)
    mean = difference.mean(0)
    live = torch.nonzero(deviation > 1e-9).flatten().tolist()
    z = {latent: float(mean[latent] / deviation[latent]) for latent in live}
    p = holm([float(2 * norm.sf(abs(z[latent]))) for latent in live])
    found = [
        Standout(
            latent, float(mean[latent]), float(deviation[latent]), z[latent], corrected, len(live)
        )
        for latent, corrected in zip(live, p, strict=True)
    ]
    return sorted(found, key=lambda latent: (-abs(latent.z), latent.index))
