"""Whether latents chosen on some tunes tell another tune from controls, beside two baselines.

Separation on the tunes that chose a latent is in-sample and proves nothing. So each tune is left
out in turn: the latent comes from the others, and must beat the plain difference of means and
random latents on the one that was left out.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

from saes.diff import latent_means, mean_by_text
from workbench.errors import BadParameter
from workbench.suspects import Suspect

if TYPE_CHECKING:
    from torch import Tensor

    from saes.lens import SAE

FEWEST_TUNES = 3
RANDOMS = 32
MARGIN = 0.01
"""Of an AUROC: what is nearer counts as equal. Ours."""


@dataclasses.dataclass(frozen=True, slots=True)
class HeldOut:
    """One tune, by what the others chose.

    latent: of the largest increase, averaged over the other tunes. nearest: the latent whose
    decoder row is nearest to their mean difference. rank, nearest_rank: their places, from 1, among
    the `live` latents of the held-out tune by increase; a random one's is (live + 1) / 2.
    latent_auroc, difference_auroc, random_auroc: how well texts of the tune are told from texts of
    the controls by the latent, by the mean difference, and by random live latents on average.
    """

    tune: str
    latent: int
    nearest: int
    rank: int
    nearest_rank: int
    live: int
    latent_auroc: float
    difference_auroc: float
    random_auroc: float

    @property
    def better(self) -> bool:
        """Whether the latent is ahead of both baselines by more than MARGIN."""
        return self.latent_auroc > max(self.difference_auroc, self.random_auroc) + MARGIN


def held_out(
    sae: SAE,
    tunes: Sequence[Suspect],
    controls: Sequence[Suspect],
    reference: Suspect,
    texts: Sequence[str],
    *,
    seed: int = 0,
) -> tuple[HeldOut, ...]:
    """Every tune left out once. Raises BadParameter on fewer than three tunes, no control, or where
    no latent ever fires."""
    import torch

    if len(tunes) < FEWEST_TUNES or not controls:
        raise BadParameter(
            f"{len(tunes)} tunes and {len(controls)} controls to leave one out",
            hint=f"Give {FEWEST_TUNES} tunes or more, and a control.",
        )
    base, density, _, _ = latent_means(sae, reference, texts)
    stream_of_base = mean_by_text(reference, texts, [sae.hook_name])[sae.hook_name]

    def moved(model: Suspect) -> tuple[Tensor, Tensor, Tensor]:
        """By text: latents [texts, d_sae] and residual stream [texts, d_in]; density [d_sae]."""
        latents, fired, _, _ = latent_means(sae, model, texts)
        stream = mean_by_text(model, texts, [sae.hook_name])[sae.hook_name]
        return latents - base, stream - stream_of_base, fired

    of_tunes, of_controls = [moved(t) for t in tunes], [moved(c) for c in controls]
    live = density > 0
    for _, _, fired in of_tunes:
        live = live | (fired > 0)
    places = live.nonzero().flatten()
    if not len(places):
        raise BadParameter("no latent ever fires on the texts", hint="Give texts it was made for.")
    plain = torch.cat([latents for latents, _, _ in of_controls])
    plain_stream = torch.cat([stream for _, stream, _ in of_controls])
    dice = random.Random(seed)
    drawn = dice.sample(places.tolist(), min(RANDOMS, len(places)))
    found = []
    for i, tune in enumerate(tunes):
        others = [one for j, one in enumerate(of_tunes) if j != i]
        increase = torch.stack([latents.mean(0) for latents, _, _ in others]).mean(0)
        shift = torch.stack([stream.mean(0) for _, stream, _ in others]).mean(0)
        latent = int(places[increase[places].argmax()])
        rows = torch.nn.functional.cosine_similarity(sae.W_dec[places], shift[None], dim=1)
        nearest = int(places[rows.argmax()])
        latents, stream, _ = of_tunes[i]
        own = latents.mean(0)
        found.append(
            HeldOut(
                tune.id,
                latent,
                nearest,
                1 + int((own[places] > own[latent]).sum()),
                1 + int((own[places] > own[nearest]).sum()),
                len(places),
                _auroc(latents[:, latent], plain[:, latent]),
                _auroc(stream @ shift, plain_stream @ shift),
                sum(_auroc(latents[:, r], plain[:, r]) for r in drawn) / len(drawn),
            )
        )
    return tuple(found)


def _auroc(one: Tensor, other: Tensor) -> float:
    """How often a value of the one exceeds one of the other, ties by half."""
    above = (one[:, None] > other[None]).float() + 0.5 * (one[:, None] == other[None]).float()
    return float(above.mean())
