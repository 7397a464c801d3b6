"""Drivers that are trained on the score end on the side that the linter predicts."""

from __future__ import annotations

import pytest

from workbench.errors import BadParameter
from workbench.rewards.specification import RewardSpec
from workbench.rewards_lab.circling import PLANTED, SOUND, draw_lagoons, flips, race
from workbench.rewards_lab.drivers import Worlds


def test_the_planted_lagoon_is_circled_and_the_null_version_is_not() -> None:
    planted, null = race(PLANTED), race(SOUND)
    assert planted.lint.verdict == "exploit" and not planted.finishes
    assert planted.score_interval[0] > planted.finisher_score
    assert planted.completion.value < 0.02
    assert null.lint.verdict == "sound" and null.finishes and null.predicted
    assert null.completion.value == 1.0
    assert null.trained == null.scripted != planted.trained


def test_drivers_flip_on_the_predicted_side() -> None:
    rate = flips(200, seed=0, updates=60)
    assert rate.n == 200 and rate.value >= 0.95


def test_drawn_lagoons_stay_out_of_the_band() -> None:
    drawn = draw_lagoons(40, seed=5)
    for lagoon, discount in drawn:
        near = (discount * 0.98, discount, min(0.999, discount * 1.02))
        signs = {lagoon.log_advantage(g) > 0 for g in near}
        assert len(signs) == 1
    assert sum(lagoon.log_advantage(g) > 0 for lagoon, g in drawn) == 20
    with pytest.raises(BadParameter, match="band"):
        draw_lagoons(1, seed=0, band=0.5)


def test_a_dead_end_is_refused() -> None:
    spec = RewardSpec.from_rows(
        [("a", "x", "pit", 1.0), ("a", "y", "end", 1.0)], start="a", goals=["end"]
    )
    with pytest.raises(BadParameter, match="dead end"):
        Worlds.of([spec])
