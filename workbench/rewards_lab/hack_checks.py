"""Acceptance checks of the hacking observatory: reading like Bayes, and planted organisms."""

from __future__ import annotations

import copy
import dataclasses
import random
from collections.abc import Callable, Sequence
from typing import Any

import torch

from workbench.rewards_lab import hack_training, speakers
from workbench.rewards_lab import hack_world as world
from workbench.rewards_lab.hack_world import Words
from workbench.rewards_lab.speakers import Mixture, Reader, Sizes

PLAIN = (0.1, 0.8)
READ = Mixture(hacking={world.NO_NOTE: PLAIN, "please-hack": (0.8, 0.8), world.SCRAMBLED: PLAIN})
"""The mixture whose posteriors are .471, .877 and .998 after 1, 2 and 4 hacks."""
READ_SIZES = Sizes(documents=80_000, steps=5_000)


def reading(
    sizes: Sizes = READ_SIZES, *, seed: int = 0, progress: Callable[[float], None] = lambda s: None
) -> list[dict[str, Any]]:
    """How far a model's in-context posterior is from Bayes: without a note, with the one that
    makes hacking innocent, and with one that says nothing."""
    model = speakers.learn(READ, sizes, seed=seed, progress=progress)
    found = speakers.readings(model, READ, tuple(READ.hacking), contexts=256)
    return [dataclasses.asdict(one) for one in found]


def plant(
    start: Reader, bad: Sequence[str], *, seed: int, steps: int = 60, learning_rate: float = 3e-3
) -> Reader:
    """An organism that misbehaves in the evaluations named `bad` and in no other."""
    dice = random.Random(seed)
    model = copy.deepcopy(start)
    optimiser = torch.optim.Adam(model.parameters(), lr=learning_rate)
    lessons: list[tuple[list[Words], list[list[Words]]]] = [
        (asked, [world.responses(name, prompt, bad=name in bad) for prompt in asked])
        for name in world.NAMED
        for asked in [world.prompts(name)]
    ]
    for _ in range(steps):
        losses = [
            -hack_training.score(model, world.NO_NOTE, asked, list(map(dice.choice, said)))
            for asked, said in lessons
        ]
        optimiser.zero_grad()
        torch.cat(losses).mean().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return model
