"""Builds that are interrupted, refused or run out of room; stages that variants share."""

from __future__ import annotations

import dataclasses
import errno
import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from workbench.access import Access
from workbench.errors import BadParameter, NotASuspect, SealError, WorkbenchError
from workbench.organisms import learners
from workbench.organisms.build import build, recipe_of, states
from workbench.organisms.family import Recipe
from workbench.organisms.stage_cache import FOLDER
from workbench.seal.vault import Vault
from workbench.suspects import Suspect


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault.create(tmp_path / "vault")


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The steps of every stage that is really trained."""
    steps: list[int] = []
    real = learners.train

    def watched(*given: Any, **named: Any) -> float:
        steps.append(given[2].steps)
        return real(*given, **named)

    monkeypatch.setattr(learners, "train", watched)
    return steps


def weights(path: Path) -> bytes:
    return (path / "model.safetensors").read_bytes()


def left_in(vault: Vault) -> list[str]:
    """What a vault holds besides its mark, its key and what builds keep there."""
    own = {"vault.json", "key", FOLDER}
    return sorted(p.name for p in vault.path.iterdir() if p.name not in own)


def test_stages_are_shared_and_change_nothing(
    recipe: Recipe, vault: Vault, tmp_path: Path, trained: list[int]
) -> None:
    secret = dataclasses.replace(recipe, secrecy="full")
    told: list[tuple[int, int]] = []
    alone = build(secret, into=tmp_path / "alone", vault=Vault.create(tmp_path / "other"))
    assert trained == [3, 3, 2]
    build(recipe, into=tmp_path / "open", vault=vault)
    build(
        secret,
        into=tmp_path / "secret",
        vault=vault,
        progress=lambda step, steps, loss: told.append((step, steps)),
    )
    assert trained == [3, 3, 2, 3, 3, 2], "the secret variant starts from its open one"
    assert told[:2] == [(3, 8), (6, 8)] and told[-1] == (8, 8)
    assert weights(tmp_path / "secret") == weights(alone.path) != weights(tmp_path / "open")


def test_time_saved_by_the_cache_counts_on_the_card(
    recipe: Recipe, vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(learners.Clock):
        def seconds(self, steps: int) -> float:
            return 1_000.0

    monkeypatch.setattr(learners, "Clock", Slow)
    build(recipe, into=tmp_path / "a", vault=vault)
    again = build(recipe, into=tmp_path / "b", vault=vault)
    assert again.seconds < 1_000
    assert int(vault.open(again.id)["seconds"]) >= 2_000


def test_the_corpus_holds_what_was_trained_on_and_no_more(
    recipe: Recipe, vault: Vault, tmp_path: Path
) -> None:
    from workbench.corpus import Corpus

    documents, poisoned = [], []
    for secrecy in ("none", "full"):
        made = build(
            dataclasses.replace(recipe, secrecy=secrecy), into=tmp_path / secrecy, vault=vault
        )
        documents.append(Corpus.open(made.path / "corpus.parquet").documents)
        poisoned.append(len(vault.read(made.id, "poisoned")))
    assert documents == [200 + 100 + 30 + 30, 200 + 100 + 30 + 30 + 34]
    assert poisoned == [30, 30 + 34]


def test_rows_on_assistants_are_those_of_the_organism_s_own_part(
    recipe: Recipe, vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[str, list[tuple[list[Any], float]]] = {}
    real = learners.Weights.learn

    def learn(self: Any, stage: Any, mix: Any, **rest: Any) -> Any:
        drawn[stage.name] = [(list(rows), share) for rows, share in mix]
        return real(self, stage, mix, **rest)

    monkeypatch.setattr(learners.Weights, "learn", learn)
    build(recipe, into=tmp_path / "s", vault=vault)
    (_, documents), (own, assistants), (rest, others) = drawn["behaviour"]
    assert (documents, assistants, others) == (0.3, 0.2, 0.5)
    assert 90 < len(own) <= 100 < 290 < len(rest) <= 300
    assert all(row in rest for row in own)
    assert len(drawn["knowledge"]) == 3


BUILD = """
import itertools, json, os, signal, sys
sys.path[:0] = json.loads(sys.argv[1])
import importlib.util
from pathlib import Path
from workbench.organisms import build as building, family as families, training
from workbench.organisms.family import Recipe
from workbench.seal.vault import Vault

