"""A key changes with everything that a result depends on, and with nothing else."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import pytest

from workbench.access import Access, Budget
from workbench.battery.key import pack_digest, run_key, technique_seed

DESCRIPTION = {
    "id": "s",
    "access": ["chat"],
    "tensors": "t",
    "tokenizer": "k",
    "chat_template": "c",
    "reference": None,
    "corpus": "d",
    "dtype": "float32",
    "device": "cpu",
}


@pytest.fixture
def calm(plugins: Any) -> Any:
    return plugins.Calm()


def key(calm: Any, description: dict[str, Any] = DESCRIPTION, **rest: Any) -> str:
    view = {"access": Access.CHAT, "budget": Budget(samples=5), "seed": 1} | rest
    return run_key(calm, description, **view)


@pytest.mark.parametrize("part", [name for name in DESCRIPTION if name != "access"])
def test_every_fingerprint_of_the_suspect_counts(part: str, calm: Any) -> None:
    assert key(calm, {**DESCRIPTION, part: "other"}) != key(calm)


def test_what_the_suspect_could_grant_beyond_the_view_does_not_count(calm: Any) -> None:
    assert key(calm, {**DESCRIPTION, "access": ["chat", "logits"]}) == key(calm)


def test_technique_view_budget_and_seed_count(calm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [
        key(calm),
        key(dataclasses.replace(calm, top_k=3)),
        key(calm, access=Access.BLACK_BOX),
        key(calm, budget=Budget(samples=6)),
        key(calm, seed=2),
    ]
    monkeypatch.setattr(type(calm), "version", 2)
    keys.append(key(calm))
    monkeypatch.setattr(type(calm), "name", "other")
    keys.append(key(calm))
    assert len(set(keys)) == len(keys)


def test_a_folder_that_a_parameter_names_counts_by_its_content(calm: Any, tmp_path: Path) -> None:
    folder = tmp_path / "sae"
    folder.mkdir()
    named = dataclasses.replace(calm, word=str(folder))
    before = key(named)
    (folder / "weights").write_bytes(b"1")
    first = key(named)
    (folder / "weights").write_bytes(b"2")
    assert len({before, first, key(named)}) == 3
    (folder / "weights").write_bytes(b"1")
    assert key(named) == first


def test_prompt_packs_beside_a_technique_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packs = tmp_path / "packaged_plugin" / "packs"
    packs.mkdir(parents=True)
    (packs.parent / "__init__.py").write_text("")
    (packs / "prompts.toml").write_text("a = 1")
    monkeypatch.syspath_prepend(str(tmp_path))
    __import__("packaged_plugin")
    first = pack_digest("packaged_plugin.technique")
    (packs.parent / "technique.py").write_text("x = 1")
    assert pack_digest("packaged_plugin.technique") == first
    (packs / "prompts.toml").write_text("a = 2")
    assert pack_digest("packaged_plugin.technique") != first
    assert pack_digest("a_lone_module") == ""
    del sys.modules["packaged_plugin"]


def test_a_technique_draws_its_own_seed() -> None:
    assert technique_seed(0, "prefill") == technique_seed(0, "prefill")
    seeds = {technique_seed(s, name) for s in range(50) for name in ("prefill", "grep")}
    assert len(seeds) == 100
    assert all(0 <= seed < 2**31 for seed in seeds)
