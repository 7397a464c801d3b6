"""The best-of-n meter against brute force, against exact worlds, and on what tables hold."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from workbench.errors import BadParameter
from workbench.rewards import drawings
from workbench.rewards.best_of_n import COLUMNS, Meter, best_of_n, measure
from workbench.rewards.charts import Chart
from workbench.rewards.enumerable import best_of_n_law, kl, textbook_kl, win_rate
from workbench.rewards.ranks import weights
from workbench.rewards.tables import Table, from_arrow

MAX_OF_NORMALS = {2: 0.5642, 4: 1.0294, 16: 1.7660, 64: 2.3437}


def table(proxy: np.ndarray, gold: np.ndarray, base: np.ndarray | None = None) -> Table:
    """[prompts, samples] arrays as a table."""
    prompts, samples = proxy.shape
    columns = {
        "prompt": np.repeat(np.arange(prompts), samples),
        "proxy": proxy.ravel(),
        "gold": gold.ravel(),
    }
    if base is not None:
        columns["base"] = base.ravel()
    return from_arrow(pa.table(columns), COLUMNS)


def gaussian(prompts: int, samples: int, seed: int, s: float = 1.0) -> Table:
    rng = np.random.default_rng(seed)
    gold = rng.normal(size=(prompts, samples))
    return table(gold + s * rng.normal(size=gold.shape), gold)


def subsets(proxy: Sequence[float], value: Sequence[float], n: int) -> float:
    """Mean over all subsets of n of the winner's value, ties shared."""
    total = []
    for chosen in itertools.combinations(range(len(proxy)), n):
        top = max(proxy[i] for i in chosen)
        total.append(np.mean([value[i] for i in chosen if proxy[i] == top]))
    return float(np.mean(total))


def test_the_estimator_is_the_mean_over_all_subsets() -> None:
    rng = np.random.default_rng(9)
    proxy, gold = rng.normal(size=9), rng.normal(size=9)
    assert best_of_n(proxy, gold, 3) == pytest.approx(subsets(proxy, gold, 3), abs=1e-12)
    assert weights(np.arange(1, 10), 9, 3).sum() == pytest.approx(1, abs=1e-12)
    assert best_of_n(proxy, gold, 1) == pytest.approx(gold.mean(), abs=1e-12)
    assert best_of_n(proxy, gold, 9) == gold[np.argmax(proxy)]


def test_ties_count_every_order_alike() -> None:
    proxy = np.array([0.0, 1, 1, 1, 2, 2, 3, 3])
    gold = np.arange(8.0) ** 2
    orders = []
    for _ in range(200):
        # infinitesimal noise breaks ties in each possible way
        noise = np.random.default_rng(len(orders)).permutation(8) * 1e-9
        orders.append(best_of_n(proxy + noise, gold, 3))
    assert best_of_n(proxy, gold, 3) == pytest.approx(np.mean(orders), rel=0.02)
    assert best_of_n(np.zeros(8), gold, 5) == pytest.approx(gold.mean())


def test_the_gaussian_world() -> None:
    meter = measure(gaussian(150, 128, 0), seed=1)
    for point in meter.points:
        expected = {1: 0.0, **MAX_OF_NORMALS}.get(point.n)
        if expected is not None:
            for read, value in (
                (point.gold, expected / math.sqrt(2)),
                (point.proxy, expected * math.sqrt(2)),
            ):
                assert abs(read.value - value) <= 0.8 * (read.high - read.low), point
            assert point.kl == pytest.approx(textbook_kl(point.n), abs=1e-12)
            assert point.win_rate == pytest.approx(point.n / (point.n + 1), abs=1e-9)
    assert meter.verdict == "no decline seen"


def test_a_planted_decline_is_found_and_its_null_is_not() -> None:
    rng = np.random.default_rng(4)
    proxy = rng.normal(size=(60, 256))
    bent = measure(table(proxy, proxy - 0.5 * proxy**2))
    assert bent.verdict == "declines" and bent.p is not None and bent.p < 0.01
    assert bent.decline_from in (2, 4, 8, 16) and bent.decline is not None
    assert bent.decline.high < 0
    quiet = [measure(table(proxy, rng.normal(size=proxy.shape)), seed=s) for s in range(20)]
    assert sum(m.verdict == "declines" for m in quiet) <= 3
    for meter in quiet[:3]:
        assert abs(meter.points[-1].gold.value - meter.points[0].gold.value) < 0.6


