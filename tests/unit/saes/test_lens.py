from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from saes import lens
from workbench.errors import BadParameter, SuspectError, UnsafeFile

HOOK = "blocks.0.hook_out"


def test_a_trained_sae_reconstructs_at_the_sparsity_asked_for(
    sae: lens.SAE, clean: torch.Tensor
) -> None:
    latents = sae.encode(clean)
    error = (clean - sae.decode(latents)).pow(2).sum()
    assert error < 0.3 * (clean - clean.mean(0)).pow(2).sum()
    assert 0.5 < float((latents > 0).float().sum(1).mean()) < 2
    assert (sae.d_in, sae.d_sae) == (16, 64)
    assert sae.W_dec.shape == (64, 16)
    assert sae.hook_name == HOOK


def test_the_same_seed_gives_the_same_weights(clean: torch.Tensor, tmp_path: Path) -> None:
    def weights(name: str, seed: int) -> torch.Tensor:
        return lens.train(
            clean, hook_name=HOOK, into=tmp_path / name, d_sae=32, k=2, samples=2_048, seed=seed
        ).W_dec

    before = torch.random.get_rng_state()
    assert torch.equal(weights("a", 1), weights("b", 1))
    assert not torch.equal(weights("c", 2), weights("d", 1))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_progress_runs_to_one(clean: torch.Tensor, tmp_path: Path) -> None:
    seen: list[float] = []
    lens.train(
        clean, hook_name=HOOK, into=tmp_path, d_sae=32, k=2, samples=1_024, progress=seen.append
    )
    assert seen == [0.25, 0.5, 0.75, 1.0]


def test_sizes_that_make_no_sense_are_refused(clean: torch.Tensor, tmp_path: Path) -> None:
    with pytest.raises(BadParameter, match="fewer than one batch"):
        lens.train(clean[:10], hook_name=HOOK, into=tmp_path)
    with pytest.raises(BadParameter, match="k = 99"):
        lens.train(clean, hook_name=HOOK, into=tmp_path, d_sae=32, k=99)


def test_activations_that_never_vary_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadParameter, match="nothing to learn"):
        lens.train(torch.ones(64, 8), hook_name=HOOK, into=tmp_path, batch=32, samples=64)


def test_a_pickle_is_refused_before_anything_is_read(directory: Path, tmp_path: Path) -> None:
    shutil.copytree(directory, tmp_path / "sae")
    (tmp_path / "sae" / "trainer_state.pt").write_bytes(b"\x80\x04.")
    with pytest.raises(UnsafeFile, match=r"trainer_state\.pt"):
        lens.load(tmp_path / "sae")


def test_a_directory_without_an_sae_says_so(directory: Path, tmp_path: Path) -> None:
    with pytest.raises(SuspectError, match="holds no SAE"):
        lens.load(tmp_path)
    shutil.copytree(directory, tmp_path / "sae")
    config = tmp_path / "sae" / "cfg.json"
    config.write_text("{")
    with pytest.raises(SuspectError, match="is no JSON"):
        lens.load(tmp_path / "sae")
    config.write_text(json.dumps({"metadata": {}}))
    with pytest.raises(SuspectError, match="names no hook"):
        lens.load(tmp_path / "sae")


def test_aliases_become_canonical() -> None:
    assert lens.canonical("blocks.3.hook_resid_post") == "blocks.3.hook_out"
    assert lens.canonical("blocks.3.hook_resid_pre") == "blocks.3.hook_in"
    assert lens.canonical("blocks.3.mlp.hook_out") == "blocks.3.mlp.hook_out"


def test_the_zero_sae_decodes_to_nothing(tmp_path: Path) -> None:
    lens.save_zero(tmp_path, d_in=4, hook_name=HOOK)
    zero = lens.load(tmp_path)
    assert not zero.decode(zero.encode(torch.randn(3, 4))).any()
