"""Runs come back once recorded, equal on every engine and in every order, cached where known."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from workbench.access import Access
from workbench.battery import Battery, Step, run
from workbench.ledger import Ledger

STEPS = (
    Step("calm"),
    Step("calm", {"top_k": 4}),
    Step("counting"),
    Step("calm", {"word": "x"}),
)


def record(battery: Battery, source: Any, folder: Path, **rest: Any) -> tuple[Ledger, list[Any]]:
    ledger = Ledger(folder / "ledger.duckdb")
    return ledger, list(run(battery, source, ledger, folder / "artifacts", **rest))


def results(ledger: Ledger) -> dict[str, Any]:
    """By key, everything of a run and its findings that must not depend on the occasion."""
    fresh = {"id": "", "group": "", "seconds": 0.0, "started": "", "finished": "", "usage": {}}
    return {
        r.key: (
            dataclasses.replace(r, **fresh),
            {k: v for k, v in r.usage.items() if k not in ("seconds", "cpu_seconds")},
            [entry.finding for entry in ledger.entries(run=r.id)],
        )
        for r in ledger.runs()
    }


def test_results_are_independent_of_engine_and_order(source: Any, tmp_path: Path) -> None:
    battery = Battery("b", STEPS, seed=3)
    backwards = Battery("b", STEPS[::-1], seed=3)
    local = results(record(battery, source, tmp_path / "a")[0])
    several = results(record(battery, source, tmp_path / "b", engine="processes")[0])
    reversed_ = results(record(backwards, source, tmp_path / "c")[0])
    assert len(local) == len(STEPS)
    assert local == several == reversed_
    other = results(record(Battery("b", STEPS[:1], seed=4), source, tmp_path / "d")[0])
    drawn = [found[2][0].metadata["drawn"] for found in (*local.values(), *other.values())
             if found[0].technique == "calm"]  # fmt: skip
    assert len(set(drawn)) == 2, "one draw per battery seed"


def test_what_a_run_says(source: Any, tmp_path: Path) -> None:
    battery = Battery("b", STEPS[1:3], seed=3, access=Access.CHAT)
    ledger, made = record(battery, source, tmp_path)
    calm, counting = made
    assert ledger.runs() == made
    assert (calm.suspect, calm.technique, calm.version, calm.seed) == ("scripted", "calm", 1, 3)
    assert calm.parameters == {"top_k": 4, "word": "w", "pause_seconds": 0.0}
    assert (calm.status, calm.reason, calm.traceback, calm.cached) == ("ok", "", "", False)
    assert (calm.access, calm.usage["samples"]) == (("chat",), 4)
    assert 0 < calm.usage["seconds"] <= calm.seconds
    assert 0 < calm.usage["cpu_seconds"] < 60
    assert calm.started < calm.finished
    assert calm.fingerprints["tensor_sha256"] == "t0"
    assert set(calm.fingerprints["artifacts"]) == {"words"}
    counts = (counting.planned, counting.ran, counting.errored, counting.refused, counting.unscored)
    assert counts == (7, 5, 1, 0, 1)
    assert {r.group for r in made} == {ledger.groups()[-1].id}


def test_what_the_reference_spent_is_recorded_apart(plugins: Any, tmp_path: Path) -> None:
    source = plugins.ScriptedSource(str(tmp_path / "loadings"), ("chat", "reference"))
    _, (first, again, calm) = record(
        Battery("b", (Step("comparing"), Step("counting"), Step("calm"))), source, tmp_path
    )
    assert (first.usage["samples"], first.usage["reference_samples"]) == (1, 3)
    assert first.usage["reference_tokens"] == 3 * first.usage["tokens"] > 0
    for other in (again, calm):
        assert "reference_samples" not in other.usage, "nobody asked it"


def test_a_known_run_is_not_made_again(source: Any, tmp_path: Path) -> None:
    battery = Battery("b", (*STEPS, Step("raising"), Step("greedy")), seed=3)
    ledger, first = record(battery, source, tmp_path)
    heard: list[tuple[str, str]] = []
    _, second = record(battery, source, tmp_path, progress=lambda *said: heard.append(said))
    made_again = [r for r in second if not r.cached]
    assert [r.technique for r in made_again] == ["raising"]
    assert {r.id for r in second if r.cached} == {r.id for r in first if r.status != "failed"}
    assert {r.group for r in second} == {ledger.groups()[-1].id}
    assert ledger.runs(group=second[0].group) == sorted(
        second, key=lambda r: [p.key for p in ledger.groups()[-1].planned].index(r.key)
    )
    assert heard == [("calm", "cached")] * 2 + [("counting", "cached"), ("calm", "cached"),
        ("greedy", "cached"), ("raising", "started"), ("raising", "failed")]  # fmt: skip


def test_another_suspect_seed_or_no_resume_is_run_anew(source: Any, tmp_path: Path) -> None:
    battery = Battery("b", STEPS[:1])
    record(battery, source, tmp_path)
    for changed, suspect, rest in (
        (battery, dataclasses.replace(source, fingerprint="t1"), {}),
        (dataclasses.replace(battery, seed=1), source, {}),
        (battery, source, {"resume": False}),
    ):
        _, made = record(changed, suspect, tmp_path, **rest)
        assert [r.cached for r in made] == [False]


CACHED = """
import json, sys
sys.path[:0] = json.loads(sys.argv[1])
from pathlib import Path
from fault_techniques import ScriptedSource
from workbench.battery import Battery, run
from workbench.ledger import Ledger

