"""Interventions as data: they can be sent, metered, stored and replayed."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, get_args

from workbench.errors import BadParameter
from workbench.findings import JSON

Kind: TypeAlias = Literal["add", "subtract", "ablate", "clamp", "noise", "splice"]
Stretch: TypeAlias = Literal["all", "prompt", "generated"]


@dataclasses.dataclass(frozen=True, slots=True)
class Intervention:
    """One edit of the activations x at a hook, on positions that are no padding and not special.

    With `direction` d, or the decoder row d of each of `latents` of the SAE directory `sae`:
      add        x + coefficient · d
      subtract   x - coefficient · d
      ablate     x - coefficient · (the share of d in x): its projection onto the unit vector of a
                 direction (Arditi et al. 2024), a_l(x) · d for a latent of activation a_l(x)
      clamp      x with that share set to coefficient · unit vector, or coefficient · d for a latent
    Without a direction:
      noise      x + a Gaussian vector with expected squared norm (coefficient · ‖x‖)², drawn from
                 (seed, text, position) alone
      splice     decode(encode(x)) of `sae` + coefficient · its error; coefficient 1 changes nothing

    positions: "all", those of the "prompt", the "generated" ones, or indices counted from 0 at the
    first token that is no padding. Raises BadParameter where the parts contradict each other.
    """

    kind: Kind
    hook_name: str
    direction: tuple[float, ...] = ()
    sae: str = ""
    latents: tuple[int, ...] = ()
    coefficient: float = 1.0
    positions: Stretch | tuple[int, ...] = "all"
    seed: int = 0

    def __post_init__(self) -> None:
        for wrong, message, hint in (
            (self.kind not in get_args(Kind), f"no kind '{self.kind}'", _KINDS),
            (not self.hook_name, "no hook name", "Name one, like blocks.0.hook_out."),
            (not _finite(self.coefficient), f"coefficient {self.coefficient!r}", _NUMBER),
            (not all(map(_finite, self.direction)), "a direction that is not finite", _NUMBER),
            (not self._positions_fit(), f"positions {self.positions!r}", _POSITIONS),
            (not self._parts_fit(), "parts that do not fit", _PARTS[self._shape()]),
        ):
            if wrong:
                raise BadParameter(f"intervention '{self.kind}' has {message}", hint=hint)

    def _shape(self) -> str:
        return self.kind if self.kind in ("noise", "splice") else "edit"

    def _parts_fit(self) -> bool:
        given = (bool(self.direction), bool(self.sae), bool(self.latents))
        wanted = {"noise": [(False, False, False)], "splice": [(False, True, False)]}
        whole = all(type(i) is int and i >= 0 for i in self.latents)
        alive = not self.direction or any(self.direction)
        return whole and alive and given in wanted.get(self._shape(), _DIRECTION_OR_LATENTS)

    def _positions_fit(self) -> bool:
        if isinstance(self.positions, str):
            return self.positions in get_args(Stretch)
        return bool(self.positions) and all(type(i) is int and i >= 0 for i in self.positions)

    def to_json(self) -> dict[str, JSON]:
        """A JSON document; `from_json` gives back an equal intervention."""
        return {
            "kind": self.kind,
            "hook_name": self.hook_name,
            "direction": list(self.direction),
            "sae": self.sae,
            "latents": list(self.latents),
            "coefficient": self.coefficient,
            "positions": self.positions if isinstance(self.positions, str) else [*self.positions],
            "seed": self.seed,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Intervention:
        """Raises BadParameter on an unknown or missing field, or parts that contradict."""
        unknown = set(document) - {f.name for f in dataclasses.fields(cls)}
        missing = {"kind", "hook_name"} - set(document)
        if unknown or missing:
            raise BadParameter(
                f"intervention with unknown {sorted(unknown)} or missing {sorted(missing)} fields",
                hint=f"It has: {', '.join(f.name for f in dataclasses.fields(cls))}.",
            )
        parts: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in document.items()
        }
        return cls(**parts)


def _finite(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]


_DIRECTION_OR_LATENTS = [(True, False, False), (False, True, True)]
_KINDS = f"Choose from: {', '.join(get_args(Kind))}."
_NUMBER = "Give finite numbers."
_POSITIONS = "Give 'all', 'prompt', 'generated' or a tuple of indices of at least 0."
_PARTS = {
    "edit": "Give a direction that is not zero, or an SAE directory with latents.",
    "noise": "Noise takes neither direction nor SAE.",
    "splice": "A splice takes an SAE directory alone.",
}
