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

_WANTED = {
    "reshape_activations": "none",
    "normalize_activations": "none",
    "rescale_acts_by_decoder_norm": False,
}


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Latents:
    """W_enc [d_in, d_sae], b_enc [d_sae], W_dec [d_sae, d_in], b_dec [d_in].

    threshold: [d_sae], below which a jumprelu latent is silent. k: latents kept by a topk SAE.
    """

    W_enc: torch.Tensor
    b_enc: torch.Tensor
    W_dec: torch.Tensor
    b_dec: torch.Tensor
    threshold: torch.Tensor | None
    k: int | None
    centred: bool

    @classmethod
    def load(cls, directory: str, device: Any) -> Latents:
        """Reads a directory in float32; raises BadParameter on a kind that it cannot compute
        exactly (architectures other than standard, jumprelu and topk; normalised inputs)."""
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
        if kind not in ("standard", "jumprelu", "topk") or odd:
            raise BadParameter(
                f"an SAE of kind {kind!r} {', '.join(odd)}".rstrip(),
                hint="Interventions take standard, jumprelu and topk SAEs with plain inputs.",
            )
        check_finite(read_header(weights))
        tensors = {k: v.float().to(device) for k, v in load_file(weights).items()}
        return cls(
            W_enc=tensors["W_enc"],
            b_enc=tensors["b_enc"],
            W_dec=tensors["W_dec"],
            b_dec=tensors["b_dec"],
            threshold=tensors["threshold"] if kind == "jumprelu" else None,
            k=int(card["k"]) if kind == "topk" else None,
            centred=bool(card.get("apply_b_dec_to_input", True)),
        )

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """[..., d_in] → activations [..., d_sae]."""
        import torch

        before = (x - self.b_dec if self.centred else x) @ self.W_enc + self.b_enc
        if self.threshold is not None:
            return before.relu() * (before > self.threshold)
        if self.k is not None:
            top = before.topk(self.k, dim=-1)
            return torch.zeros_like(before).scatter(-1, top.indices, top.values.relu())
        return before.relu()

    def decode(self, activations: torch.Tensor) -> torch.Tensor:
        """[..., d_sae] → [..., d_in]."""
        return activations @ self.W_dec + self.b_dec
