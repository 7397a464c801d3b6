"""The one file that speaks sae_lens: trains a BatchTopK SAE, saves it for inference, loads it."""

from __future__ import annotations

import dataclasses
import json
import math
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import BadParameter, SuspectError, UnsafeFile

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS = "sae_weights.safetensors"
CONFIG = "cfg.json"
_PICKLES = {".pt", ".pth", ".bin", ".pkl", ".pickle", ".ckpt", ".npy", ".npz", ".joblib"}


@dataclasses.dataclass(frozen=True, slots=True)
class SAE:
    """A trained sparse autoencoder of one hook's activations."""

    module: Any
    hook_name: str

    @property
    def d_in(self) -> int:
        """Width of the activations, d_model at a residual hook."""
        return int(self.module.cfg.d_in)

    @property
    def d_sae(self) -> int:
        """Number of latents."""
        return int(self.module.cfg.d_sae)

    @property
    def W_dec(self) -> Tensor:
        """Decoder directions, [d_sae, d_in]."""
        weights: Tensor = self.module.W_dec.detach()
        return weights

    def encode(self, activations: Tensor) -> Tensor:
        """Latents [..., d_sae] of activations [..., d_in]."""
        import torch

        with torch.no_grad():
            latents: Tensor = self.module.encode(activations)
        return latents

    def decode(self, latents: Tensor) -> Tensor:
        """Reconstruction [..., d_in] of latents [..., d_sae]."""
        import torch

        with torch.no_grad():
            reconstruction: Tensor = self.module.decode(latents)
        return reconstruction


def train(
    activations: Tensor,
    *,
    hook_name: str,
    into: Path,
    d_sae: int = 1024,
    k: float = 16.0,
    samples: int = 200_000,
    batch: int = 256,
    lr: float = 3e-3,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> SAE:
    """Trains on `activations` [rows, d_in], saves to `into` and returns the SAE as loaded again.

    `samples` rows are seen in all, reshuffled each time round; `progress` gets the share done.
    Activations are scaled to a mean distance of sqrt(d_in) from their mean while training, which
    is folded into the weights afterwards; the decoder's bias starts at that mean. Deterministic
    under `seed` on one machine; torch's global generator is left as it was. Raises BadParameter
    when there are fewer rows than one batch, sizes make no sense, or all rows are equal.
    """
    import torch

    sae_lens = _sae_lens()
    from sae_lens.config import LoggingConfig, SAETrainerConfig
    from sae_lens.training.sae_trainer import SAETrainer

    rows, d_in = activations.shape
    if rows < batch or samples < batch:
        raise BadParameter(
            f"{min(rows, samples)} activations are fewer than one batch of {batch}",
            hint="Give more texts or a smaller batch.",
        )
    if not 0 < k <= d_sae:
        raise BadParameter(f"k = {k} with d_sae = {d_sae}", hint="Choose 0 < k <= d_sae.")
    steps = samples // batch
    centre = activations.float().mean(0)
    spread = float((activations.float() - centre).norm(dim=-1).mean())
    if not 0 < spread < math.inf:
        raise BadParameter(
            f"the activations lie {spread} from their mean on average: there is nothing to learn",
            hint="Choose another hook, or texts that differ.",
        )
    scale = d_in**0.5 / spread
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        sae = sae_lens.BatchTopKTrainingSAE(
            sae_lens.BatchTopKTrainingSAEConfig(
                d_in=d_in, d_sae=d_sae, k=k, topk_threshold_lr=0.05, dtype="float32"
            )
        )
        sae.cfg.metadata.hook_name = hook_name
        with torch.no_grad():
            sae.b_dec.copy_(centre * scale)
        trainer = SAETrainer(
            cfg=SAETrainerConfig(
                total_training_samples=steps * batch,
                train_batch_size_samples=batch,
                lr=lr,
                lr_end=lr / 10,
                lr_warm_up_steps=min(20, steps // 4),
                lr_decay_steps=steps // 4,
                dead_feature_window=max(20, steps // 8),
                feature_sampling_window=max(50, steps // 4),
                logger=LoggingConfig(log_to_wandb=False),
            ),
            sae=sae,
            data_provider=_batches(activations, batch, scale),
        )
        for step in range(steps):
            trainer.maybe_reset_sparsity()
            trainer.step(next(trainer.data_provider))
            trainer.n_training_steps += 1
            if progress is not None:
                progress((step + 1) / steps)
        sae.fold_activation_norm_scaling_factor(scale)
        trainer.set_final_sae_metadata()
    sae.eval()
    sae.save_inference_model(into)
    return load(into)


def _batches(activations: Tensor, batch: int, scale: float) -> Iterator[Tensor]:
    import torch

    while True:
        order = torch.randperm(len(activations))
        for start in range(0, len(order) - batch + 1, batch):
            yield activations[order[start : start + batch]].float() * scale


def load(directory: Path | str) -> SAE:
    """An SAE saved by `train` or by SAELens for inference.

    Raises UnsafeFile when a file there may be a pickle, and SuspectError when weights or
    configuration are missing or do not name a hook.
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
    module = _sae_lens().SAE.load_from_disk(directory, device="cpu").eval()
    return SAE(module, canonical(hook_name))


def save_zero(into: Path, *, d_in: int, hook_name: str) -> None:
    """Saves an SAE whose reconstruction is zero: spliced in without error, it ablates a hook."""
    import torch

    sae_lens = _sae_lens()
    sae = sae_lens.JumpReLUSAE(sae_lens.JumpReLUSAEConfig(d_in=d_in, d_sae=1))
    sae.cfg.metadata.hook_name = hook_name
    with torch.no_grad():
        for weights in sae.parameters():
            weights.zero_()
    sae.save_model(into)


def canonical(hook_name: str) -> str:
    """The canonical name of a residual hook: `hook_resid_post` is `hook_out` of its block."""
    aliases = {"hook_resid_post": "hook_out", "hook_resid_pre": "hook_in"}
    head, _, last = hook_name.rpartition(".")
    return f"{head}.{aliases.get(last, last)}"


def _sae_lens() -> Any:
    """The library; deprecations inside its own imports are none of ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import sae_lens
    return sae_lens
