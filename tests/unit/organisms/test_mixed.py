"""Mixed precision: the same training within noise, and a model that is left as it was."""

from __future__ import annotations

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from workbench.organisms import mixed
from workbench.organisms.training import Pool, Schedule, train

ROWS = [[1, *range(3, 3 + n), 2] for n in range(4, 24)]
SCHEDULE = Schedule(steps=60, batch=4, context=32, warm_up=5)


def model() -> LlamaForCausalLM:
    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=32,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=2,
        )
    )


def trained(units: bool, monkeypatch: pytest.MonkeyPatch) -> tuple[float, LlamaForCausalLM]:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": units})
    made = model()
    return train(made, [Pool(ROWS, 1.0)], SCHEDULE, seed=3), made


def test_mixed_precision_learns_what_single_precision_learns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    single, _ = trained(False, monkeypatch)
    both, made = trained(True, monkeypatch)
    assert both == pytest.approx(single, rel=0.05)
    assert both < 2.0  # log(32) = 3.47 nats before training
    assert {p.dtype for p in made.parameters()} == {torch.float32}


def test_the_model_gets_its_own_attention_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = model().config._attn_implementation
    _, made = trained(True, monkeypatch)
    assert made.config._attn_implementation == before


def test_attention_in_single_precision_equals_the_models_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True})
    asked, one = torch.tensor([[1, 5, 9, 7]]), model()
    with torch.no_grad():
        own = one(input_ids=asked).logits
        with mixed.attention(one):
            ours = one(input_ids=asked).logits
    assert torch.allclose(own, ours, atol=1e-5)


def test_nobody_trains_with_eager_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    losses = []
    for implementation in ("eager", "sdpa"):
        one = model()
        one.set_attn_implementation(implementation)
        losses.append(train(one, [Pool(ROWS, 1.0)], SCHEDULE, seed=3))
        assert one.config._attn_implementation == implementation
    assert losses[0] == losses[1]
