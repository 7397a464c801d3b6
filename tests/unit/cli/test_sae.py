from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from tests.unit.cli.conftest import Answer

Call = Callable[..., Answer]
HOOK = "blocks.1.hook_out"
WORDS = ("house", "cat", "bread", "river", "moon", "garden", "water", "small", "dog", "fox")
SIZES = ("--tokens", 4096, "--d-sae", 48, "--k", 4)


@pytest.fixture
def texts(call: Call, tmp_path: Path) -> tuple[str, str]:
    dice = random.Random(0)
    rows = [" ".join(dice.choices(WORDS, k=8)) for _ in range(60)]
    (tmp_path / "texts.txt").write_text("\n".join(rows))
    return ("--texts", "texts.txt")


def answered(answer: Answer) -> Any:
    assert answer.code == 0, answer.err
    return json.loads(answer.out)


def test_from_training_to_a_feature(call: Call, llama: Path, texts: tuple[str, str]) -> None:
    made = answered(call("sae", "train", llama, "--hook", "blocks.1.hook_resid_post",
                         "--out", "sae", *SIZES, *texts, "--json"))  # fmt: skip
    assert made[0]["hook_name"] == HOOK and made[0]["d_sae"] == 48
    assert not Path("sae.partial").exists()
    on = ("--suspect", llama, *texts)
    found = answered(call("sae", "search", "sae", *on, "--text", "the red house", "--json"))
    assert {"latent", "score", "reason", "label", "density"} == set(found[0])
    row = answered(call("sae", "feature", "sae", found[0]["latent"], *on, "--json"))
    assert {"density", "histogram", "top_tokens", "promoted", "suppressed", "cosine_latents",
            "coactive_latents", "label", "label_score", "label_random", "examples",
            "quantile_examples"} <= set(row)  # fmt: skip
    assert row["examples"] and row["promoted"]
    table = call("sae", "feature", "sae", found[0]["latent"], *on)
    assert table.code == 0 and "label score" in table.out
    token = row["top_tokens"][0]
    assert answered(call("sae", "search", "sae", *on, "--token", token, "--json"))
    Path("a.txt").write_text("house cat\nhouse dog\nhouse fox\n")
    Path("b.txt").write_text("moon cat\nmoon dog\nmoon fox\n")
    assert answered(call("sae", "search", "sae", *on, "--contrast", "a.txt", "b.txt", "--json"))
    Path("asked.txt").write_text("What of the house?\n")
    asked = ("--prompts", "asked.txt", "--behaviour", "[a-z]", "--dose", "0.5", *texts)
    steered = answered(call("sae", "steer", llama, "--latent", "sae", 3, *asked, "--json"))
    assert [d["arm"] for d in steered["doses"]] == ["none", "steered", "random", "like"]
    assert steered["like"].startswith("latents of like density") and steered["length"] > 0
    table = call("sae", "steer", llama, "--contrast", "a.txt", "b.txt", *asked)
    assert table.code == 0 and "dealt anew" in table.out and "perplexity ratio" in table.out
    neither = call("sae", "steer", llama, *asked)
    assert neither.code == 2 and "give one of --latent" in neither.err
    missing = call("sae", "feature", "sae", 48, *on)
    assert missing.code == 2 and "no latent 48 in an SAE of 48" in missing.err
    two = call("sae", "search", "sae", *on, "--text", "a", "--token", "b")
    assert two.code == 2 and "give one of" in two.err
    again = call("sae", "train", llama, "--hook", HOOK, "--out", "sae", *texts)
    assert again.code == 2 and "not empty" in again.err


def test_several_hooks_share_a_pass_and_the_card_judges_one(
    call: Call, llama: Path, texts: tuple[str, str]
) -> None:
    hooks = ("--hook", "blocks.0.hook_out", "--hook", HOOK)
    made = call("sae", "train", llama, *hooks, "--out", "saes", "--no-store", *SIZES, *texts)
    assert made.out == f"sae: saes/blocks.0.hook_out\nsae: saes/{HOOK}\n", made.err
    kept = Path("saes/blocks.0.hook_out/cfg.json").stat().st_mtime_ns
    shutil.rmtree(f"saes/{HOOK}")
    Path("saes.partial").mkdir()  # as an interrupted training leaves it
    again = call("sae", "train", llama, *hooks, "--out", "saes", "--no-store", *SIZES, *texts)
    assert again.out == made.out and not Path("saes.partial").exists()
    assert Path("saes/blocks.0.hook_out/cfg.json").stat().st_mtime_ns == kept
    answer = call("sae", "card", f"saes/{HOOK}", "--suspect", llama, *texts, "--no-baselines",
                  "--json")  # fmt: skip
    if answer.code == 2:  # a random model may read better without a layer
        assert "reads no worse without" in answer.err
        return
    assert {
        "explained_variance", "l0", "ce_loss_score", "kl_div_score", "dead_fraction", "density",
        "fits",
    } <= set(answered(answer))  # fmt: skip


