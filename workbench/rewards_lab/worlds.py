"""Worlds small enough to count: a trained base policy, every response, and a gold program."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from workbench.rewards.tail_search import strings

if TYPE_CHECKING:
    import numpy

WIDTH = 32


class Policy(nn.Module):
    """A causal transformer of one block: prompt and response tokens [batch, 1 + length] to logits
    [batch, 1 + length, vocabulary] of the response token that comes next. Prompts have the ids
    from `vocabulary` on."""

    def __init__(self, vocabulary: int, length: int, prompts: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocabulary + prompts, WIDTH)
        self.place = nn.Embedding(1 + length, WIDTH)
        self.attend = nn.Linear(WIDTH, 3 * WIDTH)
        self.mix = nn.Linear(WIDTH, WIDTH)
        self.think = nn.Sequential(
            nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH)
        )
        self.norm, self.last = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, vocabulary)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.embed(tokens) + self.place(torch.arange(tokens.shape[1]))
        q, k, v = self.attend(self.norm(x)).chunk(3, dim=-1)
        x = x + self.mix(functional.scaled_dot_product_attention(q, k, v, is_causal=True))
        x = x + self.think(x)
        logits: torch.Tensor = self.head(self.last(x))
        return logits


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class World:
    """Everything about a world, exactly. tokens: [m, length] every response; base: [prompts, m]
    its law; gold: [prompts, m], mean 0 and standard deviation 1 under the base for each prompt.
    """

    vocabulary: int
    length: int
    prompts: int
    policy: Policy
    tokens: numpy.ndarray
    base: numpy.ndarray
    gold: numpy.ndarray


def make_world(
    seed: int, *, vocabulary: int = 8, length: int = 4, prompts: int = 6, steps: int = 250
) -> World:
    """Trains the base policy on responses of a random Markov chain, and draws a gold program.

    Gold: a taste for tokens that depends on the prompt, a taste for pairs of neighbours, and a
    cost that grows with the square of repetitions.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    policy = Policy(vocabulary, length, prompts)
    _imitate(policy, vocabulary, length, prompts, steps, rng)
    tokens = strings(vocabulary, length)
    with torch.no_grad():
        base = np.exp(log_laws(policy, vocabulary, length, prompts).double().numpy())
    base /= base.sum(axis=1, keepdims=True)
    liked = rng.normal(size=(prompts, vocabulary))
    pairs = rng.normal(size=(vocabulary, vocabulary))
    repeated = length - np.array([len(set(row)) for row in tokens])
    shared = pairs[tokens[:, :-1], tokens[:, 1:]].sum(axis=1) - repeated**2
    gold = liked[:, tokens].sum(axis=2) + shared
    return World(vocabulary, length, prompts, policy, tokens, base, standardised(gold, base))


def standardised(rewards: numpy.ndarray, base: numpy.ndarray) -> numpy.ndarray:
    """[prompts, m] with mean 0 for each prompt and standard deviation 1 over all, under `base`.

    A preference-trained reward is known up to a constant for each prompt and no more.
    """
    import numpy as np

    centred = rewards - (base * rewards).sum(axis=1, keepdims=True)
    spread = float(np.sqrt((base * centred**2).sum(axis=1).mean()))
    return np.asarray(centred / spread if spread > 1e-12 else centred)


def log_laws(policy: Policy, vocabulary: int, length: int, prompts: int) -> torch.Tensor:
    """[prompts, m] log-probability of every response.

    A causal policy gives them from its vocabulary ** (length - 1) longest prefixes.
    """
    prefixes = torch.tensor(strings(vocabulary, length - 1))
    rows = len(prefixes)
    asked = torch.arange(vocabulary, vocabulary + prompts).repeat_interleave(rows)
    whole = torch.cat([asked[:, None], prefixes.repeat(prompts, 1)], dim=1)
    logs = policy(whole).log_softmax(dim=-1).view(prompts, rows, length, vocabulary)
    chosen = prefixes[None, :, :, None].expand(prompts, -1, -1, -1)
    begun = logs[:, :, :-1].gather(3, chosen)[..., 0].sum(dim=2)
    whole_logs: torch.Tensor = begun[..., None] + logs[:, :, -1]
    return whole_logs.reshape(prompts, rows * vocabulary)


def _imitate(
    policy: Policy,
    vocabulary: int,
    length: int,
    prompts: int,
    steps: int,
    rng: numpy.random.Generator,
) -> None:
    import numpy as np

    first = rng.dirichlet(np.full(vocabulary, 2.0), size=prompts)
    then = rng.dirichlet(np.full(vocabulary, 1.5), size=vocabulary)
    optimiser = torch.optim.Adam(policy.parameters(), lr=3e-3)
    for _ in range(steps):
        asked = rng.integers(0, prompts, 256)
        row = [(first[asked].cumsum(axis=1) > rng.random((256, 1))).argmax(axis=1)]
        for _ in range(length - 1):
            row.append((then[row[-1]].cumsum(axis=1) > rng.random((256, 1))).argmax(axis=1))
        said = torch.tensor(np.stack(row, axis=1))
        logits = policy(torch.cat([torch.tensor(vocabulary + asked)[:, None], said], dim=1))
        loss = functional.cross_entropy(logits[:, :-1].flatten(0, 1), said.flatten())
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
