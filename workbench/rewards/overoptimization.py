"""Gold against distance: both published forms fitted, or neither, and where to stop.

Gao, Schulman and Hilton 2022 (arXiv 2210.10760): with d = sqrt(KL), the gain of best-of-n is
d (a - b d) and that of reinforcement learning d (a - b log d).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from workbench.errors import BadParameter
from workbench.rewards.tables import Column, Table

if TYPE_CHECKING:
    import numpy

COLUMNS = (
    Column("kl", "number", "KL from the base policy, nats; 0 for the base policy itself"),
    Column("gold", "number", "mean gold reward of the policy at that KL"),
    Column("run", "text", "which optimisation run the point belongs to", optional=True),
)
FEWEST_POINTS = 8
FEWEST_RUNS = 5
DRAWS = 4000
MISFIT_P = 0.0001
FLAT_P = 0.05
CLOSE_AIC = 2.0

Form = Literal["best-of-n", "rl"]
FORMS: tuple[Form, ...] = ("best-of-n", "rl")


@dataclasses.dataclass(frozen=True, slots=True)
class Coefficient:
    """An estimate with its 95 % interval; None is unbounded."""

    value: float
    low: float | None
    high: float | None

    def to_json(self) -> dict[str, Any]:
        return {"value": self.value, "ci": [self.low, self.high]}


@dataclasses.dataclass(frozen=True, slots=True)
class Fit:
    """One form, fitted.

    misfit_p: twice the smaller p of an F-test against the form with d^2, d log d and d^3 added and
    of von Neumann's test for residuals that follow their neighbours; below 0.0001 the form is
    refused. peak: the d where gold is highest, None where the curve has none (b <= 0).
    peak_share: share of the draws of (a, b) that have a peak within the data.
    """

    form: Form
    a: Coefficient
    b: Coefficient
    intercept: float
    aic: float
    r_squared: float
    residual: float
    misfit_p: float
    peak: Coefficient | None
    peak_gain: float | None
    peak_share: float

    @property
    def fits(self) -> bool:
        """Whether nothing speaks against the form."""
        return self.misfit_p >= MISFIT_P

    def at(self, d: float) -> float:
        """The fitted gain over the base policy at a distance d > 0."""
        return d * (self.a.value - self.b.value * (d if self.form == "best-of-n" else math.log(d)))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON with `ci` for intervals and `fits`."""
        parts = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        for name in ("a", "b", "peak"):
            parts[name] = None if parts[name] is None else parts[name].to_json()
        return {**parts, "fits": self.fits}


