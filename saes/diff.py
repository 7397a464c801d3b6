"""Two models on the same texts: the layer and the latents in which they differ."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from saes.activations import stream
from saes.lens import SAE
from workbench.errors import BadParameter
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
    one = mean_by_text(suspect, here[:SWEPT_TEXTS], hooks)
    two = mean_by_text(other, there[:SWEPT_TEXTS], hooks)
    scores = {
        hook: float((one[hook] - two[hook]).mean(0).norm() / one[hook].pow(2).sum(1).mean().sqrt())
        for hook in hooks
    }
    return max(hooks, key=lambda hook: scores[hook])


def mean_by_text(suspect: Suspect, texts: Sequence[str], hooks: Sequence[str]) -> dict[str, Tensor]:
    """Hook to [texts, d_model], the mean activation over each text's ordinary tokens."""
    import torch

    means = {hook: torch.zeros(len(texts), suspect.d_model) for hook in hooks}
    for batch in suspect.activations(texts, hooks):
        keep = (batch.mask & ~batch.special)[..., None]
        for hook in hooks:
            total = (batch.values[hook] * keep).sum(1)
            means[hook][list(batch.rows)] = total / keep.sum(1).clamp(min=1)
    return means


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """A latent in both models on the same texts.

    mean and reference_mean: mean activation by text, averaged; firing and reference_firing: share
    of ordinary tokens on which it is active; difference with its 95 % interval: texts drawn with
    replacement, both models on the same draw; z, p, tried: as in Standout.
    """

    latent: int
    mean: float
    reference_mean: float
    difference: float
    interval: tuple[float, float]
    firing: float
    reference_firing: float
    z: float
    p: float
    tried: int


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Every latent that differs, the largest |z| first, and what moved without any SAE.

    shift: [d_in], mean activation of the suspect minus the reference's over all ordinary tokens.
    density: [d_sae], share of tokens on which a latent fires in the suspect. texts: how many.
    """

    changes: tuple[Change, ...]
    shift: Tensor
    density: Tensor
    texts: int

    def tails(self, each: int) -> tuple[list[Change], list[Change]]:
        """The `each` most increased and the `each` most decreased latents."""
        up = [c for c in self.changes if c.difference > 0][:each]
        return up, [c for c in self.changes if c.difference < 0][:each]


def compare(sae: SAE, suspect: Suspect, reference: Suspect, texts: Sequence[str]) -> Comparison:
    """Runs both models over the same texts through one SAE.

    Raises BadParameter where fewer than two texts hold ordinary tokens, or the two read the texts
    as different tokens.
    """
    import torch

    held = [latent_means(sae, model, texts) for model in (suspect, reference)]
    (mean, firing, centre, count), (other, other_firing, other_centre, other_count) = held
    if not torch.equal(count, other_count):
        raise BadParameter(
            f"'{suspect.id}' and '{reference.id}' read the texts as different tokens",
            hint="Compare models that share a tokenizer.",
        )
    if int((count > 0).sum()) < 2:
        raise BadParameter(f"{len(texts)} texts to compare on", hint="Give two or more.")
    difference = mean - other
    draws = _bootstrap(len(texts)) @ difference
    low, high = torch.quantile(draws, torch.tensor([0.025, 0.975]), dim=0)
    changes = []
    for found in standouts(difference):
        i = found.index
        ends = (min(float(low[i]), found.difference), max(float(high[i]), found.difference))
        changes.append(
            Change(
                latent=i,
                mean=float(mean[:, i].mean()),
                reference_mean=float(other[:, i].mean()),
                difference=found.difference,
                interval=ends,
                firing=float(firing[i]),
                reference_firing=float(other_firing[i]),
                z=found.z,
                p=found.p,
                tried=found.tried,
            )
        )
    return Comparison(tuple(changes), centre - other_centre, firing, len(texts))


def stages(
    sae: SAE, models: Sequence[Suspect], texts: Sequence[str], latents: Sequence[int]
) -> list[list[tuple[float, float]]]:
    """For each latent, (mean activation by text, share of tokens on which it is active) in each of
    the models: checkpoints in the order of their training say where it came from.

    Raises BadParameter on a latent out of range or a model of another width.
    """
    for latent in latents:
        sae.direction(latent)
    held = [latent_means(sae, model, texts) for model in models]
    return [
        [(float(mean[:, i].mean()), float(firing[i])) for mean, firing, _, _ in held]
        for i in latents
    ]


def latent_means(
    sae: SAE, model: Suspect, texts: Sequence[str]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(mean latents by text [texts, d_sae], share of tokens [d_sae], mean activation [d_in],
    ordinary tokens by text [texts])."""
    import torch

    mean = torch.zeros(len(texts), sae.d_sae)
    count = torch.zeros(len(texts))
    active, centre = torch.zeros(sae.d_sae), torch.zeros(sae.d_in)
    for chunk in stream(model, texts, [sae.hook_name]):
        x = chunk.values[sae.hook_name]
        if x.shape[1] != sae.d_in:
            raise BadParameter(
                f"the SAE reads {sae.d_in} numbers, {sae.hook_name} of '{model.id}' has "
                f"{x.shape[1]}",
                hint="Use an SAE that was trained on this suspect or its reference.",
            )
        latents = sae.encode(x)
        mean.index_add_(0, chunk.text, latents)
        count.index_add_(0, chunk.text, torch.ones(len(x)))
        active += (latents > 0).sum(0)
        centre += x.sum(0)
    total = count.sum().clamp(min=1)
    return mean / count.clamp(min=1)[:, None], active / total, centre / total, count


def _bootstrap(texts: int) -> Tensor:
    """[BOOTSTRAPS, texts]: weights of texts drawn with replacement."""
    import torch

    generator = torch.Generator().manual_seed(0)
    draws = torch.randint(texts, (BOOTSTRAPS, texts), generator=generator)
    return torch.zeros(BOOTSTRAPS, texts).scatter_add_(1, draws, torch.ones(draws.shape)) / texts


def standouts(difference: Tensor) -> list[Standout]:
    """Latents by falling |z|, those that never differ left out; difference is [text, d_sae]."""
    import torch
    from scipy.stats import norm

    deviation = (_bootstrap(len(difference)) @ difference).std(0)
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
