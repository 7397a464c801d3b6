"""Bradley-Terry with noise, what is not identified, and the bench that a page or a rater calls."""

from __future__ import annotations

import math

import numpy as np
import pyarrow
import pytest

from workbench.errors import BadParameter
from workbench.rewards import bradley_terry
from workbench.rewards.preferences import PreferenceBench
from workbench.rewards.ratings import COLUMNS, ITEM, ScriptedRater, from_table
from workbench.rewards.tables import Column, from_arrow
from workbench.rewards_lab.planted_weights import recover


def test_planted_weights_are_recovered_and_the_blind_fit_is_attenuated() -> None:
    found = recover(replicates=60)
    for planted, (value, (low, high)) in zip(found.planted, found.aware, strict=True):
        half = (high - low) / 2
        assert abs(value - planted) < 2 * half, planted
    assert 0.11 < found.attenuation < 0.18 and 0.07 < found.spread < 0.13
    for (blind, _), noted in zip(found.blind, (0.857, -0.423, 0.217, 0.0), strict=True):
        assert blind == pytest.approx(noted, abs=0.05)
    without = recover(replicates=10, noise=0.0)
    assert without.attenuation == pytest.approx(0, abs=1e-9) and without.aware == without.blind


def test_standard_errors_cover() -> None:
    covered = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((400, 2))
        mu = rng.random(400) < bradley_terry.chance(x @ np.array([1.0, -0.5]), 0.1)
        fit = bradley_terry.fit(x, mu.astype(float), noise=0.1)
        covered += bool(abs(fit.weights[0] - 1) < 1.96 * fit.errors[0])
    assert covered >= 0.92 * 200


def test_a_constant_for_each_prompt_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    prompts = rng.integers(0, 20, 400)
    reward = rng.standard_normal(400) * 3
    first = rng.integers(0, 400, 1000)
    second = np.array([rng.choice(np.flatnonzero(prompts == prompts[i])) for i in first])
    mu = rng.random(1000).round()
    shifted = reward + rng.standard_normal(20)[prompts] * 100
    for noise in (0.0, 0.1):
        losses = [
            bradley_terry.loss(r[first] - r[second], mu, noise).sum() for r in (reward, shifted)
        ]
        assert losses[0] == pytest.approx(losses[1], rel=1e-12)


def test_ties_zero_features_and_directions_that_no_answer_moves() -> None:
    x = np.random.default_rng(0).standard_normal((300, 2))
    tied = bradley_terry.fit(x, np.full(300, 0.5))
    assert np.abs(tied.weights).max() < 1e-6 and tied.loss == pytest.approx(math.log(2))
    flat = bradley_terry.fit(np.column_stack([x, np.zeros(300)]), (x[:, 0] > 0.3) * 0.8 + 0.1)
    assert flat.weights[2] == 0 and flat.errors[2] == math.inf and flat.rank == 2
    constant = bradley_terry.fit(np.zeros((5, 1)), np.ones(5))
    assert constant.weights[0] == 0 and constant.rank == 0


def test_what_cannot_be_fitted_is_refused() -> None:
    x = np.linspace(-1, 1, 20)[:, None]
    with pytest.raises(BadParameter, match="perfectly separated"):
        bradley_terry.fit(x, (x[:, 0] > 0).astype(float))
    assert bradley_terry.fit(x, (x[:, 0] > 0).astype(float), l2=0.1).weights[0] > 1
    for bad in ({"noise": 1.0}, {"noise": -0.1}, {"l2": -1.0}, {"mu": np.full(20, 2.0)}):
        with pytest.raises(BadParameter):
            bradley_terry.fit(x, **{"mu": np.ones(20), **bad})
    with pytest.raises(BadParameter, match="no answers"):
        bradley_terry.fit(np.empty((0, 2)), np.empty(0))
    with pytest.raises(BadParameter, match="not finite"):
        bradley_terry.fit(np.array([[math.nan]]), np.ones(1))


