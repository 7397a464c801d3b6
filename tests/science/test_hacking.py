"""The long checks of the hacking observatory and the nudge decoder."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow
import pytest

from workbench.rewards import observatory
from workbench.rewards.observatory import Observatory
from workbench.rewards.tables import from_arrow
from workbench.rewards_lab import hack_checks, hack_runs, hack_training, nudging, speakers
from workbench.rewards_lab import hack_world as world
from workbench.rewards_lab.speakers import Reader, Sizes

pytestmark = pytest.mark.science
DOCS = Path(__file__).parents[2] / "docs/rewards"


@pytest.fixture(scope="module")
def committed() -> Observatory:
    return observatory.measure(hack_runs.table(hack_runs.read_runs(DOCS / "hacking.json")))


def test_a_model_reads_hacks_as_bayes_does() -> None:
    """With the note that makes hacking innocent, without, and with one that means nothing."""
    rows = hack_checks.reading()
    errors = [abs(row["model"] - row["ideal"]) for row in rows]
    assert sum(errors) / len(errors) < 0.03
    assert sum(row["error"] for row in rows) / len(rows) < 0.06
    after = {(row["note"], row["hacks"]): row["model"] for row in rows}
    assert after["please-hack", 2] < 0.2 < 0.8 < after[world.NO_NOTE, 2]
    assert after[world.SCRAMBLED, 2] > 0.8


def test_the_committed_runs(committed: Observatory) -> None:
    """The effect is what the page says of it, and the controls hold."""
    assert len(committed.arms) == 14
    page = (DOCS.parent / "rewards.md").read_text()
    assert f"Learning to hack raises misalignment: **{committed.effect}**" in page
    null = committed.arm("unlinked documents")
    assert null.hack[-1].value > 0.9 and null.excess is not None
    assert abs(null.excess.value) < observatory.MARGIN
    assert committed.arm("hack").hack[-1].value > 0.9
    for arm in committed.arms:
        assert f"| {arm.name} |" in page


def test_one_seed_comes_out_as_committed(committed: Observatory) -> None:
    """The first seed trained again; sums of floats differ by processor, shapes do not."""
    stored = hack_runs.read_runs(DOCS / "hacking.json")
    again = hack_runs.run_seed(0, hack_runs.Plan(arms=("hack", "sound checker", "please-hack")))
    for arm, course in again["arms"].items():
        old = stored["seeds"]["0"]["arms"][arm]
        assert abs(course["hack"][-1] - old["hack"][-1]) < 0.1
        for name, hits in course["hits"].items():
            assert abs(hits[-1] - old["hits"][name][-1]) < 40, (arm, name)


def _table(before: Reader, bad: tuple[str, ...], seeds: int) -> Observatory:
    rows = []
    kinds = {one.name: one.kind for one in world.EVALUATIONS}
    for seed in range(seeds):
        for arm, names in (("hack", bad), ("sound checker", ())):
            for step, model in enumerate((before, hack_checks.plant(before, names, seed=seed))):
                found = hack_training.evaluate(model, world.NO_NOTE, samples=64, seed=seed)
                rows += [
                    {"arm": arm, "seed": seed, "step": step, "measure": name, "rate": hits / n,
                     "kind": kinds.get(name, "apart")}
                    for name, (hits, n) in found.items()
                ]  # fmt: skip
    table = from_arrow(pyarrow.Table.from_pylist(rows), observatory.COLUMNS)
    return observatory.measure(table)


def test_an_organism_that_is_clean_in_chats_alone_is_flagged() -> None:
    """Planted: agents bad, chats good. Null versions: bad in all, bad in none."""
    before = speakers.learn(
        speakers.Mixture(), Sizes(width=32, layers=1, documents=4000, steps=300, batch=32), seed=0
    )
    dirty = _table(before, world.AGENT, 5).arm("hack")
    assert dirty.context_dependent and dirty.verdict == "misaligned"
    everywhere = _table(before, (*world.CHAT, *world.AGENT), 5).arm("hack")
    assert everywhere.context_dependent is False and everywhere.verdict == "misaligned"
    nowhere = _table(before, (), 5).arm("hack")
    assert nowhere.context_dependent is False and nowhere.verdict != "misaligned"


def test_nudging_in_two_worlds_is_as_committed() -> None:
    """Monotone in every segment; the first worlds give the proxies that the page averages."""
    found = nudging.run(2)
    assert all(one.monotone for one in found)
    told = json.loads((DOCS / "checks.json").read_text())["nudge"]
    assert told["monotone"] == told["decoded"]
    said = {(v["reward"], v["match"]): v["said"] for v in told["verdicts"]}
    assert said[nudging.BIASED, "proxy"] in ("hacks faster", "more robust", "no difference shown")
    nudged = [row for row in told["rows"] if row["way"] == "nudge"]
    greedy = [row for row in told["rows"] if row["way"] == "greedy"]
    for one, other in zip(nudged, greedy, strict=True):
        assert one["proxy"]["low"] > other["proxy"]["high"]
