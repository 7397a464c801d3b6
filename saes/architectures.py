"""One batch through each kind of SAE in training: what stays active, and the gradients.

The kinds that keep k latents (BatchTopK, TopK, Matryoshka) are differentiated by hand on the
active latents alone: with 16 of 1,024 active, decoding and every weight gradient cost a sixtieth
of the dense products. Standard and JumpReLU are dense, and differentiated by torch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

if TYPE_CHECKING:
    from torch import Tensor

Kind: TypeAlias = Literal["batchtopk", "topk", "matryoshka", "standard", "jumprelu"]
KINDS: tuple[str, ...] = get_args(Kind)
BANDWIDTH = 0.1
"""Width of JumpReLU's straight-through kernel, in units of the activations' scale."""


@dataclasses.dataclass(slots=True, eq=False)
class Weights:
    """An SAE in training: latent i is row i of both matrices.

    encoder: [d_sae, d_in]; decoder: [d_sae, d_in], rows of norm 1; b_enc: [d_sae]; b_dec: [d_in];
    log_threshold: [d_sae], JumpReLU's alone.
    """

    encoder: Tensor
    b_enc: Tensor
    decoder: Tensor
    b_dec: Tensor
    log_threshold: Tensor

    def tensors(self, kind: str) -> list[Tensor]:
        """What is learned."""
        shared = [self.encoder, self.b_enc, self.decoder, self.b_dec]
        return [*shared, self.log_threshold] if kind == "jumprelu" else shared

    def before(self, x: Tensor) -> Tensor:
        """Pre-activations [batch, d_sae] of x [batch, d_in]."""
        import torch

        return torch.addmm(self.b_enc, x - self.b_dec, self.encoder.T)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Step:
    """What a batch did: loss (squared error per token over d_in), latents per token, and which
    latents fired [d_sae]. The gradients lie in the weights' `grad`."""

    loss: float
    l0: float
    fired: Tensor


def sparse_step(
    weights: Weights,
    x: Tensor,
    *,
    kind: str,
    k: float,
    dead: Tensor,
    prefixes: Sequence[int],
    frozen: bool = False,
) -> Step:
    """A batch x [batch, d_in] of a kind that keeps k latents per token.

    batchtopk: the k · batch largest of the whole batch (Bussmann et al. 2024); topk: k of each
    token (Gao et al. 2024); matryoshka: BatchTopK whose every prefix of the dictionary reconstructs
    too, `prefixes` being their sizes, d_sae last (Bussmann et al. 2025). dead: indices of latents
    that learn the residual by Gao et al.'s auxiliary loss. frozen: the decoder gets no gradient.
    """
    import torch

    with torch.no_grad():
        centred = x - weights.b_dec
        before = torch.addmm(weights.b_enc, centred, weights.encoder.T)
        rows, latents, values = _kept(before, kind, k)
        batch, d_sae = before.shape
        error = -centred
        pull = torch.zeros_like(x)
        share = torch.zeros_like(values)
        scale = 2.0 / (batch * len(prefixes))
        start, blocks = 0, []
        for end in prefixes:
            block = (latents >= start) & (latents < end) if len(prefixes) > 1 else None
            part = (rows, latents, values) if block is None else _take(block, rows, latents, values)
            error = error + _summed(part[1], part[2], part[0], batch, weights.decoder)
            pull = pull + error * scale
            blocks.append((block, error * scale))
            start = end
        # a latent of block j is in every reconstruction from j on
        towards = torch.zeros_like(x)
        decoder_grad = torch.zeros_like(weights.decoder)
        for block, slope in reversed(blocks):
            towards = towards + slope
            part = (rows, latents, values) if block is None else _take(block, rows, latents, values)
            slopes = (towards[part[0]] * weights.decoder[part[1]]).sum(-1)
            if block is None:
                share = slopes
            else:
                share[block] = slopes
            if not frozen:
                decoder_grad += _scattered(part[1], part[0], part[2], towards, d_sae)
        encoder_grad = _scattered(latents, rows, share, centred, d_sae)
        b_enc_grad = torch.zeros_like(weights.b_enc).index_add_(0, latents, share)
        b_dec_grad = pull.sum(0) - b_enc_grad @ weights.encoder
        if len(dead) and not frozen:
            _revive(weights, dead, centred, before, error, decoder_grad, encoder_grad, b_enc_grad)
        decoder_grad -= (decoder_grad * weights.decoder).sum(1, keepdim=True) * weights.decoder
        weights.encoder.grad, weights.b_enc.grad = encoder_grad, b_enc_grad
        weights.decoder.grad, weights.b_dec.grad = decoder_grad, b_dec_grad
        fired = torch.zeros(d_sae, dtype=torch.bool)
        fired[latents] = True
        return Step(float(error.pow(2).mean()), len(rows) / batch, fired)


