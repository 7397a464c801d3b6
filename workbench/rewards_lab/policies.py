"""Reinforcement learning against a proxy with a KL penalty, measured exactly on the way."""

from __future__ import annotations

import copy
import dataclasses
from typing import TYPE_CHECKING

import torch

from workbench.rewards_lab.worlds import World, log_laws

if TYPE_CHECKING:
    import numpy

EACH = 32


@dataclasses.dataclass(frozen=True, slots=True)
class Moment:
    """A policy at one step, exactly: mean KL from the base (nats), proxy and gold over prompts."""

    step: int
    kl: float
    proxy: float
    gold: float


def reinforce(
    world: World,
    proxy: numpy.ndarray,
    *,
    penalty: float,
    seed: int,
    steps: int = 150,
    every: int = 10,
    learning_rate: float = 2e-3,
) -> tuple[list[Moment], numpy.ndarray]:
    """REINFORCE on sampled responses, reward proxy - penalty * log(policy / base), the mean of a
    prompt's samples as the baseline. Returns the moments and the laws [prompts, m] at the end."""
    import numpy as np

    dice = torch.Generator().manual_seed(seed)
    policy = copy.deepcopy(world.policy)
    optimiser = torch.optim.Adam(policy.parameters(), lr=learning_rate)
    rewards = torch.tensor(proxy, dtype=torch.float32)
    base = torch.tensor(np.log(np.maximum(world.base, 1e-300)), dtype=torch.float32)
    sizes = (world.vocabulary, world.length, world.prompts)
    moments = []
    tokens = torch.tensor(world.tokens)
    asked = torch.arange(world.vocabulary, world.vocabulary + world.prompts)
    asked = asked.repeat_interleave(EACH)[:, None]
    for step in range(steps + 1):
        with torch.no_grad():
            logs = log_laws(policy, *sizes)
        if step % every == 0:
            moments.append(_measured(step, world, proxy, logs))
        if step == steps:
            break
        drawn = torch.multinomial(logs.exp(), EACH, replacement=True, generator=dice)
        said = tokens[drawn.flatten()]
        each = policy(torch.cat([asked, said], dim=1))[:, :-1].log_softmax(dim=-1)
        chosen = each.gather(2, said[:, :, None]).sum(dim=(1, 2)).view_as(drawn)
        gain = rewards.gather(1, drawn) - penalty * (chosen.detach() - base.gather(1, drawn))
        loss = -((gain - gain.mean(dim=1, keepdim=True)) * chosen).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    law = logs.double().exp().numpy()
    return moments, law / law.sum(axis=1, keepdims=True)


def _measured(step: int, world: World, proxy: numpy.ndarray, logs: torch.Tensor) -> Moment:
    import numpy as np

    law = logs.double().exp().numpy()
    law = law / law.sum(axis=1, keepdims=True)
    ratio = np.log(np.maximum(law, 1e-300)) - np.log(np.maximum(world.base, 1e-300))
    return Moment(
        step,
        max(0.0, float((law * ratio).sum(axis=1).mean())),
        float((law * proxy).sum(axis=1).mean()),
        float((law * world.gold).sum(axis=1).mean()),
    )
