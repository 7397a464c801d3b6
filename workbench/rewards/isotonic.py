"""Whether a rate rises with a dose: isotonic regression, with a permutation test."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence

from workbench.errors import BadParameter

DRAWS = 1999
MONOTONE = 0.01


@dataclasses.dataclass(frozen=True, slots=True)
class Trend:
    """fitted: the non-decreasing rates of highest likelihood, by dose. p_rise: of no rise at all
    (hits dealt anew over the doses); p_misfit: of the fitted rates being the true ones."""

    fitted: tuple[float, ...]
    p_rise: float
    p_misfit: float

    @property
    def monotone(self) -> bool:
        """Whether the rate rises, and nothing speaks against its rising throughout."""
        return self.p_rise < MONOTONE <= self.p_misfit


def trend(hits: Sequence[int], n: Sequence[int], *, seed: int = 0) -> Trend:
    """Of `hits[i]` out of `n[i]` at doses in rising order (Barlow et al. 1972, likelihood ratios of
    isotonic rates against one rate, and of free rates against isotonic ones).

    Raises BadParameter on fewer than three doses or a dose without replies.
    """
    import numpy as np

    if len(hits) < 3 or len(hits) != len(n) or min(n) < 1:
        raise BadParameter(
            f"{len(hits)} doses to lay a curve through", hint="Give three or more, with replies."
        )
    fitted = isotonic(hits, n)
    rng = np.random.default_rng(seed)
    dealt = rng.multivariate_hypergeometric(list(n), sum(hits), size=DRAWS).tolist()
    drawn = rng.binomial(list(n), fitted, size=(DRAWS, len(n))).tolist()
    return Trend(
        tuple(fitted),
        _share(_rises(row, n) for row in [list(hits), *dealt]),
        _share(_bends(row, n) for row in [list(hits), *drawn]),
    )


def isotonic(hits: Sequence[int], n: Sequence[int]) -> list[float]:
    """Pools adjacent violators."""
    blocks: list[list[int]] = []
    for hit, count in zip(hits, n, strict=True):
        blocks.append([hit, count, 1])
        while len(blocks) > 1 and blocks[-2][0] * blocks[-1][1] > blocks[-1][0] * blocks[-2][1]:
            last = blocks.pop()
            blocks[-1] = [a + b for a, b in zip(blocks[-1], last, strict=True)]
    return [hit / count for hit, count, width in blocks for _ in range(width)]


def _rises(hits: Sequence[int], n: Sequence[int]) -> float:
    whole = sum(hits) / sum(n)
    return _likelihood(hits, n, isotonic(hits, n)) - _likelihood(hits, n, [whole] * len(n))


def _bends(hits: Sequence[int], n: Sequence[int]) -> float:
    free = [hit / count for hit, count in zip(hits, n, strict=True)]
    return _likelihood(hits, n, free) - _likelihood(hits, n, isotonic(hits, n))


def _likelihood(hits: Sequence[int], n: Sequence[int], rates: Sequence[float]) -> float:
    """Log-likelihood of the counts, binomial coefficients left out."""
    return math.fsum(
        (hit * math.log(rate) if hit else 0.0)
        + ((count - hit) * math.log1p(-rate) if hit < count else 0.0)
        for hit, count, rate in zip(hits, n, rates, strict=True)
    )


def _share(statistics: Iterable[float]) -> float:
    """Of the draws after the first (the first is the data, and counts) that are as large."""
    first, *others = statistics
    return (1 + sum(value >= first - 1e-9 for value in others)) / (1 + len(others))
