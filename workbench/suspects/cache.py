"""A key-value cache that grows in place. Imported where transformers already is."""

from __future__ import annotations

from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

ROOM = 64
"""Positions that are added whenever a layer is full."""


class GrowingLayer(DynamicLayer):  # type: ignore[misc]
    """Full attention's keys and values, [batch, heads, pos, d_head], as views into larger buffers.

    transformers' own layer copies everything it holds for each new token.
    """

    def update(
        self, keys: torch.Tensor, values: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        before = self.get_seq_length()
        after = before + keys.shape[-2]
        if not self.is_initialized:
            self.lazy_initialization(keys, values)
            self._held = (_room_for(keys, after), _room_for(values, after))
        elif after > self._held[0].shape[-2]:
            larger = (_room_for(keys, after), _room_for(values, after))
            larger[0][:, :, :before], larger[1][:, :, :before] = self.keys, self.values
            self._held = larger
        self._held[0][:, :, before:after], self._held[1][:, :, before:after] = keys, values
        self._show(after)
        return self.keys, self.values

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        length = self.get_seq_length()
        self._held = (self._held[0][indices], self._held[1][indices])
        self._show(length)

    def _show(self, length: int) -> None:
        self.keys, self.values = self._held[0][:, :, :length], self._held[1][:, :, :length]


def growing_cache(config: Any) -> DynamicCache:
    """transformers' cache for this model, its full-attention layers growing in place."""
    cache = DynamicCache(config=config)
    cache.layers = [GrowingLayer() if type(x) is DynamicLayer else x for x in cache.layers]
    return cache


def _room_for(like: torch.Tensor, length: int) -> torch.Tensor:
    batch, heads, _, width = like.shape
    return like.new_empty(batch, heads, length + ROOM, width)
