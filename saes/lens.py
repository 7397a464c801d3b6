"""SAELens' format: SAEs are saved in it, read from any directory of it, and fetched by release.

The one file that speaks sae_lens, and only to fetch: what is on disk is read without it, by the
same code that interventions use, so that what is read and what is spliced in cannot differ.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import BadParameter, ModelUnavailable, SuspectError, UnsafeFile
from workbench.findings import JSON
from workbench.suspects.latents import Latents
from workbench.suspects.tensors import hash_tensors, read_header

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS = "sae_weights.safetensors"
CONFIG = "cfg.json"
_PICKLES = {".pt", ".pth", ".bin", ".pkl", ".pickle", ".ckpt", ".npy", ".npz", ".joblib"}
_ALIASES = {
    "hook_resid_post": "hook_out",
    "hook_resid_pre": "hook_in",
    "hook_mlp_out": "mlp.hook_out",
    "hook_attn_out": "attn.hook_out",
}


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class SAE:
    """A sparse autoencoder of one hook's activations.

    hook_name: canonical. tensor_sha256: of its weights. metadata: what its configuration says of
    where it comes from (model_name, neuronpedia_id, ...).
    """

    latents: Latents
    hook_name: str
    directory: Path
    tensor_sha256: str
    metadata: Mapping[str, JSON]

    @property
    def d_in(self) -> int:
        """Width of the activations, d_model at a residual hook."""
        return int(self.latents.W_dec.shape[1])

    @property
    def d_sae(self) -> int:
        """Number of latents."""
        return int(self.latents.W_dec.shape[0])

    @property
    def W_dec(self) -> Tensor:
        """Decoder directions, [d_sae, d_in]."""
        return self.latents.W_dec

    def encode(self, activations: Tensor) -> Tensor:
        """Latents [..., d_sae] of activations [..., d_in]."""
        return self.latents.encode(activations)

    def decode(self, latents: Tensor) -> Tensor:
        """Reconstruction [..., d_in] of latents [..., d_sae]."""
        return self.latents.decode(latents)

    def direction(self, latent: int) -> Tensor:
        """The decoder row of a latent, [d_in]; raises BadParameter on an index out of range."""
        if not 0 <= latent < self.d_sae:
            raise BadParameter(
                f"no latent {latent} in an SAE of {self.d_sae}", hint=f"Give 0 to {self.d_sae - 1}."
            )
        return self.W_dec[latent]


def load(directory: Path | str) -> SAE:
    """An SAE saved by `save` or by SAELens for inference.

    Raises UnsafeFile when a file there may be a pickle or weights are not finite, SuspectError when
    weights or configuration are missing or do not name a hook, BadParameter on a kind that
    `Latents.load` does not compute.
    """
    directory = Path(directory)
    pickles = sorted(p.name for p in directory.glob("*") if p.suffix.lower() in _PICKLES)
    if pickles:
        raise UnsafeFile(
            f"{directory}: {pickles[0]} may run code when it is read",
            hint="Give a directory that holds cfg.json and safetensors only.",
        )
    if not (directory / WEIGHTS).is_file() or not (directory / CONFIG).is_file():
        raise SuspectError(
            f"{directory} holds no SAE", hint=f"It must hold {CONFIG} and {WEIGHTS}."
        )
    try:
        config = json.loads((directory / CONFIG).read_text("utf-8"))
    except ValueError as error:
        raise SuspectError(
            f"{directory / CONFIG} is no JSON: {error}", hint="Save the SAE again."
        ) from None
    metadata = config.get("metadata") or {}
    hook_name = metadata.get("hook_name") or config.get("hook_name")
    if not hook_name:
        raise SuspectError(
            f"{directory / CONFIG} names no hook", hint="Set metadata.hook_name in it."
        )
    return SAE(
        Latents.load(str(directory), "cpu"),
        canonical(hook_name),
        directory,
        hash_tensors(read_header(directory / WEIGHTS)),
        metadata,
    )


def save(
    into: Path,
    *,
    hook_name: str,
    W_enc: Tensor,
    b_enc: Tensor,
    W_dec: Tensor,
    b_dec: Tensor,
    threshold: Tensor | None = None,
    k: int | None = None,
    metadata: Mapping[str, JSON] | None = None,
) -> SAE:
    """Writes cfg.json and weights and returns the SAE as loaded again.

    W_enc: [d_in, d_sae]; W_dec: [d_sae, d_in]. A jumprelu SAE with `threshold` [d_sae], a topk one
    with `k`, else a standard one.
    """
    from safetensors.torch import save_file

    into.mkdir(parents=True, exist_ok=True)
    tensors = {"W_enc": W_enc, "b_enc": b_enc, "W_dec": W_dec, "b_dec": b_dec}
    # without a version SAELens takes the metadata for that of its old format, and drops it
    written = {**(metadata or {}), "hook_name": hook_name, "sae_lens_version": version("sae-lens")}
    config: dict[str, Any] = {
        "d_in": W_dec.shape[1],
        "d_sae": W_dec.shape[0],
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": True,
        "normalize_activations": "none",
        "reshape_activations": "none",
        "metadata": written,
    }
    if threshold is not None:
        tensors["threshold"] = threshold
        config["architecture"] = "jumprelu"
    elif k is not None:
        config |= {"architecture": "topk", "k": k, "rescale_acts_by_decoder_norm": False}
    else:
        config["architecture"] = "standard"
    apart = {name: t.detach().float().clone().contiguous() for name, t in tensors.items()}
    save_file(apart, into / WEIGHTS)  # it refuses tensors that share memory
    (into / CONFIG).write_text(json.dumps(config, indent=1), encoding="utf-8")
    return load(into)


def fetch(name: str, into: Path) -> SAE:
    """A pretrained SAE by `release/id` of SAELens' directory, saved to `into` in plain form.

    Raises BadParameter on an unknown release or id, ModelUnavailable where the hub cannot be
    reached and the SAE is not cached.
    """
    import warnings

    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    with warnings.catch_warnings():  # deprecations inside its own imports are none of ours
        warnings.simplefilter("ignore", DeprecationWarning)
        import sae_lens
        from sae_lens.loading.pretrained_saes_directory import get_pretrained_saes_directory

    release, _, id = name.partition("/")
    known = get_pretrained_saes_directory()
    if release not in known or id not in known[release].saes_map:
        ids = list(known[release].saes_map) if release in known else list(known)
        raise BadParameter(
            f"SAELens knows no {'SAE' if release in known else 'release'} of '{name}'",
            hint=f"As: {', '.join(_near(id if release in known else release, ids))}.",
        )
    try:
        module = sae_lens.SAE.from_pretrained(release, id, device="cpu")
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelUnavailable(
            f"{name} is neither reachable nor cached: {reason}",
            hint="With a network, or from a cache that another machine filled, it loads; "
            "a directory that SAELens saved needs neither.",
        ) from None
    module.save_model(into)
    return load(into)


def _near(name: str, names: list[str]) -> list[str]:
    import difflib

    return difflib.get_close_matches(name, names, n=3, cutoff=0.0)


def canonical(hook_name: str) -> str:
    """The canonical name of a hook, as `hook_out` of its block for `hook_resid_post`."""
    head, _, last = hook_name.rpartition(".")
    return f"{head}.{_ALIASES.get(last, last)}"


def identity(sae: SAE) -> str:
    """64 bits of an SAE in hexadecimal: its weights and its hook."""
    return hashlib.sha256(f"{sae.tensor_sha256} {sae.hook_name}".encode()).hexdigest()[:16]
