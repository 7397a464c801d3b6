"""Tail indices: Hill's estimator, and the generalised Pareto distribution on exceedances.

Hill 1975 (Ann. Statist. 3, 1163) is scale- but not shift-invariant; exceedances over a quantile
(Pickands 1975, Ann. Statist. 3, 119) are both, as a reward known up to a shift needs.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

from workbench.errors import BadParameter

if TYPE_CHECKING:
    import numpy

PROFILE_AT_MOST = 2_000
_HALF_CHI2 = 1.9207294  # half the 95 % point of chi-squared with 1 degree of freedom


@dataclasses.dataclass(frozen=True, slots=True)
class ParetoFit:
    """xi > 0: a power law of index 1/xi; 0: exponential decay; < 0: a finite end point.

    low, high: 95 % profile-likelihood interval of xi (Wald's beyond 2,000 exceedances).
    """

    xi: float
    low: float
    high: float
    sigma: float
    k: int


def hill(values: numpy.ndarray, k: int) -> tuple[float, float]:
    """(H_k, standard error H_k / sqrt k): mean log of the k largest over the next largest.

    Estimates 1/alpha of a power law. Raises BadParameter where k is not in 1..n-1 or the
    (k+1)-th largest value is not positive: there Hill is undefined.
    """
    import numpy as np

    if not 1 <= k < len(values):
        raise BadParameter(f"Hill at k = {k} of {len(values)}", hint="Choose 1 to n - 1.")
    top = -np.partition(-np.asarray(values, dtype=np.float64), k)[: k + 1]
    least = float(top.min())
    if least <= 0:
        raise BadParameter(
            f"Hill at k = {k}: the {k + 1}-th largest value is {least:.4g}",
            hint="It takes logarithms: use fewer, or the Pareto fit, which takes any sign.",
        )
    found = float(np.sum(np.log(top / least))) / k
    return found, found / math.sqrt(k)


def fit_exceedances(values: numpy.ndarray, k: int) -> ParetoFit:
    """Maximum likelihood for the k largest values minus the next largest (xi > -1).

    Raises BadParameter where k is below 10 or not below n, or all of them tie.
    """
    import numpy as np

    if not 10 <= k < len(values):
        raise BadParameter(
            f"{k} exceedances of {len(values)} values", hint="Choose at least 10, fewer than all."
        )
    top = -np.sort(np.partition(-np.asarray(values, dtype=np.float64), k)[: k + 1])
    y = top[:-1] - top[-1]
    scale = float(y.mean())
    if scale <= 1e-12 * max(1.0, abs(float(top[0]))):
        raise BadParameter(
            f"the {k} largest values are all {top[-1]:.6g}",
            hint="A tail needs values that differ: take more of them, or see what caps the reward.",
        )
    y = y / scale
    xi, sigma = _maximum(y)
    error = (1 + max(xi, -0.5)) / math.sqrt(k)
    if k > PROFILE_AT_MOST:
        low, high = xi - 1.96 * error, xi + 1.96 * error
    else:
        best = _likelihood(y, xi, sigma)
        low = _end(y, xi, sigma, best, -error)
        high = _end(y, xi, sigma, best, error)
    return ParetoFit(xi, low, high, sigma * scale, k)


def _maximum(y: numpy.ndarray) -> tuple[float, float]:
    """(xi, sigma) by the profile over theta = xi / sigma (Grimshaw 1993, Technometrics 35, 185)."""
    import numpy as np

    end = -1 / float(y.max())

    def xi_of(theta: numpy.ndarray) -> numpy.ndarray:
        return np.asarray(np.log1p(theta[:, None] * y).mean(axis=1))

    def height(theta: numpy.ndarray) -> numpy.ndarray:
        xi = xi_of(theta)
        near = np.abs(theta) < 1e-7
        sigma = np.where(near, 1.0, xi / np.where(near, 1.0, theta))
        return np.where(xi > -1, -np.log(np.maximum(sigma, 1e-300)) - xi - 1, -np.inf)

    grid = np.concatenate([end * (1 - np.geomspace(1e-6, 1, 60)), np.geomspace(1e-6, 1e4, 80)])
    order = np.sort(grid)
    at = int(np.argmax(height(order)))
    low, high = float(order[max(at - 1, 0)]), float(order[min(at + 1, len(order) - 1)])
    for _ in range(6):
        finer = np.linspace(low, high, 21)
        at = int(np.argmax(height(finer)))
        low, high = float(finer[max(at - 1, 0)]), float(finer[min(at + 1, 20)])
    theta = (low + high) / 2
    xi = float(xi_of(np.array([theta]))[0])
    return (xi, xi / theta) if abs(theta) > 1e-9 else (0.0, 1.0)


def _likelihood(y: numpy.ndarray, xi: float, sigma: float) -> float:
    import numpy as np

    scaled = xi * y / sigma
    if sigma <= 0 or float(scaled.min()) <= -1:
        return -math.inf
    decay = float(np.sum(y)) / sigma if abs(xi) < 1e-9 else (1 + 1 / xi) * np.log1p(scaled).sum()
    return -len(y) * math.log(sigma) - float(decay)


def _end(y: numpy.ndarray, xi: float, sigma: float, best: float, step: float) -> float:
    """Where the profile likelihood has fallen by 1.92, going from xi in steps of `step`."""
    inside, outside, guess = xi, xi, sigma
    for _ in range(40):
        outside = inside + step
        fell, guess = _profile(y, outside, guess)
        if best - fell > _HALF_CHI2:
            break
        inside = outside
    for _ in range(20):
        middle = (inside + outside) / 2
        fell, guess = _profile(y, middle, guess)
        if best - fell > _HALF_CHI2:
            outside = middle
        else:
            inside = middle
    return (inside + outside) / 2


def _profile(y: numpy.ndarray, xi: float, sigma: float) -> tuple[float, float]:
    """(log-likelihood, sigma) at the best sigma for a given xi."""
    from scipy.optimize import minimize_scalar

    least = math.log(max(-xi * float(y.max()), 1e-12) * (1 + 1e-9)) if xi < 0 else -math.inf
    low = max(least, math.log(sigma) - 2)
    found = minimize_scalar(
        lambda s: -_likelihood(y, xi, math.exp(s)),
        bounds=(low, max(low, math.log(sigma)) + 2),
        method="bounded",
        options={"xatol": 1e-5},
    )
    return -float(found.fun), math.exp(float(found.x))
