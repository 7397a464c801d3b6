"""Paths: when benign tuning has brought latent and behaviour back, and which warns first."""

from __future__ import annotations

from typing import Any

import pyarrow
import pytest

from workbench.errors import BadParameter
from workbench.rewards.persona_drawings import paths as drawn
from workbench.rewards.persona_paths import COLUMNS, Paths, back, measure
from workbench.rewards.tables import Table, from_arrow
from workbench.rewards_lab.persona_world import Planted, paths


def made(rows: list[tuple[Any, ...]]) -> Table:
    names = [column.name for column in COLUMNS]
    return from_arrow(
        pyarrow.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))), COLUMNS
    )


def course(**kinds: Any) -> list[tuple[Any, ...]]:
    """One seed of each: kind to {arm: {at: (latent, behaviour)}}."""
    return [
        (kind, arm, "0", at, *pair)
        for kind, arms in kinds.items()
        for arm, run in arms.items()
        for at, pair in run.items()
    ]


BENIGN = {"on": {0: (1.0, 0.9), 5: (0.4, 0.85), 10: (0.05, 0.4), 20: (0.02, 0.05)}}
LEVEL = {"base": {0: (0.0, 0.0)}}


def test_steps_until_a_tenth_of_the_excess_is_left_for_good() -> None:
    assert back({0: 1.0, 5: 0.05, 10: 0.3, 20: 0.1}, 0.0) == 20
    assert back({0: 1.0, 5: 0.05, 10: 0.02}, 0.0) == 5
    assert back({0: 1.0, 5: 0.5}, 0.0) is None and back({0: 0.1, 5: 0.0}, 0.2) is None
    found = measure(made(course(realign=BENIGN, reference=LEVEL)))
    (one,) = found.returns
    assert one.latent_back is not None and one.latent_back.value == 10
    assert one.behaviour_back is not None and one.behaviour_back.value == 20
    assert one.rho is not None and one.rho.value == pytest.approx(1.0)
    assert "1 seeds" in found.notes[0] and "back after 20 steps" in found.verdict


@pytest.fixture(scope="module")
def planted() -> Paths:
    return measure(paths(Planted()))


def test_a_planted_early_warning_is_claimed(planted: Paths) -> None:
    warning = planted.warning
    assert warning is not None and warning.claim == "latent first"
    assert warning.latent.high is not None and warning.behaviour.low is not None
    assert warning.latent.high < warning.behaviour.low
    paces = [one.behaviour_back for one in planted.returns]
    assert paces[0] is not None and paces[1] is not None and paces[0].value < paces[1].value
    for chart in drawn(planted):
        assert chart.how_to_read and chart.title


def test_where_nothing_was_planted_nothing_is_claimed() -> None:
    found = measure(paths(Planted(planted=False)))
    assert found.warning is not None and found.warning.claim == "not shown"
    assert found.warning.behaviour.share is None


@pytest.mark.parametrize("seeds", [4, 6])
def test_a_latent_that_moves_with_the_behaviour_is_no_early_warning(seeds: int) -> None:
    """Both separate at the same share; and below five seeds nothing is claimed at all."""
    rows = [
        ("share", arm, str(s), at, rate + 0.001 * ((s * 7) % 3), rate + 0.001 * ((s * 5) % 3))
        for s in range(seeds)
        for at in (0.1, 0.5, 1.0)
        for arm, rate in (("bad", 0.9 * at if at > 0.1 else 0.0), ("control", 0.0))
    ]
    found = measure(made(rows)).warning
    assert found is not None and found.latent.share == found.behaviour.share == 0.5
    assert found.claim == ("undetermined" if seeds < 5 else "not shown")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([("share", "bad", "0", 0.1, 1.0, 1.5)], "outside"),
        ([("other", "bad", "0", 0.1, 1.0, 0.5)], "unknown kind"),
        ([("reference", "b", "0", 0, 1.0, 0.5)], "no path"),
        (course(realign=BENIGN), "without a reference"),
        (course(realign={"on": {5: (1, 1), 9: (0, 0)}}, reference=LEVEL), "from step 0"),
        (course(realign={"on": {0: (1, 1)}}, reference=LEVEL), "from step 0"),
        (course(share={"bad": {0.1: (1, 1)}}), "have the arms"),
        (course(share={"bad": {0.1: (1, 1)}, "control": {0.2: (0, 0)}}), "other seeds or shares"),
        (course(share={"bad": {5: (1, 1)}, "control": {5: (0, 0)}}), "share lies outside"),
        ([("share", "bad", "0", 0.1, 1, 0.5), ("share", "bad", "0", 0.1, 1, 0.5)], "twice"),
        ([("realign", "a", "0", 0, 1, 0.5), ("realign", "a", "1", 1, 1, 0.5)], "other places"),
    ],
)
def test_what_is_refused(rows: list[tuple[Any, ...]], words: str) -> None:
    with pytest.raises(BadParameter, match=words):
        measure(made(rows))
