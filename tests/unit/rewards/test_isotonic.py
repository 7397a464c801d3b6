"""Rates that rise with a dose are told from rates that do not."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.errors import BadParameter
from workbench.rewards.isotonic import isotonic, trend


def test_violators_are_pooled() -> None:
    for hits, n, fitted in (
        ([1, 3, 2, 9], [10, 10, 10, 10], [0.1, 0.25, 0.25, 0.9]),
        ([5, 0], [10, 30], [0.125, 0.125]),
        ([9, 5, 1], [10, 10, 10], [0.5, 0.5, 0.5]),
    ):
        assert isotonic(np.array([hits]), np.array(n))[0].tolist() == pytest.approx(fitted)


@pytest.mark.parametrize(
    ("hits", "monotone"),
    [
        ((1, 5, 12, 25, 39), True),
        ((0, 0, 0, 40, 40), True),
        ((39, 25, 12, 5, 1), False),  # falls
        ((0, 38, 2, 39, 40), False),  # rises on the whole, with a hole that is no noise
        ((20, 19, 21, 20, 20), False),
        ((0, 0, 0, 0, 0), False),
        ((40, 40, 40, 40, 40), False),
    ],
)
def test_what_is_monotone(hits: tuple[int, ...], monotone: bool) -> None:
    assert trend(hits, [40] * 5).monotone is monotone


def test_a_flat_rate_rises_as_often_as_the_level_says() -> None:
    rng = np.random.default_rng(0)
    p = [trend(rng.binomial(40, 0.4, 5).tolist(), [40] * 5, seed=i).p_rise for i in range(60)]
    assert sum(value < 0.05 for value in p) <= 8 and max(p) > 0.5


def test_too_few_doses_are_refused() -> None:
    for hits, n in (([1, 2], [3, 3]), ([1, 2, 0], [3, 3, 0]), ([1, 2, 3], [3, 3])):
        with pytest.raises(BadParameter, match="doses"):
            trend(hits, n)
