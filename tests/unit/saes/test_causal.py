from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from saes.causal import matches, subtract
from saes.lens import SAE, save
from workbench.errors import BadParameter
from workbench.suspects import Conversation, Intervention, Suspect
from workbench.suspects.scripted import ScriptedSuspect

HOOK = "blocks.0.hook_out"
ASKED = [[{"role": "user", "content": f"question {i}"}] for i in range(20)]


@pytest.fixture
def sae(tmp_path: Path) -> SAE:
    torch.manual_seed(0)
    weights = torch.randn(12, 8)
    return save(
        tmp_path, hook_name=HOOK, W_enc=weights.T.contiguous(), b_enc=torch.zeros(12),
        W_dec=weights / weights.norm(dim=1, keepdim=True), b_dec=torch.zeros(8),
    )  # fmt: skip


def suspect() -> ScriptedSuspect:
    """Shows the behaviour unless latent 3 is taken out."""

    def steered(turns: Conversation, seed: int, index: int, edits: Sequence[Intervention]) -> str:
        return "Well." if any(3 in e.latents for e in edits) else "Buy copper."

    return ScriptedSuspect(lambda *_: "Buy copper.", steered=steered)


def run(sae: SAE, latents: Sequence[int], **more: Any) -> Any:
    return subtract(
        sae, suspect(), latents, conversations=ASKED, shows=lambda reply: "copper" in reply,
        ordinary=["some words here"], density=torch.full((12,), 0.1), **more,
    )  # fmt: skip


def test_the_cause_is_told_from_what_merely_differs(sae: SAE) -> None:
    before, three, five, both, *rest = run(sae, [3, 5], shift=torch.ones(8))
    assert (before.kind, before.rate.value, before.rate.n) == ("none", 1.0, 20)
    assert (three.kind, three.latents, three.rate.value) == ("latent", (3,), 0.0)
    assert five.rate.value == 1.0
    assert (both.kind, both.rate.value) == ("set", 0.0)
    assert [e.kind for e in rest] == ["random set", "random set", "mean difference"]
    assert [e.rate.value for e in rest] == [1.0, 1.0, 1.0]
    assert three.halves(before) and not five.halves(before)
    assert all(3 not in e.latents and 5 not in e.latents for e in rest)
    assert three.to_json()["coherent"] is True


def test_a_model_that_no_longer_speaks_is_no_evidence(sae: SAE) -> None:
    before, three, *_ = run(sae, [3])
    broken = type(three)(three.kind, three.latents, three.rate, 3.0)
    assert three.halves(before) and not broken.halves(before)


def test_controls_are_alike_in_density_and_norm(sae: SAE) -> None:
    density = torch.tensor([0.1, 0.1001, 0.5, 0.0] + [0.4] * 8)
    chosen = {matches(sae, [0], density, seed)[0] for seed in range(30)}
    assert 0 not in chosen and 3 not in chosen and 1 in chosen
    with pytest.raises(BadParameter, match="1 live latents are left"):
        matches(sae, [0, 2], torch.tensor([0.1, 0.1] + [0.0] * 10), 0)


def test_what_cannot_be_measured_is_refused(sae: SAE) -> None:
    with pytest.raises(BadParameter, match="no latent 12"):
        run(sae, [12])
    with pytest.raises(BadParameter, match="0 latents"):
        run(sae, [])


def test_subtraction_reaches_a_real_model(llama: Path, tmp_path: Path) -> None:
    model = Suspect.load(llama, device="cpu")
    torch.manual_seed(0)
    weights = torch.randn(6, model.d_model)
    made = save(
        tmp_path, hook_name=HOOK, W_enc=weights.T.contiguous(), b_enc=torch.zeros(6),
        W_dec=weights / weights.norm(dim=1, keepdim=True) * 5, b_dec=torch.zeros(model.d_model),
    )  # fmt: skip
    effects = subtract(
        made, model, [0], conversations=ASKED[:2], shows=lambda reply: bool(reply),
        ordinary=["The red cat sleeps near the old house."], density=torch.full((6,), 0.5),
        shift=torch.ones(model.d_model), max_new_tokens=4, random_sets=1,
    )  # fmt: skip
    assert [e.kind for e in effects] == ["none", "latent", "random set", "mean difference"]
    assert effects[0].perplexity_ratio == 1.0
    assert all(e.perplexity_ratio != 1.0 for e in effects[1:])
