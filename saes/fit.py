"""The training loop of SAEs: data order, learning rate, dead latents, checkpoints, thresholds."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from saes.architectures import KINDS, Weights, dense_step, sparse_step
from saes.lens import SAE, save
from workbench.errors import BadParameter
from workbench.findings import JSON

if TYPE_CHECKING:
    import torch
    from torch import Tensor

CALIBRATED = 16_384
"""Rows on which the threshold of a BatchTopK SAE is set so that its L0 is k."""
CHECKPOINT_SECONDS = 20.0
TRAINER = 2
"""Raised when the same settings give other weights, which retires cached SAEs."""
_STATE = "state.safetensors"
_PLACE = "place.json"


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """How an SAE is trained; `k` is the number of latents per token that it settles at.

    samples: activations seen in all. frozen: the decoder stays at random directions, a baseline
    (Korznikov et al. 2026, "Sanity checks for SAEs"). Raises BadParameter on sizes that make no
    sense.
    """

    d_sae: int = 1024
    k: float = 32.0
    samples: int = 400_000
    architecture: str = "batchtopk"
    batch: int = 256
    lr: float = 1e-2
    seed: int = 0
    frozen: bool = False

    def __post_init__(self) -> None:
        if self.architecture not in KINDS:
            raise BadParameter(
                f"no architecture '{self.architecture}'", hint=f"Choose from: {', '.join(KINDS)}."
            )
        if not 0 < self.k <= self.d_sae:
            raise BadParameter(
                f"k = {self.k} with d_sae = {self.d_sae}", hint="Choose 0 < k <= d_sae."
            )
        if self.architecture == "topk" and self.k != int(self.k):
            raise BadParameter(f"k = {self.k} of each token", hint="TopK takes a whole number.")
        if self.batch < 1 or self.samples < self.batch:
            raise BadParameter(
                f"{self.samples} samples are fewer than one batch of {self.batch}",
                hint="Raise the samples, or choose a smaller batch.",
            )

    @property
    def steps(self) -> int:
        """Batches."""
        return self.samples // self.batch

    @property
    def prefixes(self) -> tuple[int, ...]:
        """Dictionary sizes that must reconstruct by themselves."""
        if self.architecture != "matryoshka":
            return (self.d_sae,)
        return tuple(sorted({max(1, self.d_sae // 8), max(1, self.d_sae // 2), self.d_sae}))


def fit(
    activations: Tensor,
    settings: Settings,
    *,
    hook_name: str,
    into: Path,
    metadata: dict[str, JSON] | None = None,
    checkpoint: Path | None = None,
    progress: Callable[[float], None] | None = None,
) -> SAE:
    """Trains on `activations` [rows, d_in], saves to `into` and returns the SAE as loaded again.

    Rows are seen in another random order each time round. They are scaled to a mean distance of
    sqrt(d_in) from their mean while training, which is folded into the weights afterwards.
    checkpoint: a directory in which an interrupted training goes on where it was (the same rows and
    settings: else it begins anew); it is emptied at the end. The same seed gives the same weights,
    interrupted or not. Raises BadParameter when there are fewer rows than one batch, all rows are
    equal or zero, or one is not finite.
    """
    import torch

    if len(activations) < settings.batch:
        raise BadParameter(
            f"{len(activations)} activations are fewer than one batch of {settings.batch}",
            hint="Give more texts or a smaller batch.",
        )
    centre, spread = _measure(activations)
    scale = activations.shape[1] ** 0.5 / spread
    with torch.random.fork_rng(devices=[]):
        run = _Run(activations, settings, centre * scale, scale)
        if checkpoint is not None:
            run.resume(checkpoint)
        saved = time.monotonic()
        for step in run:
            if progress is not None:
                progress((step + 1) / settings.steps)
            if checkpoint is not None and time.monotonic() - saved > CHECKPOINT_SECONDS:
                run.keep(checkpoint)
                saved = time.monotonic()
        weights = run.weights
        threshold = _threshold(run, settings)
    made = save(
        into,
        hook_name=hook_name,
        W_enc=weights.encoder.T,
        b_enc=weights.b_enc / scale,
        W_dec=weights.decoder,
        b_dec=weights.b_dec / scale,
        threshold=None if threshold is None else threshold / scale,
        k=int(settings.k) if settings.architecture == "topk" else None,
        metadata={
            "training_architecture": settings.architecture,
            "training_samples": settings.steps * settings.batch,
            "k": settings.k,
            "seed": settings.seed,
            **(metadata or {}),
        },
    )
    if checkpoint is not None:
        for name in (_STATE, _PLACE):
            (checkpoint / name).unlink(missing_ok=True)
    return made


def _measure(activations: Tensor) -> tuple[Tensor, float]:
    """(mean [d_in], mean distance from it)."""
    import torch

    centre = torch.zeros(activations.shape[1], dtype=torch.float64)
    for start in range(0, len(activations), CALIBRATED):
        centre += activations[start : start + CALIBRATED].double().sum(0)
    mean = (centre / len(activations)).float()
    distances = [
        (activations[start : start + CALIBRATED].float() - mean).norm(dim=1).sum()
        for start in range(0, len(activations), CALIBRATED)
    ]
    spread = float(torch.stack(distances).sum()) / len(activations)
    if not math.isfinite(spread):
        raise BadParameter(
            "activations that are not finite", hint="Check the suspect's weights and its dtype."
        )
    if spread <= 1e-6 * max(1.0, float(mean.norm())):
        raise BadParameter(
            f"the activations lie {spread:.2g} from their mean on average: there is nothing to "
            "learn",
            hint="Choose another hook, or texts that differ.",
        )
    return mean, spread


class _Run:
    """Weights, optimizer and place in the data of one training."""

    def __init__(self, data: Tensor, settings: Settings, centre: Tensor, scale: float) -> None:
        import torch

        self.data, self.settings, self.scale, self.step = data, settings, scale, 0
        torch.manual_seed(settings.seed)
        d_sae, d_in = settings.d_sae, data.shape[1]
        directions = torch.randn(d_sae, d_in)
        directions /= directions.norm(dim=1, keepdim=True)
        self.weights = Weights(
            encoder=directions.clone(),
            b_enc=torch.zeros(d_sae),
            decoder=directions,
            b_dec=centre.clone(),
            log_threshold=torch.full((d_sae,), math.log(0.5)),
        )
        self.since = torch.zeros(d_sae)
        self.sparsity = torch.tensor(0.1)
        self.optimizer = torch.optim.Adam(
            self.weights.tensors(settings.architecture), lr=settings.lr, fused=True
        )
        self._identity = _identity(data, settings)

    def __iter__(self) -> Iterator[int]:
        settings = self.settings
        window = max(10 * settings.batch, min(len(self.data), settings.samples) // 4)
        sparse = settings.architecture not in ("standard", "jumprelu")
        while self.step < settings.steps:
            x = self._rows(self.step).float() * self.scale
            for group in self.optimizer.param_groups:
                group["lr"] = settings.lr * self._pace()
            if sparse:
                done = sparse_step(
                    self.weights,
                    x,
                    kind=settings.architecture,
                    k=settings.k,
                    dead=(self.since > window).nonzero().flatten(),
                    prefixes=settings.prefixes,
                    frozen=settings.frozen,
                )
            else:
                done = dense_step(
                    self.weights,
                    x,
                    kind=settings.architecture,
                    sparsity=float(self.sparsity),
                )
                # the coefficient is steered to the L0 that was asked for, as k is for the others
                gap = math.log(max(done.l0, 1e-3) / settings.k)
                self.sparsity *= math.exp(0.05 * max(-1.0, min(1.0, gap)))
            self.optimizer.step()
            self.weights.decoder /= self.weights.decoder.norm(dim=1, keepdim=True).clamp(min=1e-8)
            self.since += settings.batch
            self.since[done.fired] = 0
            self.step += 1
            yield self.step - 1

    def _pace(self) -> float:
        """Warm-up over 20 steps, linear decay to nothing over all of them."""
        left = (self.settings.steps - self.step) / self.settings.steps
        return min(1.0, (self.step + 1) / 20) * left

    def _rows(self, step: int) -> Tensor:
        import torch

        per_round = len(self.data) // self.settings.batch
        around, place = divmod(step, per_round)
        if place == 0 or not hasattr(self, "_order"):
            generator = torch.Generator().manual_seed(self.settings.seed * 1_000_003 + around)
            self._order = torch.randperm(len(self.data), generator=generator)
        chosen = self._order[place * self.settings.batch : (place + 1) * self.settings.batch]
        return self.data[chosen]

    def keep(self, directory: Path) -> None:
        """Writes where the training stands; a half-written state is never taken for one."""
        from safetensors.torch import save_file

        directory.mkdir(parents=True, exist_ok=True)
        draft = directory / f".{_STATE}"
        save_file(self._tensors(), draft)
        os.replace(draft, directory / _STATE)
        (directory / _PLACE).write_text(json.dumps({"step": self.step, "of": self._identity}))

    def resume(self, directory: Path) -> None:
        """Goes on where a training of the same rows and settings stood."""
        from safetensors.torch import load_file

        place, state = directory / _PLACE, directory / _STATE
        if not place.is_file() or not state.is_file():
            return
        found = json.loads(place.read_text())
        held = load_file(state)
        if found.get("of") != self._identity or int(held["step"]) != found.get("step"):
            return
        for name, tensor in self._tensors().items():
            tensor.copy_(held[name])
        self.step = found["step"]

    def _tensors(self) -> dict[str, torch.Tensor]:
        import torch

        kept: dict[str, Any] = {"since": self.since, "sparsity": self.sparsity}
        kept["step"] = torch.tensor(self.step)
        for i, tensor in enumerate(self.weights.tensors(self.settings.architecture)):
            moments = self.optimizer.state[tensor]
            if not moments:
                moments["step"] = torch.tensor(0.0)
                moments["exp_avg"] = torch.zeros_like(tensor)
                moments["exp_avg_sq"] = torch.zeros_like(tensor)
            kept[f"{i}"] = tensor
            kept |= {f"{i}.{name}": moment for name, moment in moments.items()}
        return kept


def _identity(data: Tensor, settings: Settings) -> str:
    sample = data[:: max(1, len(data) // 64)].float().contiguous().numpy().tobytes()
    whole = [list(data.shape), dataclasses.asdict(settings), hashlib.sha256(sample).hexdigest()]
    return hashlib.sha256(json.dumps(whole).encode()).hexdigest()


def _threshold(run: _Run, settings: Settings) -> Tensor | None:
    """Where latents fall silent at inference: one threshold at which L0 is k on a sample, or
    JumpReLU's own ones; None for TopK and standard SAEs."""
    import torch

    if settings.architecture == "jumprelu":
        return run.weights.log_threshold.exp()
    if settings.architecture in ("topk", "standard"):
        return None
    count = min(CALIBRATED, len(run.data))
    chosen = torch.randint(len(run.data), (count,))
    before = run.weights.before(run.data[chosen].float() * run.scale).relu().flatten()
    place = max(1, before.numel() - int(settings.k * count))
    level = float(before.kthvalue(place).values)
    return torch.full((settings.d_sae,), max(level, 1e-6))


def fitting_size(activations: Tensor, k: float) -> int:
    """A number of latents for these activations [rows, d_in]: eight a dimension, but so few that
    each can be active on 200 of the rows, or most of them would never learn."""
    rows, d_in = activations.shape
    return max(int(k), min(8 * d_in, int(k * rows / 200)))
