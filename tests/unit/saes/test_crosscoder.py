from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from saes.crosscoder import Owned, judge, train_crosscoder
from saes.fit import Settings
from saes.lens import save
from workbench.errors import BadParameter
from workbench.suspects.scripted import ScriptedSuspect

HOOK = "blocks.0.hook_out"
D_MODEL = 32


def direction(word: str) -> list[float]:
    dice = random.Random(word)
    return [dice.gauss(0, 1) for _ in range(D_MODEL)]


def model(learnt: bool) -> ScriptedSuspect:
    """A word is its direction, of which there are more than dimensions; who has learnt adds
    another, no longer than a word's, to texts that open with w0 to w9."""

    def activation(hook_name: str, tokens: Sequence[str]) -> list[list[float]]:
        moved = learnt and int(tokens[0].strip().removeprefix("w")) < 10
        added = direction("learnt") if moved else [0.0] * D_MODEL
        return [
            [a + b for a, b in zip(direction(token.strip()), added, strict=True)]
            for token in tokens
        ]

    return ScriptedSuspect(lambda *_: "", activation=activation, d_model=D_MODEL)


def test_what_only_the_suspect_has_learnt_is_its_own(tmp_path: Path) -> None:
    dice = random.Random(0)
    texts = [" ".join(dice.choices([f"w{i}" for i in range(40)], k=12)) for _ in range(300)]
    made = train_crosscoder(
        model(True),
        model(False),
        texts,
        hook_name=HOOK,
        into=tmp_path,
        settings=Settings(d_sae=96, k=2, samples=120_000),
    )
    assert min(made.explained_variance) > 0.95
    latents = made.sae.W_dec[:, :D_MODEL]
    cosine = torch.nn.functional.cosine_similarity(latents, torch.tensor([direction("learnt")]))
    owned = [o for o in made.latents if o.owner == "suspect" and o.density > 0]
    assert owned and any(float(cosine[o.latent]) > 0.95 for o in owned)
    assert not [o for o in made.latents if o.owner == "reference" and o.density > 0.001]


def test_a_latent_whose_feature_the_reference_has_too_is_no_exclusive(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    feature = torch.zeros(6)
    feature[0] = 1.0
    strength = (torch.rand(2000, 1, generator=generator) > 0.5).float() * 3
    both = torch.cat([strength * feature, strength * feature], dim=1)
    both += 0.01 * torch.randn(both.shape, generator=generator)
    row = torch.cat([feature, torch.zeros(6)])[None]
    sae = save(
        tmp_path / "shrunk",
        hook_name=HOOK,
        W_enc=row.T.contiguous(),
        b_enc=torch.zeros(1),
        W_dec=row,
        b_dec=torch.zeros(12),
        threshold=torch.full((1,), 0.5),
    )
    (found,) = judge(sae, both).latents
    assert found.share == 1.0
    assert found.error_ratio == pytest.approx(1, abs=0.05)
    assert found.owner == "false exclusive"
    both[:, 6:] = 0.01 * torch.randn(2000, 6, generator=generator)
    (truly,) = judge(sae, both).latents
    assert truly.error_ratio == pytest.approx(0, abs=0.05)
    assert truly.owner == "suspect"


def test_ownership_follows_the_share() -> None:
    assert Owned(0, 0.5, 0.1, 0.0, 0.0).owner == "shared"
    assert Owned(0, 0.02, 0.1, 0.0, 0.0).owner == "reference"
    assert Owned(0, 0.98, 0.1, 0.1, 0.9).owner == "false exclusive"


def test_models_of_different_width_are_refused(tmp_path: Path) -> None:
    other = ScriptedSuspect(lambda *_: "", d_model=5, id="narrow")
    with pytest.raises(BadParameter, match="'narrow' \\(120, 5\\)"):
        train_crosscoder(
            model(False), other, ["w1 w2 w3"] * 40, hook_name=HOOK, into=tmp_path,
            settings=Settings(d_sae=8, k=1, samples=256, batch=32),
        )  # fmt: skip
