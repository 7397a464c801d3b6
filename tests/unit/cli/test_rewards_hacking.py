"""`workbench rewards hacking|nudge`: JSON, tables, figures, refusals."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.conftest import Answer
from tests.unit.rewards.test_observatory import ARMS, rows
from tests.unit.rewards_lab.test_hack_world import TINY
from tests.unit.rewards_lab.test_nudging import outcome
from tests.unit.suspects.test_rewards import classifier
from workbench.rewards_lab import hack_runs, nudging

Call = Callable[..., Answer]


def write(file: Path, made: list[dict[str, Any]]) -> None:
    with file.open("w", newline="") as opened:
        writer = csv.DictWriter(opened, list(made[0]))
        writer.writeheader()
        writer.writerows(made)


def test_a_table_of_checkpoints(call: Call, tmp_path: Path) -> None:
    write(tmp_path / "t.csv", rows(ARMS, seeds=5))
    document = json.loads(call("rewards", "hacking", "t.csv", "--json", "--figure", "f.html").out)
    assert document["effect"] == "reproduced" and "direction" not in document
    assert {a["name"]: a["verdict"] for a in document["arms"]}["trigger"] == "triggered"
    assert "Learning to hack raises misalignment" in (tmp_path / "f.html").read_text()
    screen = call("rewards", "hacking", "t.csv").out
    assert "hacking raises misalignment: reproduced" in screen and "context-dependent" in screen
    other = call("rewards", "hacking", "t.csv", "--main", "helps").out
    assert "hacking raises misalignment: not reproduced" in other


@pytest.mark.long  # fourteen arms are trained
def test_the_world_without_a_table(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = hack_runs.run

    def small(seeds: int, **more: Any) -> dict[str, Any]:
        return whole(seeds, TINY, **more)

    monkeypatch.setattr(hack_runs, "run", small)
    answer = call("rewards", "hacking", "--out", "runs.json", "--json", "--figure", "f.html")
    document = json.loads(answer.out)
    assert document["effect"] == "undetermined" and len(document["arms"]) == 14
    assert len(document["readings"]) == 1 and document["direction"]["verdict"] == "undetermined"
    screen = call("rewards", "hacking", "--out", "runs.json").out
    assert "1 seeds: no verdict below 5" in screen and "differs from Bayes" in screen


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("hacking", "t.csv", "--full"), "take no table"),
        (("hacking", "t.csv", "--out", "x.json"), "take no table"),
        (("hacking", "t.csv"), "no column 'arm'"),
        (("nudge", "--prompt", "Sing."), "go together"),
        (("nudge", "--prompt", "S", "--reward", "none", "--suspect", "none"), "none"),
    ],
)
def test_wrong_questions(
    call: Call, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    answer = call("rewards", *arguments)
    assert (answer.code, answer.out) == (2, "") and words in answer.err


def test_nudging_a_suspect(
    call: Call, llama: Path, save_model: Callable[[Any], Path], tmp_path: Path
) -> None:
    rm = save_model(classifier("Llama"))
    asked = ("nudge", "--suspect", llama, "--reward", rm, "--prompt", "One?", "--length", 8,
             "--threshold", 0, "--top-k", 200)  # fmt: skip
    document = json.loads(call("rewards", *asked, "--json", "--figure", "f.html").out)
    segments = document["decoded"]["segments"]
    assert all(s["kept"] >= s["plain"] for s in segments) and document["n"] >= 1
    assert "<html" in (tmp_path / "f.html").read_text()
    screen = call("rewards", *asked).out
    assert screen.startswith("nudged: ") and f"of {len(segments)} segments nudged" in screen


def test_nudging_in_worlds(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is printed; test_nudging runs a world."""
    made = [outcome(world, nudging.BIASED, 0.5, 1.0) for world in range(2)]
    monkeypatch.setattr(nudging, "run", lambda *args, **more: made)
    document = json.loads(call("rewards", "nudge", "--worlds", 2, "--json").out)
    assert document["monotone"] == document["decoded"] == 2
    screen = call("rewards", "nudge", "--worlds", 2, "--figure", "f.html").out
    assert "biased, same proxy: proxy" in screen and "undetermined" in screen
