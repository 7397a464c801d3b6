"""SAELens' format both ways: what the library saves is read here to the same numbers, and back."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

from saes import lens
from saes.baselines import zero
from workbench.errors import BadParameter, ModelUnavailable, SuspectError, UnsafeFile

HOOK = "blocks.0.hook_out"


@pytest.fixture(scope="module")
def library() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import sae_lens
    return sae_lens


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


def test_the_library_reads_what_is_saved_here(
    library: Any, directory: Path, sae: lens.SAE, clean: torch.Tensor
) -> None:
    theirs = library.SAE.load_from_disk(directory, device="cpu")
    with torch.no_grad():
        torch.testing.assert_close(theirs.encode(clean), sae.encode(clean), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(theirs(clean), sae.decode(sae.encode(clean)), atol=1e-5, rtol=0)
    assert theirs.cfg.metadata.hook_name == HOOK


@pytest.mark.parametrize(
    ("kind", "extra"),
    [
        ("Standard", {}),
        ("JumpReLU", {}),
        ("Gated", {}),
        ("TopK", {"k": 3}),
        ("TopK", {"k": 3, "rescale_acts_by_decoder_norm": True}),
        ("Standard", {"apply_b_dec_to_input": False}),
    ],
)
def test_what_the_library_saves_is_read_to_the_same_numbers(
    library: Any, tmp_path: Path, kind: str, extra: dict[str, Any]
) -> None:
    torch.manual_seed(0)
    config = getattr(library, f"{kind}SAEConfig")(d_in=6, d_sae=20, **extra)
    theirs = getattr(library, f"{kind}SAE")(config)
    theirs.cfg.metadata.hook_name = "blocks.3.hook_resid_post"
    with torch.no_grad():
        for weights in theirs.parameters():
            weights.copy_(torch.randn_like(weights) * 0.5)
        if kind == "JumpReLU":
            theirs.threshold.abs_()
    theirs.save_model(tmp_path)
    ours = lens.load(tmp_path)
    x = torch.randn(50, 6)
    with torch.no_grad():
        want = theirs.encode(x)
        if extra.get("rescale_acts_by_decoder_norm"):
            torch.testing.assert_close(ours.encode(x) > 0, want > 0)
        else:
            torch.testing.assert_close(ours.encode(x), want, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(ours.decode(ours.encode(x)), theirs(x), atol=1e-5, rtol=1e-5)
    assert ours.hook_name == "blocks.3.hook_out"


def test_what_cannot_be_computed_from_activations_alone_is_refused(
    library: Any, tmp_path: Path
) -> None:
    config = library.StandardSAEConfig(d_in=4, d_sae=6, normalize_activations="layer_norm")
    theirs = library.StandardSAE(config)
    theirs.cfg.metadata.hook_name = HOOK
    theirs.save_model(tmp_path)
    with pytest.raises(BadParameter, match="layer_norm"):
        lens.load(tmp_path)


def test_a_release_that_is_unknown_or_out_of_reach_says_so(
    library: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadParameter, match="no release"):
        lens.fetch("gpt2-small-rez-jb/blocks.0.hook_resid_pre", tmp_path)
    with pytest.raises(BadParameter, match="no SAE"):
        lens.fetch("gpt2-small-res-jb/blocks.99.hook_resid_pre", tmp_path)

    def unreachable(*args: Any, **kwargs: Any) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(library.SAE, "from_pretrained", unreachable)
    with pytest.raises(ModelUnavailable, match="no route to host"):
        lens.fetch("gpt2-small-res-jb/blocks.0.hook_resid_pre", tmp_path)


def test_a_pickle_is_refused_before_anything_is_read(directory: Path, tmp_path: Path) -> None:
    shutil.copytree(directory, tmp_path / "sae")
    (tmp_path / "sae" / "trainer_state.pt").write_bytes(b"\x80\x04.")
    with pytest.raises(UnsafeFile, match=r"trainer_state\.pt"):
        lens.load(tmp_path / "sae")


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsafeFile, match="not finite in 'b_dec'"):
        lens.save(
            tmp_path,
            hook_name=HOOK,
            W_enc=torch.zeros(4, 2),
            b_enc=torch.zeros(2),
            W_dec=torch.zeros(2, 4),
            b_dec=torch.full((4,), torch.nan),
        )


def test_weights_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadParameter, match=r"W_enc is \(4, 3\), not \(4, 2\)"):
        lens.save(
            tmp_path,
            hook_name=HOOK,
            W_enc=torch.zeros(4, 3),
            b_enc=torch.zeros(2),
            W_dec=torch.zeros(2, 4),
            b_dec=torch.zeros(4),
        )


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


def test_a_latent_out_of_range_is_refused(sae: lens.SAE) -> None:
    with pytest.raises(BadParameter, match="no latent 64 in an SAE of 64"):
        sae.direction(64)
    with pytest.raises(BadParameter, match="no latent -1"):
        sae.direction(-1)


def test_aliases_become_canonical() -> None:
    assert lens.canonical("blocks.3.hook_resid_post") == "blocks.3.hook_out"
    assert lens.canonical("blocks.3.hook_resid_pre") == "blocks.3.hook_in"
    assert lens.canonical("blocks.3.hook_mlp_out") == "blocks.3.mlp.hook_out"
    assert lens.canonical("blocks.3.mlp.hook_out") == "blocks.3.mlp.hook_out"


def test_the_zero_sae_decodes_to_nothing(tmp_path: Path) -> None:
    nothing = zero(tmp_path, d_in=4, hook_name=HOOK)
    assert not nothing.decode(nothing.encode(torch.randn(3, 4))).any()
