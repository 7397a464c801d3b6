"""Proxy reward models: trained on noisy comparisons of sampled responses, scored everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from workbench.errors import BadParameter
from workbench.rewards_lab.worlds import World, standardised

if TYPE_CHECKING:
    import numpy

BATCH = 128


def encoded(world: World) -> torch.Tensor:
    """[prompts * m, prompts + length * vocabulary] one-hot prompts and tokens, prompt by prompt."""
    tokens = functional.one_hot(torch.tensor(world.tokens), world.vocabulary).flatten(1)
    asked = torch.eye(world.prompts).repeat_interleave(len(tokens), dim=0)
    return torch.cat([asked, tokens.repeat(world.prompts, 1).float()], dim=1)


def train_proxy(
    world: World,
    *,
    hidden: int,
    comparisons: int,
    noise: float,
    seed: int,
    steps: int = 400,
) -> numpy.ndarray:
    """[prompts, m] rewards of `fit_proxy`'s network, standardised for each prompt."""
    network = fit_proxy(
        world, hidden=hidden, comparisons=comparisons, noise=noise, seed=seed, steps=steps
    )
    with torch.no_grad():
        rewards = network(encoded(world))[:, 0].view(world.prompts, -1).double().numpy()
    return standardised(rewards, world.base)


def fit_proxy(
    world: World,
    *,
    hidden: int,
    comparisons: int,
    noise: float,
    seed: int,
    steps: int = 400,
) -> nn.Module:
    """A network with one hidden layer from `encoded` rows to rewards [rows, 1].

    Bradley-Terry loss on `comparisons` pairs of base responses to one prompt; the label says which
    has more gold, and is turned round with probability `noise`. Raises BadParameter on a noise
    outside [0, 0.5] or sizes below 1.
    """
    import numpy as np

    if not 0 <= noise <= 0.5 or hidden < 1 or comparisons < 1:
        raise BadParameter(
            f"hidden {hidden}, comparisons {comparisons}, noise {noise}",
            hint="Sizes are at least 1, label noise lies between 0 and 0.5.",
        )
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    m = len(world.tokens)
    prompt = rng.integers(0, world.prompts, comparisons)
    pairs = np.stack([rng.choice(m, 2, p=world.base[p]) for p in prompt])
    better = world.gold[prompt[:, None], pairs].argmax(axis=1)
    better = np.where(rng.random(comparisons) < noise, 1 - better, better)
    rows = np.arange(comparisons)
    places = prompt * m
    won, lost = places + pairs[rows, better], places + pairs[rows, 1 - better]
    inputs = encoded(world)
    network = nn.Sequential(nn.Linear(inputs.shape[1], hidden), nn.ReLU(), nn.Linear(hidden, 1))
    optimiser = torch.optim.Adam(network.parameters(), lr=5e-3, weight_decay=1e-5)
    for _ in range(steps):
        drawn = rng.integers(0, comparisons, min(BATCH, comparisons))
        margin = network(inputs[won[drawn]]) - network(inputs[lost[drawn]])
        loss = -functional.logsigmoid(margin).mean()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return network