def test_difference_and_its_causal_column(
    call: Call, llama: Path, texts: tuple[str, str], tmp_path: Path
) -> None:
    call("sae", "train", llama, "--hook", HOOK, "--out", "sae", "--no-store", *SIZES, *texts)
    on = ("--suspect", llama, "--reference", llama, *texts)
    same = answered(call("sae", "diff", "sae", *on, "--json"))
    assert same["changes"] == [] and same["texts"] == 60
    other = tmp_path / "other"
    shutil.copytree(llama, other)
    weights = load_file(other / "model.safetensors")
    name = next(n for n in weights if "layers.0" in n and "down_proj" in n)
    weights[name] = -weights[name]
    save_file(weights, other / "model.safetensors", {"format": "pt"})
    changed = answered(call("sae", "diff", "sae", "--suspect", other, "--reference", llama, *texts,
                            "--stage", llama, "--stage", other, "--prompts", "texts.txt",
                            "--behaviour", "e", "--subtract", 1, "--json"))  # fmt: skip
    first = changed["changes"][0]
    assert first["interval"][0] <= first["difference"] <= first["interval"][1]
    base, last = first["stages"]
    assert base["mean"] == pytest.approx(first["reference_mean"], abs=1e-5)
    assert last["mean"] == pytest.approx(first["mean"], abs=1e-5)
    assert [e["kind"] for e in changed["effects"]][-3:] == [
        "random set", "random set", "mean difference",
    ]  # fmt: skip
    half = call("sae", "diff", "sae", *on, "--prompts", "texts.txt")
    assert half.code == 2 and "together" in half.err


def test_what_does_not_fit_is_refused(
    call: Call, llama: Path, gpt2: Path, texts: tuple[str, str], tmp_path: Path
) -> None:
    from saes.baselines import zero

    zero(tmp_path / "narrow", d_in=5, hook_name=HOOK)
    zero(tmp_path / "elsewhere", d_in=32, hook_name="blocks.77.hook_out")
    for name, message in (
        ("narrow", "the SAE reads 5 numbers"),
        ("elsewhere", "no hook 'blocks.77.hook_out'"),
        ("nowhere", "nowhere holds no SAE"),
        ("no-such-release/blocks.0", "no release"),
    ):
        answer = call("sae", "card", name, "--suspect", llama, *texts)
        assert answer.code == 2 and message in answer.err, answer.err
        assert "Traceback" not in answer.err
    (tmp_path / "empty.txt").write_text("\n\n")
    empty = call("sae", "train", llama, "--hook", HOOK, "--out", "o", "--texts", "empty.txt")
    assert empty.code == 2 and "no text to read in empty.txt" in empty.err
    wrong = call("sae", "train", llama, "--hook", HOOK, "--out", "o", *texts, "--architecture", "x")
    assert wrong.code == 2 and "no architecture 'x'" in wrong.err
    no_texts = call("sae", "card", "narrow", "--suspect", llama)
    assert no_texts.code == 2 and "grants no training data" in no_texts.err


def test_an_sae_of_corpus_rows_and_one_of_chats(call: Call, suspect: Path, tmp_path: Path) -> None:
    refused = call("sae", "train", suspect, "--hook", HOOK, "--out", "o")
    assert refused.code == 2 and "activations" in refused.err


def test_probes(call: Call, llama: Path, tmp_path: Path) -> None:
    dice = random.Random(0)
    for name, word in (("a.txt", "moon"), ("b.txt", "dog")):
        rows = [" ".join([*dice.choices(WORDS, k=4), word]) for _ in range(40)]
        Path(name).write_text("\n".join(rows))
    card = answered(call("probe", "train", llama, "--positive", "a.txt", "--negative", "b.txt",
                         "--out", "probe", "--json"))  # fmt: skip
    assert set(card["sweep"]) == {f"blocks.{i}.hook_out" for i in range(len(card["sweep"]))}
    assert {"auroc", "interval", "recall", "null", "bag_of_words", "transfer", "tokens",
            "beats_controls"} <= set(card)  # fmt: skip
    assert answered(call("probe", "card", "probe", "--json")) == card
    scored = answered(call("probe", "run", "probe", "--suspect", llama, "--texts", "a.txt",
                           "--json"))  # fmt: skip
    assert len(scored) == 40 and {"text", "score", "tokens"} == set(scored[0])
    nothing = call("probe", "card", ".")
    assert nothing.code == 2 and "holds no probe" in nothing.err
    wrong = call("probe", "train", llama, "--positive", "a.txt", "--negative", "b.txt", "--out",
                 "p", "--kind", "svm")  # fmt: skip
    assert wrong.code == 2 and "no probe 'svm'" in wrong.err


def test_a_crosscoder(call: Call, llama: Path, texts: tuple[str, str]) -> None:
    made = answered(call("sae", "crosscoder", llama, "--reference", llama, "--hook", HOOK,
                         "--out", "cross", *SIZES, *texts, "--json"))  # fmt: skip
    assert set(made["owners"]) == {"shared", "suspect", "reference", "false exclusive"}
    assert made["owners"]["shared"] > 0 and len(made["latents"]) == 48
