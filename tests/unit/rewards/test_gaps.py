"""The gap board: a planted lookup table, honest solvers, the upper tail, and what it refuses."""

from __future__ import annotations

import math

import numpy as np
import pyarrow
import pytest

from workbench.errors import BadParameter
from workbench.rewards.gaps import COLUMNS, expected_gap, measure
from workbench.rewards.quantiles import quantile_line
from workbench.rewards.tables import Table, from_arrow
from workbench.rewards_lab.honest_solvers import draw


def table(columns: dict[str, object]) -> Table:
    return from_arrow(pyarrow.table(columns), COLUMNS)


def test_the_expected_gap() -> None:
    found = [round(expected_gap(0.97, m), 3) for m in (2, 3, 5, 10)]
    assert found == [0.029, 0.057, 0.111, 0.233]
    assert round(expected_gap(0.99, 10), 3) == 0.086
    assert expected_gap(1.0, 10) == expected_gap(0.0, 3) == 0.0


@pytest.mark.parametrize("kind", ["equal", "uneven", "together"])
def test_honest_solvers_are_not_accused(kind: str) -> None:
    board = measure(draw(200, kind, seed=7))  # type: ignore[arg-type]
    covered = [gap.interval[0] <= 0 <= gap.interval[1] for gap in board.gaps]
    above = [gap.interval[0] > 0 for gap in board.gaps]
    print(f"{kind}: covered {np.mean(covered):.3f}, false alarms {np.mean(above):.3f}")
    assert np.mean(above) <= 0.05
    if kind != "together":
        assert np.mean(covered) >= 0.93
    else:  # failures that go together leave a smaller gap: the null is conservative
        assert np.mean([gap.excess for gap in board.gaps]) < -0.05
    assert [gap.verdict for gap in board.gaps if gap.verdict.startswith("more")] == []
    assert (sum(gap.per_feature for gap in board.gaps) > 190) == (kind == "uneven")


def test_a_planted_lookup_table_is_flagged() -> None:
    made = draw(1, "equal", seed=1)
    visible = np.array([t == "visible" for t in made.texts("split")])
    lookup = Table(made.rows, {**made.columns, "passed": visible.astype(float)})
    (gap,) = measure(lookup).gaps
    assert (gap.visible, gap.heldout, gap.gap, gap.expected, gap.excess) == (1, 0, 1, 0, 1)
    assert gap.interval[0] > 0.5 and gap.p < 1e-3
    assert gap.verdict == "more than brittleness explains"


def test_the_upper_tail_against_size() -> None:
    rng = np.random.default_rng(0)
    slopes = []
    for _ in range(10):
        x = rng.uniform(3, 5, 300)
        slopes.append(quantile_line(x, 0.27 * x + rng.normal(0, 0.01, 300), resamples=20).slope)
    assert np.mean(slopes) == pytest.approx(0.27, abs=0.003)
    # the tail grows while the median does not
    x = rng.uniform(3, 5, 2000)
    y = np.where(rng.random(2000) < 0.3, 0.27 * (x - 3), 0.0)
    assert quantile_line(x, y).slope > 0.15
    assert quantile_line(x, y, quantile=0.5, resamples=20).slope == pytest.approx(0, abs=1e-9)
    null = quantile_line(x, rng.normal(size=2000))
    assert null.slope_interval[0] < 0 < null.slope_interval[1]


def test_a_quantile_line_passes_below_its_share() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.integers(0, 4, 500).astype(float), rng.exponential(size=500)
    line = quantile_line(x, y, resamples=20)
    below = (y <= line.intercept + line.slope * x + 1e-9).mean()
    assert 0.9 <= below <= 0.91
    for bad in (np.ones(9), np.arange(4.0), np.arange(20_001.0)):
        with pytest.raises(BadParameter):
            quantile_line(bad, bad)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"split": ["visible", "hidden"]}, "neither visible nor heldout"),
        ({"split": ["visible", "visible"]}, "0 held-out tests"),
        ({"features": ["a+b", "a+b"]}, "0 visible tests of single features"),
        ({"features": ["a", "a+"]}, "empty feature"),
        ({"passed": [1.0, 0.5]}, "more than 0 and 1"),
        ({"passed": [1.0, math.nan]}, "nan in row 2"),
    ],
)
def test_what_is_wrong_is_said(change: dict[str, object], words: str) -> None:
    columns: dict[str, object] = {
        "solver": ["s", "s"], "task": ["t", "t"], "split": ["visible", "heldout"],
        "features": ["a", "a+b"], "passed": [1.0, 0.0],
    }  # fmt: skip
    with pytest.raises(BadParameter, match=words):
        measure(table({**columns, **change}))


def test_one_test_of_each_kind_says_little() -> None:
    columns = {
        "solver": ["s", "s"], "task": ["t", "t"], "split": ["visible", "heldout"],
        "features": ["a", "a+b"], "passed": [1, 0],
    }  # fmt: skip
    (gap,) = measure(table(columns)).gaps
    assert gap.gap == 1 and gap.interval[0] < 0 and gap.verdict == "as brittle as its gap"


@pytest.mark.long
def test_a_million_tests() -> None:
    rng = np.random.default_rng(0)
    n = 1_000_000
    held = rng.random(n) < 0.5
    columns = {
        "solver": rng.integers(0, 30, n).astype(str), "task": rng.integers(0, 10, n).astype(str),
        "split": np.where(held, "heldout", "visible"), "features": np.where(held, "a+b", "a"),
        "passed": (rng.random(n) < np.where(held, 0.81, 0.9)).astype(int),
    }  # fmt: skip
    board = measure(table(columns))
    assert len(board.gaps) == 300
    assert not [gap for gap in board.gaps if gap.verdict.startswith("more")]
