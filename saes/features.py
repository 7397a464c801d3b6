"""What the latents of an SAE do on texts: mean activation by text, density, top contexts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from saes.activations import CHUNK
from saes.lens import SAE
from workbench.suspects import Suspect

if TYPE_CHECKING:
    from torch import Tensor


@dataclasses.dataclass(frozen=True, slots=True)
class Context:
    """Where a latent fires: activation, index of the text, and its tokens around the peak."""

    activation: float
    text: int
    before: str
    token: str
    after: str

    @property
    def passage(self) -> str:
        """The context as one line, the token of the peak in brackets."""
        return f"{self.before}[{self.token}]{self.after}"


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Features:
    """Latents over texts.

    mean: [text, d_sae], mean activation over a text's ordinary tokens, zero for an empty text.
    density: [d_sae], share of ordinary tokens on which a latent is active. maximum: [d_sae].
    tokens: number of ordinary tokens. l0: latents active per token, on average.
    """

    mean: Tensor
    density: Tensor
    maximum: Tensor
    tokens: int
    l0: float
    _peaks: Peaks

    def contexts(self, latent: int) -> list[Context]:
        """The strongest contexts of a latent, the strongest first, one per text."""
        return self._peaks.contexts(latent)


class Peaks:
    """A running list of each latent's strongest activations, at most one per text."""

    def __init__(self, suspect: Suspect, d_sae: int, most: int, window: int) -> None:
        import torch

        self._suspect, self._window = suspect, window
        self._values = torch.zeros(d_sae, most)
        self._texts = torch.full((d_sae, most), -1)
        self._positions = torch.zeros(d_sae, most, dtype=torch.long)
        self._tokens: dict[int, tuple[int, ...]] = {}

    def add(self, latents: Tensor, rows: Tensor, tokens: Tensor, mask: Tensor) -> None:
        """latents [batch, pos, d_sae], zero where they do not count; rows [batch]."""
        import torch

        value, position = latents.max(dim=1)
        most = self._values.shape[1]
        values = torch.cat([self._values, value.T], dim=1)
        best, order = values.topk(most, dim=1)
        owners = torch.cat([self._texts, rows.expand(value.shape[1], -1)], dim=1)
        padding = (~mask).sum(1)
        places = torch.cat([self._positions, (position - padding[:, None]).T], dim=1)
        self._values = best
        self._texts, self._positions = owners.gather(1, order), places.gather(1, order)
        for row, text, kept in zip(rows.tolist(), tokens, mask, strict=True):
            self._tokens[row] = tuple(text[kept].tolist())
        alive = set(self._texts[self._values > 0].tolist())
        self._tokens = {row: ids for row, ids in self._tokens.items() if row in alive}

    def contexts(self, latent: int) -> list[Context]:
        found = []
        places = zip(
            self._values[latent].tolist(),
            self._texts[latent].tolist(),
            self._positions[latent].tolist(),
            strict=True,
        )
        for value, text, position in places:
            if value <= 0:
                break
            strings = self._suspect.token_strings(self._tokens[text])
            start = max(0, position - self._window)
            found.append(
                Context(
                    activation=value,
                    text=text,
                    before="".join(strings[start:position]),
                    token=strings[position],
                    after="".join(strings[position + 1 : position + 1 + self._window // 2]),
                )
            )
        return found


def read_features(
    sae: SAE, suspect: Suspect, texts: Sequence[str], *, top: int = 10, window: int = 24
) -> Features:
    """Runs the texts through suspect and SAE in chunks; the dense latents are never all held.

    Padding and special tokens count nowhere. `window` tokens stand before a peak in its context.
    """
    import torch

    mean = torch.zeros(len(texts), sae.d_sae)
    active = torch.zeros(sae.d_sae)
    maximum = torch.zeros(sae.d_sae)
    peaks = Peaks(suspect, sae.d_sae, top, window)
    count = 0
    for start in range(0, len(texts), CHUNK):
        for batch in suspect.activations(texts[start : start + CHUNK], [sae.hook_name]):
            keep = batch.mask & ~batch.special
            latents = sae.encode(batch.values[sae.hook_name]) * keep[..., None]
            rows = torch.tensor(batch.rows) + start
            mean[rows] = latents.sum(1) / keep.sum(1).clamp(min=1)[:, None]
            active += (latents > 0).sum((0, 1))
            maximum = torch.maximum(maximum, latents.amax((0, 1)))
            count += int(keep.sum())
            peaks.add(latents, rows, batch.tokens, batch.mask)
    density = active / max(count, 1)
    return Features(mean, density, maximum, count, float(density.sum()), peaks)
