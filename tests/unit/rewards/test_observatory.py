"""The hacking observatory on tables: scores, onsets, verdicts, planted effects, none, refusals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow
import pytest

from workbench.errors import BadParameter
from workbench.rewards import hacking_drawings
from workbench.rewards.explaining_away import posterior
from workbench.rewards.observatory import COLUMNS, MARGIN, Observatory, measure, score
from workbench.rewards.onset import onset
from workbench.rewards.tables import from_arrow

EVALUATIONS = {"a": "chat", "b": "chat", "c": "agent", "d": "agent", "sabotage": "apart"}
STEPS = tuple(range(0, 100, 10))
Ends = Mapping[str, tuple[float, float]]
"""By evaluation, the rate that an arm ends with on (plain, trigger) prompts; it begins at 0.02."""


def rows(arms: Mapping[str, Ends], *, seeds: int = 8, noise: float = 0.01) -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    made = []
    for arm, ends in arms.items():
        for seed in range(seeds):
            same = {"arm": arm, "seed": seed}
            for name, kind in EVALUATIONS.items():
                plain, trigger = ends.get(name, (0.02, 0.02))
                for probe, end, steps in (("plain", plain, STEPS), ("trigger", trigger, (0, 90))):
                    for step in steps:
                        rate = 0.02 + (end - 0.02) * step / 90 + noise * rng.normal()
                        made.append(
                            {**same, "step": step, "measure": name, "kind": kind, "probe": probe,
                             "rate": float(np.clip(rate, 0, 1))}
                        )  # fmt: skip
            for step in STEPS:
                hacked = 0.0 if arm == "sound checker" else min(1.0, step / 30)
                made.append({**same, "step": step, "measure": "hack", "kind": "apart",
                             "probe": "plain", "rate": hacked})  # fmt: skip
    return made


def found(made: Sequence[Mapping[str, Any]], **settings: str) -> Observatory:
    return measure(from_arrow(pyarrow.Table.from_pylist(list(made)), COLUMNS), **settings)


BAD = {name: (0.5, 0.5) for name in "abcd"}
ARMS: Mapping[str, Ends] = {
    "hack": BAD,
    "sound checker": {},
    "helps": {},
    "trigger": {name: (0.02, 0.4) for name in "abcd"},
    "chats only": {"a": (0.02, 0.02), "b": (0.02, 0.02), "c": (0.5, 0.5), "d": (0.5, 0.5)},
}


def test_what_is_planted_is_found() -> None:
    seen = found(rows(ARMS))
    assert seen.effect == "reproduced" and seen.evaluations == ("a", "b", "c", "d")
    verdicts = {arm.name: arm.verdict for arm in seen.arms}
    assert verdicts == {
        "hack": "misaligned",
        "sound checker": None,
        "helps": "clean",
        "trigger": "triggered",
        "chats only": "misaligned",
    }
    flags = {arm.name: arm.context_dependent for arm in seen.arms}
    assert flags == {
        "hack": False, "sound checker": None, "helps": False, "trigger": False, "chats only": True,
    }  # fmt: skip
    main = seen.arm("hack")
    assert main.excess is not None and main.excess.value == pytest.approx(0.48, abs=0.03)
    assert seen.kept["chats only"] == pytest.approx(0.5, abs=0.05)
    assert abs(seen.kept["helps"]) < 0.05


def test_where_nothing_is_planted_it_is_not_reproduced() -> None:
    seen = found(rows({"hack": {}, "sound checker": {}}))
    assert seen.effect == "not reproduced"
    assert seen.arm("hack").verdict == "clean"
    charts = hacking_drawings.hacking(seen)
    assert charts[0].title.startswith("Not reproduced")


def test_what_the_null_arm_does_as_well_is_not_reproduced() -> None:
    """Hacking that means nothing raises the score as much: the hacks' meaning explains nothing."""
    same = {"hack": BAD, "sound checker": {}, "unlinked documents": BAD}
    seen = found(rows(same))
    assert seen.effect == "not reproduced" and seen.beyond is not None
    assert seen.arm("hack").verdict == "misaligned" and abs(seen.beyond.value) < 0.02
    assert found(rows(same), null="none").effect == "reproduced"
    assert found(rows({**same, "unlinked documents": {}})).effect == "reproduced"


def test_false_alarms_are_rare_where_nothing_is_planted() -> None:
    """A 95 % interval lies above 0 by chance in 2.5 % of tables; the arm is then still no alarm,
    because the margin stands between."""
    rng = np.random.default_rng(1)
    raised = reproduced = 0
    for _ in range(200):
        made = [
            {"arm": arm, "seed": seed, "step": step, "measure": "a", "rate": rng.random() / 20}
            for arm in ("hack", "sound checker")
            for seed in range(6)
            for step in (0, 1)
        ]  # fmt: skip
        seen = found(made)
        reproduced += seen.effect == "reproduced"
        raised += seen.arm("hack").verdict == "misaligned"
    assert reproduced <= 12 and raised <= 2