def rated(count: int, by: str = "disagreement") -> tuple[PreferenceBench, np.ndarray]:
    features = np.random.default_rng(5).standard_normal((60, 3))
    gold = features @ np.array([2.0, -1.0, 0.0])
    bench, rater = PreferenceBench(features, seed=1), ScriptedRater(gold, seed=2)
    for _ in range(count // 10):
        for query in bench.next_queries(10, by):  # type: ignore[arg-type]
            bench.answer(query.a, query.b, rater.rate(query.a, query.b))
    return bench, gold


@pytest.mark.parametrize("by", ["disagreement", "random"])
def test_the_bench_learns_what_the_rater_wants(by: str) -> None:
    bench, gold = rated(150, by)
    ensemble = bench.fit()
    assert np.corrcoef(ensemble.rewards, gold)[0, 1] > 0.9
    assert ensemble.rewards.mean() == pytest.approx(0, abs=1e-9)
    assert 0 < ensemble.train_loss < math.log(2) and 0 < ensemble.held_out_loss < math.log(2)
    assert ensemble.weights.shape == (5, 3)


def test_the_next_query_is_the_one_the_members_disagree_on() -> None:
    bench, _ = rated(30)
    query = bench.next_query()
    assert f"{bench.members} members disagree most" in query.why and query.disagreement > 0
    random = np.mean([bench.next_query("random").disagreement for _ in range(30)])
    assert query.disagreement > random
    fresh = PreferenceBench(4)
    assert fresh.next_query().why == "nothing is known yet"
    assert fresh.next_query().a != fresh.next_query().b


def test_calibration_of_a_careless_and_of_an_honest_model() -> None:
    careless = [abs(b.predicted - b.observed.value) for b in rated(400, "random")[0].calibration()]
    assert len(careless) >= 5 and np.mean(careless) < 0.15
    assert PreferenceBench(3).calibration() == []


def test_levels_between_groups_are_not_identified_and_it_says_so() -> None:
    bench = PreferenceBench(4)
    for _ in range(5):
        bench.answer(0, 1, "a")
        bench.answer(2, 3, "b")
    bench.answer(0, 2, "incomparable")
    assert bench.components().tolist() in ([0, 0, 1, 1], [1, 1, 0, 0])
    rewards = bench.fit().rewards
    assert rewards[0] + rewards[1] == pytest.approx(0, abs=1e-9) and rewards[0] > 0 > rewards[2]
    said = " ".join(bench.notices())
    assert "2 groups of items" in said and "1 incomparable" in said and "2 of 4 directions" in said


def test_only_items_of_one_prompt_are_compared() -> None:
    bench = PreferenceBench(5, prompts=["p", "p", "q", "q", "alone"])
    for _ in range(20):
        query = bench.next_query("random")
        assert {query.a, query.b} in ({0, 1}, {2, 3})
    with pytest.raises(BadParameter, match="no prompt has two items"):
        PreferenceBench(3, prompts=["a", "b", "c"])


def test_a_biased_and_an_undecided_rater() -> None:
    gold = np.zeros(2)
    biased = ScriptedRater(gold, noise=0.0, bias=np.array([5.0, 0.0]))
    assert sum(biased.rate(0, 1) == "a" for _ in range(100)) > 90
    coin = ScriptedRater(np.array([50.0, 0.0]), noise=0.2)
    assert 0.05 < sum(coin.rate(0, 1) == "b" for _ in range(1000)) / 1000 < 0.15
    assert ScriptedRater(gold, tie_below=0.1).rate(0, 1) == "tie"


def test_tables_of_answers() -> None:
    answers = {"a": ["x", "y", "x"], "b": ["y", "z", "z"], "choice": ["a", "a", "tie"]}
    bench, names = from_table(from_arrow(pyarrow.table(answers), COLUMNS))
    assert names == ("x", "y", "z")
    assert bench.answers == [(0, 1, "a"), (1, 2, "a"), (0, 2, "tie")]
    items = pyarrow.table({"item": ["z", "y", "x"], "long": [0.0, 1.0, 2.0]})
    described = from_arrow(items, (ITEM, Column("long", "number", "length")))
    bench, names = from_table(from_arrow(pyarrow.table(answers), COLUMNS), described, ["long"])
    assert names == ("z", "y", "x") and bench.answers[0] == (2, 1, "a")
    assert bench.fit().weights.mean() > 0
    for change, words in (
        ({"choice": ["a", "A", "b"]}, "choice 'A'"),
        ({"b": ["y", "z", "x"]}, "row 3 compares 'x' with itself"),
    ):
        with pytest.raises(BadParameter, match=words):
            from_table(from_arrow(pyarrow.table({**answers, **change}), COLUMNS))
    with pytest.raises(BadParameter, match="'w' is not described"):
        more = {**answers, "b": ["y", "z", "w"]}
        from_table(from_arrow(pyarrow.table(more), COLUMNS), described, ["long"])


def test_what_is_no_answer_is_refused() -> None:
    bench = PreferenceBench(3)
    for wrong in ((0, 0, "a"), (0, 3, "a"), (-1, 0, "a"), (0, 1, "both")):
        with pytest.raises(BadParameter):
            bench.answer(*wrong)  # type: ignore[arg-type]
    with pytest.raises(BadParameter, match="no answers"):
        bench.fit()
    for items in (1, 50_000, np.array([[math.nan], [1.0]]), np.empty((3, 0))):
        with pytest.raises(BadParameter):
            PreferenceBench(items)


def test_many_items_with_a_reward_each() -> None:
    bench = PreferenceBench(5000)
    rng = np.random.default_rng(0)
    for a, b in rng.integers(0, 5000, (30_000, 2)).tolist():
        if a != b:
            bench.answer(a, b, "a" if a > b else "b")
    assert np.corrcoef(bench.fit().rewards, np.arange(5000))[0, 1] > 0.8
    assert "1 of 5000 directions" in " ".join(bench.notices())


@pytest.mark.long
def test_a_million_answers() -> None:
    rng = np.random.default_rng(0)
    n = 1_000_000
    a, b = rng.integers(0, 50, n), rng.integers(50, 100, n)
    gold = np.linspace(-1, 1, 100)
    first = rng.random(n) < bradley_terry.chance(gold[a] - gold[b], 0.1)
    columns = {
        "a": np.char.add("i", a.astype(str)),
        "b": np.char.add("i", b.astype(str)),
        "choice": np.where(first, "a", "b"),
    }
    bench, names = from_table(from_arrow(pyarrow.table(columns), COLUMNS))
    order = [int(name[1:]) for name in names]
    assert np.corrcoef(bench.fit().rewards, gold[order])[0, 1] > 0.999
