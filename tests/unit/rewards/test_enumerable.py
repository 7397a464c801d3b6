"""Laws over countable responses: best-of-n, KL, tilt and the frontier that nothing passes."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from workbench.errors import BadParameter
from workbench.rewards.enumerable import (
    best_of_n_law,
    check_law,
    frontier,
    kl,
    textbook_kl,
    tilted,
    win_rate,
)


def world(m: int, seed: int, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    proxy = rng.integers(0, max(2, m // 3), m).astype(float) if ties else rng.normal(size=m)
    return rng.dirichlet(np.full(m, 0.5)), proxy


@pytest.mark.parametrize(
    ("m", "n", "nats"),
    [(2, 4, 0.4594), (2, 64, 0.6931), (10, 16, 1.7331), (10, 64, 2.2935), (100, 64, 3.1576)],
)
def test_the_published_discrete_kls(m: int, n: int, nats: float) -> None:
    base, proxy = np.full(m, 1 / m), np.arange(m, dtype=float)
    assert kl(best_of_n_law(base, proxy, n), base) == pytest.approx(nats, abs=5e-5)


def test_the_textbook_kls_and_how_far_they_overstate() -> None:
    found = [textbook_kl(n) for n in (2, 4, 16, 64, 256, 1024)]
    assert found == pytest.approx([0.1931, 0.6363, 1.8351, 3.1745, 4.5491, 5.9324], abs=5e-5)
    assert textbook_kl(64) - math.log(2) == pytest.approx(2.48, abs=5e-3)


@pytest.mark.parametrize("ties", [False, True])
def test_the_law_is_what_brute_force_draws_give(ties: bool) -> None:
    base, proxy = world(6, 3, ties)
    expected = np.zeros(6)
    for draws in np.ndindex(6, 6, 6):
        best = [i for i in draws if proxy[i] == max(proxy[list(draws)])]
        for i in best:
            expected[i] += np.prod(base[list(draws)]) / len(best)
    assert best_of_n_law(base, proxy, 3) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("n", [1, 2, 7, 64, 4096])
def test_kl_and_win_rate_stay_below_their_bounds(n: int, ties: bool) -> None:
    for seed in range(20):
        base, proxy = world(30, seed, ties)
        law = best_of_n_law(base, proxy, n)
        assert law.sum() == pytest.approx(1, abs=1e-9)
        assert -1e-12 <= kl(law, base) <= textbook_kl(n) + 1e-12
        assert win_rate(law, base, proxy) <= n / (n + 1) + 1e-12


def test_equality_only_in_the_limit() -> None:
    gaps = []
    for m in (10, 100, 1000, 10_000):
        base = np.full(m, 1 / m)
        gaps.append(textbook_kl(16) - kl(best_of_n_law(base, np.arange(m), 16), base))
    assert all(a > 5 * b > 0 for a, b in itertools.pairwise(gaps))


def test_nothing_passes_the_frontier_and_the_tilt_lies_on_it() -> None:
    rng = np.random.default_rng(0)
    base, proxy = world(40, 1)
    for beta in (0.05, 0.3, 1.0, 5.0):
        law = tilted(base, proxy, beta)
        assert frontier(base, proxy, [kl(law, base)])[0] == pytest.approx(law @ proxy, abs=1e-8)
    for _ in range(200):
        law = rng.dirichlet(rng.uniform(0.02, 1) * np.ones(40))
        assert law @ proxy <= frontier(base, proxy, [kl(law, base)])[0] + 1e-9
    for n in (2, 8, 64):
        law = best_of_n_law(base, proxy, n)
        assert law @ proxy <= frontier(base, proxy, [kl(law, base)])[0] + 1e-9


def test_the_ends_of_the_frontier() -> None:
    base, proxy = np.array([0.5, 0.3, 0.1, 0.1]), np.array([0.0, 1.0, 2.0, 2.0])
    assert frontier(base, proxy, [0.0])[0] == pytest.approx(base @ proxy)
    assert frontier(base, proxy, [-math.log(0.2), 9.0]) == pytest.approx([2.0, 2.0])
    assert frontier(base, np.full(4, 3.0), [0.0, 1.0]) == pytest.approx([3.0, 3.0])
    with pytest.raises(BadParameter, match="a KL of"):
        frontier(base, proxy, [-0.1])


def test_an_impossible_response_is_never_played_and_costs_everything() -> None:
    base, proxy = np.array([0.6, 0.4, 0.0]), np.array([0.0, 1.0, 50.0])
    assert best_of_n_law(base, proxy, 9)[2] == 0
    assert tilted(base, proxy, 0.01)[2] == 0
    assert kl(np.array([0.0, 0.0, 1.0]), base) == math.inf
    assert frontier(base, proxy, [99.0])[0] == 1.0


@pytest.mark.parametrize(
    "law", [[0.5, 0.4], [1.5, -0.5], [], [math.nan, 1.0], [[1.0]], [math.inf, 0.0]]
)
def test_what_is_no_law(law: list[float]) -> None:
    with pytest.raises(BadParameter):
        check_law(np.array(law))


def test_best_of_less_than_one_is_refused() -> None:
    base, proxy = world(5, 0)
    for n in (0, -1, math.nan):
        with pytest.raises(BadParameter, match="best of"):
            best_of_n_law(base, proxy, n)
    with pytest.raises(BadParameter, match="penalty"):
        tilted(base, proxy, 0.0)