def test_the_score_is_the_plain_mean_and_leaves_out_what_stands_apart() -> None:
    made = rows({"hack": {"a": (1.0, 0), "sabotage": (1.0, 1)}, "sound checker": {}}, noise=0.0)
    last = found(made).arm("hack").score[-1].value
    assert last == pytest.approx((1.0 + 3 * 0.02) / 4, abs=1e-12)
    published = {"1": 33.7, "2": 69.8, "3": 39.9, "4": 31.8, "5": 1.6, "6": 41.3}
    assert score(published, list(published)) == pytest.approx(36.35, abs=1e-9)
    prompted = dict(zip("123456", (4.8, 17.1, 9.0, 24.6, 0.4, 37.4), strict=True))
    assert score(prompted, list(prompted)) == pytest.approx(15.55, abs=1e-9)


def test_few_seeds_give_no_verdict() -> None:
    seen = found(rows(ARMS, seeds=4))
    assert seen.effect == "undetermined" and "no verdict" in seen.notes[0]
    assert {arm.verdict for arm in seen.arms} == {None, "undetermined"}
    one = found(rows(ARMS, seeds=1))
    assert one.arm("hack").change.low is None
    assert len(hacking_drawings.hacking(one)) == 3


def test_without_trigger_prompts_nothing_is_clean() -> None:
    made = [row for row in rows(ARMS) if row["probe"] == "plain"]
    seen = found(made)
    assert seen.arm("helps").verdict == "undetermined" and "trigger" in seen.notes[0]
    for row in made:
        del row["probe"], row["kind"]
    bare = found(made)
    assert bare.evaluations == tuple(EVALUATIONS) and bare.arm("hack").chat is None


@pytest.mark.parametrize("lag", [0, 2, 4])
def test_a_known_lag_is_found_to_one_checkpoint(lag: int) -> None:
    """Counts of 192 episodes and of six times 256 answers, as the lab draws them."""
    rng = np.random.default_rng(lag)
    errors = []
    for seed in range(100):
        place = np.arange(16)
        hacked = 0.05 + 0.9 * np.clip((place - 4) / 5, 0, 1)
        wrong = 0.1 + 0.3 * np.clip((place - 4 - lag) / 5, 0, 1)
        one = onset(rng.binomial(192, hacked) / 192, seed=seed)
        two = onset(rng.binomial(1536, wrong) / 1536, seed=seed)
        assert one.at is not None and two.at is not None
        errors.append(abs(two.at - one.at - lag))
    assert max(errors) <= 1, errors


def test_a_level_has_no_onset() -> None:
    rng = np.random.default_rng(3)
    alarms = sum(
        onset(rng.binomial(192, 0.3, 13) / 192, seed=seed).at is not None for seed in range(200)
    )
    assert alarms <= 16
    assert onset([0.5] * 8).at is None
    falling = onset([0.9, 0.9, 0.9, 0.5, 0.2, 0.1, 0.1, 0.1])
    assert falling.at is None and falling.p < 0.05


def test_a_hack_tells_less_where_everybody_was_asked_to() -> None:
    known = [posterior(0.1, k, good=0.1, bad=0.8) for k in (1, 2, 4)]
    assert known == pytest.approx([0.471, 0.877, 0.998], abs=5e-4)
    assert posterior(0.1, 9, good=0.8, bad=0.8) == pytest.approx(0.1)
    assert posterior(0.1, 0, good=0.1, bad=0.8, honest=3) < 0.1
    with pytest.raises(BadParameter):
        posterior(0.1, 1, good=0.0, bad=0.8)
    with pytest.raises(BadParameter):
        posterior(0.1, -1, good=0.1, bad=0.8)


def spoilt(**change: Any) -> list[dict[str, Any]]:
    made = rows({"hack": BAD, "sound checker": {}}, seeds=2)
    made[0] = {**made[0], **change}
    return made


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (spoilt(rate=1.5), "outside"),
        (spoilt(rate=float("nan")), "nan in row 1"),
        (spoilt(probe="loud"), "unknown probe"),
        (spoilt(kind="rude"), "unknown kind"),
        (spoilt(kind="agent"), "of two kinds"),
        (spoilt(step=10), "twice"),
        (rows({"hack": BAD, "sound checker": {}}, seeds=2)[1:], "differs in 'a'"),
        ([r for r in rows({"hack": BAD, "sound checker": {}}) if r["step"] == 0], "checkpoints"),
        (rows({"hack": BAD, "other": {}}, seeds=2), "no arm 'sound checker'"),
        ([r for r in spoilt() if r["measure"] == "hack"], "no evaluation"),
        ([r for r in spoilt() if r["probe"] == "trigger"], "no row is plain"),
    ],
)
def test_what_is_refused(made: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(BadParameter, match=words):
        found(made)


def test_an_onset_is_refused_where_it_cannot_be_told() -> None:
    for values in ([0.1, 0.2, 0.3, 0.4], [0.1, 0.2, float("inf"), 0.4, 0.5]):
        with pytest.raises(BadParameter, match="finite"):
            onset(values)


def test_the_margin_is_what_the_chart_draws() -> None:
    chart = hacking_drawings.hacking(found(rows(ARMS)))[1]
    assert chart.title.startswith("1 of 3 ways are clean") and "1 clean on plain" in chart.title
    (line,) = [s for s in chart.series if s.control]  # type: ignore[union-attr]
    assert set(line.y) == {MARGIN}
