"""Batches as a transformers model takes them: padded on the left, then decoded token by token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from workbench.suspects.edits import Edits, Pass
from workbench.suspects.engine import stable_hash

if TYPE_CHECKING:
    import torch

Rows: TypeAlias = Sequence[tuple[int, ...]]


class Padded:
    """Rows padded on the left, with positions that count real tokens only."""

    def __init__(self, rows: Rows, device: str) -> None:
        import torch

        width = max(map(len, rows))
        ids = torch.zeros(len(rows), width, dtype=torch.long)
        mask = torch.zeros(len(rows), width, dtype=torch.long)
        for i, row in enumerate(rows):
            ids[i, width - len(row) :] = torch.tensor(row)
            mask[i, width - len(row) :] = 1
        self.inputs = {
            "input_ids": ids.to(device),
            "attention_mask": mask.to(device),
            "position_ids": (mask.cumsum(-1) - 1).clamp(min=0).to(device),
        }
        self.mask = self.inputs["attention_mask"].bool()
        self._keys = [stable_hash(repr(row)) for row in rows]

    def special(self, special: frozenset[int]) -> torch.Tensor:
        return self.mask & _is_in(self.inputs["input_ids"], special)

    def announce(
        self, edits: Edits | None, special: frozenset[int], keys: Sequence[int] = ()
    ) -> None:
        if edits is not None:
            edits.begin(
                Pass(
                    mask=self.mask & ~self.special(special),
                    positions=self.inputs["position_ids"],
                    generated=False,
                    keys=keys or self._keys,
                )
            )


class CachedDecoder:
    """`sampling.Decoder` on a transformers model, hooks and all.

    joins: whether rows may come while others are under way.
    """

    def __init__(
        self, model: Any, edits: Edits | None, special: frozenset[int], device: str
    ) -> None:
        from workbench.suspects.cache import joins

        self._model, self._edits, self._special, self._device = model, edits, special, device
        self._keys: list[int] = []
        self.joins = joins(self._fresh())

    def _fresh(self) -> Any:
        from workbench.suspects.cache import growing_cache

        return growing_cache(self._model.config)

    def begin(self, rows: Rows, keys: Sequence[int]) -> torch.Tensor:
        batch = Padded(rows, self._device)
        batch.announce(self._edits, self._special, keys)
        cache, mask = self._fresh(), batch.inputs["attention_mask"]
        logits = self._run(cache, mask, batch.inputs["input_ids"], batch.inputs["position_ids"])
        if self._keys:
            self._join(cache, mask)
        else:
            self._cache, self._mask = cache, mask
        self._keys += keys
        return logits

    def advance(self, tokens: torch.Tensor) -> torch.Tensor:
        import torch

        places = self._mask.sum(dim=-1, keepdim=True)
        self._mask = torch.cat([self._mask, torch.ones_like(places)], dim=-1)
        if self._edits is not None:
            free = ~_is_in(tokens[:, None], self._special)
            self._edits.begin(Pass(free, places, True, self._keys))
        return self._run(self._cache, self._mask, tokens[:, None], places)

    def keep(self, rows: torch.Tensor) -> None:
        self._keys = [self._keys[i] for i in rows.tolist()]
        if self._keys:
            self._cache.batch_select_indices(rows)
            self._mask = self._mask[rows]

    def _join(self, cache: Any, mask: torch.Tensor) -> None:
        """Rows are aligned at their last position, which all of them have in common."""
        import torch

        spare = int((self._mask.cumsum(dim=-1) == 0).all(dim=0).sum())
        for mine, theirs in zip(self._cache.layers, cache.layers, strict=True):
            mine.join(theirs, spare)
        masks = [self._mask[:, spare:], mask]
        width = max(m.shape[1] for m in masks)
        padded = [torch.nn.functional.pad(m, (width - m.shape[1], 0)) for m in masks]
        self._mask = torch.cat(padded)

    def _run(
        self, cache: Any, mask: torch.Tensor, ids: torch.Tensor, positions: torch.Tensor
    ) -> torch.Tensor:
        import torch

        output = self._model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        if self._edits is not None:
            self._edits.finish()
        logits = output.logits[:, -1].float()
        assert isinstance(logits, torch.Tensor)
        return logits


def _is_in(ids: torch.Tensor, wanted: frozenset[int]) -> torch.Tensor:
    import torch

    return torch.isin(ids, torch.tensor(sorted(wanted), dtype=ids.dtype, device=ids.device))
