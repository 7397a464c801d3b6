from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from saes.diff import standouts, swept_hook
from workbench.suspects.scripted import ScriptedSuspect


def test_a_shifted_latent_stands_out_and_noise_does_not() -> None:
    difference = torch.randn(300, 50, generator=torch.Generator().manual_seed(0))
    difference[:, 7] += 1.0
    difference[:, 9] -= 1.0
    found = standouts(difference)
    assert {s.index for s in found[:2]} == {7, 9}
    assert {s.index for s in found if s.p < 0.01} == {7, 9}
    assert {s.tried for s in found} == {50}
    assert next(s for s in found if s.index == 9).difference == pytest.approx(-1, abs=0.2)


@pytest.mark.parametrize("seed", range(5))
def test_noise_alone_stands_out_nowhere(seed: int) -> None:
    difference = torch.randn(300, 50, generator=torch.Generator().manual_seed(seed + 1))
    assert not [s for s in standouts(difference) if s.p < 0.01]


def test_latents_that_never_differ_are_left_out() -> None:
    difference = torch.zeros(30, 3)
    difference[:, 1] = torch.randn(30, generator=torch.Generator().manual_seed(0))
    assert [s.index for s in standouts(difference)] == [1]


def test_the_layer_that_differs_most_is_swept() -> None:
    def suspect(shift: float) -> ScriptedSuspect:
        def activation(hook_name: str, tokens: Sequence[str]) -> list[list[float]]:
            moved = shift if hook_name == "blocks.1.hook_out" else 0.0
            return [[1.0 + moved, float(len(token))] for token in tokens]

        return ScriptedSuspect(
            lambda turns, seed, index: "", activation=activation, d_model=2, n_layers=4
        )

    texts = ["one two three", "four five"]
    assert swept_hook(suspect(2.0), suspect(0.0), texts, texts) == "blocks.1.hook_out"
