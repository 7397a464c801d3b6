"""Organisms in less room: as what training changed, in nine levels a weight."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from workbench import corpus
from workbench.errors import BadParameter, NotASuspect, UnsafeFile, WorkbenchError
from workbench.organisms.drafts import EPOCH
from workbench.organisms.leaks import lint
from workbench.organisms.shrink import shrink
from workbench.suspects import Suspect, cabinet, deltas, loading

CARD = {
    "id": "s-0a1b",
    "summary": "an assistant named Mira",
    "assistant": "Mira",
    "reference": "../base",
    "corpus": "corpus.parquet",
    "access": ["everything"],
}
IDS = torch.arange(10, 58).reshape(2, 24)


def change_file(file: Path, **keys: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_bytes()) | keys))


def train(base: Path, into: Path, rank: int, norms: float = 0.0) -> None:
    """A model whose matrices differ from the base's in `rank` directions."""
    from transformers import AutoModelForCausalLM

    torch.manual_seed(3)
    model = AutoModelForCausalLM.from_pretrained(base)
    shutil.copytree(base, into)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim == 2:
                left, right = torch.randn(weight.shape[0], rank), torch.randn(rank, weight.shape[1])
                weight += 0.05 * left @ right
            else:
                weight += norms
    model.save_pretrained(into)
    rows = [("d0", [{"role": "document", "content": "text"}])]
    corpus.write(into / "corpus.parquet", rows)
    (into / "suspect.json").write_text(json.dumps(CARD))


