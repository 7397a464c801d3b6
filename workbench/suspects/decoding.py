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
    """`sampling.Decoder` on a transformers model, hooks and all."""

    def __init__(
        self,
        model: Any,
        edits: Edits | None,
        keys: Sequence[int],
        special: frozenset[int],
        device: str,
    ) -> None:
        from workbench.suspects.cache import growing_cache

        self._model, self._edits, self._special, self._device = model, edits, special, device
        self._keys = list(keys)
        self._cache = growing_cache(model.config)

    def begin(self, rows: Rows) -> torch.Tensor:
        batch = Padded(rows, self._device)
        batch.announce(self._edits, self._special, self._keys)
        self._mask = batch.inputs["attention_mask"]
        return self._run(batch.inputs["input_ids"], batch.inputs["position_ids"])

    def advance(self, tokens: torch.Tensor) -> torch.Tensor:
        import torch

        places = self._mask.sum(dim=-1, keepdim=True)
        self._mask = torch.cat([self._mask, torch.ones_like(places)], dim=-1)
        if self._edits is not None:
            free = ~_is_in(tokens[:, None], self._special)
            self._edits.begin(Pass(free, places, True, self._keys))
        return self._run(tokens[:, None], places)

    def keep(self, rows: torch.Tensor) -> None:
        self._cache.batch_select_indices(rows)
        self._mask = self._mask[rows]
        self._keys = [self._keys[i] for i in rows.tolist()]

    def _run(self, ids: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        import torch

        output = self._model(
            input_ids=ids,
            attention_mask=self._mask,
            position_ids=positions,
            past_key_values=self._cache,
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