@dataclasses.dataclass(frozen=True, slots=True)
class Curve:
    """Both fits and what follows.

    verdict: "best-of-n", "rl", "either" (both fit, AIC within 2), "neither", or "flat" where gold
    does not depend on d at all (F-test, 5 %). stop_kl: the KL to stop at, nats; None where the
    data show no turn. The form does not tell the optimiser: a tilt of a Gaussian proxy has the
    best-of-n form too.
    """

    points: int
    left_out: int
    baseline: float
    baseline_from: str
    interval: str
    fits: tuple[Fit, ...]
    verdict: str
    stop_kl: Coefficient | None
    advice: str
    d: tuple[float, ...]
    gain: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON with `ci` for intervals."""
        parts = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        stop = None if self.stop_kl is None else self.stop_kl.to_json()
        return {**parts, "fits": [fit.to_json() for fit in self.fits], "stop_kl": stop}


def ceiling(sigma: float, kl: float) -> float:
    """sigma sqrt(2 KL): the most that a sub-Gaussian reward can gain at a KL of that many nats."""
    return sigma * math.sqrt(2 * kl)


def fit_curve(
    table: Table,
    *,
    baseline: float | None = None,
    d_min: float = 0.25,
    drop_negative: bool = False,
    seed: int = 0,
) -> Curve:
    """Fits both forms to a table with COLUMNS.

    baseline: gold of the base policy; else the mean over rows with KL 0, else fitted with the
    forms. d_min: points nearer than this are left out of both fits: the slope of the rl form is
    infinite at 0, and its authors see it misfit there. Intervals: bootstrap over runs from 5 runs
    on, else the residuals' t distribution. Raises BadParameter on a negative KL unless
    `drop_negative`, below 8 usable points or 4 different distances.
    """
    import numpy as np

    kl, gold = table.numbers("kl"), table.numbers("gold")
    negative = kl < 0
    if negative.any() and not drop_negative:
        row = int(np.argmax(negative))
        raise BadParameter(
            f"kl is {kl[row]:.4g} in row {row + 1}: an estimate below 0 ({int(negative.sum())} of "
            f"{len(kl)})",
            hint="A KL is at least 0, such an estimate is noise: estimate from more samples, or "
            "leave these rows out with --drop-negative.",
        )
    at_base = kl == 0
    given = "given" if baseline is not None else "fitted with the form"
    if baseline is None and at_base.any():
        baseline, given = float(gold[at_base].mean()), f"mean of {int(at_base.sum())} rows at KL 0"
    d = np.sqrt(np.maximum(kl, 0.0))
    used = ~negative & (d > 0) & (d >= d_min)
    runs = table.labels("run").codes[used] if "run" in table else None
    d, gold = d[used], gold[used]
    if len(d) < FEWEST_POINTS or len(np.unique(d)) < 4:
        raise BadParameter(
            f"{len(d)} points at {len(np.unique(d))} distances of at least {d_min}",
            hint=f"Give at least {FEWEST_POINTS} points at 4 distances, or a smaller --d-min.",
        )
    rng = np.random.default_rng(seed)
    fits = tuple(_fit(form, d, gold, baseline, runs, rng) for form in FORMS)
    if baseline is None:
        baseline = min(fits, key=lambda fit: fit.aic).intercept
    flat = _flat(d, gold, baseline, given)
    verdict = _verdict(fits, flat)
    chosen = _chosen(fits, verdict)
    stop, advice = _advice(chosen, float(d.max()), verdict)
    clustered = runs is not None and len(np.unique(runs)) >= FEWEST_RUNS
    return Curve(
        points=len(d),
        left_out=int((~used).sum()),
        baseline=baseline,
        baseline_from=given,
        interval="bootstrap over runs" if clustered else "t distribution of the residuals",
        fits=fits,
        verdict=verdict,
        stop_kl=stop,
        advice=advice,
        d=tuple(map(float, d)),
        gain=tuple(float(g - baseline) for g in gold),
    )


def _design(form: str, d: numpy.ndarray, intercept: bool) -> numpy.ndarray:
    import numpy as np

    columns = [d, -d * d if form == "best-of-n" else -d * np.log(d)]
    return np.stack([*columns, *([np.ones_like(d)] if intercept else [])], axis=1)


def _fit(
    form: Form,
    d: numpy.ndarray,
    gold: numpy.ndarray,
    baseline: float | None,
    runs: numpy.ndarray | None,
    rng: numpy.random.Generator,
) -> Fit:
    import numpy as np

    x, y = _design(form, d, baseline is None), gold - (baseline or 0.0)
    solution = np.linalg.lstsq(x, y, rcond=None)[0]
    rest = float(np.sum((y - x @ solution) ** 2))
    free = len(d) - x.shape[1]
    sigma2 = rest / free
    floor = (1e-12 * max(1.0, float(np.abs(y).max()))) ** 2
    total = float(np.sum((y - y.mean()) ** 2))
    draws = _draws(form, x, y, solution, sigma2, runs, rng)
    a, b = draws[:, 0], draws[:, 1]
    peaks = _peaks(form, a, b)
    peak = _peaks(form, solution[:1], solution[1:2])[0]
    inside = float(np.mean(peaks <= d.max()))
    low, high = np.quantile(peaks, [0.025, 0.975], method="inverted_cdf")
    has_peak = bool(np.isfinite(peak))
    height = None
    if has_peak:
        height = peak * (
            solution[0] - solution[1] * (peak if form == "best-of-n" else math.log(peak))
        )
    return Fit(
        form=form,
        a=_coefficient(float(solution[0]), a),
        b=_coefficient(float(solution[1]), b),
        intercept=float(solution[2]) if baseline is None else baseline,
        aic=len(d) * math.log(max(rest / len(d), floor)) + 2 * (x.shape[1] + 1),
        r_squared=1 - rest / total if total > floor else 0.0,
        residual=math.sqrt(sigma2),
        misfit_p=_misfit(d, x, y, rest, floor),
        peak=Coefficient(
            float(peak),
            float(low) if np.isfinite(low) else None,
            float(high) if np.isfinite(high) else None,
        )
        if has_peak
        else None,
        peak_gain=None if height is None else float(height),
        peak_share=inside,
    )


def _coefficient(value: float, draws: numpy.ndarray) -> Coefficient:
    import numpy as np

    low, high = np.quantile(draws, [0.025, 0.975])
    return Coefficient(value, float(low), float(high))


def _draws(
    form: Form,
    x: numpy.ndarray,
    y: numpy.ndarray,
    solution: numpy.ndarray,
    sigma2: float,
    runs: numpy.ndarray | None,
    rng: numpy.random.Generator,
) -> numpy.ndarray:
    """[draws, coefficients] from the bootstrap over runs, or from the residuals' t distribution."""
    import numpy as np

    groups = [] if runs is None else [np.flatnonzero(runs == r) for r in np.unique(runs)]
    if len(groups) >= FEWEST_RUNS:
        # normal equations add up over runs, so a resample is a weighted sum of them
        grams = np.stack([x[g].T @ x[g] for g in groups])
        sides = np.stack([x[g].T @ y[g] for g in groups])
        times = rng.multinomial(len(groups), np.full(len(groups), 1 / len(groups)), DRAWS)
        gram, side = np.tensordot(times, grams, 1), times @ sides
        inverse = np.linalg.pinv(gram, hermitian=True)
        return np.asarray(np.einsum("nij,nj->ni", inverse, side))
    free = len(y) - x.shape[1]
    covariance = sigma2 * np.linalg.pinv(x.T @ x, hermitian=True)
    normal = rng.multivariate_normal(np.zeros(x.shape[1]), covariance, DRAWS, method="eigh")
    return np.asarray(solution + normal / np.sqrt(rng.chisquare(free, (DRAWS, 1)) / free))