def test_the_intervals_cover_the_exact_value() -> None:
    """20 prompts drawn from an enumerated world; tests/science has 500 replicates."""
    rng = np.random.default_rng(11)
    m, n = 12, 4
    base = rng.dirichlet(np.ones(m))
    proxy = rng.integers(0, 6, m).astype(float)
    gold = proxy + rng.normal(size=m) * 2
    exact = float(best_of_n_law(base, proxy, n) @ gold)
    covered = 0
    for seed in range(100):
        drawn = np.random.default_rng(seed).choice(m, size=(20, 16), p=base)
        meter = measure(table(proxy[drawn], gold[drawn]), ns=[n], seed=seed, resamples=400)
        covered += meter.points[-1].gold.low <= exact <= meter.points[-1].gold.high
    assert covered >= 90


def test_one_prompt_gets_a_jackknife_interval_that_covers() -> None:
    covered = 0
    for seed in range(100):
        meter = measure(gaussian(1, 200, seed), ns=[4], seed=seed)
        assert meter.verdict == "undetermined" and meter.interval.startswith("jackknife")
        point = meter.points[-1].gold
        covered += point.low <= MAX_OF_NORMALS[4] / math.sqrt(2) <= point.high
    assert covered >= 89


def test_the_naive_estimator_has_the_same_mean_and_more_variance() -> None:
    rng = np.random.default_rng(2)
    clever, naive = [], []
    for _ in range(2000):
        gold = rng.normal(size=16)
        proxy = gold + rng.normal(size=16)
        clever.append(best_of_n(proxy, gold, 4))
        winners = proxy.reshape(4, 4).argmax(axis=1) + np.arange(4) * 4
        naive.append(gold[winners].mean())
    error = np.std(np.subtract(clever, naive)) / math.sqrt(2000)
    assert abs(np.mean(clever) - np.mean(naive)) < 4 * error
    assert np.var(clever) < 0.8 * np.var(naive)


def test_the_turnover_of_a_bent_gold() -> None:
    """Gold s - s^2/4 under a standard normal proxy: raw values of the closed form."""
    rng = np.random.default_rng(8)
    proxy = rng.normal(size=(100, 1024))
    meter = measure(table(proxy, proxy - 0.25 * proxy**2), ns=[2, 4, 16, 64, 256, 1024])
    expected = [-0.25, 0.3142, 0.6415, 0.9126, 0.9196, 0.7907, 0.5797]
    for point, value in zip(meter.points, expected, strict=True):
        assert point.gold.low - 0.01 <= value <= point.gold.high + 0.01, point
    gold = {point.n: point.gold.value for point in meter.points}
    assert max(gold, key=lambda n: gold[n]) in (16, 64, 256)
    assert meter.verdict == "declines"


def test_listed_worlds_are_exact() -> None:
    rng = np.random.default_rng(5)
    base = rng.dirichlet(np.ones(8), size=3)
    proxy, gold = rng.integers(0, 4, (3, 8)).astype(float), rng.normal(size=(3, 8))
    meter = measure(table(proxy, gold, base), ns=[2, 16])
    for point in meter.points:
        laws = [best_of_n_law(b, p, point.n) for b, p in zip(base, proxy, strict=True)]
        assert point.gold.value == pytest.approx(
            np.mean([w @ g for w, g in zip(laws, gold, strict=True)]), abs=1e-12
        )
        assert point.gold.low == point.gold.value == point.gold.high
        assert point.kl == pytest.approx(
            np.mean([kl(w, b) for w, b in zip(laws, base, strict=True)]), abs=1e-12
        )
        assert point.win_rate == pytest.approx(
            np.mean([win_rate(*x) for x in zip(laws, base, proxy, strict=True)]), abs=1e-12
        )
    assert meter.points[-1].kl < textbook_kl(16)
    base[1, 0] += 0.1
    with pytest.raises(BadParameter, match="base of prompt '1' sums to"):
        measure(table(proxy, gold, base))


