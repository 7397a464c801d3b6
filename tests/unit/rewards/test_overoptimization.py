"""Both forms, neither, and where to stop: closed forms, planted curves and their nulls."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from workbench.errors import BadParameter
from workbench.rewards import drawings
from workbench.rewards.charts import Chart
from workbench.rewards.overoptimization import COLUMNS, Curve, ceiling, fit_curve
from workbench.rewards.tables import Table, from_arrow

D = np.linspace(0.3, 6, 25)


def table(d: np.ndarray, gold: np.ndarray, **columns: object) -> Table:
    return from_arrow(pa.table({"kl": d**2, "gold": gold, **columns}), COLUMNS)


def noisy(gold: np.ndarray, seed: int) -> Curve:
    noise = 0.03 * np.random.default_rng(seed).normal(size=len(D))
    return fit_curve(table(D, gold + noise), baseline=0.0)


def test_a_tilted_gaussian_has_the_best_of_n_form_exactly() -> None:
    """Gold a s - b s^2 under N(0, 1), tilted by t: mean a t - b (1 + t^2), KL t^2 / 2."""
    tilt = np.linspace(0.4, 4, 20)
    gold = tilt - 0.25 * (1 + tilt**2)
    d = np.concatenate([[0.0], tilt / math.sqrt(2)])
    curve = fit_curve(table(d, np.concatenate([[-0.25], gold])))
    fit = next(f for f in curve.fits if f.form == "best-of-n")
    assert curve.baseline == -0.25 and curve.baseline_from == "mean of 1 rows at KL 0"
    assert fit.a.value == pytest.approx(math.sqrt(2), abs=1e-9)
    assert fit.b.value == pytest.approx(0.5, abs=1e-9)
    assert fit.peak is not None and fit.peak.value == pytest.approx(math.sqrt(2), abs=1e-9)
    assert curve.verdict == "best-of-n"
    assert curve.stop_kl is not None and curve.stop_kl.value == pytest.approx(2, abs=1e-9)


@pytest.mark.parametrize(("form", "b", "peak"), [("best-of-n", 0.2, 2.5), ("rl", 0.5, math.exp(1))])
def test_the_generating_form_is_chosen(form: str, b: float, peak: float) -> None:
    gold = D * (1 - b * (D if form == "best-of-n" else np.log(D)))
    curves = [noisy(gold, seed) for seed in range(60)]
    assert Counter(curve.verdict for curve in curves) == {form: 60}
    fits = [next(f for f in curve.fits if f.form == form) for curve in curves]
    assert np.mean([f.a.value for f in fits]) == pytest.approx(1, abs=0.01)
    assert np.mean([f.b.value for f in fits]) == pytest.approx(b, abs=0.01)
    stops = [curve.stop_kl for curve in curves if curve.stop_kl is not None]
    covered = sum(s.low <= peak**2 <= s.high for s in stops if s.low and s.high)
    assert len(stops) == 60 and covered >= 52


@pytest.mark.parametrize("shape", ["step", "waves", "saturating"])
def test_neither_fits(shape: str) -> None:
    gold = {
        "step": np.tanh(3 * (D - 3)),
        "waves": np.sin(2 * D),
        "saturating": np.log1p(5 * D),
    }[shape]
    for seed in range(10):
        curve = noisy(gold, seed)
        assert curve.verdict == "neither" and curve.stop_kl is None
        assert "neither" in curve.advice


def test_the_null_is_flat() -> None:
    verdicts = Counter(noisy(np.zeros(len(D)), seed).verdict for seed in range(100))
    assert verdicts["flat"] >= 88
    constant = fit_curve(table(D, np.full(len(D), 2.0)))
    assert constant.verdict == "flat" and constant.stop_kl is None


def test_no_stop_where_the_data_show_no_turn() -> None:
    curve = noisy(D * (1 - 0.02 * D), 0)
    assert curve.verdict in ("best-of-n", "either") and curve.stop_kl is None
    assert "no turn within the data" in curve.advice


def test_an_unknown_baseline_is_fitted_with_the_form() -> None:
    gold = 7 + D * (1 - 0.2 * D)
    curve = fit_curve(table(D, gold + 0.01 * np.random.default_rng(0).normal(size=len(D))))
    assert curve.baseline == pytest.approx(7, abs=0.05)
    assert curve.verdict == "best-of-n" and curve.baseline_from == "fitted with the form"


def test_runs_widen_the_interval() -> None:
    rng = np.random.default_rng(0)
    runs = np.repeat(np.arange(8), len(D))
    d = np.tile(D, 8)
    bends = np.repeat(0.2 + 0.03 * rng.normal(size=8), len(D))
    gold = d * (1 - bends * d) + 0.03 * rng.normal(size=len(d))
    by_run = fit_curve(table(d, gold, run=runs), baseline=0.0)
    pooled = fit_curve(table(d, gold), baseline=0.0)

    def width(curve: Curve) -> float:
        b = curve.fits[0].b
        assert b.low is not None and b.high is not None
        return b.high - b.low

    assert by_run.interval == "bootstrap over runs" and width(by_run) > 1.2 * width(pooled)


def test_negative_kl_estimates() -> None:
    kl = np.concatenate([[-0.02], D**2])
    gold = np.concatenate([[0.0], D * (1 - 0.2 * D)])
    rows = from_arrow(pa.table({"kl": kl, "gold": gold}), COLUMNS)
    with pytest.raises(BadParameter, match=r"kl is -0\.02 in row 1") as refused:
        fit_curve(rows, baseline=0.0)
    assert "--drop-negative" in refused.value.hint
    curve = fit_curve(rows, baseline=0.0, drop_negative=True)
    assert (curve.points, curve.left_out) == (25, 1)


def test_too_few_points() -> None:
    with pytest.raises(BadParameter, match="7 points at 7 distances"):
        fit_curve(table(D[:7], D[:7]), baseline=0.0)
    same = np.repeat([1.0, 2.0, 3.0], 5)
    with pytest.raises(BadParameter, match="at 3 distances"):
        fit_curve(table(same, same), baseline=0.0)


def test_a_million_points() -> None:
    rng = np.random.default_rng(0)
    d = rng.uniform(0.3, 6, 1_000_000)
    gold = d * (1 - 0.2 * d) + rng.normal(size=len(d))
    curve = fit_curve(table(d, gold), baseline=0.0)
    assert curve.verdict == "best-of-n" and curve.stop_kl is not None
    assert curve.stop_kl.value == pytest.approx(6.25, abs=0.1)


def test_the_light_tail_ceiling_of_best_of_n() -> None:
    from workbench.rewards.enumerable import textbook_kl

    means = {2: 0.5642, 16: 1.7660, 1024: 3.2482}
    shares = [means[n] / ceiling(1.0, textbook_kl(n)) for n in means]
    assert shares == pytest.approx([0.908, 0.922, 0.943], abs=5e-4)


def test_the_chart_marks_the_stop_and_draws_the_control() -> None:
    (chart,) = drawings.overoptimization(noisy(D * (1 - 0.2 * D), 1))
    assert isinstance(chart, Chart) and chart.marks[0].low is not None
    assert [s.control for s in chart.series] == [False, False, False, True]
    (chart,) = drawings.overoptimization(noisy(np.sin(2 * D), 1))
    assert isinstance(chart, Chart) and not chart.marks
    assert "Neither" in chart.title and all(s.dashed for s in chart.series[1:3])
