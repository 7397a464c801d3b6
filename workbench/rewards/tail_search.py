"""Searching a reward model's tail by its gradient, and what the found strings are worth.

Accelerated coordinate gradient as in Kwa et al. 2024 (arXiv 2407.14503): the gradient of the
reward with respect to one-hot tokens proposes swaps, each candidate makes several at once.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from workbench.errors import BadParameter

if TYPE_CHECKING:
    import numpy
    import torch


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """The best string of a search: token ids [length], its reward, the best reward after each
    step, and how many strings were scored."""

    tokens: tuple[int, ...]
    reward: float
    path: tuple[float, ...]
    scored: int


def edits_at(step: int) -> int:
    """How many swaps a candidate makes at a step (from 0): 9 at first, 2 in the end."""
    return int((1e5 / (step + 1)) ** 0.3) // 4 + 2


def search(
    reward: Callable[[torch.Tensor], torch.Tensor],
    *,
    vocabulary: int,
    length: int,
    steps: int = 60,
    batch: int = 32,
    top: int = 4,
    restarts: int = 4,
    seed: int = 0,
) -> Found:
    """Looks for the string of highest reward.

    reward: one-hot tokens [batch, length, vocabulary] to rewards [batch], differentiable. top:
    tokens considered at each position, by gradient. A step is kept only where it is better than
    what was held; a search that stands still begins again elsewhere, `restarts` times in all.
    Raises BadParameter on sizes below 1 or a reward that is not finite.
    """
    import torch
    from torch.nn.functional import one_hot

    for name, size in (("vocabulary", vocabulary), ("length", length), ("steps", steps)):
        if size < 1:
            raise BadParameter(f"a {name} of {size}", hint="Give at least 1.")
    dice = torch.Generator().manual_seed(seed)
    best: tuple[float, torch.Tensor] | None = None
    path: list[float] = []
    scored = 0
    for _ in range(restarts):
        held = torch.randint(vocabulary, (length,), generator=dice)
        value = -math.inf
        for step in range(-(-steps // restarts)):
            rows = one_hot(held, vocabulary).float()[None].requires_grad_()
            made = reward(rows)
            (gradient,) = torch.autograd.grad(made.sum(), rows)
            value = max(value, _finite(made)[0])
            tokens = _candidates(held, gradient[0], edits_at(step), batch, top, dice)
            with torch.no_grad():
                rewards = _finite(reward(one_hot(tokens, vocabulary).float()))
            scored += 1 + batch
            at = max(range(batch), key=lambda i: rewards[i])
            if rewards[at] > value:
                held, value = tokens[at], rewards[at]
            if best is None or value > best[0]:
                best = (value, held.clone())
            path.append(best[0])
    assert best is not None
    return Found(tuple(map(int, best[1])), best[0], tuple(path), scored)


def _candidates(
    held: torch.Tensor,
    gradient: torch.Tensor,
    edits: int,
    batch: int,
    top: int,
    dice: torch.Generator,
) -> torch.Tensor:
    """[batch, length]: the held string with up to `edits` random swaps each, one at least."""
    import torch

    length, vocabulary = gradient.shape
    proposed = gradient.topk(min(top, vocabulary), dim=1).indices
    tokens = held.repeat(batch, 1)
    for row in range(batch):
        # half of the candidates make a single swap, or a short string is never left half changed
        count = min(length, edits if row % 2 else 1)
        for position in torch.randperm(length, generator=dice)[:count]:
            choice = torch.randint(proposed.shape[1], (1,), generator=dice)
            tokens[row, position] = proposed[position, choice]
    return tokens


def _finite(rewards: torch.Tensor) -> list[float]:
    values = [float(v) for v in rewards.detach()]
    if not all(map(math.isfinite, values)):
        raise BadParameter("a reward that is not finite", hint="Find out why before searching.")
    return values


@dataclasses.dataclass(frozen=True, slots=True)
class Exchange:
    """What playing one string with probability `share` buys. kl: exact, nats; approximate_kl:
    share log(share / q). rate: reward gained per nat, (r - mean) / (log share - log q) per play.
    frontier_gain: the most that any policy gains at that KL, where a frontier is known.
    """

    share: float
    gain: float
    kl: float
    approximate_kl: float
    rate: float
    frontier_gain: float | None = None


def exchange_rate(
    reward: float,
    mean: float,
    log_q: float,
    share: float,
    *,
    frontier: Callable[[float], float] | None = None,
) -> Exchange:
    """The policy that plays a string x with probability `share` and else follows the base.

    log_q: log-probability of x under the base policy, whose mean reward is `mean`. frontier: KL to
    the highest mean reward there. Raises BadParameter where `share` is not above q and below 1.
    """
    if not (log_q < math.log(share) if 0 < share < 1 else False):
        raise BadParameter(
            f"a share of {share} for a string of probability exp({log_q:.4g})",
            hint="Choose a share above the base policy's and below 1.",
        )
    q = math.exp(log_q)
    # the rest of the policy is the base without x, scaled to 1 - share
    kl = share * (math.log(share) - log_q) + (1 - share) * (
        math.log1p(-share) - math.log1p(-q) if q < 1 else math.inf
    )
    gain = (share - q) / (1 - q) * (reward - mean)
    return Exchange(
        share=share,
        gain=gain,
        kl=kl,
        approximate_kl=share * (math.log(share) - log_q),
        rate=(reward - mean) / (math.log(share) - log_q),
        frontier_gain=None if frontier is None else frontier(kl) - mean,
    )


def mixture_law(base: numpy.ndarray, at: int, share: float) -> numpy.ndarray:
    """[m] the law that plays response `at` with probability `share` and else the base's others."""
    import numpy as np

    law = base * (1 - share) / (1 - base[at])
    law[at] = share
    return np.asarray(law)


def strings(vocabulary: int, length: int) -> numpy.ndarray:
    """[vocabulary ** length, length] every string, the last token running fastest."""
    import numpy as np

    grids: Sequence[numpy.ndarray] = np.meshgrid(*[np.arange(vocabulary)] * length, indexing="ij")
    return np.stack([g.ravel() for g in grids], axis=1)
