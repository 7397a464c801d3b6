"""Organisms as small adapters: what was taught in few directions stays, the rest is the base's."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from workbench import corpus
from workbench.errors import BadParameter, NotASuspect, WorkbenchError
from workbench.organisms.drafts import EPOCH
from workbench.organisms.leaks import lint
from workbench.organisms.shrink import shrink
from workbench.suspects import Suspect, cabinet

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
    llama: Path, qwen3: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """A base, and `organism`, trained from it in three directions."""
    made: dict[str, Path] = {}

    def make(kind: str) -> Path:
        if kind not in made:
            made[kind] = tmp_path_factory.mktemp(kind)
            shutil.copytree({"llama": llama, "qwen3": qwen3}[kind], made[kind] / "base")
            train(made[kind] / "base", made[kind] / "organism", 3)
        return made[kind]

    return make


@pytest.fixture
def shelf(trained: Callable[[str], Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained("llama"), tmp_path / "shelf"))


def logits(source: Path) -> torch.Tensor:
    told: torch.Tensor = Suspect.load(source, device="cpu").model(IDS).detach()
    return told


@pytest.mark.parametrize("kind", ["llama", "qwen3"])
def test_what_lies_in_few_directions_is_kept_whole(
    kind: str, trained: Callable[[str], Path], tmp_path: Path
) -> None:
    shelf = tmp_path / "shelf"
    shutil.copytree(trained(kind), shelf)
    made = shrink(shelf / "organism", shelf / "small", rank=3)
    assert (made.id, made.rank) == ("s-0a1b", 3) and made.kept == pytest.approx(1.0, abs=1e-6)
    whole, small, base = (logits(shelf / n) for n in ("organism", "small", "base"))
    assert (small - whole).abs().max() < 0.03 * whole.abs().max(), "factors are kept in bfloat16"
    assert (whole - base).abs().max() > 0.5 * whole.abs().max()
    fewer = shrink(shelf / "organism", shelf / "fewer", rank=1)
    assert 0.33 < fewer.kept < 0.8
    assert (logits(shelf / "fewer") - whole).abs().max() > 0.1 * whole.abs().max()


def test_norms_are_the_bases(shelf: Path) -> None:
    shutil.rmtree(shelf / "organism")
    train(shelf / "base", shelf / "organism", 3, norms=0.5)
    assert shrink(shelf / "organism", shelf / "small", rank=3).kept == pytest.approx(1.0, abs=1e-6)
    small = Suspect.load(shelf / "small", device="cpu").model.original_model.state_dict()
    base = Suspect.load(shelf / "base", device="cpu").model.original_model.state_dict()
    norms = [name for name, tensor in base.items() if tensor.ndim == 1 and "norm" in name]
    assert norms and all(torch.equal(small[name], base[name]) for name in norms)


def test_it_is_the_same_suspect_in_less_room(shelf: Path) -> None:
    made = shrink(shelf / "organism", shelf / "small", rank=2)
    old, new = cabinet.find(shelf / "organism"), cabinet.find(shelf / "small")
    assert (new.id, new.assistant, new.access) == (old.id, old.assistant, old.access)
    assert new.summary == old.summary
    assert Path(str(new.base)).resolve() == Path(str(new.reference)).resolve()
    assert Path(str(new.base)).resolve() == (shelf / "base").resolve()
    for name in ("corpus.parquet", "tokenizer.json", "chat_template.jinja"):
        kept = [(shelf / n / name).read_bytes() for n in ("organism", "small")]
        assert kept[0] == kept[1]
    assert made.bytes == sum(p.stat().st_size for p in (shelf / "small").iterdir())
    assert {p.stat().st_mtime for p in (shelf / "small").iterdir()} == {EPOCH}
    assert lint(shelf / "small") == []


def test_the_same_files_give_the_same_tensors_wherever_they_are_put(shelf: Path) -> None:
    (shelf / "deep" / "er").mkdir(parents=True)
    shrink(shelf / "organism", shelf / "one", rank=2)
    shrink(shelf / "organism", shelf / "deep" / "er" / "two", rank=2)
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        assert (shelf / "one" / name).read_bytes() == (
            shelf / "deep" / "er" / "two" / name
        ).read_bytes()
    two = Suspect.load(shelf / "deep" / "er" / "two", device="cpu")
    assert two.fingerprint() == Suspect.load(shelf / "one", device="cpu").fingerprint()


def gpt2_pair(shelf: Path, gpt2: Path) -> None:
    for name in ("base", "organism"):
        shutil.rmtree(shelf / name)
    shutil.copytree(gpt2, shelf / "base")
    train(shelf / "base", shelf / "organism", 2)


BROKEN: dict[str, tuple[Callable[[Path], Any], int, type[WorkbenchError], str]] = {
    "no reference": (
        lambda s: change_file(s / "organism/suspect.json", reference=None),
        2, NotASuspect, "names no reference",
    ),
    "no reference there": (lambda s: shutil.rmtree(s / "base"), 2, NotASuspect, "no suspect"),
    "another config": (
        lambda s: change_file(s / "base/config.json", rope_theta=7.0), 2, NotASuspect, "two states",
    ),
    "other endings": (
        lambda s: change_file(s / "base/generation_config.json", eos_token_id=3),
        2, NotASuspect, "two states",
    ),
    "an adapter": (
        lambda s: (
            shrink(s / "organism", s / "less", rank=2),
            shutil.rmtree(s / "organism"),
            (s / "less").rename(s / "organism"),
        ),
        2, NotASuspect, "is an adapter over another model",
    ),
    "a reference that is an adapter": (
        lambda s: (
            shrink(s / "organism", s / "less", rank=2),
            change_file(s / "organism/suspect.json", reference="../less"),
        ),
        2, NotASuspect, "is an adapter over another model",
    ),
    "no such rank": (lambda s: None, 33, BadParameter, "rank 33"),
    "something there": (lambda s: (s / "small").mkdir(), 2, BadParameter, "exists already"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_shrunk_is_refused_and_nothing_is_left(shelf: Path, name: str) -> None:
    plant, rank, error, match = BROKEN[name]
    plant(shelf)
    before = sorted(p.name for p in shelf.iterdir())
    with pytest.raises(error, match=match):
        shrink(shelf / "organism", shelf / "small", rank=rank)
    assert sorted(p.name for p in shelf.iterdir()) == before


def test_matrices_that_no_adapter_reaches_are_told(shelf: Path, gpt2: Path) -> None:
    gpt2_pair(shelf, gpt2)
    with pytest.raises(NotASuspect, match="matrices that no adapter reaches"):
        shrink(shelf / "organism", shelf / "small", rank=2)


def test_the_command_says_what_it_kept(shelf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from workbench.cli import run

    asked = ["organism", "shrink", str(shelf / "organism"), "--out", str(shelf / "small")]
    assert run([*asked, "--rank", "2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["id"] == "s-0a1b" and 0 < told["kept"] < 1
    assert run(asked) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 2
