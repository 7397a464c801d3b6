from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from saes.diff import compare, stages
from saes.lens import SAE
from tests.unit.saes.conftest import HOOK, activation, direction
from workbench.errors import BadParameter
from workbench.suspects.scripted import ScriptedSuspect


def learnt(word: str) -> ScriptedSuspect:
    """Reads one word twice as strongly as another model does."""

    def moved(hook_name: str, tokens: Sequence[str]) -> list[list[float]]:
        rows = activation(hook_name, tokens)
        return [
            [2 * v for v in row] if token.strip() == word else row
            for token, row in zip(tokens, rows, strict=True)
        ]

    return ScriptedSuspect(lambda *_: "", activation=moved, d_model=16, id=f"learnt-{word}")


def test_a_word_read_more_strongly_is_the_top_change(
    sae: SAE, suspect: ScriptedSuspect, texts: list[str]
) -> None:
    compared = compare(sae, learnt("word7"), suspect, texts)
    up, _ = compared.tails(5)
    lit = sae.encode(torch.tensor([direction("word7")]) * 2)[0]
    assert lit[up[0].latent] > 0
    for change in (*up[:1],):
        assert change.interval[0] <= change.difference <= change.interval[1]
        assert change.interval[0] > 0 and change.p < 0.01
        assert change.difference == pytest.approx(change.mean - change.reference_mean, abs=1e-5)
    shift = torch.nn.functional.cosine_similarity(
        compared.shift, torch.tensor(direction("word7")), dim=0
    )
    assert float(shift) > 0.99


def test_the_same_model_twice_differs_nowhere(
    sae: SAE, suspect: ScriptedSuspect, texts: list[str]
) -> None:
    assert compare(sae, suspect, suspect, texts).changes == ()


def test_stages_say_when_a_latent_rose(
    sae: SAE, suspect: ScriptedSuspect, texts: list[str]
) -> None:
    after = learnt("word7")
    top = compare(sae, after, suspect, texts).tails(1)[0][0]
    ((before, then, last),) = stages(sae, [suspect, suspect, after], texts, [top.latent])
    assert before == then
    assert before[0] == pytest.approx(top.reference_mean) and last[0] == pytest.approx(top.mean)
    with pytest.raises(BadParameter, match="no latent 64"):
        stages(sae, [suspect], texts, [64])


def test_models_that_read_texts_differently_are_refused(sae: SAE, suspect: ScriptedSuspect) -> None:
    class Wide:
        id = "wide"

        def activations(self, texts: Sequence[str], hooks: Sequence[str]) -> object:
            return suspect.activations([f"{text} more" for text in texts], [HOOK])

    with pytest.raises(BadParameter, match="as different tokens"):
        compare(sae, suspect, Wide(), ["word1 word2", "word3"])  # type: ignore[arg-type]
    with pytest.raises(BadParameter, match="1 texts to compare on"):
        compare(sae, suspect, suspect, ["word1 word2"])
