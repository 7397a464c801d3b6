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

    def join(self, other: GrowingLayer, spare: int) -> None:
        """Puts the rows of another layer below these, both aligned at their last position; the
        first `spare` positions of these, padding in every row, go."""
        length = max(self.get_seq_length() - spare, other.get_seq_length())
        self._held = (
            _stacked(self.keys[:, :, spare:], other.keys, length),
            _stacked(self.values[:, :, spare:], other.values, length),
        )
        self._show(length)

    def _show(self, length: int) -> None:
        self.keys, self.values = self._held[0][:, :, :length], self._held[1][:, :, :length]


def growing_cache(config: Any) -> DynamicCache:
    """transformers' cache for this model, its full-attention layers growing in place."""
    cache = DynamicCache(config=config)
    cache.layers = [GrowingLayer() if type(x) is DynamicLayer else x for x in cache.layers]
    return cache


def joins(cache: DynamicCache) -> bool:
    """Whether rows can be put into it while others are there: not where a layer forgets."""
    return all(type(layer) is GrowingLayer for layer in cache.layers)


def _stacked(mine: torch.Tensor, theirs: torch.Tensor, length: int) -> torch.Tensor:
    """[batch + other batch, heads, length + ROOM, d_head]; what is no row's own is zero, since
    a masked position must still be finite."""
    batch, heads, _, width = mine.shape
    made = mine.new_zeros(batch + theirs.shape[0], heads, length + ROOM, width)
    made[:batch, :, length - mine.shape[2] : length] = mine
    made[batch:, :, length - theirs.shape[2] : length] = theirs
    return made


def _room_for(like: torch.Tensor, length: int) -> torch.Tensor:
    batch, heads, _, width = like.shape
    return like.new_empty(batch, heads, length + ROOM, width)