folder = Path(sys.argv[2])
source = ScriptedSource(str(folder / "loadings"))
made = run(Battery.of(["calm"]), source, Ledger(folder / "ledger.duckdb"), folder / "artifacts")
print(json.dumps([[r.cached for r in made], [m for m in sys.modules if m in sys.argv[3:]]]))
"""


def test_a_wholly_cached_battery_starts_no_child_and_imports_no_torch(
    plugins: Any, tmp_path: Path
) -> None:
    source = plugins.ScriptedSource(str(tmp_path / "loadings"))
    record(Battery.of(["calm"]), source, tmp_path)
    assert len(source.loadings()) == 1
    path = json.dumps([p for p in sys.path if p])
    heavy = ["torch", "transformers", "transformer_lens", "sae_lens", "polars"]
    answer = subprocess.run(
        [sys.executable, "-c", CACHED, path, str(tmp_path), *heavy],
        check=True,
        capture_output=True,
    )
    assert json.loads(answer.stdout) == [[True], []]
    assert len(source.loadings()) == 1


def test_nothing_is_run_before_the_first_step(source: Any, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.duckdb")
    run(Battery.of(["calm"]), source, ledger, tmp_path)
    assert not ledger.path.exists()
    assert source.loadings() == []


@pytest.mark.parametrize("name", ["smoke", "default"])
def test_the_batteries_that_come_along_are_in_order(name: str) -> None:
    import tomllib

    file = Path(__file__).parents[3] / "batteries" / f"{name}.toml"
    document = tomllib.loads(file.read_text())
    listed = {step["name"] for step in document["techniques"]}
    assert listed == {"corpus-grep", "topic-sweep", "prefill", "sae-features"}
    assert all(step["time_limit_seconds"] > 0 for step in document["techniques"])


def test_stop_kills_what_runs_and_leaves_the_rest(source: Any, tmp_path: Path) -> None:
    steps = (Step("calm"), Step("calm", {"pause_seconds": 60.0}), Step("calm", {"word": "z"}))
    started: list[str] = []
    ledger, made = record(
        Battery("b", steps), source, tmp_path,
        progress=lambda technique, happened: started.append(happened),
        stop=lambda: started.count("started") == 2,
    )  # fmt: skip
    assert [run.status for run in made] == ["ok"]
    assert len(ledger.runs()) == 1
    assert len(list(run(Battery("b", steps[::2]), source, ledger, tmp_path / "artifacts"))) == 2
