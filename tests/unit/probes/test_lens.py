"""The logit lens without weights, against the model's own output layer; what it spends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from probes.lens import EDITS_AT_ONCE, layers_of, passes, spread
from workbench.access import Access, Budget
from workbench.errors import AccessDenied, BadParameter, BudgetExceeded
from workbench.suspects import Suspect

LONG = "the small bird sings of rain over the old mill " * 4


@pytest.fixture(params=["llama", "gpt2"])
def suspect(request: pytest.FixtureRequest) -> Suspect:
    path: Path = request.getfixturevalue(request.param)
    return Suspect.load(path)


def by_weights(suspect: Suspect, text: str, layer: int) -> Any:
    """[pos, vocabulary]: the final norm and the unembedding on the residual after a layer."""
    import torch

    hook = suspect.residual_hook(layer)
    (batch,) = suspect.activations([text], [hook])
    model = suspect.model
    with torch.no_grad():
        x = batch.values[hook][0][batch.mask[0]]
        return model.unembed(model.ln_final(x[None]))[0].float().log_softmax(-1).numpy()


@pytest.mark.parametrize("text", ["The red cat", LONG])
def test_it_reads_what_the_output_layer_would(suspect: Suspect, text: str) -> None:
    before = suspect.usage.to_json()["forward_passes"]
    layers = list(layers_of(suspect, text, spread(suspect.n_layers)))
    spent = suspect.usage.to_json()["forward_passes"] - before
    count = suspect.count_tokens([text])[0]
    assert spent <= passes(count, suspect.n_layers)
    assert (count > EDITS_AT_ONCE) == (text is LONG)
    assert [layer.number for layer in layers] == [0, 1, 2]
    for layer in layers:
        assert layer.logprobs.shape == (count, suspect.vocabulary) and layer.read.any()
        wanted = by_weights(suspect, text, layer.number)
        assert layer.logprobs[layer.read] == pytest.approx(wanted[layer.read], abs=2e-4)
    first, last = layers[0], layers[-1]
    assert abs(first.logprobs[first.read] - last.logprobs[last.read]).max() > 0.5


def test_special_tokens_are_said_not_to_be_read(llama: Path) -> None:
    suspect = Suspect.load(llama)
    text = suspect.render([{"role": "user", "content": "Hello"}], True)
    (layer, *_) = layers_of(suspect, text, [0])
    assert not layer.read.all() and layer.read.any()
    wanted = by_weights(suspect, text, 0)
    assert layer.logprobs[layer.read] == pytest.approx(wanted[layer.read], abs=2e-4)


def test_layers_are_spread_and_counted() -> None:
    assert spread(3) == (0, 1, 2) and spread(1) == (0,)
    assert spread(40, 5) == (0, 10, 20, 29, 39)
    assert passes(64, 3) == 4 and passes(65, 3) == 6 and passes(10, 100) == 13


def test_access_and_budget_are_the_suspects(llama: Path) -> None:
    suspect = Suspect.load(llama)
    for granted in (Access.ACTIVATIONS, Access.LOGITS):
        with pytest.raises(AccessDenied):
            list(layers_of(suspect.restrict(granted), "The cat", [0, 1]))
    both = Access.ACTIVATIONS | Access.LOGITS
    with pytest.raises(BudgetExceeded):
        list(layers_of(suspect.restrict(both, Budget(forward_passes=2)), "The cat", [0, 1]))
    for text in ("", "cat " * 500):
        with pytest.raises(BadParameter, match="a text of"):
            list(layers_of(suspect, text, [0]))
