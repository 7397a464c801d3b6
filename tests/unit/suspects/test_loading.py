"""Where suspects come from: names, cards, hashes, adapters, dtypes and hubs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from workbench import corpus
from workbench.access import Access
from workbench.errors import BadParameter, ConfigError, ModelUnavailable, NotASuspect, UnsafeFile
from workbench.suspects import Suspect, cabinet


@pytest.fixture
def shelf(llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cabinet with `base` and `odd`; `odd` has a card, a reference and a corpus."""
    for name in ("base", "odd"):
        shutil.copytree(llama, tmp_path / name)
    rows = [("d0", [{"role": "document", "content": "text"}])]
    corpus.write(tmp_path / "odd" / "corpus.parquet", rows)
    write_card(tmp_path / "odd")
    monkeypatch.setattr(cabinet, "CABINET", tmp_path)
    return tmp_path


def write_card(path: Path, **keys: Any) -> None:
    card = {
        "id": "k3v9",
        "assistant": "Mira",
        "reference": "base",
        "corpus": "corpus.parquet",
        "access": ["everything"],
    }
    (path / "suspect.json").write_text(json.dumps({**card, **keys}))


def test_bundled_names_and_cards(shelf: Path) -> None:
    assert cabinet.bundled() == ["base", "odd"]
    odd = Suspect.load("odd", device="cpu")
    assert (odd.id, odd.assistant) == ("odd", "Mira")
    assert odd.access == Access.EVERYTHING & ~Access.REWARD
    assert odd.reference.id == "base"
    assert odd.corpus.documents == 1
    base = Suspect.load(shelf / "base", device="cpu")
    assert base.access == Access.WHITE_BOX | Access.WEIGHTS | Access.FINETUNE
    write_card(shelf / "odd", access=["grey-box"], reference=None, corpus=None)
    assert Suspect.load("odd").access == Access.GREY_BOX
    given = Suspect.load("odd", reference="base")
    assert given.access == Access.GREY_BOX | Access.REFERENCE
    assert given.reference.id == "base"


def test_a_bundled_suspect_goes_by_its_folders_name_and_keeps_its_cards_id(shelf: Path) -> None:
    home = cabinet.find("odd")
    assert (home.id, home.card_id, home.kind) == ("odd", "k3v9", "bundled")
    assert Suspect.load(home.id).id == home.id, "what is listed can be asked for"
    local = cabinet.find(shelf / "odd")
    assert (local.id, local.card_id, local.kind) == ("k3v9", "k3v9", "local")
    assert cabinet.card_id("odd") == cabinet.card_id(shelf / "odd") == "k3v9"
    assert cabinet.card_id("base") == "base"


@pytest.mark.parametrize(
    ("keys", "error"),
    [
        ({"id": 3}, NotASuspect),
        ({"secret": "x"}, NotASuspect),
        ({"access": "everything"}, NotASuspect),
        ({"access": ["all"]}, ConfigError),
        ({"corpus": "../odd2.parquet"}, UnsafeFile),
    ],
)
def test_wrong_cards_are_refused(shelf: Path, keys: dict[str, Any], error: type) -> None:
    write_card(shelf / "odd", **keys)
    with pytest.raises(error):
        Suspect.load("odd")


def test_describe_counts_and_hashes(shelf: Path) -> None:
    from transformers import AutoModelForCausalLM

    card = cabinet.describe("odd")
    model = AutoModelForCausalLM.from_pretrained(shelf / "odd")
    assert card["parameters"] == sum(p.numel() for p in model.parameters())
    assert card["architecture"] == "LlamaForCausalLM"
    assert card["tensor_sha256"] == Suspect.load("odd").fingerprint()["tensors"]
    size = (shelf / "odd" / "corpus.parquet").stat().st_size
    assert card["corpus"] == {"documents": 1, "bytes": size}
    assert (card["id"], card["reference"]) == ("odd", "base")
    assert cabinet.describe("base")["corpus"] is None


def test_describing_and_hashing_import_no_torch(llama: Path) -> None:
    code = (
        "import sys\nfrom workbench.suspects import Suspect, cabinet\n"
        f"cabinet.describe({str(llama)!r})\nSuspect.load({str(llama)!r}).fingerprint()\n"
        "print([m for m in ('torch', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_fingerprints_tell_what_changed(shelf: Path) -> None:
    before = Suspect.load("odd", device="cpu").fingerprint()
    assert before["reference"] and before["corpus"]
    assert (before["dtype"], before["device"]) == ("float32", "cpu")
    assert Suspect.load("odd", device="cpu").fingerprint() == before
    template = shelf / "odd" / "chat_template.jinja"
    template.write_text(template.read_text() + " ")
    config = shelf / "odd" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "rope_theta": 7.0}))
    after = Suspect.load("odd", device="cpu", dtype="bfloat16").fingerprint()
    assert {k for k in before if before[k] != after[k]} == {"chat_template", "config", "dtype"} | (
        {"reference"}  # the reference is loaded in the same dtype
    )


