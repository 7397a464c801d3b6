"""The simulated evaluator does what the closed form says, and critics do what they are for."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.rewards.assisted import Condition, Evaluator, measure
from workbench.rewards_lab.weak_evaluator import TrainedCritic, draw_responses, measured, run


@pytest.mark.parametrize("trust", [0.0, 0.5])
def test_simulation_and_closed_form_agree(trust: float) -> None:
    table, closed = run(Evaluator(trust=trust), items=4000, labelled=300, seed=3)
    found: dict[str, Condition] = {c.name: c for c in measure(table)}
    for name, condition in found.items():
        spread = np.sqrt(0.25 / condition.accuracy.n)
        assert abs(condition.accuracy.value - closed[name]) < 3.3 * spread, name
    assert found["perfect"].verdict == found["trained"].verdict == "helps"
    assert found["adversarial"].verdict == found["trained, adversarial"].verdict == "harms"
    assert found["random"].verdict == ("no uplift shown" if trust == 0 else "harms")


def test_a_random_critic_gives_no_uplift() -> None:
    """The null version: the interval contains 0 about as often as it should."""
    inside = 0
    for seed in range(40):
        table, _ = run(Evaluator(), items=400, labelled=4, seed=seed)
        condition = next(c for c in measure(table) if c.name == "random")
        assert condition.interval is not None
        inside += condition.interval[0] <= 0 <= condition.interval[1]
    assert inside >= 35


def test_more_labels_make_a_better_critic_and_none_a_useless_one() -> None:
    rng = np.random.default_rng(0)
    evaluator = Evaluator()
    fresh = draw_responses(evaluator, 2000, rng)
    points = []
    for labels in (1, 6, 100):
        critic = TrainedCritic.train(draw_responses(evaluator, labels, rng))
        points.append(measured(critic.tell(fresh), fresh).points)
    assert points[0] < points[1] < points[2] and points[2] > 0.9
    shuffled = draw_responses(evaluator, 2000, rng)
    object.__setattr__(shuffled, "flaw", rng.permutation(shuffled.flaw))
    useless = measured(TrainedCritic.train(shuffled).tell(fresh), fresh)
    assert useless.points < 0.2
