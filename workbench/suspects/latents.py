"""SAE directories as interventions read them: encoder, decoder and activation, nothing more.

The layout is SAELens' inference layout (`cfg.json`, `sae_weights.safetensors`).
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import BadParameter
from workbench.suspects.tensors import check_finite, parse_json, read_header

if TYPE_CHECKING:
    import torch

_KINDS = ("standard", "jumprelu", "topk", "gated")
_WANTED = {"reshape_activations": "none", "normalize_activations": "none"}


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Latents:
    """W_enc [d_in, d_sae], b_enc [d_sae], W_dec [d_sae, d_in], b_dec [d_in].

    threshold: [d_sae], below which a jumprelu latent is silent. k: latents kept by a topk SAE.
    gate, gain: [d_sae], a gated SAE's b_gate and exp(r_mag) (Rajamanoharan et al. 2024, "Gated").
    """

    W_enc: torch.Tensor
    b_enc: torch.Tensor
    W_dec: torch.Tensor
    b_dec: torch.Tensor
    threshold: torch.Tensor | None
    k: int | None
    centred: bool
    gate: torch.Tensor | None = None
    gain: torch.Tensor | None = None

    @classmethod
    def load(cls, directory: str, device: Any) -> Latents:
        """Reads a directory in float32. A decoder whose norms scale the activations is folded in.

        Raises BadParameter on a kind that cannot be computed exactly from activations alone
        (architectures other than standard, gated, jumprelu and topk; normalised inputs) and on
        weights that contradict each other, UnsafeFile on weights that are not finite.
        """
        from safetensors.torch import load_file

        path = Path(directory)
        weights, config = path / "sae_weights.safetensors", path / "cfg.json"
        if not weights.is_file() or not config.is_file():
            raise BadParameter(
                f"no SAE in {directory}", hint="Give a directory that `sae train` wrote."
            )
        card = parse_json(config.read_bytes(), config)
        kind = card.get("architecture")
        odd = [f"{k} = {card[k]!r}" for k, v in _WANTED.items() if card.get(k, v) != v]
        if kind not in _KINDS or odd:
            raise BadParameter(
                f"an SAE of kind {kind!r} {', '.join(odd)}".rstrip(),
                hint=f"Read are {', '.join(_KINDS)} SAEs with plain inputs.",
            )
        check_finite(read_header(weights))
        tensors = {k: v.float().to(device) for k, v in load_file(weights).items()}
        _check_shapes(tensors, _NEEDED[kind], path)
        if card.get("rescale_acts_by_decoder_norm"):
            norms = tensors["W_dec"].norm(dim=1)
            tensors["W_enc"], tensors["b_enc"] = tensors["W_enc"] * norms, tensors["b_enc"] * norms
            tensors["W_dec"] = tensors["W_dec"] / norms[:, None]
        return cls(
            W_enc=tensors["W_enc"],
            b_enc=tensors["b_mag" if kind == "gated" else "b_enc"],
            W_dec=tensors["W_dec"],
            b_dec=tensors["b_dec"],
            threshold=tensors["threshold"] if kind == "jumprelu" else None,
            k=int(card["k"]) if kind == "topk" else None,
            centred=bool(card.get("apply_b_dec_to_input", True)),
            gate=tensors["b_gate"] if kind == "gated" else None,
            gain=tensors["r_mag"].exp() if kind == "gated" else None,
        )

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """[..., d_in] → activations [..., d_sae]."""
        import torch

        plain = (x - self.b_dec if self.centred else x) @ self.W_enc
        if self.gate is not None and self.gain is not None:
            return (plain * self.gain + self.b_enc).relu() * (plain + self.gate > 0)
        before = plain + self.b_enc
        if self.threshold is not None:
            return before.relu() * (before > self.threshold)
        if self.k is not None:
            top = before.topk(self.k, dim=-1)
            return torch.zeros_like(before).scatter(-1, top.indices, top.values.relu())
        return before.relu()

    def decode(self, activations: torch.Tensor) -> torch.Tensor:
        """[..., d_sae] → [..., d_in]."""
        return activations @ self.W_dec + self.b_dec


_NEEDED = {
    "standard": ("b_enc",),
    "jumprelu": ("b_enc", "threshold"),
    "topk": ("b_enc",),
    "gated": ("b_gate", "r_mag", "b_mag"),
}


def _check_shapes(tensors: dict[str, torch.Tensor], by_latent: tuple[str, ...], path: Path) -> None:
    there = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    d_sae, d_in = there.get("W_dec", (0, 0)) if len(there.get("W_dec", ())) == 2 else (0, 0)
    wanted = {"W_dec": (d_sae, d_in), "W_enc": (d_in, d_sae), "b_dec": (d_in,)}
    wanted |= dict.fromkeys(by_latent, (d_sae,))
    for name, shape in wanted.items():
        if there.get(name) != shape or not d_sae:
            raise BadParameter(
                f"{path}: {name} is {there.get(name, 'missing')}, not {shape}",
                hint="Weights and configuration must come from one SAE.",
            )
