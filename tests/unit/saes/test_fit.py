from __future__ import annotations

from pathlib import Path

import pytest
import torch

from saes import fit as training
from saes.architectures import Weights, dense_step, sparse_step
from saes.card import quality
from saes.fit import Settings, fit, fitting_size
from saes.lens import SAE
from workbench.errors import BadParameter

HOOK = "blocks.0.hook_out"
NOBODY = torch.tensor([], dtype=torch.long)
SMALL = Settings(d_sae=32, k=2, samples=2_048)


def weights(d_sae: int = 40, d_in: int = 12) -> Weights:
    dice = torch.Generator().manual_seed(0)
    decoder = torch.randn(d_sae, d_in, generator=dice)
    return Weights(
        torch.randn(d_sae, d_in, generator=dice) * 0.3,
        torch.randn(d_sae, generator=dice) * 0.1,
        decoder / decoder.norm(dim=1, keepdim=True),
        torch.randn(d_in, generator=dice) * 0.1,
        torch.full((d_sae,), -2.0),
    )


@pytest.mark.parametrize(
    ("kind", "prefixes"), [("batchtopk", (40,)), ("topk", (40,)), ("matryoshka", (10, 25, 40))]
)
def test_sparse_gradients_are_those_of_autograd(kind: str, prefixes: tuple[int, ...]) -> None:
    x = torch.randn(64, 12, generator=torch.Generator().manual_seed(1))
    made = weights()
    done = sparse_step(made, x, kind=kind, k=5, dead=NOBODY, prefixes=prefixes)
    assert done.l0 <= 5
    ours = [tensor.grad for tensor in made.tensors(kind)]
    for tensor in made.tensors(kind):
        tensor.grad = None
        tensor.requires_grad_(True)
    before = made.before(x)
    largest = before.detach().topk(5, dim=1).values[:, -1:]
    if kind != "topk":
        largest = before.detach().flatten().topk(5 * 64).values[-1]
    active = before * (before >= largest) * (before > 0)
    loss = sum(
        (active[:, :size] @ made.decoder[:size] + made.b_dec - x).pow(2).sum(1).mean()
        for size in prefixes
    ) / len(prefixes)
    loss.backward()  # type: ignore[union-attr]
    made.decoder.requires_grad_(False)
    theirs = [tensor.grad for tensor in made.tensors(kind)]
    slope = theirs[2]
    assert slope is not None  # the decoder's rows keep their norm: no gradient along them
    slope -= (slope * made.decoder).sum(1, keepdim=True) * made.decoder
    for one, two in zip(ours, theirs, strict=True):
        assert one is not None and two is not None
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-6)


def test_dead_latents_get_a_gradient_and_others_none_from_it() -> None:
    x = torch.randn(64, 12, generator=torch.Generator().manual_seed(1))
    made, again = weights(), weights()
    made.b_enc[7] = again.b_enc[7] = 0.05
    made.encoder[7] = again.encoder[7] = made.encoder[7] * 0.05  # never among the largest
    sparse_step(made, x, kind="batchtopk", k=3, dead=NOBODY, prefixes=(40,))
    sparse_step(again, x, kind="batchtopk", k=3, dead=torch.tensor([7]), prefixes=(40,))
    assert made.encoder.grad is not None and again.encoder.grad is not None
    assert not made.encoder.grad[7].any()
    assert again.encoder.grad[7].any()
    others = torch.arange(40) != 7
    assert torch.equal(made.encoder.grad[others], again.encoder.grad[others])


def test_the_jumprelu_threshold_feels_the_penalty() -> None:
    x = torch.randn(64, 12, generator=torch.Generator().manual_seed(1))
    made = weights()
    dense_step(made, x, kind="jumprelu", sparsity=1000.0)
    assert made.log_threshold.grad is not None
    assert float(made.log_threshold.grad.sum()) < 0  # descending raises thresholds


@pytest.mark.parametrize("kind", ["batchtopk", "topk", "matryoshka", "standard", "jumprelu"])
def test_each_architecture_learns_the_toy(clean: torch.Tensor, tmp_path: Path, kind: str) -> None:
    # the penalised kinds find codes and L0 together, and need the default's length for it
    samples = 400_000 if kind in ("standard", "jumprelu") else 80_000
    settings = Settings(d_sae=64, k=2, samples=samples, architecture=kind)
    sae = fit(clean, settings, hook_name=HOOK, into=tmp_path)
    judged = quality(sae, clean)
    assert judged.explained_variance > 0.8
    assert judged.l0 == pytest.approx(2, rel=0.15)


