"""Samples of a prompt in order of their proxy: who wins among n, and how far that law has moved."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from workbench.rewards.enumerable import textbook_kl

if TYPE_CHECKING:
    import numpy


def weights(ranks: numpy.ndarray, size: int, n: int) -> numpy.ndarray:
    """C(rank-1, n-1) / C(size, n) for ranks from 1 (worst) to `size`: the share of all size-n
    subsets that this rank wins. 0 where rank < n."""
    import numpy as np
    from scipy.special import gammaln

    ranks = np.asarray(ranks, dtype=np.float64)
    wins = ranks >= n
    k = np.where(wins, ranks, n)
    logs = gammaln(k) - gammaln(k - n + 1) - gammaln(size) + gammaln(size - n + 1)
    return np.where(wins, np.exp(logs) * (n / size), 0.0)


class Groups:
    """Samples sorted by prompt and proxy: `starts` and `sizes` [prompts], tied blocks within."""

    def __init__(self, proxy: numpy.ndarray, starts: numpy.ndarray, sizes: numpy.ndarray) -> None:
        import numpy as np

        self.starts, self.sizes = starts, sizes
        self.size_of = np.repeat(sizes, sizes)
        self.rank = np.arange(len(proxy)) - np.repeat(starts, sizes) + 1
        fresh = np.diff(proxy, prepend=np.nan) != 0
        fresh[starts] = True
        self.block_starts = np.flatnonzero(fresh)
        self.block_sizes = np.diff(self.block_starts, append=len(proxy))
        self.tied = bool((self.block_sizes > 1).any())
        self.constant = int((sizes == self.block_sizes[np.cumsum(fresh)[starts] - 1]).sum())

    def weights(self, n: int) -> numpy.ndarray:
        """[rows] each sample's share; they sum to 1 within a prompt."""
        import numpy as np

        raw = np.asarray(weights(self.rank, self.size_of, n))  # type: ignore[arg-type]
        raw /= np.repeat(np.add.reduceat(raw, self.starts), self.sizes)
        if not self.tied:
            return raw
        mean = np.add.reduceat(raw, self.block_starts) / self.block_sizes
        return np.repeat(mean, self.block_sizes)

    def jackknife(self, value: numpy.ndarray, n: int) -> numpy.ndarray:
        """[prompts] variance of each prompt's estimate, from leaving out one sample at a time."""
        import numpy as np

        if self.tied:  # a tied block counts with its mean, whoever is left out
            mean = np.add.reduceat(value, self.block_starts) / self.block_sizes
            value = np.repeat(mean, self.block_sizes)
        found = []
        for start, size in zip(self.starts, self.sizes, strict=True):
            if size <= max(n, 1):
                found.append(np.inf)
                continue
            own = value[start : start + size]
            less = weights(np.arange(1, size), int(size) - 1, n)
            below = np.concatenate([[0.0], np.cumsum(less * own[:-1])])
            above = np.concatenate([np.cumsum((less * own[1:])[::-1])[::-1], [0.0]])
            without = below + above
            found.append((size - 1) / size * np.sum((without - without.mean()) ** 2))
        return np.array(found)

    def kl_and_win_rate(self, n: int) -> tuple[float, float]:
        """Means over prompts. Between a block's quantiles a and b, a tie has density ratio
        (b^n - a^n) / (b - a); a sample alone is taken as atomless, with ratio n u^(n-1)."""
        import numpy as np

        size = self.size_of[self.block_starts]
        a = (self.rank[self.block_starts] - 1) / size
        b = a + self.block_sizes / size
        won = b**n - a**n
        played = won > 0
        logs = np.log(np.where(played, won / (b - a), 1.0))
        tied = won * logs
        alone = won * math.log(n) + (n - 1) * (_entropic(b, n) - _entropic(a, n))
        is_tie = self.block_sizes > 1
        wins = np.where(is_tie, won * (a + b) / 2, n / (n + 1) * (b ** (n + 1) - a ** (n + 1)))
        share = 1 / len(self.starts)
        divergence = float(np.sum(np.where(is_tie, tied, alone))) * share
        return max(0.0, min(divergence, textbook_kl(n))), float(np.sum(wins)) * share


def _entropic(u: numpy.ndarray, n: int) -> numpy.ndarray:
    """The antiderivative of n u^(n-1) log u."""
    import numpy as np

    return np.asarray(u**n * np.log(np.where(u > 0, u, 1.0)) - u**n / n)