def _kept(before: Tensor, kind: str, k: float) -> tuple[Tensor, Tensor, Tensor]:
    """(rows, latents, values) of the entries that stay, by rising row."""
    import torch

    if kind == "topk":
        top = before.topk(int(k), dim=1)
        mask = torch.zeros_like(before, dtype=torch.bool).scatter_(1, top.indices, True)
        mask &= before > 0
    else:
        mask = before > max(0.0, _largest(before, int(k * len(before))))
    rows, latents = mask.nonzero(as_tuple=True)
    return rows, latents, before[rows, latents]


def _largest(before: Tensor, count: int) -> float:
    """The (count + 1)-th largest entry; numpy's selection is vectorised, torch's is not."""
    import numpy as np

    flat = before.numpy().ravel()
    place = max(0, flat.size - count - 1)
    return float(np.partition(flat, place)[place])


def _take(block: Tensor, *parts: Tensor) -> tuple[Tensor, ...]:
    return tuple(part[block] for part in parts)


def _summed(latents: Tensor, values: Tensor, rows: Tensor, batch: int, decoder: Tensor) -> Tensor:
    """[batch, d_in]: the decoder rows of each token's latents, times their values."""
    import torch

    counts = torch.bincount(rows, minlength=batch)
    starts = counts.cumsum(0) - counts
    return torch.nn.functional.embedding_bag(
        latents, decoder, starts, mode="sum", per_sample_weights=values
    )


def _scattered(latents: Tensor, rows: Tensor, values: Tensor, x: Tensor, d_sae: int) -> Tensor:
    """[d_sae, d_in]: for each latent, the rows of x on which it is active, times its values."""
    order = latents.argsort(stable=True)
    return _summed(rows[order], values[order], latents[order], d_sae, x)


def _revive(
    weights: Weights,
    dead: Tensor,
    centred: Tensor,
    before: Tensor,
    error: Tensor,
    decoder_grad: Tensor,
    encoder_grad: Tensor,
    b_enc_grad: Tensor,
) -> None:
    """Adds the gradient of Gao et al.'s auxiliary loss: dead latents reconstruct the residual,
    at most d_in / 2 of them per token, at 1/32 of the loss's weight."""
    import torch

    most = centred.shape[1] // 2
    active = before[:, dead].relu()
    if len(dead) > most:
        top = active.topk(most, dim=1)
        active = torch.zeros_like(active).scatter_(1, top.indices, top.values)
    slope = (active @ weights.decoder[dead] + error) * (2.0 / 32 / len(centred))
    back = (slope @ weights.decoder[dead].T) * (active > 0)
    decoder_grad[dead] += active.T @ slope
    encoder_grad[dead] += back.T @ centred
    b_enc_grad[dead] += back.sum(0)


def dense_step(weights: Weights, x: Tensor, *, kind: str, sparsity: float) -> Step:
    """A batch of a standard SAE (L1; Bricken et al. 2023) or of a JumpReLU SAE (Rajamanoharan et
    al. 2024, L0 through a rectangle of BANDWIDTH), weighted by `sparsity` per latent."""

    for tensor in weights.tensors(kind):
        tensor.requires_grad_(True).grad = None
    before = weights.before(x)
    if kind == "jumprelu":
        threshold = weights.log_threshold.exp()
        active, count = _jump(before, threshold)
    else:
        active = before.relu()
        count = active
    made = active @ weights.decoder + weights.b_dec
    error = (made - x).pow(2).sum(1).mean()
    loss = error + sparsity * count.sum(1).mean()
    loss.backward()  # type: ignore[no-untyped-call]
    for tensor in weights.tensors(kind):
        tensor.requires_grad_(False)
    fired = (active > 0).detach()
    return Step(
        float(error.detach()) / x.shape[1], float(fired.float().sum(1).mean()), fired.any(0)
    )


def _jump(before: Tensor, threshold: Tensor) -> tuple[Tensor, Tensor]:
    """(activations, open gates) of a JumpReLU, the threshold's gradient through a rectangle."""

    near = ((before - threshold).abs() < BANDWIDTH / 2).float() / BANDWIDTH
    open_ = (before > threshold).float()
    through = open_ + near.detach() * (threshold.detach() - threshold)
    value = before.relu() * open_.detach()
    passed = value + near.detach() * threshold.detach() * (threshold.detach() - threshold)
    return passed, through
