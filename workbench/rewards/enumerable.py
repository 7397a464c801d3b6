"""Worlds whose responses can be counted: laws, divergences and the proxy frontier as finite sums.

A response law is an array [m] of probabilities over the m responses to one prompt; `proxy` and
`gold` [m] are rewards of those responses. Nothing here is sampled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from workbench.errors import BadParameter

if TYPE_CHECKING:
    import numpy

SUM_TOLERANCE = 1e-6


def check_law(law: numpy.ndarray, name: str = "the base policy") -> numpy.ndarray:
    """The same law, normalised; raises BadParameter where it is none (sum off by over 1e-6)."""
    import numpy as np

    law = np.asarray(law, dtype=np.float64)
    if law.ndim != 1 or law.size == 0 or not np.isfinite(law).all() or (law < 0).any():
        raise BadParameter(
            f"{name} is no list of probabilities", hint="Give finite numbers of at least 0."
        )
    total = float(law.sum())
    if abs(total - 1) > SUM_TOLERANCE:
        raise BadParameter(
            f"{name} sums to {total:.6g}, not 1", hint="List every response once, with its share."
        )
    return law / total


def blocks(base: numpy.ndarray, proxy: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Block of each response ([m], equal proxies share one, worst first) and mass of each block."""
    import numpy as np

    _, block = np.unique(proxy, return_inverse=True)
    return block, np.bincount(block, weights=base)


def best_of_n_law(base: numpy.ndarray, proxy: numpy.ndarray, n: float) -> numpy.ndarray:
    """The law [m] of the response with the highest proxy among n draws from `base`.

    P(block i) = F_i^n - F_{i-1}^n with F the cumulated base mass in order of proxy; a tied block's
    mass is shared in proportion to `base`, as a random tie-break does. n >= 1, whole or not.
    """
    import numpy as np

    if not n >= 1:
        raise BadParameter(f"best of {n}", hint="n is at least 1.")
    block, mass = blocks(base, proxy)
    top = np.minimum(np.cumsum(mass), 1.0)
    top[-1] = 1.0
    won = np.diff(top**n, prepend=0.0)
    ratio = np.divide(won, mass, out=np.zeros_like(won), where=mass > 0)
    return np.asarray(base * ratio[block])


def kl(law: numpy.ndarray, base: numpy.ndarray) -> float:
    """KL(law || base) in nats; infinite where `law` plays what `base` never does."""
    import numpy as np

    played = law > 0
    if (base[played] <= 0).any():
        return float("inf")
    return max(0.0, float(np.sum(law[played] * np.log(law[played] / base[played]))))


def textbook_kl(n: float) -> float:
    """log n - (n-1)/n nats: best-of-n's KL where no two draws can tie, an upper bound elsewhere
    (Beirami et al. 2024, arXiv 2401.01879)."""
    import math

    return math.log(n) - (n - 1) / n


def win_rate(law: numpy.ndarray, base: numpy.ndarray, proxy: numpy.ndarray) -> float:
    """P(a draw of `law` has the higher proxy than a draw of `base`), ties counted half."""
    import numpy as np

    block, mass = blocks(base, proxy)
    below = np.cumsum(mass) - mass
    return float(np.sum(law * (below + mass / 2)[block]))


def tilted(base: numpy.ndarray, proxy: numpy.ndarray, beta: float) -> numpy.ndarray:
    """The optimum of E[proxy] - beta KL: base * exp(proxy / beta), normalised ([m]); beta > 0."""
    import numpy as np

    if not beta > 0:
        raise BadParameter(f"a KL penalty of {beta}", hint="It is greater than 0.")
    usable = base > 0
    exponent = (proxy - proxy[usable].max()) / beta
    weight = np.where(usable, base * np.exp(np.minimum(exponent, 0.0)), 0.0)
    return np.asarray(weight / weight.sum())


def frontier(
    base: numpy.ndarray, proxy: numpy.ndarray, kls: Sequence[float] | numpy.ndarray
) -> numpy.ndarray:
    """The highest E[proxy] that any policy reaches at each KL (nats) from `base`.

    Attained by `tilted`; beyond -log P(best proxy) it is the best proxy itself. No training run
    and no decoder lies above it.
    """
    import numpy as np

    usable = base > 0
    base, proxy = base[usable], proxy[usable]
    best = proxy.max()
    furthest = -float(np.log(base[proxy == best].sum()))
    reached = []
    for wanted in np.asarray(kls, dtype=np.float64):
        if not wanted >= 0:
            raise BadParameter(f"a KL of {wanted}", hint="A KL is at least 0 nats.")
        if wanted >= furthest:
            reached.append(float(best))
        elif wanted == 0:
            reached.append(float(np.sum(base * proxy)))
        else:
            law = tilted(base, proxy, _beta_at(base, proxy, float(wanted)))
            reached.append(float(np.sum(law * proxy)))
    return np.array(reached)


def _beta_at(base: numpy.ndarray, proxy: numpy.ndarray, wanted: float) -> float:
    """The penalty at which the tilt is `wanted` nats away, by bisection on its logarithm."""
    import math

    spread = float(proxy.max() - proxy.min())
    low, high = math.log(spread) - 60, math.log(spread) + 60
    for _ in range(70):
        middle = (low + high) / 2
        if kl(tilted(base, proxy, math.exp(middle)), base) > wanted:
            low = middle
        else:
            high = middle
    return math.exp(high)
