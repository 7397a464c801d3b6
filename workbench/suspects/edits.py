"""Interventions at work: hook functions that edit what they may, and prove that they did."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from workbench.errors import BadParameter
from workbench.suspects.engine import stable_hash
from workbench.suspects.interventions import Intervention
from workbench.suspects.latents import Latents

if TYPE_CHECKING:
    import torch

Hook: TypeAlias = Callable[..., Any]


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Pass:
    """What a forward pass goes over.

    mask: [batch, pos], true on real tokens that are not special. positions: [batch, pos], counted
    from 0 at each row's first real token. generated: whether these tokens are the model's own.
    keys: [batch], 63 bits that name each row's text.
    """

    mask: torch.Tensor
    positions: torch.Tensor
    generated: bool
    keys: Sequence[int]


class Edits:
    """The hook functions of some interventions for one batch.

    `begin` says what the next forward pass goes over, `finish` raises BadParameter where an
    intervention's hook did not fire in it.
    """

    def __init__(self, interventions: Sequence[Intervention], device: Any) -> None:
        self._edits = [_Edit(i, device) for i in interventions]

    @property
    def hooks(self) -> list[tuple[str, Hook]]:
        """(hook name, hook function), in the order of the interventions."""
        return [(e.intervention.hook_name, e) for e in self._edits]

    @property
    def fired(self) -> bool:
        """Whether each has seen its hook in this pass."""
        return all(edit.fired for edit in self._edits)

    def begin(self, over: Pass) -> None:
        for edit in self._edits:
            edit.over, edit.fired = over, False

    def finish(self) -> None:
        for edit in self._edits:
            if not edit.fired:
                raise BadParameter(
                    f"hook '{edit.intervention.hook_name}' did not fire: nothing was edited",
                    hint="Name a hook that this model runs, like blocks.0.hook_out.",
                )


class _Edit:
    over: Pass

    def __init__(self, intervention: Intervention, device: Any) -> None:
        import torch

        self.intervention = intervention
        self.fired = False
        self._latents = Latents.load(intervention.sae, device) if intervention.sae else None
        if self._latents is not None and any(
            i >= len(self._latents.W_dec) for i in intervention.latents
        ):
            raise BadParameter(
                f"latents {intervention.latents} of an SAE with {len(self._latents.W_dec)}",
                hint=f"Give 0 to {len(self._latents.W_dec) - 1}.",
            )
        self._chosen = torch.tensor(intervention.latents, dtype=torch.long, device=device)
        direction = intervention.direction
        self._direction = torch.tensor(direction, dtype=torch.float32, device=device)

    def __call__(self, x: torch.Tensor, hook: Any = None) -> torch.Tensor:
        self.fired = True
        where = self._where()
        width = self._width(x)
        if x.shape[:-1] != where.shape or x.shape[-1] != width:
            raise BadParameter(
                f"hook '{self.intervention.hook_name}' carries {tuple(x.shape)}, the intervention "
                f"edits [batch, pos, {width}]",
                hint="Use a residual hook, and a direction of its width.",
            )
        if not where.any():
            return x
        kept = x.clone()
        kept[where] = self._edited(x[where].float(), where).to(x.dtype)
        return kept

    def _width(self, x: torch.Tensor) -> int:
        if self._latents is not None:
            return self._latents.W_dec.shape[1]
        return len(self._direction) or x.shape[-1]

    def _where(self) -> torch.Tensor:
        import torch

        stretch, over = self.intervention.positions, self.over
        if stretch == "all" or stretch == ("generated" if over.generated else "prompt"):
            return over.mask
        if isinstance(stretch, str):
            return torch.zeros_like(over.mask)
        wanted = torch.tensor(stretch, device=over.mask.device)
        return over.mask & torch.isin(over.positions, wanted)

    def _edited(self, x: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
        """x: [edited positions, width], float32."""
        import torch

        kind, scale = self.intervention.kind, self.intervention.coefficient
        if kind == "noise":
            noise = self._noise(where, x.shape[-1]).to(x.device)
            size = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
            return torch.addcmul(x, size * (scale / math.sqrt(x.shape[-1])), noise)
        if self._latents is not None and kind == "splice":
            made = self._latents.decode(self._latents.encode(x)).double()
            # in float64, so that nothing but the SAE's error is added back
            return (made + scale * (x.double() - made)).float()
        if kind in ("add", "subtract"):
            return x + (scale if kind == "add" else -scale) * self._summed()
        share, unit = self._share(x)
        change = -scale * share if kind == "ablate" else scale - share
        return x + torch.matmul(change, unit)

    def _summed(self) -> torch.Tensor:
        if self._latents is None:
            return self._direction
        return self._latents.W_dec[self._chosen].sum(dim=0)

    def _share(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(amounts [position, direction], directions [direction, width]) of what x holds."""
        if self._latents is None:
            unit = (self._direction / self._direction.norm())[None]
            return x @ unit.T, unit
        return self._latents.encode(x)[:, self._chosen], self._latents.W_dec[self._chosen]

    def _noise(self, where: torch.Tensor, width: int) -> torch.Tensor:
        import torch

        drawn = []
        for row, at in where.nonzero().tolist():
            place = int(self.over.positions[row, at])
            key = f"{self.intervention.seed} {self.over.keys[row]} {place}"
            generator = torch.Generator().manual_seed(stable_hash(key))
            drawn.append(torch.randn(width, generator=generator))
        return torch.stack(drawn)
