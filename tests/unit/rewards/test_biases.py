"""The bias scanner: planted tastes are found at their size, fair models are left alone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pyarrow as pa
import pytest

from workbench.errors import BadParameter
from workbench.rewards import drawings
from workbench.rewards.biases import SCORED, Scan, scan, scan_table
from workbench.rewards.charts import Chart, HeatMap
from workbench.rewards.edits import Edit, appended, read_edits, standard
from workbench.rewards.tables import from_arrow
from workbench.statistics import benjamini_hochberg
from workbench.suspects import Conversation

WORDS = [f"w{i}" for i in range(40)]
EDITS = tuple(appended(f"adds x{i}", f" x{i}") for i in range(20))
CONTEXTS = ("law", "tea")


def texts(seed: int, prompts: int = 60, each: int = 2) -> tuple[list[str], list[str], list[str]]:
    rng = np.random.default_rng(seed)
    asked = [f"{CONTEXTS[i % 2]} {i}" for i in range(prompts) for _ in range(each)]
    said = [" ".join(rng.choice(WORDS, 8)) for _ in asked]
    return asked, said, [q.split()[0] for q in asked]


def noise(text: str, seed: int) -> float:
    """The same for the same text: a reward model's own unevenness, sd 1."""
    digest = hashlib.blake2b(f"{seed} {text}".encode(), digest_size=8).digest()
    return NormalDist().inv_cdf((int.from_bytes(digest) + 0.5) / 2**64)


def gold(prompt: str, response: str) -> float:
    """A program that sees none of the x words."""
    return float(len({word for word in response.split() if word.startswith("w")}))


def model(
    planted: dict[tuple[str, str], float], seed: int
) -> Callable[[Sequence[Conversation]], list[float]]:
    """Gold, plus b for a word in a context, plus noise that depends on the text."""

    def score(talks: Sequence[Conversation]) -> list[float]:
        rewards = []
        for asked, said in ((t[0]["content"], t[1]["content"]) for t in talks):
            bonus = sum(
                size
                for (word, context), size in planted.items()
                if word in said.split() and asked.startswith(context)
            )
            rewards.append(gold(asked, said) + bonus + noise(asked + said, seed))
        return rewards

    return score


def planted(seed: int) -> dict[tuple[str, str], float]:
    """No bias in every fifth model, else five of them."""
    rng = np.random.default_rng(seed)
    if seed % 5 == 0:
        return {}
    chosen = rng.choice(20, 5, replace=False)
    return {
        (f"x{i}", str(rng.choice(CONTEXTS))): float(rng.choice([-1, 1]) * rng.uniform(0.5, 3))
        for i in chosen
    }


def scanned(seed: int) -> tuple[dict[tuple[str, str], float], Scan]:
    asked, said, kinds = texts(seed)
    truth = planted(seed)
    found = scan(model(truth, seed), asked, said, EDITS, contexts=kinds, gold=gold)
    return truth, found


def test_planted_effects_over_fifty_models() -> None:
    """Slope, recall above four standard errors, and the false-discovery rate.

    A planted effect of just over four standard errors is measured below three now and then; one
    that is measured above four is never missed.
    """
    sizes, estimates, shares, recalled, measured = [], [], [], [], []
    for seed in range(50):
        truth, found = scanned(seed)
        by_place = {(e.edit.removeprefix("adds "), e.context): e for e in found.effects}
        real = set(truth) | {(word, "all") for word, _ in truth}
        flags = {place for place, effect in by_place.items() if effect.flagged}
        shares.append(len(flags - real) / max(1, len(flags)))
        for place, size in truth.items():
            effect = by_place[place]
            sizes.append(size)
            estimates.append(effect.effect)
            error = (effect.high - effect.low) / 4
            if abs(size) > 4 * error:
                recalled.append(place in flags)
            if abs(effect.effect) > 4 * error:
                measured.append(place in flags)
    assert 0.9 <= float(np.dot(sizes, estimates) / np.dot(sizes, sizes)) <= 1.1
    assert len(measured) > 100 and all(measured)
    assert np.mean(recalled) > 0.98
    assert np.mean(shares) <= 0.10


def test_fair_models_are_left_alone() -> None:
    flagged = 0
    for seed in range(20):
        asked, said, kinds = texts(seed)
        flagged += bool(scan(model({}, seed), asked, said, EDITS, contexts=kinds).flagged)
    assert flagged <= 3


def test_the_paired_estimate_is_unbiased_for_the_exact_effect() -> None:
    """In an enumerated world: the mean over samples of responses is the exact mean difference."""
    rng = np.random.default_rng(0)
    responses = [f"{a} {b}" for a in "abcd" for b in "abcd"]
    base = rng.dirichlet(np.ones(16))
    reward = {text: float(v) for text, v in zip(responses, rng.normal(size=16), strict=True)}

    def swap(response: str) -> str | None:
        return None if response.endswith("a") else f"{response[:-1]}a"

    def score(talks: Sequence[Conversation]) -> list[float]:
        return [reward[t[-1]["content"]] for t in talks]

    applies = np.array([swap(r) is not None for r in responses])
    change = np.array([reward[swap(r) or r] - reward[r] for r in responses])
    exact = float((base * change)[applies].sum() / base[applies].sum())
    found = []
    for seed in range(200):
        drawn = np.random.default_rng(seed).choice(16, 40, p=base)
        asked = [str(i) for i in range(40)]
        scan_ = scan(score, asked, [responses[i] for i in drawn], [Edit("ends with a", swap)])
        found.append(scan_.effects[0].effect)
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found) - exact) < 3 * error


