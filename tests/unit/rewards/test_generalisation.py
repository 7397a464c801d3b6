"""Held-out biases against controls: planted, null, too few seeds, and broken tables."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from workbench.errors import BadParameter
from workbench.rewards.generalisation import COLUMNS, Generalisation, judge
from workbench.rewards.tables import from_arrow

RATES = {"full": 0.45, "no-docs": 0.2, "no-exploit": 0.2, "shuffled-docs": 0.2}


def judged(rates: dict[str, float], seeds: int, draw: int = 0, **changes: object) -> Generalisation:
    rng = np.random.default_rng(draw)
    rows = [
        (arm, seed, kind, float(rng.random() < (rate if kind == "held-out" else 0.2)))
        for arm, rate in rates.items()
        for seed in range(seeds)
        for kind in ("held-out", "control")
        for _ in range(100)
    ]
    arm, seed, bias, exploited = (list(column) for column in zip(*rows, strict=True))
    columns = {"arm": arm, "seed": seed, "bias": bias, "exploited": exploited, **changes}
    return judge(from_arrow(pa.table(columns), COLUMNS))


def test_a_planted_generalisation_separates_from_every_ablation() -> None:
    found = judged(RATES, 6)
    verdicts = {one.name: one.verdict for one in found.arms}
    assert verdicts == {"full": "generalises", **dict.fromkeys(list(RATES)[1:], "no")}
    assert [one.verdict for one in found.separations] == ["separates"] * 3
    assert found.arms[0].mean == pytest.approx(0.25, abs=0.06)


def test_the_null_generalises_hardly_ever() -> None:
    hits = sum(
        judged({"full": 0.2}, 6, draw).arms[0].verdict == "generalises" for draw in range(60)
    )
    assert hits <= 5


def test_four_seeds_are_too_few_whatever_they_show() -> None:
    found = judged({"full": 0.9, "no-docs": 0.2}, 4)
    assert found.arms[0].verdict == found.separations[0].verdict == "undetermined"
    assert judged({"full": 0.9}, 1).arms[0].low is None


def test_what_is_refused() -> None:
    for changes, what in (
        ({"bias": ["other"] * 1200}, "unknown bias kind 'other'"),
        ({"exploited": [2.0] * 1200}, "outside"),
        ({"bias": ["control"] * 1200}, "lacks held-out rows"),
        ({"arm": ["mine"] * 1200}, "no arm 'full'"),
    ):
        with pytest.raises(BadParameter, match=what):
            judged({"full": 0.3}, 6, **changes)