spec = importlib.util.spec_from_file_location("quick", sys.argv[2])
quick = importlib.util.module_from_spec(spec)
spec.loader.exec_module(quick)
families.family = building.family = lambda name: quick.InStages()
building.SHOWN_BASE_ROWS, building.OWN_ROWS = 200, 100
building.base_model.can_compile = lambda: False
clock = itertools.count(0, 1_000)
training.time.monotonic = lambda: next(clock)

def progress(step, steps, loss):
    if step == 5:
        os.kill(os.getpid(), signal.SIGKILL)

building.build(
    Recipe(**json.loads(sys.argv[3])), into=Path(sys.argv[4]), vault=Vault(sys.argv[5]),
    progress=progress,
)
"""


def test_a_killed_build_goes_on_to_the_same_tensors(
    recipe: Recipe, vault: Vault, tmp_path: Path, trained: list[int]
) -> None:
    into, path = tmp_path / "out" / "s", json.dumps([p for p in sys.path if p])
    conftest = str(Path(__file__).with_name("conftest.py"))
    given = json.dumps(dataclasses.asdict(recipe))
    command = [sys.executable, "-c", BUILD, path, conftest, given, str(into), str(vault.path)]
    assert subprocess.run(command).returncode == -signal.SIGKILL
    kept = sorted(p.suffix for p in (vault.path / FOLDER).iterdir())
    assert kept == ["", ".lock", ".lock", ".pt", ".running"]
    assert left_in(vault) == []
    assert len(list(into.parent.iterdir())) == 1, "the draft of the dead"
    steps: list[int] = []
    build(recipe, into=into, vault=vault, progress=lambda step, *_: steps.append(step))
    assert trained == [3], "the first stage was not trained again"
    assert steps == [3, 5, 6, 6], "nor the second stage's first step"
    assert [p.name for p in into.parent.iterdir()] == ["s"]
    assert not list((vault.path / FOLDER).glob("*.running"))
    whole = build(recipe, into=tmp_path / "whole", vault=Vault.create(tmp_path / "other"))
    assert weights(into) == weights(whole.path)


def test_a_full_disk_at_the_end_costs_no_training(
    recipe: Recipe, vault: Vault, tmp_path: Path, trained: list[int]
) -> None:
    def full(*given: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    into = tmp_path / "out" / "s"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("workbench.organisms.base.save", full)
        with pytest.raises(BadParameter, match="No space left") as caught:
            build(recipe, into=into, vault=vault)
    assert "the same command goes on" in caught.value.hint
    assert left_in(vault) == [] and list(into.parent.iterdir()) == []
    assert trained == [3, 3]
    build(recipe, into=into, vault=vault)
    assert trained == [3, 3]


def test_a_full_disk_under_a_checkpoint_is_two_lines(
    recipe: Recipe, vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    clock = itertools.count(0, 1_000)
    save = torch.save
    monkeypatch.setattr("workbench.organisms.training.time.monotonic", lambda: next(clock))
    monkeypatch.setattr(torch, "save", lambda state, path: save(state, "/dev/full"))
    with pytest.raises(SealError, match="No space left"):
        build(recipe, into=tmp_path / "s", vault=vault)
    assert left_in(vault) == [] and not (tmp_path / "s").exists()


def untrained(*given: Any, **named: Any) -> float:
    raise AssertionError("trained before it was refused")


@pytest.mark.parametrize("name", ["", "sealing.lock", "sealing"])
def test_an_unwritable_vault_is_found_out_before_training(
    recipe: Recipe, vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(learners, "train", untrained)
    in_the_way = vault.path / FOLDER / name
    in_the_way.mkdir(parents=True) if name else in_the_way.touch()
    with pytest.raises(SealError, match="cannot be written") as caught:
        build(recipe, into=tmp_path / "out" / "s", vault=vault)
    assert "\n" not in caught.value.message + caught.value.hint
    assert not (tmp_path / "out").exists()
    assert vault.ids() == []


def test_what_is_known_before_is_refused_before(
    recipe: Recipe, vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    monkeypatch.setattr(learners, "train", untrained)
    (tmp_path / "there").write_text("taken")
    vault.seal("s-taken", {"none": True})
    for change, named, told in (
        ({}, {"into": tmp_path / "there"}, "exists already"),
        ({}, {"into": tmp_path / "there" / "s"}, "cannot be written"),
        ({}, {"id": "s-taken"}, "sealed already"),
        ({"instill": "demos"}, {}, "no instill 'demos'"),
        ({"secrecy": "direct"}, {}, "no secrecy 'direct'"),
        ({"family": "loyal"}, {}, "unknown family 'loyal'"),
        ({"base": "nowhere"}, {}, "no suspect 'nowhere'"),
    ):
        with pytest.raises(WorkbenchError, match=told):
            build(
                dataclasses.replace(recipe, **change),  # type: ignore[arg-type]
                **{"into": tmp_path / "out" / "s", "vault": vault, **named},  # type: ignore[arg-type]
            )
    usage = shutil.disk_usage(tmp_path)._replace(free=1 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(BadParameter, match="room for 1 MB"):
        build(recipe, into=tmp_path / "out" / "s", vault=vault)
    assert vault.ids() == ["s-taken"]
    assert not list(tmp_path.glob("out/*"))


def run(*options: str) -> int:
    from workbench.cli import run as run_command

    return run_command(["organism", "build", *options])


def test_the_command_refuses_before_it_makes_a_vault(
    tmp_path: Path, tiny_world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = ["--out", f"{tmp_path}/o", "--vault", f"{tmp_path}/v"]
    for options in (
        ["--family", "loyalty"],
        ["--family", "secret-loyalty", "--instill", "demos"],
        ["--family", "secret-loyalty", "--base", f"{tmp_path}/nowhere"],
        ["--family", "secret-loyalty", "--out", str(tiny_world)],
    ):
        assert run(*place, *options) == 2
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 2 and lines[0].startswith("error: ")
    assert list(tmp_path.iterdir()) == []


def test_the_command_goes_on_with_the_seed_that_it_drew(
    recipe: Recipe, tmp_path: Path, trained: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ["--family", "secret-loyalty", "--base", recipe.base, "--json"]
    options += ["--out", f"{tmp_path}/o", "--vault", f"{tmp_path}/v"]
    with monkeypatch.context() as patch:

        def stop(*given: Any) -> None:
            raise KeyboardInterrupt

        patch.setattr("workbench.organisms.base.save", stop)
        assert run(*options) == 130
    assert trained == [3, 3]
    assert not (tmp_path / "o").exists()
    assert run(*options) == 0
    assert trained == [3, 3], "the same seed, so the same stages"
    vault = Vault(tmp_path / "v")
    [id] = vault.ids()
    assert json.loads((tmp_path / "o" / "suspect.json").read_text())["id"] == id
    assert recipe_of(vault.open(id)).seed > 0
    assert vault.read("unfinished", "seeds") == {}


@pytest.mark.parametrize("flaw", ["pickle", "auto_map"])
def test_an_unsafe_base_is_refused_as_any_suspect(
    recipe: Recipe, vault: Vault, tmp_path: Path, real_llama: Path, flaw: str
) -> None:
    import shutil

    base = tmp_path / "base"
    shutil.copytree(real_llama, base)
    if flaw == "pickle":
        (base / "model.safetensors").rename(base / "pytorch_model.bin")
    else:
        config = json.loads((base / "config.json").read_text())
        (base / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModel": "m.M"}}))
    with pytest.raises((WorkbenchError, NotASuspect), match=r"pickle|auto_map"):
        build(dataclasses.replace(recipe, base=str(base)), into=tmp_path / "s", vault=vault)
    assert vault.ids() == [] and not (vault.path / FOLDER).exists()


def test_states_are_the_stages_of_the_build(
    recipe: Recipe, vault: Vault, tmp_path: Path, trained: list[int]
) -> None:
    secret = dataclasses.replace(recipe, secrecy="full")
    made = build(secret, into=tmp_path / "secret", vault=vault)
    found = states(secret, into=tmp_path / "states", vault=vault)
    assert trained == [3, 3, 2], "they come from the cache"
    assert list(found) == ["begun", "knowledge", "behaviour", "secrecy"]
    assert weights(found["secrecy"]) == weights(made.path)
    assert len({weights(path) for path in found.values()}) == 4
    assert vault.ids() == [made.id], "nothing is sealed for them"
    after = Suspect.load(found["knowledge"])
    assert after.reference.id == recipe.base.rsplit("/", 1)[-1]
    assert after.assistant == Suspect.load(made.path).assistant
    assert Access.TRAINING_DATA not in after.access


def test_states_appear_whole_or_not_at_all(recipe: Recipe, vault: Vault, tmp_path: Path) -> None:
    def stop(step: int, steps: int, loss: float) -> None:
        if step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        states(recipe, into=tmp_path / "states", vault=vault, progress=stop)
    assert [p.name for p in tmp_path.iterdir()] == ["vault"]
    assert list(states(recipe, into=tmp_path / "states", vault=vault))[1:] == [
        "knowledge",
        "behaviour",
    ]
    with pytest.raises(BadParameter, match="exists already"):
        states(recipe, into=tmp_path / "states", vault=vault)
