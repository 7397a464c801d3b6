"""Assisted evaluation: closed forms, paired uplift, and what a table may not hold."""

from __future__ import annotations

import math

import numpy as np
import pyarrow
import pytest

from workbench.errors import BadParameter
from workbench.rewards.assisted import (
    ADVERSARIAL,
    COLUMNS,
    HELPFUL,
    Evaluator,
    accuracy,
    measure,
    paired,
    random_critic,
)
from workbench.rewards.tables import Table, from_arrow


def test_closed_forms() -> None:
    weak = Evaluator(looks=3, features=8, guess=0.2)
    assert accuracy(weak) == pytest.approx(0.5 * (3 / 8 + 5 / 8 * 0.2) + 0.5 * 0.8)
    assert accuracy(weak, HELPFUL) == pytest.approx(0.5 + 0.5 * 0.8)
    for k in range(1, 9):
        some = Evaluator(looks=k, features=8, guess=0.2)
        assert accuracy(some, random_critic(8)) == pytest.approx(accuracy(some))
        assert accuracy(some, ADVERSARIAL) < accuracy(some) or k == 8
    trusting = Evaluator(trust=1.0)
    assert accuracy(trusting, HELPFUL) == 1.0 and accuracy(trusting, ADVERSARIAL) == 0.0
    assert accuracy(trusting, random_critic(8)) == 0.5 < accuracy(trusting)
    for wrong in ({"looks": 0}, {"looks": 9}, {"features": 1}, {"guess": 1.2}, {"trust": math.nan}):
        with pytest.raises(BadParameter):
            Evaluator(**wrong)  # type: ignore[arg-type]


def table(right: dict[str, np.ndarray], flawed: np.ndarray) -> Table:
    columns: dict[str, list[object]] = {c.name: [] for c in COLUMNS}
    for name, correct in right.items():
        columns["item"] += [f"i{i}" for i in range(len(flawed))]
        columns["condition"] += [name] * len(flawed)
        columns["verdict"] += np.where(correct, flawed, 1 - flawed).tolist()
        columns["flawed"] += flawed.tolist()
    return from_arrow(pyarrow.table(columns), COLUMNS)


def test_uplift_is_paired_by_item() -> None:
    flawed = np.array([1, 1, 1, 0, 0, 0] * 20)
    alone = np.arange(120) % 2 == 0
    better = alone | (np.arange(120) % 4 == 1)
    first, second = measure(table({"critic": better, "alone": alone}, flawed))
    assert first.name == "alone" and first.uplift is None and first.verdict == "the control"
    assert second.uplift == pytest.approx(0.25) and second.verdict == "helps"
    assert second.p is not None and second.p < 1e-6
    assert second.interval == paired(30, 0, 120)
    (_, same) = measure(table({"alone": alone, "same": alone}, flawed))
    assert (same.uplift, same.p, same.verdict) == (0.0, 1.0, "no uplift shown")
    assert same.interval and same.interval[0] < 0 < same.interval[1]


def test_the_paired_interval_covers() -> None:
    rng = np.random.default_rng(0)
    for up, down in ((0.1, 0.1), (0.2, 0.05), (0.02, 0.0)):
        covered = 0
        for _ in range(500):
            gained, lost, _ = rng.multinomial(80, [up, down, 1 - up - down])
            low, high = paired(int(gained), int(lost), 80)
            covered += low <= up - down <= high
        assert covered >= 0.93 * 500


def test_one_kind_of_item_has_one_rate_only() -> None:
    only = np.ones(10, dtype=int)
    (alone, _) = measure(table({"alone": only == 1, "critic": only == 1}, only))
    assert alone.alarms is None and alone.hits is not None and alone.hits.value == 1
    assert alone.to_json()["alarms"] is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"condition": ["a", "b", "b"]}, "no condition is called 'alone'"),
        ({"verdict": [0, 1, 2]}, "verdict holds more"),
        ({"item": ["x", "x", "x"]}, "two truths"),
        ({"item": ["y", "x", "x"], "flawed": [0, 1, 1]}, "two verdicts"),
        ({"item": ["x", "y", "z"]}, "shares no item"),
        ({"flawed": [0.0, math.inf, 1.0]}, "inf in row 2"),
    ],
)
def test_what_is_wrong_is_said(change: dict[str, object], words: str) -> None:
    columns: dict[str, object] = {
        "item": ["x", "x", "y"], "condition": ["alone", "critic", "critic"],
        "verdict": [0, 1, 0], "flawed": [0, 0, 1],
    }  # fmt: skip
    with pytest.raises(BadParameter, match=words):
        measure(from_arrow(pyarrow.table({**columns, **change}), COLUMNS))
