"""Mixed precision: matrix products in bfloat16 where the processor has units for it.

Weights, gradients and the optimiser's state stay in single precision. On a CPU attention does too:
its backward pass takes 2.7 times as long in bfloat16 as in single precision there, the products
less than half (torch 2.13, Zen 4), so neither precision alone is the fastest.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

_ATTENTION = "single-precision"


def has_units(device: torch.device) -> bool:
    """Whether products in bfloat16 are computed, not emulated (which is slower than float32)."""
    import torch

    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))


@contextlib.contextmanager
def attention(model: PreTrainedModel) -> Iterator[None]:
    """On the CPU the model's attention computes in single precision within, also under autocast.

    Never eagerly: eager attention adds a boolean mask instead of applying it, and sees the future.
    """
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    AttentionInterface.register(_ATTENTION, _attend)
    AttentionMaskInterface.register(_ATTENTION, sdpa_mask)
    before = model.config._attn_implementation
    apart = model.device.type == "cpu" and has_units(model.device)
    model.set_attn_implementation(_ATTENTION if apart else "sdpa")
    try:
        yield
    finally:
        model.set_attn_implementation(before)


def _attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """query, key, value: [batch, heads, pos, d_head] -> [batch, pos, heads, d_head]."""
    import torch

    with torch.autocast("cpu", enabled=False):
        mixed = torch.nn.functional.scaled_dot_product_attention(
            query.float(),
            key.float(),
            value.float(),
            attn_mask=attention_mask,
            is_causal=attention_mask is None and query.shape[2] > 1,
            scale=scaling,
            enable_gqa=query.shape[1] != key.shape[1],
        )
    return mixed.transpose(1, 2).contiguous().to(query.dtype), None
