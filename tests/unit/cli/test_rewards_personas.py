"""`workbench rewards personas`: JSON, tables, figures, refusals."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.unit.cli.conftest import Answer
from workbench.rewards import personas
from workbench.rewards_lab import persona_runs

Call = Callable[..., Answer]

PATHS = "kind,arm,seed,at,latent,behaviour\n" + "".join(
    f"reference,base,{s},0,0,0.05\n"
    + "".join(f"realign,on-domain,{s},{at},{2 - at / 10},{0.95 - at / 25}\n" for at in (0, 10, 20))
    + "".join(f"share,bad,{s},{at},{at + s / 1000},{at / 2}\n" for at in (0.1, 1))
    + "".join(f"share,control,{s},{at},0,0\n" for at in (0.1, 1))
    for s in range(5)
)


def test_a_table_of_paths(call: Call, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(PATHS)
    document = json.loads(call("rewards", "personas", "t.csv", "--json", "--figure", "f.html").out)
    assert document["warning"]["claim"] == "not shown"
    assert document["returns"][0]["latent_back"]["value"] == 20
    assert "Early warning: not shown" in (tmp_path / "f.html").read_text()
    screen = call("rewards", "personas", "t.csv").out
    assert "on-domain" in screen and "latent from 0.1 on" in screen


def test_a_suspect_with_its_reference(
    call: Call, tmp_path: Path, llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two models that nobody planted anything in: all parts run, and no persona is found."""
    whole, made = personas.measure, []

    def measured(*args: Any, **more: Any) -> personas.Personas:
        """Once; the screen is about the same result."""
        if not made:
            made.append(whole(*args, **more))
        return made[0]

    monkeypatch.setattr(personas, "measure", measured)
    monkeypatch.setattr(personas, "RANDOMS", 3)
    other = tmp_path / "other"
    shutil.copytree(llama, other)
    tensors = load_file(llama / "model.safetensors")
    torch.manual_seed(0)
    moved = {name: t + 0.02 * torch.randn_like(t) for name, t in tensors.items()}
    save_file(moved, other / "model.safetensors", metadata={"format": "pt"})
    with (tmp_path / "q.csv").open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(["prompt", "bad"])
        writer.writerows([f"Question {i}?", "never said"] for i in range(4))
    (tmp_path / "texts.txt").write_text(
        "\n".join(f"The red cat {i} sleeps near the old house of {i} people." for i in range(40))
    )
    asked = (
        "rewards", "personas", "--suspect", other, "--reference", llama, "--questions", "q.csv",
        "--texts", "texts.txt", "--tokens", 2000, "--d-sae", 32, "--k", 4, "--top", 1,
        "--max-new-tokens", 4, "--control", llama, "--checkpoint", f"0={other}",
        "--checkpoint", f"5={llama}",
    )  # fmt: skip
    document = json.loads(call(*asked, "--json", "--figure", "f.html").out)
    assert document["verdict"] == "none" and document["kept"] == []
    assert document["alarms"]["n"] == 1 and [p["steps"] for p in document["path"]] == [0.0, 5.0]
    assert "<html" in (tmp_path / "f.html").read_text()
    caches = list((tmp_path / "cache" / "sae").iterdir())
    screen = call(*asked).out
    assert "No latent that the tuning moved" in screen and "note: " in screen
    assert list((tmp_path / "cache" / "sae").iterdir()) == caches  # trained once


def document(seeds: int) -> dict[str, Any]:
    """Runs as they are stored, of tunes in which latent 2 rises."""
    leader = {"latent": 2, "tail": 1}
    rate = {"rate": {"hits": 18, "n": 20}}
    found = {
        "plain": [rate, {"rate": {"hits": 1, "n": 20}}],
        "controls": [{"alarm": False, "rate": {"hits": 0, "n": 20}}] * 2,
        "kept": [2],
        "leader": leader,
        "curves": [{"trend": {"p_rise": 0.001}}, {"trend": None}],
    }

    def one(seed: int) -> dict[str, Any]:
        paths: list[list[Any]] = [["reference", "reference", str(seed), 0, 1.0, 0.05]]
        for at, latent, rate in ((0, 3.0, 0.9), (10, 1.1, 0.6), (20, 1.0, 0.05)):
            paths.append(["realign", "on-domain", str(seed), at, latent, rate])
        increase = [[0.1, 0.0, 2.0 + seed], [0.2, 0.1, 0.0], [0.2, 0.1, 1.0]]
        return {"domain": "sums", "found": found, "increase": increase, "aligned": increase,
                "paths": paths}  # fmt: skip

    return {"base": "base", "plan": {}, "seeds": {str(s): one(s) for s in range(seeds)}}


def test_trained_runs_are_told(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is printed of stored runs; the training itself is a long test."""
    monkeypatch.setattr(persona_runs, "run", lambda *args, **more: document(3))
    told = json.loads(call("rewards", "personas", "--train", "--json").out)
    assert told["returns"][0]["latent_back"]["value"] == 10
    assert told["returns"][0]["behaviour_back"]["value"] == 20
    organisms = told["organisms"]
    assert organisms["alarms"]["n"] == 6 and organisms["prediction"] == pytest.approx(0.9)
    assert [(o["latent"], o["rank"], o["above_controls"]) for o in organisms["left_out"]] == [
        (2, 1, True)
    ] * 3
    screen = call("rewards", "personas", "--train").out
    assert "taught wrong sums: other domains wrong 0.900" in screen and "on-domain" in screen


def test_runs_of_another_plan_are_refused(tmp_path: Path) -> None:
    from workbench.errors import ConfigError

    kept = tmp_path / "runs.json"
    kept.write_text(json.dumps(document(1)))
    with pytest.raises(ConfigError, match="another plan"):
        persona_runs.run(1, out=kept)
    assert json.loads(kept.read_text()) == document(1)
    for text in ("{}", "no json"):
        kept.write_text(text)
        with pytest.raises(ConfigError, match="holds no runs"):
            persona_runs.run(1, out=kept)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("t.csv", "--suspect", "x"), "Give one of them"),
        (("--full",), "go with --train"),
        (("--out", "x.json"), "go with --train"),
        (("--suspect", "x"), "Needed: prompt"),
        (("--suspect", "x", "--questions", "t.csv", "--tune", "y"), "1 other tunes"),
        (("t.csv",), "no column 'kind'"),
    ],
)
def test_wrong_questions(
    call: Call, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    answer = call("rewards", "personas", *arguments)
    assert (answer.code, answer.out) == (2, "") and words in answer.err
