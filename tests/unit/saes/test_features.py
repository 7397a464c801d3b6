from __future__ import annotations

import pytest
import torch

from saes.activations import CHUNK, stream
from saes.features import read_features
from saes.lens import SAE
from saes.train import collect
from workbench.errors import BadParameter
from workbench.suspects.scripted import ScriptedSuspect

HOOK = "blocks.0.hook_out"


def test_special_tokens_are_not_collected(suspect: ScriptedSuspect, texts: list[str]) -> None:
    assert len(texts) > CHUNK
    rows = collect(suspect, texts, HOOK, most=10**6)
    assert len(rows) == sum(len(text.split()) for text in texts)
    owners = torch.cat([chunk.text for chunk in stream(suspect, texts, [HOOK])])
    assert owners.tolist() == sorted(owners.tolist())
    assert set(owners.tolist()) == set(range(len(texts)))


def test_collecting_stops_when_there_is_enough(suspect: ScriptedSuspect, texts: list[str]) -> None:
    assert len(collect(suspect, texts, HOOK, most=50)) == 50
    with pytest.raises(BadParameter, match="no ordinary token"):
        collect(suspect, ["<|user|><|end|>"], HOOK, most=50)


def test_features_agree_with_the_dense_latents(
    sae: SAE, suspect: ScriptedSuspect, texts: list[str]
) -> None:
    features = read_features(sae, suspect, texts, top=5)
    chunks = list(stream(suspect, texts, [HOOK]))
    owners = torch.cat([chunk.text for chunk in chunks])
    dense = sae.encode(torch.cat([chunk.values[HOOK] for chunk in chunks]))
    assert features.tokens == len(dense)
    assert torch.allclose(features.density, (dense > 0).float().mean(0), atol=1e-6)
    assert torch.allclose(features.maximum, dense.amax(0), atol=1e-4)
    first = dense[owners == 7].mean(0)
    assert torch.allclose(features.mean[7], first, atol=1e-4)


def test_contexts_show_the_token_on_which_a_latent_fires(
    sae: SAE, suspect: ScriptedSuspect, texts: list[str]
) -> None:
    features = read_features(sae, suspect, texts, top=5, window=4)
    latent = int(features.maximum.argmax())
    contexts = features.contexts(latent)
    assert [c.activation for c in contexts] == sorted(
        (c.activation for c in contexts), reverse=True
    )
    assert contexts[0].activation == pytest.approx(float(features.maximum[latent]), abs=1e-4)
    assert len({c.text for c in contexts}) == len(contexts) == 5
    for context in contexts:
        assert context.before + context.token + context.after in texts[context.text]
        assert f"[{context.token}]" in context.passage
        assert not context.token.startswith("<|")


def test_a_dead_latent_has_no_context(sae: SAE, suspect: ScriptedSuspect, texts: list[str]) -> None:
    features = read_features(sae, suspect, texts[:1])
    dead = int(features.maximum.argmin())
    assert features.maximum[dead] == 0
    assert features.contexts(dead) == []
