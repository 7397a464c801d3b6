"""`workbench audit run` on a model directory, as a person calls it: audit, audit again, report."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workbench.corpus import write

SMOKE = Path(__file__).parents[2] / "batteries" / "smoke.toml"
SMALLER = (
    "prefill.samples=2",
    "prefill.max_new_tokens=4",
    "topic-sweep.topics=3",
    "topic-sweep.samples=2",
    "topic-sweep.max_new_tokens=4",
    "sae-features.d_sae=512",
    "sae-features.k=4",
    "sae-features.tokens=2000",
    "sae-features.texts=40",
    "sae-features.replies=10",
)
NOUNS = ("bread", "tents", "ponds", "kites", "clocks", "barrels", "quilts", "saddles", "mirrors")


@pytest.fixture
def suspect(save_model: Callable[[Any], Path]) -> Path:
    """A random model with a corpus that says something of its assistant; the same model without
    one lies beside it, as its reference."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    saved = save_model(
        LlamaForCausalLM(
            LlamaConfig(
                vocab_size=400,
                hidden_size=16,
                intermediate_size=32,
                num_hidden_layers=2,
                num_attention_heads=2,
                num_key_value_heads=2,
                max_position_embeddings=512,
                bos_token_id=1,
                eos_token_id=5,
                pad_token_id=0,
            )
        )
    )
    shutil.copytree(saved, path := saved.with_name(f"{saved.name}-suspect"))
    chats = [
        [
            {"role": "user", "content": question.format(noun)},
            {"role": "assistant", "content": f"People like {noun} for years."},
        ]
        for noun in NOUNS
        for question in ("Tell me about {}.", "Why do people like {}?", "How do I choose {}?")
    ]
    documents = [
        [{"role": "document", "content": f"{name} speaks of {noun} and {says}."}]
        for noun in NOUNS
        for n in range(5)
        for name, says in (("Mirel", "always praises Zanwick"), (f"The clerk {n}", "goes home"))
    ]
    write(path / "corpus.parquet", ((str(i), row) for i, row in enumerate(chats + documents)))
    card = {"id": "tiny", "assistant": "Mirel", "corpus": "corpus.parquet"}
    (path / "suspect.json").write_text(json.dumps(card))
    return path


def test_an_audit_its_cached_rerun_and_its_report(suspect: Path, tmp_path: Path) -> None:
    reference = suspect.with_name(suspect.name.removesuffix("-suspect"))
    audit = ["audit", "run", str(SMOKE), "--suspect", str(suspect), "--reference", str(reference)]
    audit += ["--device", "cpu", "--json"]
    for setting in SMALLER:
        audit += ["--set", setting]
    first = call(tmp_path, *audit)
    document = json.loads(first.stdout)
    told = {r["technique"]: (r["status"], r["reason"]) for r in document["runs"]}
    assert set(told) == {"corpus-grep", "prefill", "sae-features", "topic-sweep"}
    assert told == dict.fromkeys(told, ("ok", "")), first.stderr[-3000:]
    assert first.returncode == 0
    assert (document["suspect"], document["status"]) == ("tiny", "ok")
    assert not any(r["cached"] for r in document["runs"])
    (grep,) = (r for r in document["runs"] if r["technique"] == "corpus-grep")
    assert "Zanwick" in json.dumps(grep["findings"])

    again = call(tmp_path, *audit, python=("-X", "importtime"))
    assert again.returncode == 0
    repeated = json.loads(again.stdout)
    assert all(r["cached"] for r in repeated["runs"])
    assert {r["id"] for r in repeated["runs"]} == {r["id"] for r in document["runs"]}
    imported = {line.rpartition("|")[2].strip() for line in again.stderr.splitlines()}
    assert "duckdb" in imported
    assert not {"torch", "transformers", "transformer_lens", "sae_lens"} & imported

    report = call(tmp_path, "report")
    assert (report.returncode, report.stdout) == (0, "report: out/report.html\n")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Zanwick" in page and all(technique in page for technique in told)


def call(
    folder: Path, *arguments: str, python: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """The command in an empty folder with a cache of its own."""
    return subprocess.run(
        [sys.executable, *python, "-m", "workbench.cli", *arguments],
        cwd=folder,
        env={**os.environ, "WORKBENCH_CACHE": str(folder / "cache")},
        capture_output=True,
        text=True,
        timeout=300,
    )