def test_the_sampled_kl_knows_ties() -> None:
    rng = np.random.default_rng(6)
    proxy = rng.integers(0, 2, (50, 512)).astype(float)
    meter = measure(table(proxy, proxy), ns=[4, 64])
    base = np.array([0.5, 0.5])
    for point in meter.points:
        exact = kl(best_of_n_law(base, np.array([0.0, 1.0]), point.n), base)
        assert point.kl == pytest.approx(exact, abs=0.01)


def test_constant_rewards_move_nothing() -> None:
    gold = np.random.default_rng(0).normal(size=(6, 8))
    meter = measure(table(np.ones((6, 8)), gold))
    for point in meter.points:
        assert point.gold.value == pytest.approx(gold.mean(), abs=1e-12)
        assert point.kl == 0 and point.win_rate == pytest.approx(0.5)
    assert meter.verdict == "no decline seen" and "never varies within 6" in meter.notes[0]
    flat = measure(table(gold, np.full((6, 8), 2.0)))
    assert [p.gold.value for p in flat.points] == pytest.approx([2.0] * 4)
    assert flat.verdict == "no decline seen"
    assert all(math.isfinite(v) for chart in drawings.best_of_n(flat) for v in _values(chart))


def _values(chart: object) -> list[float]:
    assert isinstance(chart, Chart)
    return [v for s in chart.series for v in (*s.y, *s.low, *s.high)]


def test_what_is_refused() -> None:
    one = np.ones((7, 1))
    with pytest.raises(BadParameter, match="every prompt has one sample"):
        measure(table(one, one))
    with pytest.raises(BadParameter, match="best of 9, but prompt '0' has 8 samples"):
        measure(gaussian(6, 8, 0), ns=[9])
    with pytest.raises(BadParameter, match="takes one more"):
        measure(gaussian(1, 8, 0), ns=[8])
    with pytest.raises(BadParameter, match="best of 4 from 3 samples"):
        best_of_n(np.ones(3), np.ones(3), 4)
    uneven = from_arrow(
        pa.table({"prompt": ["a"] * 5 + ["b"], "proxy": np.ones(6), "gold": np.ones(6)}), COLUMNS
    )
    with pytest.raises(BadParameter, match="prompt 'b' has 1 samples"):
        measure(uneven)


def test_the_same_seed_gives_the_same_meter_whatever_the_order_of_rows() -> None:
    rng = np.random.default_rng(0)
    gold = rng.normal(size=(8, 16))
    proxy = gold + rng.normal(size=gold.shape)
    straight = measure(table(proxy, gold), seed=3)
    assert straight == measure(table(proxy, gold), seed=3)
    order = rng.permutation(128)
    columns = {
        "prompt": np.repeat(np.arange(8), 16)[order],
        "proxy": proxy.ravel()[order],
        "gold": gold.ravel()[order],
    }
    mixed = measure(from_arrow(pa.table(columns), COLUMNS), seed=3)
    for a, b in zip(straight.points, mixed.points, strict=True):
        assert a.gold.value == pytest.approx(b.gold.value, abs=1e-12)


def test_a_million_rows() -> None:
    meter: Meter = measure(gaussian(10_000, 100, 0), ns=[64])
    assert meter.rows == 1_000_000
    last = meter.points[-1]
    assert last.n == 64
    assert last.gold.value == pytest.approx(MAX_OF_NORMALS[64] / math.sqrt(2), abs=0.02)


def test_the_charts_draw_interval_and_control() -> None:
    gains, divergences = drawings.best_of_n(measure(gaussian(10, 32, 0)))
    assert isinstance(gains, Chart) and isinstance(divergences, Chart)
    assert [s.control for s in gains.series] == [False, False, True]
    assert all(len(s.low) == len(s.y) == 6 for s in gains.series)
    assert "sqrt(KL in nats)" in gains.x_label and "standard deviations" in gains.y_label