def test_the_l0_is_what_was_asked_for(clean: torch.Tensor, tmp_path: Path) -> None:
    sae = fit(clean, Settings(d_sae=64, k=3, samples=20_000), hook_name=HOOK, into=tmp_path)
    assert quality(sae, clean).l0 == pytest.approx(3, rel=0.1)


def test_the_same_seed_gives_the_same_weights(clean: torch.Tensor, tmp_path: Path) -> None:
    def made(name: str, seed: int) -> torch.Tensor:
        settings = Settings(d_sae=32, k=2, samples=2_048, seed=seed)
        return fit(clean, settings, hook_name=HOOK, into=tmp_path / name).W_dec

    before = torch.random.get_rng_state()
    assert torch.equal(made("a", 1), made("b", 1))
    assert not torch.equal(made("c", 2), made("d", 1))
    assert torch.equal(torch.random.get_rng_state(), before)


class Cut(Exception):
    """A training that is cut short."""


def test_an_interrupted_training_ends_with_the_same_weights(
    clean: torch.Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", -1.0)

    def cut(share: float) -> None:
        if share > 0.6:
            raise Cut

    whole = fit(clean, SMALL, hook_name=HOOK, into=tmp_path / "whole")
    place = tmp_path / "checkpoint"
    with pytest.raises(Cut):
        fit(clean, SMALL, hook_name=HOOK, into=tmp_path / "cut", checkpoint=place, progress=cut)
    seen: list[float] = []
    resumed = fit(
        clean, SMALL, hook_name=HOOK, into=tmp_path / "r", checkpoint=place, progress=seen.append
    )
    assert seen == [0.625, 0.75, 0.875, 1.0]
    assert torch.equal(whole.W_dec, resumed.W_dec)
    assert torch.equal(whole.latents.W_enc, resumed.latents.W_enc)
    assert list(place.iterdir()) == []


def test_a_checkpoint_of_another_training_is_not_taken(
    clean: torch.Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", -1.0)

    def cut(share: float) -> None:
        if share > 0.6:
            raise Cut

    with pytest.raises(Cut):
        fit(clean, SMALL, hook_name=HOOK, into=tmp_path / "a", checkpoint=tmp_path, progress=cut)
    seen: list[float] = []
    other = Settings(d_sae=32, k=3, samples=2_048)
    fit(clean, other, hook_name=HOOK, into=tmp_path / "b", checkpoint=tmp_path,
        progress=seen.append)  # fmt: skip
    assert len(seen) == 8


def test_sizes_that_make_no_sense_are_refused(clean: torch.Tensor, tmp_path: Path) -> None:
    for wrong, message in (
        ({"k": 99.0, "d_sae": 32}, "k = 99"),
        ({"samples": 10}, "fewer than one batch"),
        ({"architecture": "gated"}, "no architecture 'gated'"),
        ({"architecture": "topk", "k": 2.5}, "k = 2.5"),
    ):
        with pytest.raises(BadParameter, match=message):
            Settings(**wrong)  # type: ignore[arg-type]
    with pytest.raises(BadParameter, match="fewer than one batch"):
        fit(clean[:10], SMALL, hook_name=HOOK, into=tmp_path)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (torch.ones(512, 8), "nothing to learn"),
        (torch.zeros(512, 8), "nothing to learn"),
        (torch.full((512, 8), torch.nan), "not finite"),
    ],
)
def test_activations_without_anything_in_them_are_refused(
    rows: torch.Tensor, message: str, tmp_path: Path
) -> None:
    with pytest.raises(BadParameter, match=message):
        fit(rows, SMALL, hook_name=HOOK, into=tmp_path)


def test_the_size_follows_the_rows() -> None:
    assert fitting_size(torch.zeros(100_000, 64), 32) == 512
    assert fitting_size(torch.zeros(1_000, 64), 32) == 160
    assert fitting_size(torch.zeros(10, 64), 32) == 32


def test_the_trained_sae_knows_where_it_comes_from(sae: SAE) -> None:
    assert sae.metadata["training_architecture"] == "batchtopk"
    assert sae.metadata["k"] == 1
