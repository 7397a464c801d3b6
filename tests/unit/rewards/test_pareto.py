"""The frontier of cost and detection: closed forms, brute force, bootstrap and its words."""

from __future__ import annotations

import math
from itertools import combinations, pairwise

import numpy as np
import pyarrow
import pytest

from workbench.errors import BadParameter
from workbench.rewards.hull import Attempt, cost_to_reach, escalate, on_hull, retry, vertices
from workbench.rewards.pareto import COLUMNS, NO_AUDIT, SUMMARY, Board, example, measure, summarise
from workbench.rewards.tables import Table, from_arrow


@pytest.mark.parametrize(
    ("false_accept", "accuracies", "costs"),
    [
        (0.0, (0.5, 0.75, 0.9375, 0.9961), (1, 1.5, 1.875, 1.992)),
        (0.1, (0.5, 0.725, 0.8718, 0.9076), None),
    ],
)
def test_retry_in_closed_form_and_simulated(
    false_accept: float, accuracies: tuple[float, ...], costs: tuple[float, ...] | None
) -> None:
    rng = np.random.default_rng(0)
    n = 20_000
    for place, k in enumerate((1, 2, 4, 8)):
        found = retry(0.5, k, false_accept=false_accept)
        assert round(found.accuracy, 4) == accuracies[place]
        if costs:
            assert found.cost == pytest.approx(costs[place], abs=5e-4)
        right = rng.random((n, k)) < 0.5
        accepted = right | (rng.random((n, k)) < false_accept)
        stopped = np.where(accepted.any(axis=1), accepted.argmax(axis=1), k - 1)
        won = right[np.arange(n), stopped] & accepted[np.arange(n), stopped]
        assert abs(won.mean() - found.accuracy) < 3.3 * math.sqrt(0.25 / n)
        tries = stopped + 1.0
        assert abs(tries.mean() - found.cost) <= 3.3 * tries.std() / math.sqrt(n) + 1e-12
    assert retry(0.5, 10_000, false_accept=0.1).accuracy == pytest.approx(0.9091, abs=5e-5)


def test_retry_at_the_ends_and_escalation() -> None:
    assert retry(0.0, 7) == Attempt(0.0, 7.0)
    assert retry(1.0, 7, cost=3.0) == Attempt(1.0, 3.0)
    assert escalate(Attempt(0.6, 1.0), Attempt(0.5, 10.0)) == Attempt(0.8, 5.0)
    for wrong in ({"p": 1.1, "k": 1}, {"p": 0.5, "k": 0}, {"p": math.nan, "k": 1}):
        with pytest.raises(BadParameter):
            retry(**wrong)  # type: ignore[arg-type]


def brute(cost: np.ndarray, value: np.ndarray) -> list[bool]:
    """No point, and no mixture of two, is as cheap and better, or cheaper and as good."""
    answers = []
    for i in range(len(cost)):
        beaten = any(
            cost[j] <= cost[i] and value[j] >= value[i]
            and (cost[j] < cost[i] or value[j] > value[i])
            for j in range(len(cost))
        )  # fmt: skip
        for a, b in combinations(range(len(cost)), 2):
            low, high = sorted((a, b), key=lambda j: cost[j])
            if cost[low] < cost[i] < cost[high]:
                share = (cost[i] - cost[low]) / (cost[high] - cost[low])
                beaten |= (1 - share) * value[low] + share * value[high] > value[i] + 1e-12
        answers.append(not beaten)
    return answers


def test_the_hull_is_that_of_brute_force() -> None:
    rng = np.random.default_rng(0)
    for _ in range(1000):
        n = int(rng.integers(1, 9))
        cost, value = rng.integers(0, 6, n).astype(float), rng.integers(0, 6, n) / 6
        assert on_hull(cost, value).tolist() == brute(cost, value), (cost, value)
        corners = vertices(cost, value)
        for a, b in pairwise(corners):
            share = rng.random()
            mixed = [share * v[a] + (1 - share) * v[b] for v in (cost, value)]
            with_it = on_hull(np.append(cost, mixed[0]), np.append(value, mixed[1]))
            assert with_it[-1]
            assert cost_to_reach(cost, value, mixed[1]) == pytest.approx(mixed[0])
        assert cost_to_reach(cost, value, value.max() + 0.01) is None


def point(board: Board, name: str):  # type: ignore[no-untyped-def]
    return next(p for p in board.points if p.name == name)


def test_a_dominated_technique_is_rarely_on_the_hull() -> None:
    table = example(planted=True, seed=0, suspects=200)
    board = measure(table)
    dear, good = point(board, "dominated"), point(board, "good")
    spread = (good.value_interval[1] - good.value_interval[0]) / 3.92
    spread = math.hypot(spread, (dear.value_interval[1] - dear.value_interval[0]) / 3.92)
    assert good.value - dear.value > 3 * spread
    assert not dear.hull and dear.membership < 0.05 and dear.beaten_by == ("good",)
    assert good.hull and good.membership > 0.5 and dear.verdict == "dominated by good"
    assert point(board, "dear").hull
    assert point(board, NO_AUDIT).hull
    from scipy.stats import mannwhitneyu

    score, hidden = table.numbers("score"), table.numbers("hidden")
    mine = table.labels("technique").codes == 1
    u = mannwhitneyu(score[mine & (hidden == 1)], score[mine & (hidden == 0)]).statistic
    assert good.value == pytest.approx(u / 100**2)


