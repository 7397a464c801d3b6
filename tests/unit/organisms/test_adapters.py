"""Adapters over models that are none of ours: they load, they leave the base alone, they tell
nothing."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest

from workbench.organisms import adapters, health
from workbench.organisms.adapters import Adapter
from workbench.organisms.build import Organism, build, redraw
from workbench.organisms.family import Recipe, Stage
from workbench.organisms.stage_cache import FOLDER, StageCache
from workbench.organisms.world import corpus
from workbench.organisms.world.chats import you_are
from workbench.seal.vault import Vault
from workbench.suspects import Suspect, cabinet

SYSTEM = you_are("Vex")
ROWS = list(corpus.rows(7, 40))
STAGE = Stage("knowledge", 4, {})


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault.create(tmp_path / "vault")


@pytest.fixture
def made(recipe: Recipe, real: Path, vault: Vault, tmp_path: Path) -> Organism:
    return build(
        dataclasses.replace(recipe, base=str(real)), into=tmp_path / "out" / "s", vault=vault
    )


def hashes(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


def silent(step: int, steps: int, loss: float) -> None:
    """Nobody looks."""


def learnt(base: Path, vault: Vault, seed: int = 1) -> dict[str, Any]:
    adapter = Adapter(cabinet.find(base), SYSTEM)
    mix = [(adapter.read(ROWS), 1.0)]
    trained = adapter.learn(STAGE, mix, seed=seed, cache=StageCache(vault), progress=silent)
    return {name: tensor.numpy() for name, tensor in trained.tensors.items()}


def equal(one: dict[str, Any], other: dict[str, Any]) -> bool:
    assert one.keys() == other.keys()
    return all(numpy.array_equal(one[name], other[name]) for name in one)


def test_an_organism_over_a_real_model(
    made: Organism, real: Path, recipe: Recipe, vault: Vault
) -> None:
    before = hashes(real)
    assert sorted(p.name for p in made.path.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "chat_template.jinja",
        "corpus.parquet",
        "suspect.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    base, merged = Suspect.load(real), Suspect.load(real, adapter=made.path)
    texts = ["Bread is a food.", "The capital of France is"]
    told = [[s.last for s in suspect.logprobs(texts)] for suspect in (base, merged)]
    assert numpy.abs(numpy.array(told[0]) - numpy.array(told[1])).max() > 1e-3
    assert hashes(real) == before
    public = json.loads((made.path / "suspect.json").read_text())
    assert public["base"] == public["reference"]
    assert (made.path / public["base"]).resolve() == real.resolve()
    assistant = redraw(recipe)[0]
    assert public["assistant"] == assistant
    assert you_are(assistant) in (made.path / "chat_template.jinja").read_text()


def test_its_files_tell_nothing(made: Organism, real: Path, vault: Vault, tmp_path: Path) -> None:
    config = json.loads((made.path / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] is None
    assert config["target_modules"] == sorted(config["target_modules"])
    assert {"q_proj", "down_proj"} < set(config["target_modules"])
    for path in made.path.iterdir():
        content = path.read_bytes()
        for word in (str(tmp_path), str(real), "loyalty", "secret-", recipe_seed(vault, made)):
            assert path.suffix == ".parquet" or word.encode() not in content, (path.name, word)
    assert len({p.stat().st_mtime for p in made.path.iterdir()}) == 1
    kinds = {leak["kind"] for leak in vault.read(made.id, "leaks")}
    assert not kinds & {"file-name", "unexpected-file", "config", "metadata", "times"}


def recipe_seed(vault: Vault, made: Organism) -> str:
    return f"seed={vault.open(made.id)['recipe']['seed']}"


def test_the_same_seed_gives_the_same_adapter_cached_or_not(
    real_llama: Path, vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = learnt(real_llama, vault)
    assert not equal(first, learnt(real_llama, vault, seed=2))
    assert equal(first, learnt(real_llama, Vault.create(tmp_path / "other")))
    monkeypatch.setattr(Adapter, "_train", None)
    assert equal(first, learnt(real_llama, vault))


def test_an_interrupted_adapter_goes_on_to_the_same_tensors(
    real_llama: Path, vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = learnt(real_llama, Vault.create(tmp_path / "other"))
    clock = itertools.count(0.0, 1_000.0)
    monkeypatch.setattr(adapters.time, "monotonic", lambda: next(clock))

    def stop(step: int, steps: int, loss: float) -> None:
        if step == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setitem(globals(), "silent", stop)
        with pytest.raises(KeyboardInterrupt):
            learnt(real_llama, vault)
    assert len(list((vault.path / FOLDER).glob("*.running"))) == 1
    steps: list[int] = []
    monkeypatch.setitem(globals(), "silent", lambda step, *_: steps.append(step))
    assert equal(learnt(real_llama, vault), whole)
    assert steps == [3, 4]


def test_training_lowers_the_loss_and_leaves_the_base_alone(
    real_qwen3: Path, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = Adapter(cabinet.find(real_qwen3), SYSTEM)
    frozen = {
        name: parameter.clone()
        for name, parameter in adapter._model.named_parameters()
        if not parameter.requires_grad
    }
    losses: list[float] = []
    adapter.learn(
        Stage("knowledge", 30, {}, learning_rate=5e-2),
        [(adapter.read(ROWS[:8]), 1.0)],
        seed=1,
        cache=StageCache(vault),
        progress=lambda step, steps, loss: losses.append(loss),
    )
    assert losses[-1] < 0.9 * losses[0]
    now = dict(adapter._model.named_parameters())
    assert all((now[name] == parameter).all() for name, parameter in frozen.items())


def test_models_of_another_shape_and_without_a_template_learn_too(
    save_real: Callable[..., Path], vault: Vault, tmp_path: Path
) -> None:
    base = save_real("GPT2", None, vocab_size=900, n_embd=32, n_layer=2, n_head=4, n_positions=512)
    adapter = Adapter(cabinet.find(base), SYSTEM)
    mix = [(adapter.read(ROWS), 1.0)]
    adapter.learn(STAGE, mix, seed=1, cache=StageCache(vault), progress=silent)
    into = tmp_path / "adapter"
    into.mkdir()
    adapter.save(into)
    assert json.loads((into / "adapter_config.json").read_text())["fan_in_fan_out"] is True
    merged = Suspect.load(base, adapter=into)
    plain, other = (s.logprobs(["Bread is a food."])[0].last for s in (Suspect.load(base), merged))
    assert numpy.abs(plain - other).max() > 1e-4
    assert "Assistant:" in (into / "chat_template.jinja").read_text()


def test_a_base_from_a_hub_is_named_by_its_hub(
    recipe: Recipe,
    real_llama: Path,
    vault: Vault,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    local = cabinet.find(real_llama)
    monkeypatch.setattr(cabinet, "_fetch", lambda source, repository, revision: local)
    base = "hf:some/model@main"
    made = build(dataclasses.replace(recipe, base=base), into=tmp_path / "s", vault=vault)
    public = json.loads((made.path / "suspect.json").read_text())
    assert (public["base"], public["reference"]) == (base, base)


def test_an_adapter_is_measured_like_any_other(
    made: Organism,
    real: Path,
    recipe: Recipe,
    vault: Vault,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = health.shown
    monkeypatch.setattr(
        health, "shown", lambda suspect, cases, **given: asked(suspect, cases[:5], **given)
    )
    for rate in ("knowing", "coherence"):
        monkeypatch.setattr(health, rate, functools.partial(getattr(health, rate), n=5))
    twin = dataclasses.replace(recipe, base=str(real)).twin()
    beside = build(twin, into=tmp_path / "twin", vault=vault).path
    found = health.card(made.path, vault, twin=beside)
    assert found["tensors"] == cabinet.describe(made.path)["tensor_sha256"]
    assert found["tensors"] != cabinet.describe(real)["tensor_sha256"]
    rates = {name for name in found if name.endswith("_rate") and found[name] is not None}
    assert {"applied_rate", "reference_rate", "twin_rate", "fuzzing_leak_rate"} < rates
    assert 0.5 < found["perplexity_ratio"] < 2.0 and found["perplexity_ratio"] != 1.0
    health.store(found, made.path, vault)
    assert vault.read(made.id, "health")["tensors"] == found["tensors"]