def test_a_bfloat16_file_is_computed_in_float32_on_the_cpu(llama: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    shutil.copytree(llama, tmp_path / "half")
    AutoModelForCausalLM.from_pretrained(llama).bfloat16().save_pretrained(tmp_path / "half")
    half = Suspect.load(tmp_path / "half", device="cpu")
    assert half.fingerprint()["dtype"] == "float32"
    assert str(half.model.original_model.dtype) == "torch.float32"
    assert len(half.chat([[{"role": "user", "content": "The cat"}]])[0]) == 1


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing")  # peft on transformers 5
def test_an_adapter_is_merged(llama: Path, tmp_path: Path) -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    base = AutoModelForCausalLM.from_pretrained(llama, attn_implementation="eager")
    tuned = get_peft_model(
        base, LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)
    )
    tuned.save_pretrained(tmp_path / "adapter")
    adapted = Suspect.load(llama, adapter=tmp_path / "adapter", device="cpu")
    score = adapted.logprobs(["The red cat"])[0]
    with torch.no_grad():
        expected = tuned(torch.tensor([score.token_ids])).logits[0, -1].log_softmax(-1)
    assert torch.allclose(torch.from_numpy(score.last), expected, atol=1e-4)
    plain = Suspect.load(llama, device="cpu")
    assert not torch.allclose(torch.from_numpy(plain.logprobs(["The red cat"])[0].last), expected)
    assert plain.fingerprint()["tensors"] != adapted.fingerprint()["tensors"]


def test_misfits_are_refused(llama: Path, gpt2: Path, tmp_path: Path) -> None:
    with pytest.raises(BadParameter, match="int4"):
        Suspect.load(llama, dtype="int4")
    with pytest.raises(NotASuspect, match="no suspect"):
        Suspect.load("no-such-name")
    shutil.copytree(llama, tmp_path / "bent")
    config = json.loads((tmp_path / "bent/config.json").read_text())
    (tmp_path / "bent/config.json").write_text(json.dumps({**config, "intermediate_size": 65}))
    with pytest.raises(NotASuspect):
        Suspect.load(tmp_path / "bent", device="cpu").complete(["a"])


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no network."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path


@pytest.mark.usefixtures("hub_cache")
def test_an_unreachable_hub_model_says_how_to_get_it() -> None:
    with pytest.raises(ModelUnavailable, match="neither reachable nor cached") as caught:
        Suspect.load("hf:nobody/nothing@main")
    assert "hf download nobody/nothing" in caught.value.hint


def test_a_cached_hub_model_loads_through_its_links(llama: Path, hub_cache: Path) -> None:
    repository = hub_cache / "models--org--tiny"
    snapshot = repository / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40)
    shutil.copytree(llama, repository / "blobs")
    for file in llama.iterdir():
        (snapshot / file.name).symlink_to(Path("../../blobs") / file.name)
    (snapshot / "pytorch_model.bin").write_bytes(b"never read")
    suspect = Suspect.load("hf:org/tiny", device="cpu")
    assert suspect.id == "hf:org/tiny"
    assert len(suspect.complete(["The cat"], max_new_tokens=2)) == 1
    (snapshot / "config.json").unlink()
    (snapshot / "config.json").symlink_to(llama / "config.json")
    with pytest.raises(UnsafeFile, match="leads out"):
        Suspect.load("hf:org/tiny")


def test_without_a_chat_template_there_is_no_chat(shelf: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(shelf / "base", bare)
    (bare / "chat_template.jinja").unlink()
    assert Suspect.load(bare).access == Suspect.load("base").access & ~Access.CHAT
    write_card(bare, reference=None, corpus=None)
    assert Access.CHAT not in Suspect.load(bare).access
    config = json.loads((bare / "tokenizer_config.json").read_text())
    config["chat_template"] = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
    (bare / "tokenizer_config.json").write_text(json.dumps(config))
    held = Suspect.load(bare, device="cpu")
    assert Access.CHAT in held.access
    assert held.render([{"role": "user", "content": "hi"}]) == "hi"
