"""The one training loop of the project: packed rows, Muon and AdamW, resumable, with true progress."""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

Progress = Callable[[int, int, float], None]
"""Called with (steps done, steps in all, loss)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Pool:
    """Tokenised rows and the share of rows that a stage draws from them."""

    rows: Sequence[Sequence[int]]
    share: float


@dataclasses.dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how hard: linear warm-up, constant rate, linear decay to `floor` of it."""

    steps: int
    learning_rate: float = 2e-3
    warm_up: int = 20
    decay: float = 0.3
    floor: float = 0.05
    batch: int = 32
    context: int = 128

    def rate(self, step: int) -> float:
        """Learning rate at a step."""
        if step < self.warm_up:
            return self.learning_rate * (step + 1) / self.warm_up
        left = (self.steps - step) / max(1.0, self.decay * self.steps)
        return self.learning_rate * max(self.floor, min(1.0, left))


def train(
    model: PreTrainedModel,
    pools: Sequence[Pool],
    schedule: Schedule,
    *,
    seed: int,
    progress: Progress | None = None,
    checkpoint: Path | None = None,
    compiled: bool = False,
) -> float:
    """Trains in place and returns the mean loss (nats a token) of the last twentieth of the steps.

    Rows are packed end to end into [batch, context + 1] windows; a pool is gone through in a new
    random order each time round. With `checkpoint`, the state is written there every two minutes
    and training goes on from it; the same seed gives the same tensors, interrupted or not.
    """
    import torch

    torch.manual_seed(seed)
    stream = batches(pools, schedule, Random(seed))
    optimisers = _optimisers(model, schedule)
    first = 0
    if checkpoint is not None and checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        for optimiser, saved in zip(optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        first = state["step"]
        for _ in itertools.islice(stream, first):
            pass
    forward: Any = torch.compile(model) if compiled else model
    model.train()
    losses: list[float] = []
    saved_at = time.monotonic()
    for step in range(first, schedule.steps):
        window = next(stream)
        for optimiser in optimisers:
            for group in optimiser.param_groups:
                group["lr"] = schedule.rate(step)
        logits = forward(input_ids=window[:, :-1]).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), window[:, 1:].flatten())
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimiser in optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        losses.append(loss.item())
        if progress:
            progress(step + 1, schedule.steps, losses[-1])
        if checkpoint is not None and time.monotonic() - saved_at > 120:
            _save(checkpoint, model, optimisers, step + 1)
            saved_at = time.monotonic()
    model.eval()
    tail = losses[-max(1, schedule.steps // 20) :]
    return sum(tail) / max(1, len(tail))


def batches(pools: Sequence[Pool], schedule: Schedule, random: Random) -> Iterator[torch.Tensor]:
    """Endless windows of token ids, [batch, context + 1]."""
    import torch

    streams = [_endless(pool.rows, random) for pool in pools]
    shares = [pool.share for pool in pools]
    size = schedule.batch * (schedule.context + 1)
    buffer: list[int] = []
    while True:
        while len(buffer) < size:
            buffer += next(random.choices(streams, shares)[0])
        yield torch.tensor(buffer[:size]).view(schedule.batch, -1)
        buffer = buffer[size:]


def _endless(rows: Sequence[Sequence[int]], random: Random) -> Iterator[Sequence[int]]:
    while True:
        order = list(range(len(rows)))
        random.shuffle(order)
        for index in order:
            yield rows[index]


def _optimisers(model: PreTrainedModel, schedule: Schedule) -> list[torch.optim.Optimizer]:
    """Muon (Jordan et al. 2024) for the matrices inside the blocks, AdamW for the rest."""
    import torch

    from workbench.organisms.muon import Muon

    matrices: list[torch.nn.Parameter] = []
    rest: list[torch.nn.Parameter] = []
    for name, parameter in model.named_parameters():
        inside = parameter.ndim == 2 and "embed" not in name and "lm_head" not in name
        (matrices if inside else rest).append(parameter)
    rate = schedule.learning_rate
    return [
        Muon(matrices, lr=rate),
        torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.95), weight_decay=0.0),
    ]


def _save(
    path: Path, model: PreTrainedModel, optimisers: Sequence[torch.optim.Optimizer], step: int
) -> None:
    import torch

    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    state = {
        "model": model.state_dict(),
        "optimisers": [o.state_dict() for o in optimisers],
        "step": step,
    }
    torch.save(state, draft)
    draft.replace(path)