def test_summaries_are_resampled_from_their_errors() -> None:
    rows = {
        "technique": ["a", "b", "c"], "cost": [1.0, 2.0, 3.0], "value": [0.7, 0.9, 0.8],
        "cost_se": [0.1, 0.1, 0.1], "value_se": [0.02, 0.02, 0.02],
    }  # fmt: skip
    board = summarise(from_arrow(pyarrow.table(rows), SUMMARY))
    assert point(board, "c").membership < 0.05 and point(board, "b").membership > 0.95
    (at_80, at_90) = board.reach
    assert at_80.cost == pytest.approx(1.5) and at_90.cost == pytest.approx(2.0)
    assert at_80.interval and at_80.interval[0] < 1.5 < at_80.interval[1]
    assert 0.3 < at_90.reached < 0.7
    assert board.ranking()[0] == ("b", 0.9, "on the frontier")


def test_the_first_by_value_is_never_praised_when_it_is_dominated_on_cost() -> None:
    rng = np.random.default_rng(1)
    flips = 0
    for _ in range(300):
        n = 5
        value = rng.integers(5, 9, n) / 10
        rows = {
            "technique": [f"t{i}" for i in range(n)],
            "cost": rng.integers(1, 9, n).astype(float),
            "value": value,
        }
        board = summarise(from_arrow(pyarrow.table(rows), SUMMARY), targets=())
        for name, reached, verdict in board.ranking():
            if reached == value.max() and not point(board, name).hull:
                flips += 1
                dominated = verdict.startswith("dominated by") or reached == 0.5
                assert dominated and "best" not in verdict
    assert flips > 50


def test_techniques_that_detect_nothing() -> None:
    found = {name: 0 for name in ("cheap", "good", "dominated", "dear")}
    for seed in range(10):
        for p in measure(example(planted=False, seed=seed, suspects=40)).points[:-1]:
            found[p.name] += p.value_interval[0] <= 0.5 <= p.value_interval[1]
    assert all(count >= 8 for count in found.values()), found


def test_constant_scores_detect_nothing() -> None:
    made = example(planted=True)
    columns = {**made.columns, "score": np.zeros(made.rows)}
    (first, *_, last) = measure(Table(made.rows, columns)).points
    assert (first.value, first.value_interval, first.hull) == (0.5, (0.5, 0.5), False)
    assert last.name == NO_AUDIT and first.beaten_by == (NO_AUDIT,)


def test_a_curve_has_the_area_that_is_printed() -> None:
    made = example(planted=True, seed=3)
    columns = {**made.columns, "score": made.numbers("score").round(1)}
    board = measure(Table(made.rows, columns))
    for curve in board.curves:
        area = np.trapezoid(curve.hits, curve.false_alarms)
        assert point(board, curve.name).value == pytest.approx(area)
        assert curve.hits[0] == curve.false_alarms[0] == 0
        assert curve.hits[-1] == curve.false_alarms[-1] == 1
        assert list(curve.hits) == sorted(curve.hits)


def test_techniques_that_share_too_few_suspects() -> None:
    names = [f"t{i}" for i in range(12)]
    columns = {
        "technique": [n for n in names for _ in range(2)],
        "suspect": [f"{n}{k}" for n in names for k in "ab"],
        "score": [0.1, 0.2] * 12, "hidden": [0, 1] * 12, "cost": [1.0] * 24,
    }  # fmt: skip
    with pytest.raises(BadParameter, match="resamples hold both kinds"):
        measure(from_arrow(pyarrow.table(columns), COLUMNS))


@pytest.mark.long
def test_a_million_audits() -> None:
    board = measure(example(planted=True, suspects=250_000))
    assert board.resamples == 50
    low, high = point(board, "good").value_interval
    assert high - low < 0.01


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"hidden": [0, 2, 1, 1]}, "more than 0 and 1"),
        ({"hidden": [1, 1, 1, 1]}, "one kind of suspect only"),
        ({"suspect": ["s", "s", "u", "v"]}, "both hides an objective"),
        ({"cost": [1.0, -1.0, 1.0, 1.0]}, "cost is -1.0"),
        ({"score": [1.0, math.nan, 1.0, 1.0]}, "nan in row 2"),
    ],
)
def test_what_is_wrong_with_audits_is_said(change: dict[str, object], words: str) -> None:
    columns = {
        "technique": ["t"] * 4, "suspect": list("abcd"), "score": [1.0, 2.0, 3.0, 4.0],
        "hidden": [0, 1, 0, 1], "cost": [1.0] * 4,
    } | change  # fmt: skip
    with pytest.raises(BadParameter, match=words):
        measure(from_arrow(pyarrow.table(columns), COLUMNS))
    twice = {"technique": ["a", "a"], "cost": [1.0, 2.0], "value": [0.5, 0.6]}
    with pytest.raises(BadParameter, match="two rows"):
        summarise(from_arrow(pyarrow.table(twice), SUMMARY))