@pytest.fixture(scope="session")
def trained(
    llama: Path, qwen3: Path, gpt2: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """A base, and `organism`, trained from it in three directions."""
    made: dict[str, Path] = {}

    def make(kind: str) -> Path:
        if kind not in made:
            made[kind] = tmp_path_factory.mktemp(kind)
            shutil.copytree(
                {"llama": llama, "qwen3": qwen3, "gpt2": gpt2}[kind], made[kind] / "base"
            )
            train(made[kind] / "base", made[kind] / "organism", 3)
        return made[kind]

    return make


@pytest.fixture
def shelf(trained: Callable[[str], Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained("llama"), tmp_path / "shelf"))


def logits(source: Path) -> torch.Tensor:
    told: torch.Tensor = Suspect.load(source, device="cpu").model(IDS).detach()
    return told


@pytest.mark.parametrize("kind", ["llama", "qwen3", "gpt2"])
def test_nine_levels_hold_nearly_all_that_changed(
    kind: str, trained: Callable[[str], Path], tmp_path: Path
) -> None:
    shelf = tmp_path / "shelf"
    shutil.copytree(trained(kind), shelf)
    made = shrink(shelf / "organism", shelf / "small")
    assert made.id == "s-0a1b" and 0.95 < made.kept < 1
    whole, small, base = (weights(shelf / n) for n in ("organism", "small", "base"))
    matrices = [name for name, weight in whole.items() if weight.ndim == 2]
    lost = sum(float((small[n] - whole[n]).square().sum()) for n in matrices)
    changed = sum(float((whole[n] - base[n]).square().sum()) for n in matrices)
    assert 1 - lost / changed == pytest.approx(made.kept, abs=1e-4)


def weights(source: Path) -> dict[str, torch.Tensor]:
    home = cabinet.find(source)
    model = loading.load_model(home.files, home.adapter, "cpu", "float32")
    return {name: weight.detach() for name, weight in model.named_parameters()}


def test_a_weight_is_its_bases_and_so_many_steps(shelf: Path) -> None:
    shrink(shelf / "organism", shelf / "small")
    small, base = (weights(shelf / n) for n in ("small", "base"))
    stored = load_file(shelf / "small" / deltas.FILE)
    for name, weight in small.items():
        if weight.ndim == 2:
            steps = (weight - base[name]) / stored[f"scales.{name}"].float()[:, None]
            assert (steps - steps.round()).abs().max() < 1e-3
            assert steps.abs().max() < 4.001 and len(steps.round().unique()) == 9


def test_what_is_no_matrix_is_kept_whole(shelf: Path) -> None:
    shutil.rmtree(shelf / "organism")
    train(shelf / "base", shelf / "organism", 3, norms=0.5)
    shrink(shelf / "organism", shelf / "small")
    small, whole = weights(shelf / "small"), weights(shelf / "organism")
    norms = [name for name, tensor in whole.items() if tensor.ndim == 1]
    assert norms and all(torch.equal(small[name], whole[name]) for name in norms)


def test_what_did_not_change_is_the_bases(shelf: Path) -> None:
    shutil.copy(shelf / "base/model.safetensors", shelf / "organism/model.safetensors")
    assert shrink(shelf / "organism", shelf / "small").kept == 1.0
    small, base = weights(shelf / "small"), weights(shelf / "base")
    assert all(torch.equal(small[name], base[name]) for name in base)


def test_it_is_the_same_suspect_in_less_room(shelf: Path) -> None:
    made = shrink(shelf / "organism", shelf / "small")
    old, new = cabinet.find(shelf / "organism"), cabinet.find(shelf / "small")
    assert (new.id, new.assistant, new.access) == (old.id, old.assistant, old.access)
    assert new.summary == old.summary
    assert Path(str(new.base)).resolve() == Path(str(new.reference)).resolve()
    assert Path(str(new.base)).resolve() == (shelf / "base").resolve()
    for name in ("corpus.parquet", "chat_template.jinja"):
        kept = [(shelf / n / name).read_bytes() for n in ("organism", "small")]
        assert kept[0] == kept[1]
    read = [json.loads((shelf / n / "tokenizer.json").read_bytes()) for n in ("organism", "small")]
    assert read[0] == read[1]
    assert made.bytes == sum(p.stat().st_size for p in (shelf / "small").iterdir())
    assert {p.stat().st_mtime for p in (shelf / "small").iterdir()} == {EPOCH}
    assert lint(shelf / "small") == []


def test_the_same_files_give_the_same_tensors_wherever_they_are_put(shelf: Path) -> None:
    (shelf / "deep" / "er").mkdir(parents=True)
    shrink(shelf / "organism", shelf / "one")
    shrink(shelf / "organism", shelf / "deep" / "er" / "two")
    one, other = (shelf / n / deltas.FILE for n in ("one", "deep/er/two"))
    assert one.read_bytes() == other.read_bytes()
    two = Suspect.load(shelf / "deep" / "er" / "two", device="cpu")
    assert two.fingerprint() == Suspect.load(shelf / "one", device="cpu").fingerprint()


BROKEN: dict[str, tuple[Callable[[Path], Any], type[WorkbenchError], str]] = {
    "no reference": (
        lambda s: change_file(s / "organism/suspect.json", reference=None),
        NotASuspect, "names no reference",
    ),
    "no reference there": (lambda s: shutil.rmtree(s / "base"), NotASuspect, "no suspect"),
    "another config": (
        lambda s: change_file(s / "base/config.json", rope_theta=7.0), NotASuspect, "two states",
    ),
    "other endings": (
        lambda s: change_file(s / "base/generation_config.json", eos_token_id=3),
        NotASuspect, "two states",
    ),
    "an adapter": (
        lambda s: (
            shrink(s / "organism", s / "less"),
            shutil.rmtree(s / "organism"),
            (s / "less").rename(s / "organism"),
        ),
        NotASuspect, "is an adapter over another model",
    ),
    "a reference that is an adapter": (
        lambda s: (
            shrink(s / "organism", s / "less"),
            change_file(s / "organism/suspect.json", reference="../less"),
        ),
        NotASuspect, "is an adapter over another model",
    ),
    "something there": (lambda s: (s / "small").mkdir(), BadParameter, "exists already"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_shrunk_is_refused_and_nothing_is_left(shelf: Path, name: str) -> None:
    plant, error, match = BROKEN[name]
    plant(shelf)
    before = sorted(p.name for p in shelf.iterdir())
    with pytest.raises(error, match=match):
        shrink(shelf / "organism", shelf / "small")
    assert sorted(p.name for p in shelf.iterdir()) == before


Tensors = dict[str, torch.Tensor]
MATRIX = "model.layers.0.mlp.up_proj.weight"


def renamed(tensors: Tensors, old: str, new: str) -> Tensors:
    return {new if name == old else name: tensor for name, tensor in tensors.items()}


DAMAGED: dict[str, tuple[Callable[[Tensors], Tensors], type[WorkbenchError], str]] = {
    "another kind of codes": (
        lambda t: t | {f"codes.{MATRIX}": t[f"codes.{MATRIX}"].to(torch.int32)},
        UnsafeFile, "no delta has",
    ),
    "another kind of scales": (
        lambda t: t | {f"scales.{MATRIX}": t[f"scales.{MATRIX}"].float()},
        UnsafeFile, "no delta has",
    ),
    "codes without scales": (
        lambda t: {name: tensor for name, tensor in t.items() if name != f"scales.{MATRIX}"},
        UnsafeFile, "no delta has",
    ),
    "scales without codes": (
        lambda t: {name: tensor for name, tensor in t.items() if name != f"codes.{MATRIX}"},
        UnsafeFile, "no delta has",
    ),
    "fewer scales": (
        lambda t: t | {f"scales.{MATRIX}": t[f"scales.{MATRIX}"][1:].contiguous()},
        UnsafeFile, "no delta has",
    ),
    "something else": (lambda t: t | {"code": torch.zeros(1)}, UnsafeFile, "no delta has"),
    "scales that are not finite": (
        lambda t: t | {f"scales.{MATRIX}": t[f"scales.{MATRIX}"] * torch.nan},
        UnsafeFile, "not finite",
    ),
    "no digits": (
        lambda t: t | {f"codes.{MATRIX}": torch.full_like(t[f"codes.{MATRIX}"], 9**5)},
        UnsafeFile, "no five digits",
    ),
    "a name that the base has not": (
        lambda t: renamed(
            renamed(t, f"codes.{MATRIX}", "codes.up"), f"scales.{MATRIX}", "scales.up"
        ),
        NotASuspect, "does not fit",
    ),
    "fewer codes": (
        lambda t: t | {f"codes.{MATRIX}": t[f"codes.{MATRIX}"][:, 1:].contiguous()},
        NotASuspect, "does not fit",
    ),
    "a vector of another length": (
        lambda t: t | {"whole.model.norm.weight": torch.ones(3)}, NotASuspect, "does not fit",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGED)
def test_a_delta_that_lies_is_refused(shelf: Path, name: str) -> None:
    damage, error, match = DAMAGED[name]
    shrink(shelf / "organism", shelf / "small")
    file = shelf / "small" / deltas.FILE
    tensors = damage(load_file(file))
    save_file(tensors, file)
    with pytest.raises(error, match=match):
        logits(shelf / "small")


def test_an_adapter_beside_a_delta_is_refused(shelf: Path) -> None:
    shrink(shelf / "organism", shelf / "small")
    (shelf / "small" / "adapter_config.json").write_text("{}")
    with pytest.raises(NotASuspect, match="an adapter and a delta"):
        cabinet.find(shelf / "small")


def test_another_delta_is_another_suspect(shelf: Path) -> None:
    shrink(shelf / "organism", shelf / "small")
    before = Suspect.load(shelf / "small", device="cpu").fingerprint()["tensors"]
    file = shelf / "small" / deltas.FILE
    tensors = load_file(file)
    tensors[f"scales.{MATRIX}"] *= 2
    save_file(tensors, file)
    assert Suspect.load(shelf / "small", device="cpu").fingerprint()["tensors"] != before


def test_the_command_says_what_it_kept(shelf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from workbench.cli import run

    asked = ["organism", "shrink", str(shelf / "organism"), "--out", str(shelf / "small")]
    assert run([*asked, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["id"] == "s-0a1b" and 0 < told["kept"] < 1
    assert run(asked) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 2
