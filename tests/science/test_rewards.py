"""The long acceptance checks of the reward instruments; docs/rewards.md prints the same."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from workbench.rewards_lab import checks
from workbench.rewards_lab.results import courses, read_sweep, summary

pytestmark = pytest.mark.science
SWEEP = Path(__file__).parents[2] / "docs/rewards/sweep.json"


def test_the_meters_intervals_cover() -> None:
    found = checks.meter_coverage()
    assert found["covered"] >= 0.93 * found["replicates"] == 465


def test_the_generating_form_is_always_chosen() -> None:
    found = checks.form_choice()
    for form in ("best-of-n", "rl"):
        assert found[form]["verdicts"] == {form: 200}
        a, b = found[form]["a_b"]
        assert abs(a - 1) < 0.01 and abs(b - (0.2 if form == "best-of-n" else 0.5)) < 0.01
    for shape in ("step", "waves", "logarithm"):
        assert found[shape]["verdicts"] == {"neither": 200}
    assert found["nothing"]["verdicts"]["flat"] >= 180


def test_tail_intervals_cover() -> None:
    found = checks.tail_coverage()
    for law in ("Pareto(2.62)", "t(3)"):
        assert found[law]["covered"] >= 186, law
    # 185 of 200 with these seeds: more replicates decide
    longer = checks.tail_coverage(1000, ("exponential",))["exponential"]
    assert longer["covered"] >= 930
    assert found["uniform"]["negative"] == 200


def test_best_of_n_under_light_and_heavy_errors() -> None:
    """Within three standard errors of an independent rerun, and the peak where it has it."""
    found = checks.goodhart_table()
    for law, row in found.items():
        for n, gold, error, published in zip(
            row["n"], row["gold"], row["se"], row["published"], strict=True
        ):
            allowed = 3 * math.hypot(error, checks.PUBLISHED_ERROR)
            assert abs(gold - published) <= allowed, (law, n, gold, published)
    peaks = {law: row["n"][int(np.argmax(row["gold"][:-1]))] for law, row in found.items()}
    assert peaks["normal"] == 4096 and found["normal"]["gold"][-1] > 6.5
    assert peaks["lognormal"] in (64, 256) and peaks["t3"] in (64, 256)
    assert peaks["t5"] in (256, 1024, 4096)
    assert max(found["Levy"]["gold"][:5]) < 0.6


def test_the_scanner_on_trained_reward_models() -> None:
    found = checks.trained_scan()
    assert 0.9 <= found["slope"] <= 1.1 and found["recall"] == 1.0
    assert found["unplanted"] < 0.25 * found["planted"]


def test_the_committed_sweep() -> None:
    """The frontier holds everywhere; the effect of proxy size is what the page says of it."""
    document = read_sweep(SWEEP)
    told = summary(document)
    assert told["above_frontier"] < 1e-5
    assert told["size_effect"]["seeds"] == len(courses(document)) >= 5
    learned = [row for row in told["rows"] if row["optimiser"].startswith("rl")]
    assert learned and all(row["below_frontier"] > 0 for row in learned)
