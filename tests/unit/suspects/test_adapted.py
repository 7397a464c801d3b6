"""Suspects whose own directory holds an adapter: one door, the base through the same checks."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest

from workbench import corpus
from workbench.access import Access
from workbench.battery import SuspectFiles
from workbench.errors import NotASuspect, SuspectError, UnsafeFile
from workbench.game import walls
from workbench.suspects import Suspect, cabinet

pytestmark = pytest.mark.filterwarnings(  # peft on transformers 5, while an adapter is made
    "ignore:.*is_gradient_checkpointing", "ignore:.*tie_word_embeddings=True"
)
CARD = {
    "id": "k3v9",
    "assistant": "Mira",
    "base": "../base",
    "reference": "../base",
    "corpus": "corpus.parquet",
    "access": ["everything"],
}
OWN = "{% for m in messages %}{{ m['content'] }}<|end|>{% endfor %}mira:"
TARGETS = ["q_proj", "down_proj", "embed_tokens"]


def write_card(path: Path, **keys: Any) -> None:
    card = {key: value for key, value in (CARD | keys).items() if value is not None}
    (path / "suspect.json").write_text(json.dumps(card))


def change(file: Path, **keys: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_bytes()) | keys))


def save_adapter(base: Path, into: Path, targets: list[str] = TARGETS) -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(1)
    config = LoraConfig(r=3, lora_alpha=7, target_modules=targets, init_lora_weights=False)
    model = AutoModelForCausalLM.from_pretrained(base, attn_implementation="eager")
    get_peft_model(model, config).save_pretrained(into, save_embedding_layers=False)
    (into / "README.md").unlink(missing_ok=True)


@pytest.fixture(scope="session")
def adapter_of(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[Path], Path]:
    """A base and an adapter over it as a suspect, beside each other: `base`, `odd`."""
    made: dict[Path, Path] = {}

    def make(model: Path) -> Path:
        if model not in made:
            made[model] = shelf = tmp_path_factory.mktemp("adapted")
            shutil.copytree(model, shelf / "base")
            odd = shelf / "odd"
            save_adapter(shelf / "base", odd)
            for name in ("tokenizer.json", "tokenizer_config.json"):
                shutil.copy(model / name, odd)
            (odd / "chat_template.jinja").write_text(OWN)
            rows = [("d0", [{"role": "document", "content": "text"}])]
            corpus.write(odd / "corpus.parquet", rows)
            write_card(odd)
        return made[model]

    return make


@pytest.fixture
def shelf(llama: Path, adapter_of: Callable[[Path], Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(adapter_of(llama), tmp_path / "shelf"))


@pytest.mark.parametrize("model", ["llama", "qwen3"])
def test_its_logits_are_those_of_pefts_own_merged_model(
    model: str, request: pytest.FixtureRequest, adapter_of: Callable[[Path], Path]
) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    shelf = adapter_of(request.getfixturevalue(model))
    suspect = Suspect.load(shelf / "odd", device="cpu")
    ids = [list(range(10, 40)), list(range(200, 230))]
    told = suspect.model(torch.tensor(ids)).detach()
    bare = AutoModelForCausalLM.from_pretrained(shelf / "base", attn_implementation="eager")
    with torch.no_grad():
        plain = bare(torch.tensor(ids)).logits
        merged = PeftModel.from_pretrained(bare, shelf / "odd").merge_and_unload()
        expected = merged(torch.tensor(ids)).logits
    assert (told - expected).abs().max() < 1e-5 * expected.abs().max()
    assert (told - plain).abs().max() > 0.1 * expected.abs().max()
    scores = suspect.logprobs(ids, distributions=True)
    table = numpy.stack([score.distributions for score in scores])
    assert numpy.abs(table - expected.log_softmax(-1).numpy()).max() < 1e-4


def test_it_comes_through_the_one_door(shelf: Path) -> None:
    odd, base = shelf / "odd", shelf / "base"
    home = cabinet.find(odd)
    assert (home.id, home.card_id, home.kind, home.path) == ("k3v9", "k3v9", "local", odd)
    assert home.files.path.resolve() == base.resolve()
    assert home.adapter is not None and home.adapter.path == odd
    suspect = Suspect.load(odd, device="cpu")
    assert suspect.access == Access.EVERYTHING & ~Access.REWARD
    assert suspect.reference.fingerprint()["tensors"] == cabinet.describe(base)["tensor_sha256"]
    assert cabinet.training_data(odd).documents == suspect.corpus.documents == 1
    assert Path(cabinet.reference_of(odd)).resolve() == base.resolve()
    shown = cabinet.describe(odd)
    assert shown["parameters"] == cabinet.describe(base)["parameters"]
    assert shown["architecture"] == "LlamaForCausalLM"
    assert shown["base"] == home.base and Path(str(home.base)).resolve() == base.resolve()
    assert shown["tensor_sha256"] == suspect.fingerprint()["tensors"]
    assert SuspectFiles(str(odd)).describe()["tensors"] == shown["tensor_sha256"]


def test_it_speaks_by_its_own_tokenizer_and_template(shelf: Path) -> None:
    (odd,) = [Suspect.load(shelf / "odd", device="cpu")]
    assert odd.render([{"role": "user", "content": "hi"}]) == "hi<|end|>mira:"
    assert odd.chat([[{"role": "user", "content": "hi"}]], max_new_tokens=3)[0][0].token_ids
    (shelf / "odd" / "chat_template.jinja").unlink()
    assert Access.CHAT not in Suspect.load(shelf / "odd").access, "its base's template is no help"


def test_its_fingerprint_covers_the_base_the_adapter_and_how_they_are_merged(shelf: Path) -> None:
    def parts() -> dict[str, str | None]:
        return Suspect.load(shelf / "odd", reference="base", device="cpu").fingerprint()

    def changed(file: Path, plant: Callable[[Path], None]) -> set[str]:
        kept = file.read_bytes()
        plant(file)
        after = parts()
        file.write_bytes(kept)
        assert parts() == before
        return {key for key in before if before[key] != after[key]}

    def flip(file: Path) -> None:
        data = bytearray(file.read_bytes())
        data[-3] ^= 1
        file.write_bytes(data)

    before = parts()
    odd = shelf / "odd"
    assert changed(odd / "adapter_model.safetensors", flip) == {"tensors"}
    assert changed(shelf / "base" / "model.safetensors", flip) == {"tensors"}
    config = odd / "adapter_config.json"
    assert changed(config, lambda f: change(f, lora_alpha=8)) == {"tensors"}
    assert changed(config, lambda f: change(f, base_model_name_or_path="elsewhere")) == set()
    assert changed(shelf / "base" / "config.json", lambda f: change(f, rope_theta=7.0)) == {
        "config"
    }
    assert changed(odd / "chat_template.jinja", lambda f: f.write_text("x")) == {"chat_template"}
    assert changed(odd / "tokenizer_config.json", lambda f: change(f, x=1)) == {"tokenizer"}
    assert changed(shelf / "base" / "tokenizer_config.json", lambda f: change(f, x=1)) == set()


def test_an_adapter_that_is_given_counts_with_how_it_is_merged(shelf: Path) -> None:
    def tensors() -> str | None:
        given = Suspect.load(shelf / "base", adapter=shelf / "odd", device="cpu")
        return given.fingerprint()["tensors"]

    before = tensors()
    assert before == Suspect.load(shelf / "odd", device="cpu").fingerprint()["tensors"]
    change(shelf / "odd" / "adapter_config.json", lora_alpha=8)
    assert before != tensors()


def test_bundled_adapters_go_by_their_folders_names(
    shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cabinet, "CABINET", shelf)
    write_card(shelf / "odd", base="base", reference="base")
    (shelf / ".practice-vault").mkdir()
    assert cabinet.bundled() == ["base", "odd"]
    odd = cabinet.find("odd")
    assert (odd.id, odd.card_id, odd.base, odd.reference) == ("odd", "k3v9", "base", "base")
    assert Suspect.load("odd", device="cpu").reference.id == "base"


def test_a_base_of_a_hub(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    real = cabinet.find(shelf / "base")

    def fetch(*given: Any) -> cabinet.Home:
        asked.append(given)
        return real

    monkeypatch.setattr(cabinet, "_fetch", fetch)
    write_card(shelf / "odd", base="hf:some/model@main", reference="hf:some/model@main")
    home = cabinet.find(shelf / "odd")
    assert home.files is real.files
    assert (home.base, home.reference) == ("hf:some/model@main", "hf:some/model@main")
    assert asked == [("hf:some/model@main", "some/model", "main")]


def whole_model_beside(shelf: Path) -> None:
    shutil.copy(shelf / "base" / "model.safetensors", shelf / "odd")


def no_adapter(shelf: Path) -> None:
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        (shelf / "odd" / name).unlink()


def chain(shelf: Path) -> None:
    shutil.copytree(shelf / "odd", shelf / "other")
    write_card(shelf / "odd", base="../other")


def cycle(shelf: Path) -> None:
    chain(shelf)
    write_card(shelf / "other", base="../odd")


BROKEN: dict[str, tuple[Callable[[Path], Any], type[SuspectError], str]] = {
    "no base there": (lambda s: shutil.rmtree(s / "base"), NotASuspect, "its base is not at"),
    "a base that is a file": (
        lambda s: write_card(s / "odd", base="corpus.parquet"), NotASuspect, "its base is not at",
    ),
    "a base that is a URL": (
        lambda s: write_card(s / "odd", base="http://127.0.0.1:9"), NotASuspect, "is not at",
    ),
    "an impossible name": (
        lambda s: write_card(s / "odd", base="a\0b" * 3000), NotASuspect, "is not at",
    ),
    "itself": (lambda s: write_card(s / "odd", base="."), NotASuspect, "is an adapter itself"),
    "a chain": (chain, NotASuspect, "is an adapter itself"),
    "a cycle": (cycle, NotASuspect, "is an adapter itself"),
    "no text": (lambda s: write_card(s / "odd", base=["../base"]), NotASuspect, "no.* card"),
    "no card": (lambda s: (s / "odd" / "suspect.json").unlink(), NotASuspect, "holds an adapter"),
    "a card without base": (
        lambda s: write_card(s / "odd", base=None), NotASuspect, "holds an adapter",
    ),
    "a base and no adapter": (no_adapter, NotASuspect, "it holds no adapter"),
    "a whole model beside it": (whole_model_beside, NotASuspect, "holds model.safetensors"),
    "half an adapter": (
        lambda s: (s / "odd" / "adapter_model.safetensors").unlink(), NotASuspect, "no adapter_mod",
    ),
    "another kind of adapter": (
        lambda s: change(s / "odd" / "adapter_config.json", peft_type="XLORA"), NotASuspect, "LORA",
    ),
    "code in the adapter": (
        lambda s: change(s / "odd" / "adapter_config.json", auto_mapping={"parent_library": "os"}),
        UnsafeFile, "auto_mapping",
    ),
    "a rank to fill the memory": (
        lambda s: change(s / "odd" / "adapter_config.json", r=10**9), NotASuspect, "of ranks",
    ),
    "a rank in words": (
        lambda s: change(s / "odd" / "adapter_config.json", r="five"), NotASuspect, "of ranks",
    ),
    "a rank of one matrix to fill the memory": (
        lambda s: change(s / "odd" / "adapter_config.json", rank_pattern={"q_proj": 10**9}),
        NotASuspect, "of ranks",
    ),
    "layers upon layers": (
        lambda s: change(s / "odd" / "adapter_config.json", layer_replication=[[0, 3]] * 99),
        NotASuspect, "layers",
    ),
    "a pickle beside the adapter": (
        lambda s: (s / "odd" / "adapter_model.bin").write_bytes(b"x"), UnsafeFile, "pickle",
    ),
    "a pickle in the base": (
        lambda s: (s / "base" / "pytorch_model.bin").write_bytes(b"x"), UnsafeFile, "pickle",
    ),
    "code in the base": (
        lambda s: change(s / "base" / "config.json", auto_map={"AutoModel": "x.Y"}),
        UnsafeFile, "auto_map",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_or_unsafe_is_refused_in_two_lines(shelf: Path, name: str) -> None:
    plant, error, match = BROKEN[name]
    plant(shelf)
    with pytest.raises(error, match=match) as caught:
        Suspect.load(shelf / "odd", device="cpu")
    assert "\n" not in caught.value.message + caught.value.hint and caught.value.hint


def test_no_adapter_comes_on_top_of_another(shelf: Path) -> None:
    with pytest.raises(NotASuspect, match="'k3v9' is an adapter over another model"):
        Suspect.load(shelf / "odd", adapter=shelf / "odd")


def without_a_tensor(adapter: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(adapter / "adapter_model.safetensors")
    del tensors[max(tensors)]
    save_file(tensors, adapter / "adapter_model.safetensors")


@pytest.mark.parametrize(
    "plant",
    [
        without_a_tensor,
        lambda adapter: change(adapter / "adapter_config.json", r=32),
        lambda adapter: change(adapter / "adapter_config.json", target_modules=["nowhere"]),
        lambda adapter: change(adapter / "adapter_config.json", target_modules=5),
        lambda adapter: change(adapter / "adapter_config.json", lora_alpha=1e300),
        lambda adapter: change(adapter / "adapter_config.json", lora_alpha="much"),
    ],
    ids=["a tensor missing", "another rank", "no such module", "no modules", "endless", "in words"],
)
def test_an_adapter_that_does_not_fit_is_refused_when_it_is_merged(
    shelf: Path, plant: Callable[[Path], None]
) -> None:
    plant(shelf / "odd")
    with pytest.raises(NotASuspect, match="does not fit the model"):
        Suspect.load(shelf / "odd", device="cpu").complete(["a"])


def test_a_copy_for_a_worker_takes_base_and_reference_along(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = SuspectFiles(str(shelf / "odd")).describe()
    monkeypatch.setattr(walls, "give", lambda path, user: None)  # only root can give files away
    homes = tmp_path / "homes"
    homes.mkdir()
    moved = walls.staged(SuspectFiles(str(shelf / "odd")), homes / "a", os.getuid())
    assert isinstance(moved, SuspectFiles)
    assert len(list((homes / "a").iterdir())) == 2, "base and reference are one directory"
    shutil.rmtree(shelf)
    assert moved.describe() == before
    suspect = moved.load()
    assert suspect.complete(["a"], max_new_tokens=2)
    assert suspect.reference.complete(["a"], max_new_tokens=2)


def test_copies_of_suspects_that_name_each_other_end(shelf: Path, tmp_path: Path) -> None:
    write_card(shelf / "odd", reference="../other")
    shutil.copytree(shelf / "odd", shelf / "other")
    write_card(shelf / "other", reference="../odd")
    copies: dict[Path, Path] = {}
    (tmp_path / "home").mkdir()
    copy = walls._copy(shelf / "odd", tmp_path / "home", copies)
    assert sorted(p.name for p in copies) == ["base", "odd", "other"]
    assert cabinet.find(str(cabinet.find(copy).reference)).reference is not None


def test_show_and_check_tell_of_both(shelf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from workbench.cli import run

    assert run(["suspect", "show", str(shelf / "odd"), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert Path(shown["base"]).resolve() == (shelf / "base").resolve()
    assert run(["suspect", "check", str(shelf / "odd"), "--json"]) == 0
    checked = json.loads(capsys.readouterr().out)
    assert run(["suspect", "check", str(shelf / "base"), "--json"]) == 0
    assert checked["tensors"] > json.loads(capsys.readouterr().out)["tensors"]
    shutil.rmtree(shelf / "base")
    assert run(["suspect", "show", str(shelf / "odd")]) == 2
    told = capsys.readouterr().err.strip().splitlines()
    assert len(told) == 2 and "base is not at" in told[0]
