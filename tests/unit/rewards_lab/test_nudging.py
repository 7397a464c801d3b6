"""The nudge decoder in exact worlds: matches, verdicts, charts."""

from __future__ import annotations

import math

import pytest

from workbench.rewards.enumerable import textbook_kl
from workbench.rewards_lab import nudging
from workbench.rewards_lab.nudging import Outcome


def outcome(world: int, reward: str, gold: float, bon: float) -> Outcome:
    reached = {
        way: {"proxy": 1.0, "gold": gold, "passes": 40.0, "nats": 2.0, "whole_nats": 5.0}
        for way in nudging.WAYS
    }
    matched = {m: {"n": 4.0, "proxy": 1.0, "gold": bon} for m in nudging.MATCHES}
    return Outcome(world, reward, reached, matched, True, 4, 0.5)


def test_an_n_is_found_where_a_function_of_it_reaches_a_value() -> None:
    assert textbook_kl(nudging._n_at(1.8351, textbook_kl)) == pytest.approx(1.8351, abs=1e-6)
    assert nudging._n_at(-1.0, textbook_kl) == 1
    assert nudging._n_at(1.0, lambda n: 0.5) == nudging.MOST_N


@pytest.mark.parametrize(
    ("shift", "worlds", "said"),
    [
        (-0.5, 6, "hacks faster"),
        (0.5, 6, "more robust"),
        (0.0, 6, "no difference shown"),
        (-0.5, 4, "undetermined"),
    ],
)
def test_verdicts(shift: float, worlds: int, said: str) -> None:
    found = [
        outcome(w, nudging.BIASED, 1 + shift + 0.1 * math.sin(3 * w), 1.0) for w in range(worlds)
    ]
    (at_proxy,) = [v for v in nudging.verdicts(found) if v.match == "proxy"]
    assert at_proxy.said == said and at_proxy.gold.n == worlds
    (chart,) = nudging.drawings(found)
    assert said in chart.title


def test_one_world(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exact numbers of one world: monotone, greedy without nudges, the same proxy matched."""
    monkeypatch.setattr(nudging, "LENGTH", 6)
    found = nudging.run(1, comparisons=200)
    assert len(found) == 2 * nudging.PROMPTS and all(one.monotone for one in found)
    for one in found:
        assert one.reached["greedy"]["nats"] == 0
        assert one.reached["greedy"]["passes"] == nudging.LENGTH + 1
        proxy = one.reached["nudge"]["proxy"]
        if 1 < one.matched["proxy"]["n"] < nudging.MOST_N:
            assert one.matched["proxy"]["proxy"] == pytest.approx(proxy, abs=1e-6)
    told = nudging.summary(found)
    assert told["monotone"] == told["decoded"] == len(found)
    assert {v["said"] for v in told["verdicts"]} == {"undetermined", ""}
