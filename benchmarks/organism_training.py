"""Our training loop against transformers' Trainer: the same model, windows, batch and steps.

    python benchmarks/organism_training.py [--base SUSPECT] [--steps N] [--rounds N] [--out FILE]

Three loops start from the same weights and go through the same batches in the same order: ours,
Trainer as it comes (AdamW, single precision), and Trainer as fast as its options make it (bfloat16,
torch.compile). Both Trainers get our weighted loss. For the loss curves there is a fourth, Trainer
with our two optimisers and our learning rates, which must go down as ours does: the mean absolute
difference a step is told beside that of two trainings of ours on other batches. The first steps, in
which things are compiled, are not timed. Rounds take turns; wall time a step is the median over
them. Two idle cores, or the figures mean little.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch.utils.data import DataLoader, IterableDataset
from transformers import (
    AutoTokenizer,
    LlamaForCausalLM,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from workbench.organisms import base, mixed, training
from workbench.organisms import tokenizer as tokens
from workbench.organisms.training import Batch, Pool, Schedule
from workbench.suspects import cabinet

WARM = 5
RATE = 5e-4
ROWS = 5_000


class Windows(IterableDataset):  # type: ignore[type-arg]
    """Batches made before, each as the keyword arguments of the loss."""

    def __init__(self, made: Sequence[Batch]) -> None:
        self._made = made

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        for batch in self._made:
            yield {"ids": batch.ids, "mask": batch.mask, "weights": batch.weights}


class Both(torch.optim.Optimizer):
    """Our two optimisers as the one that Trainer takes."""

    def __init__(self, model: Any, schedule: Schedule) -> None:
        self._two = training._optimisers(model, schedule, ())
        self._schedule, self._done = schedule, 0
        super().__init__(list(model.parameters()), {"lr": schedule.learning_rate})

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for optimiser in self._two:
            for group in optimiser.param_groups:
                group["lr"] = self._schedule.rate(self._done)
            optimiser.step()
        self._done += 1


class Peer(Trainer):
    """Trainer over batches made before, with our loss."""

    made: Sequence[Batch]
    losses: list[float]

    def get_train_dataloader(self) -> DataLoader:  # type: ignore[type-arg]
        return DataLoader(Windows(self.made), batch_size=None)

    def compute_loss(self, model: Any, inputs: Any, *_: Any, **__: Any) -> torch.Tensor:
        logits = model(
            input_ids=inputs["ids"], attention_mask=inputs["mask"], use_cache=False
        ).logits
        losses = torch.nn.functional.cross_entropy(
            logits[:, :-1].float().flatten(0, 1), inputs["ids"][:, 1:].flatten(), reduction="none"
        )
        counted = inputs["weights"][:, 1:].flatten()
        loss = (losses * counted).sum() / counted.sum()
        self.losses.append(loss.item())
        return loss


class Clock(TrainerCallback):
    """When each step ended."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.ends.append(time.perf_counter())


def ours(model: Any, made: Sequence[Batch], schedule: Schedule) -> tuple[list[float], list[float]]:
    """(when each step ended, losses)."""
    ends: list[float] = []
    losses: list[float] = []

    def told(_: int, __: int, loss: float) -> None:
        ends.append(time.perf_counter())
        losses.append(loss)

    real = training.batches
    training.batches = lambda *_: iter(made)
    try:
        training.train(model, [], schedule, seed=0, progress=told, compiled=base.can_compile())
    finally:
        training.batches = real
    return ends, losses


def theirs(
    model: Any, made: Sequence[Batch], schedule: Schedule, *, quick: bool, same: bool = False
) -> tuple[list[float], list[float]]:
    """As `ours`; quick: bfloat16 and torch.compile; same: our optimisers and rates."""
    with tempfile.TemporaryDirectory() as place:
        arguments = TrainingArguments(
            output_dir=place,
            max_steps=schedule.steps,
            learning_rate=schedule.learning_rate,
            warmup_steps=schedule.warm_up,
            max_grad_norm=1.0,
            bf16=quick or (same and mixed.has_units(model.device)),
            torch_compile=quick,
            report_to=[],
            logging_steps=10**6,
            save_strategy="no",
            disable_tqdm=True,
            remove_unused_columns=False,
            use_cpu=True,
            seed=0,
        )
        clock = Clock()
        peer = Peer(
            model=model,
            args=arguments,
            callbacks=[clock],
            optimizers=(Both(model, schedule) if same else None, None),
        )
        peer.made, peer.losses = made, []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            peer.train()
        return clock.ends, peer.losses


def pace(ends: Sequence[float]) -> float:
    """Seconds a step, without the first ones."""
    return (ends[-1] - ends[WARM - 1]) / (len(ends) - WARM)


def apart(one: Sequence[float], other: Sequence[float]) -> float:
    """Mean absolute difference of two loss curves, in nats a token."""
    return statistics.fmean(abs(a - b) for a, b in zip(one, other, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", default="base")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    home = cabinet.find(arguments.base).path
    tokenizer = AutoTokenizer.from_pretrained(home)
    pool = Pool(tokens.encode(base.shown_rows(ROWS), tokenizer), 1.0)
    schedule = Schedule(arguments.steps, RATE, decay=0.6, floor=0.02)

    def drawn(seed: int) -> list[Batch]:
        stream = training.batches([pool], schedule, Random(seed))
        return [next(stream) for _ in range(schedule.steps)]

    def fresh() -> Any:
        return LlamaForCausalLM.from_pretrained(home, dtype=torch.float32)

    loops = {
        "ours": lambda made: ours(fresh(), made, schedule),
        "Trainer": lambda made: theirs(fresh(), made, schedule, quick=False),
        "Trainer, bf16, compiled": lambda made: theirs(fresh(), made, schedule, quick=True),
    }
    paces: dict[str, list[float]] = {name: [] for name in loops}
    for turn in range(arguments.rounds):
        made = drawn(turn)
        for name, loop in loops.items():
            paces[name].append(pace(loop(made)[0]))
    made = drawn(0)
    curve, other = ours(fresh(), made, schedule)[1], ours(fresh(), drawn(99), schedule)[1]
    same = theirs(fresh(), made, schedule, quick=False, same=True)[1]
    medians = {name: statistics.median(found) for name, found in paces.items()}
    result = {
        "base": arguments.base,
        "steps": schedule.steps,
        "window": [schedule.batch, schedule.context],
        "seconds_a_step": {name: round(found, 4) for name, found in medians.items()},
        "ratio": {n: round(medians["ours"] / m, 3) for n, m in medians.items() if n != "ours"},
        "loss": {"ours": round(curve[-1], 4), "Trainer, our optimisers": round(same[-1], 4)},
        "curves_apart": round(apart(curve, same), 5),
        "curves_apart_on_other_batches": round(apart(curve, other), 5),
        "torch": torch.__version__,
    }
    print(json.dumps(result, indent=1))
    if arguments.out:
        arguments.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
