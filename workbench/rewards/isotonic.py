"""Whether a rate rises with a dose: isotonic regression, with a permutation test."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from workbench.errors import BadParameter

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
    rng = np.random.default_rng(seed)
    counts = np.array(n)
    seen = np.array(hits)[None]
    fitted = isotonic(seen, counts)[0]
    dealt = rng.multivariate_hypergeometric(counts, int(seen.sum()), size=DRAWS)
    drawn = rng.binomial(counts, fitted.clip(0, 1), size=(DRAWS, len(counts)))
    rises = _rises(np.concatenate([seen, dealt]), counts)
    bends = _bends(np.concatenate([seen, drawn]), counts)
    return Trend(tuple(fitted.tolist()), _share(rises), _share(bends))


def isotonic(hits: NDArray[Any], n: NDArray[Any]) -> NDArray[Any]:
    """[row, dose]: of each row of hits the non-decreasing rates; the largest over beginnings of the
    smallest over ends of the pooled rate."""
    import numpy as np

    doses = len(n)
    fitted = np.empty(hits.shape)
    total, count = (np.pad(v.cumsum(-1), [(0, 0)] * (v.ndim - 1) + [(1, 0)]) for v in (hits, n))
    for i in range(doses):
        lows = [
            np.min(
                [
                    (total[:, b] - total[:, a]) / (count[b] - count[a])
                    for b in range(i + 1, doses + 1)
                ],
                axis=0,
            )
            for a in range(i + 1)
        ]
        fitted[:, i] = np.max(lows, axis=0)
    return fitted


def _rises(hits: NDArray[Any], n: NDArray[Any]) -> NDArray[Any]:
    whole = hits.sum(1, keepdims=True) / n.sum()
    found: NDArray[Any] = _likelihood(hits, n, isotonic(hits, n)) - _likelihood(hits, n, whole)
    return found


def _bends(hits: NDArray[Any], n: NDArray[Any]) -> NDArray[Any]:
    found: NDArray[Any] = _likelihood(hits, n, hits / n) - _likelihood(hits, n, isotonic(hits, n))
    return found


def _likelihood(hits: NDArray[Any], n: NDArray[Any], rates: NDArray[Any]) -> NDArray[Any]:
    """[row]: log-likelihood of the counts, binomial coefficients left out."""
    from scipy.special import xlog1py, xlogy

    found: NDArray[Any] = (xlogy(hits, rates) + xlog1py(n - hits, -rates)).sum(1)
    return found


def _share(statistics: NDArray[Any]) -> float:
    """Of all rows (the first is the data, and counts) those that are as large as the first."""
    return float((statistics >= statistics[0] - 1e-9).mean())
