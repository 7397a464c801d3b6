"""Rewards from comparisons: the Bradley-Terry model with a share of careless answers.

Bradley and Terry (1952, Biometrika 39, 324); noise as in Christiano et al. (2017, 1706.03741):
P'(a > b) = (1 - noise) P(a > b) + noise / 2, with log-odds of P the difference of the rewards.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from workbench.errors import BadParameter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SEPARATED = 40.0
"""Log-odds that no finite fit needs: beyond them, answers are perfectly separated."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """weights [features]; errors: standard errors [features], inf where the answers say nothing of
    a weight; loss: mean negative log-likelihood of an answer, in nats; rank: how many directions of
    the weights the comparisons move."""

    weights: Floats
    errors: Floats
    loss: float
    rank: int


def chance(log_odds: Floats, noise: float) -> Floats:
    """P' of preferring the first."""
    import numpy as np
    from scipy.special import expit

    return np.asarray((1 - noise) * expit(log_odds) + noise / 2)


def loss(log_odds: Floats, mu: Floats, noise: float) -> Floats:
    """[answers] -mu log P' - (1 - mu) log(1 - P'); mu is 1 for the first, 0.5 for a tie."""
    import numpy as np

    if noise == 0:
        return np.asarray(mu * np.logaddexp(0, -log_odds) + (1 - mu) * np.logaddexp(0, log_odds))
    p = chance(log_odds, noise)
    return np.asarray(-mu * np.log(p) - (1 - mu) * np.log1p(-p))


def fit(
    differences: Any,
    mu: Floats,
    *,
    noise: float = 0.0,
    l2: float = 0.0,
    errors: bool = True,
) -> Fit:
    """The penalised maximum-likelihood weights, by L-BFGS from 0.

    differences: features of the first minus those of the second [answers, features], an array or,
    where errors is False, a SciPy CSR array; l2: half of it times the squared weights is added to
    the summed loss; errors False leaves them at nan.
    A constant added to all rewards of a prompt changes nothing: only differences are identified.
    Raises BadParameter for no answers, numbers that are not finite, mu outside [0, 1], noise
    outside [0, 1), and for answers that are perfectly separated where l2 is 0.
    """
    import numpy as np
    from scipy.optimize import minimize
    from scipy.sparse import issparse

    if not len(mu) or len(mu) != differences.shape[0]:
        raise BadParameter("there are no answers to fit", hint="Rate some pairs first.")
    entries = differences.data if issparse(differences) else differences
    if not (np.isfinite(entries).all() and np.isfinite(mu).all()):
        raise BadParameter("a feature or an answer is not finite", hint="Leave such pairs out.")
    if not (0 <= noise < 1 and l2 >= 0 and mu.min() >= 0 and mu.max() <= 1):
        raise BadParameter(
            f"noise {noise}, l2 {l2}, answers from {mu.min()} to {mu.max()}",
            hint="Noise lies in [0, 1), l2 is not negative, answers lie in [0, 1].",
        )

    def objective(weights: Floats) -> tuple[float, Floats]:
        odds = differences @ weights
        total = loss(odds, mu, noise).sum() + l2 / 2 * (weights @ weights)
        return float(total), differences.T @ _slope(odds, mu, noise) + l2 * weights

    found = minimize(
        objective,
        np.zeros(differences.shape[1]),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 500, "ftol": 1e-13, "gtol": 1e-8 * len(mu)},
    )
    weights = np.asarray(found.x)
    odds = differences @ weights
    if l2 == 0 and len(odds) and np.abs(odds).max() > SEPARATED:
        raise BadParameter(
            "the answers are perfectly separated: no finite weights fit best",
            hint="Give a penalty l2 above 0, or more answers.",
        )
    spread, rank = np.full(len(weights), np.nan), -1
    if errors:
        spread, rank = _errors(differences, odds, noise, l2)
    return Fit(weights, spread, float(loss(odds, mu, noise).mean()), rank)


def _slope(odds: Floats, mu: Floats, noise: float) -> Floats:
    """Derivative of the loss by the log-odds [answers]."""
    import numpy as np
    from scipy.special import expit

    plain = expit(odds)
    if noise == 0:
        return np.asarray(plain - mu)
    p = (1 - noise) * plain + noise / 2
    return np.asarray((p - mu) / (p * (1 - p)) * (1 - noise) * plain * (1 - plain))


def _errors(differences: Floats, odds: Floats, noise: float, l2: float) -> tuple[Floats, int]:
    """Standard errors from the expected information, and the rank of the comparisons."""
    import numpy as np
    from scipy.special import expit

    plain = expit(odds)
    p = (1 - noise) * plain + noise / 2
    information = ((1 - noise) * plain * (1 - plain)) ** 2 / (p * (1 - p))
    matrix = (differences * information[:, None]).T @ differences
    values, vectors = np.linalg.eigh(matrix)
    known = values > 1e-10 * max(values.max(initial=0), 1e-300)
    inverse = np.where(known | (l2 > 0), 1 / np.where(known, values + l2, l2 or 1.0), 0.0)
    spread = np.sqrt((vectors**2 * inverse).sum(axis=1))
    unknown = (vectors[:, ~known] ** 2).sum(axis=1) > 1e-9
    return np.where(unknown, np.inf, spread), int(known.sum())