def _peaks(form: Form, a: numpy.ndarray, b: numpy.ndarray) -> numpy.ndarray:
    """Where each curve is highest: 0 where it only falls, infinite where it only rises."""
    import numpy as np

    turns = b > 0
    safe = np.where(turns, b, 1.0)
    if form == "best-of-n":
        inner = np.maximum(a / (2 * safe), 0.0)
    else:
        inner = np.exp(np.minimum(a / safe - 1, 300.0))
    return np.where(turns, inner, np.inf)


def _misfit(
    d: numpy.ndarray, x: numpy.ndarray, y: numpy.ndarray, rest: float, floor: float
) -> float:
    """p of the F-test that further terms explain nothing."""
    import numpy as np
    from scipy.stats import f

    wide = np.concatenate([x, np.stack([d * d, d * np.log(d), d**3], axis=1)], axis=1)
    wide = wide / np.abs(wide).max(axis=0)
    solution, _, rank, _ = np.linalg.lstsq(wide, y, rcond=1e-10)
    left = float(np.sum((y - wide @ solution) ** 2))
    added, free = int(rank) - x.shape[1], len(d) - int(rank)
    if added < 1 or free < 1 or rest <= floor * len(d):
        return 1.0
    if left <= floor * len(d):
        return 0.0
    more = float(f.sf((rest - left) / added / (left / free), added, free))
    residuals = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    return min(1.0, 2 * min(more, _follows(d, residuals)))


def _follows(d: numpy.ndarray, residuals: numpy.ndarray) -> float:
    """p that neighbours along d are as unlike as strangers (von Neumann 1941, Ann. Math. Statist.
    12, 367, normal approximation; one-sided)."""
    import numpy as np
    from scipy.stats import norm

    n = len(d)
    along = residuals[np.argsort(d, kind="stable")]
    ratio = float(np.sum(np.diff(along) ** 2) / np.sum(along**2))
    return float(norm.cdf((ratio - 2) / math.sqrt(4 * (n - 2) / (n * n - 1))))


def _flat(d: numpy.ndarray, gold: numpy.ndarray, baseline: float, given: str) -> bool:
    """Whether a line at the baseline (at any height, where it was fitted) does as well as both
    forms together."""
    import numpy as np
    from scipy.stats import f

    fitted = given.startswith("fitted")
    level = float(gold.mean()) if fitted else baseline
    rest = float(np.sum((gold - level) ** 2))
    wide = np.stack([d, d * d, d * np.log(d)], axis=1)
    if fitted:
        wide = np.concatenate([wide, np.ones((len(d), 1))], axis=1)
    solution, _, rank, _ = np.linalg.lstsq(wide, gold - (0.0 if fitted else baseline), rcond=1e-10)
    left = float(np.sum((gold - (0.0 if fitted else baseline) - wide @ solution) ** 2))
    added, free = int(rank) - fitted, len(d) - int(rank)
    follows = gold - float(gold.mean())
    tiny = len(d) * (1e-12 * max(1.0, float(np.abs(gold).max()))) ** 2
    if rest <= tiny:
        return True
    if left <= tiny or free < 1:
        return False
    if _follows(d, follows) < MISFIT_P:
        return False
    return float(f.sf((rest - left) / added / (left / free), added, free)) >= FLAT_P


def _verdict(fits: tuple[Fit, ...], flat: bool) -> str:
    if flat:
        return "flat"
    fitting = [fit for fit in fits if fit.fits]
    if not fitting:
        return "neither"
    if len(fitting) == 2 and abs(fits[0].aic - fits[1].aic) < CLOSE_AIC:
        return "either"
    return min(fitting, key=lambda fit: fit.aic).form


def _chosen(fits: tuple[Fit, ...], verdict: str) -> Fit | None:
    if verdict in ("flat", "neither"):
        return None
    if verdict == "either":
        return min(fits, key=lambda fit: fit.aic)
    return next(fit for fit in fits if fit.form == verdict)


def _advice(fit: Fit | None, furthest: float, verdict: str) -> tuple[Coefficient | None, str]:
    if fit is None:
        reason: Mapping[str, str] = {
            "flat": "gold does not move with KL: there is nothing to stop for, and nothing gained",
            "neither": "neither form describes these points: read the curve itself",
        }
        return None, reason[verdict]
    peak = fit.peak
    if peak is None or peak.value > furthest or fit.peak_share < 0.5:
        return None, f"no turn within the data (up to KL = {furthest**2:.3g} nats)"

    def square(end: float | None) -> float | None:
        return None if end is None or end > 1e100 else end * end

    stop = Coefficient(peak.value**2, square(peak.low), square(peak.high))
    low = "0" if stop.low is None else f"{stop.low:.3g}"
    high = "no bound" if stop.high is None else f"{stop.high:.3g}"
    return stop, f"stop at KL = {stop.value:.3g} nats (95 % interval {low} to {high})"