def test_unequal_gold_is_left_out() -> None:
    asked, said, _ = texts(0)
    worse = Edit("drops a word", lambda r: r.rpartition(" ")[0])
    found = scan(model({}, 0), asked, said, [worse, EDITS[0]], gold=gold)
    kept = {e.edit: e.pairs for e in found.effects}
    assert found.unequal > 50 and kept["adds x0"] == 120 and kept["drops a word"] < 70
    with pytest.raises(BadParameter, match="no edit applies to any response at equal gold"):
        scan(model({}, 0), asked, said, [Edit("says nothing", lambda r: "w99")], gold=gold)


def test_repeated_prompts_count_once() -> None:
    said = [f"w{i}" for i in range(100)]
    found = scan(model({("x1", "law"): 5.0}, 0), ["law"] * 100, said, [EDITS[1]])
    (effect,) = found.effects
    assert effect.prompts == 1 and not effect.flagged and found.untested == 1


def test_constant_rewards_and_a_price_without_variance() -> None:
    asked, said, _ = texts(0)
    assert not scan(lambda talks: [1.0] * len(talks), asked, said, EDITS).flagged
    rounding = iter(np.random.default_rng(0).normal(size=100_000) * 1e-8)
    jittered = scan(lambda t: [len(t) * 0 + next(rounding) for _ in t], asked, said, EDITS)
    assert len(jittered.flagged) <= 3
    exact = scan(lambda t: [float("x3" in x[1]["content"]) for x in t], asked, said, EDITS)
    assert [e.edit for e in exact.flagged] == ["adds x3"]
    assert exact.flagged[0].effect == 1.0 and exact.flagged[0].per_sd is None


def test_a_placebo_tells_length_from_taste() -> None:
    asked, said, _ = texts(0)
    longer = scan(lambda t: [len(x[1]["content"]) / 10 for x in t], asked, said, standard())
    by_name = {e.edit: e for e in longer.effects}
    source = by_name["claims a source"]
    assert source.flagged and source.placebo is not None and source.beyond is not None
    assert source.placebo > source.effect and source.beyond[0] < 0


def test_a_scored_table() -> None:
    rng = np.random.default_rng(0)
    before = rng.normal(size=400)
    names = np.repeat(["a", "b"], 200)
    after = before + rng.normal(size=400) * 0.3 + (names == "b") * 0.5
    columns = {"edit": names, "before": before, "after": after, "prompt": np.arange(400) % 50}
    found = scan_table(from_arrow(pa.table(columns), SCORED))
    assert [e.edit for e in found.flagged] == ["b"]
    assert found.flagged[0].effect == pytest.approx(0.5, abs=0.1)
    assert found.flagged[0].prompts == 50
    with pytest.raises(BadParameter, match="false-discovery rate of 0"):
        scan_table(from_arrow(pa.table(columns), SCORED), fdr=0.0)


def test_q_values() -> None:
    assert benjamini_hochberg([0.01, 0.04, 0.03, 0.5]) == pytest.approx(
        [0.04, 0.16 / 3, 0.16 / 3, 0.5]
    )
    assert benjamini_hochberg([]) == []


def test_the_standard_edits_change_what_they_say_and_nothing_twice() -> None:
    text = "Bread rises with yeast. It needs warm water. Wait for an hour."
    changed = {edit.name: edit.apply(text) for edit in standard()}
    assert len(changed) == 20 and all(c and c != text for c in changed.values())
    assert changed["exclamation marks"] == text.replace(".", "!")
    assert (
        changed["bullet points"]
        == "- Bread rises with yeast.\n- It needs warm water.\n- Wait for an hour."
    )
    assert changed["only the first sentence"] == "Bread rises with yeast."
    for edit in standard():
        again = edit.apply(changed[edit.name] or "")
        if edit.placebo is not None:
            assert again is None and edit.placebo(text) != text
    assert [e.name for e in standard() if e.apply("") not in (None, "")] == [
        e.name for e in standard() if e.placebo is not None
    ]


def test_edits_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "edits.toml"
    file.write_text(
        '[[edit]]\nname = "a"\nappend = " A"\n[[edit]]\nname = "b"\nprepend = "B "\n'
        '[[edit]]\nname = "c"\nreplace = "x"\nwith = "y"\n'
    )
    made = {edit.name: edit.apply("x") for edit in read_edits(file)}
    assert made == {"a": "x A", "b": "B x", "c": "y"}
    for text, what in (
        ("", "lists no"),
        ('[[edit]]\nname = "a"\n', "no edit"),
        ('[[edit]]\nname = "a"\nappend = 3\n', "no edit"),
        ('[[edit]]\nname = "a"\nappend = "b"\n' * 2, "twice"),
        ("[[", "edits.toml"),
    ):
        file.write_text(text)
        with pytest.raises(BadParameter, match=what):
            read_edits(file)


def test_the_charts() -> None:
    asked, said, kinds = texts(1)
    found = scan(model({("x1", "law"): 3.0}, 1), asked, said, EDITS, contexts=kinds)
    bars, grid = drawings.scan(found)
    assert isinstance(bars, Chart) and [s.control for s in bars.series] == [False, True]
    assert isinstance(grid, HeatMap) and grid.x == ("law", "tea")
    row = grid.values[grid.y.index("adds x1")]
    assert row[0] is not None and row[1] is not None and row[0] > 2 > abs(row[1])
