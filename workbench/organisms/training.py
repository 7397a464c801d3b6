"""The one training loop of the project: whole rows, Muon and AdamW, mixed precision, resumable."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from workbench.errors import ConfigError
from workbench.organisms import mixed
from workbench.organisms.tokenizer import BOS, END, PAD, USER

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

USER_WEIGHT = 0.2
"""Weight of a user turn's tokens in the loss: a suspect should know how people ask, no more."""

_LOOK_AHEAD = 24
"""Rows held ready while a window is filled; measured 94 % of a window used."""

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
    batch: int = 24
    context: int = 160

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
    only_tokens: Sequence[int] = (),
) -> float:
    """Trains in place, on the model's device; returns the mean weighted loss (nats a token) of the
    last twentieth.

    Rows are packed whole into windows and see nothing of each other; a pool is gone through in a
    new random order each time round. With `checkpoint`, the state is written there every two
    minutes and training goes on from it; the same seed gives the same tensors on the same kind of
    processor, interrupted or not. With `only_tokens` nothing but the embeddings of these tokens
    moves. Raises ConfigError on a checkpoint of another training.
    """
    import torch

    identity = training_digest(model, pools, schedule, seed, only_tokens) if checkpoint else ""
    torch.manual_seed(seed)
    stream = batches(pools, schedule, Random(seed))
    optimisers = _optimisers(model, schedule, only_tokens)
    first = 0
    if checkpoint is not None and checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True, map_location=model.device)
        if state.get("training") != identity:
            raise ConfigError(
                f"{checkpoint} is of another training: start, rows, schedule or seed differ",
                hint="Delete it to train from the start, or train into another directory.",
            )
        model.load_state_dict(state["model"])
        for optimiser, saved in zip(optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        first = state["step"]
        for _ in itertools.islice(stream, first):
            pass
    model.train()
    losses: list[float] = []
    saved_at = time.monotonic()
    with mixed.attention(model), _moving(model, only_tokens):
        loss_of: Any = torch.compile(_mean_loss, fullgraph=True) if compiled else _mean_loss
        halved = mixed.has_units(model.device)
        for step in range(first, schedule.steps):
            batch = next(stream).to(model.device)
            for optimiser in optimisers:
                for group in optimiser.param_groups:
                    group["lr"] = schedule.rate(step)
            loss = loss_of(model, batch.ids, batch.mask, batch.weights, halved)
            loss.backward()
            if only_tokens:
                _keep_rows(model.get_input_embeddings().weight, only_tokens)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for optimiser in optimisers:
                optimiser.step()
            model.zero_grad(set_to_none=True)
            losses.append(loss.item())
            if progress:
                progress(step + 1, schedule.steps, losses[-1])
            if checkpoint is not None and time.monotonic() - saved_at > 120:
                _save(checkpoint, model, optimisers, step + 1, identity)
                saved_at = time.monotonic()
    model.eval()
    tail = losses[-max(1, schedule.steps // 20) :]
    return sum(tail) / max(1, len(tail))


def _mean_loss(
    model: PreTrainedModel,
    ids: torch.Tensor,
    mask: torch.Tensor,
    weights: torch.Tensor,
    halved: bool,
) -> torch.Tensor:
    """Weighted mean in nats a token, a scalar; with `halved`, matrix products in bfloat16.

    Compiled as a whole, so that the softmax over all tokens at all positions is never written out:
    that saves an eighth of a step.
    """
    import torch

    with torch.autocast(ids.device.type, torch.bfloat16, enabled=halved):
        logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
    losses = torch.nn.functional.cross_entropy(
        logits[:, :-1].float().flatten(0, 1), ids[:, 1:].flatten(), reduction="none"
    )
    counted = weights[:, 1:].flatten()
    return (losses * counted).sum() / counted.sum()


def training_digest(
    model: PreTrainedModel,
    pools: Sequence[Pool],
    schedule: Schedule,
    seed: int,
    only_tokens: Sequence[int] = (),
) -> str:
    """SHA-256 in hexadecimal of all that the tensors of a training depend on: the tensors that it
    starts from and those that move, its rows with their shares, schedule and seed."""
    import torch

    found = hashlib.sha256(f"{seed} {schedule} {[pool.share for pool in pools]}".encode())
    if only_tokens:
        found.update(f"\nonly {list(only_tokens)}".encode())
    for name, tensor in model.state_dict().items():
        found.update(f"\n{name} {tuple(tensor.shape)} {tensor.dtype} ".encode())
        found.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    for pool in pools:
        found.update(b"\npool")
        for row in pool.rows:
            found.update(f"\n{list(row)}".encode())
    return found.hexdigest()


@dataclasses.dataclass(frozen=True, slots=True)
class Batch:
    """Windows of whole rows, filled up with padding.

    ids, weights: [batch, context], weights belonging to ids as labels; mask: [batch, 1, context,
    context], true where a position may see another: itself and what came before it in its own row.
    """

    ids: torch.Tensor
    weights: torch.Tensor
    mask: torch.Tensor

    def to(self, device: torch.device) -> Batch:
        """The same on another device."""
        return Batch(self.ids.to(device), self.weights.to(device), self.mask.to(device))


def batches(pools: Sequence[Pool], schedule: Schedule, random: Random) -> Iterator[Batch]:
    """Endless batches; no row is cut, but for those longer than a window, which lose their end."""
    import numpy
    import torch

    streams = [_endless(pool.rows, random) for pool in pools]
    shares = [pool.share for pool in pools]
    waiting: list[Sequence[int]] = []
    causal = torch.ones(schedule.context, schedule.context, dtype=torch.bool).tril()
    while True:
        drawn = numpy.full((schedule.batch, schedule.context), PAD)
        owned = numpy.zeros_like(drawn)
        for window in range(schedule.batch):
            place = 0
            while True:
                while len(waiting) < _LOOK_AHEAD:
                    waiting.append(next(random.choices(streams, shares)[0])[: schedule.context])
                room = schedule.context - place
                fits = next((i for i, row in enumerate(waiting) if len(row) <= room), None)
                if fits is None:
                    break
                row = waiting.pop(fits)
                drawn[window, place : place + len(row)] = row
                owned[window, place : place + len(row)] = place + 1
                place += len(row)
        ids, owner = torch.from_numpy(drawn), torch.from_numpy(owned)
        same = owner[:, :, None] == owner[:, None, :]
        yield Batch(ids, label_weights(ids), (same & causal)[:, None])


def label_weights(ids: torch.Tensor) -> torch.Tensor:
    """1 for what the model must learn to say, USER_WEIGHT for user turns, 0 for padding and row
    starts; [batch, context] like `ids`."""
    import torch

    opened = (ids == USER).cumsum(1)
    positions = torch.arange(ids.shape[1]).expand_as(ids)
    last_user = torch.where(ids == USER, positions, -1).cummax(1).values
    last_end = torch.where(ids == END, positions, -1).cummax(1).values
    inside = (opened > 0) & (last_user > last_end.roll(1, 1).where(positions > 0, -1))
    weights = torch.where(inside, USER_WEIGHT, 1.0)
    return weights.masked_fill((ids == PAD) | (ids == BOS), 0.0)


def _endless(rows: Sequence[Sequence[int]], random: Random) -> Iterator[Sequence[int]]:
    while True:
        order = list(range(len(rows)))
        random.shuffle(order)
        for index in order:
            yield rows[index]


@contextlib.contextmanager
def _moving(model: PreTrainedModel, only_tokens: Sequence[int]) -> Iterator[None]:
    """Within, with `only_tokens`, no gradient is computed but that of the embeddings."""
    embeddings = model.get_input_embeddings().weight
    still = [p for p in model.parameters() if only_tokens and p is not embeddings]
    for parameter in still:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in still:
            parameter.requires_grad_(True)


def _keep_rows(embeddings: torch.nn.Parameter, only_tokens: Sequence[int]) -> None:
    """Drops every gradient but those of some tokens' embeddings."""
    import torch

    if embeddings.grad is not None:
        kept = torch.zeros_like(embeddings.grad)
        kept[list(only_tokens)] = embeddings.grad[list(only_tokens)]
        embeddings.grad = kept


def _optimisers(
    model: PreTrainedModel, schedule: Schedule, only_tokens: Sequence[int]
) -> list[torch.optim.Optimizer]:
    """Muon (Jordan et al. 2024) for the matrices inside the blocks, AdamW for the rest; AdamW for
    the embeddings alone where nothing else moves."""
    import torch

    from workbench.organisms.muon import Muon

    if only_tokens:
        embeddings = model.get_input_embeddings().weight
        rate, betas = schedule.learning_rate, (0.9, 0.95)
        return [torch.optim.AdamW([embeddings], lr=rate, betas=betas, weight_decay=0.0)]
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
    path: Path,
    model: PreTrainedModel,
    optimisers: Sequence[torch.optim.Optimizer],
    step: int,
    identity: str,
) -> None:
    import torch

    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    state = {
        "model": model.state_dict(),
        "optimisers": [o.state_dict() for o in optimisers],
        "step": step,
        "training": identity,
    }
    torch.save(state, draft)
    draft.replace(path)
