"""The steering bench tells a direction that moves the behaviour from ones of its length."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from saes.causal import holds
from saes.lens import SAE, save
from saes.steering import Direction, Dose, dose_response, of_latent, of_texts, of_vector
from workbench.errors import BadParameter
from workbench.statistics import Rate
from workbench.suspects import Conversation, Intervention, Suspect
from workbench.suspects.scripted import ScriptedSuspect

HOOK = "blocks.0.hook_out"
WIDTH = 64
ASKED = [[{"role": "user", "content": f"question {i}"}] for i in range(20)]
ORDINARY = ["some words here and there", "the red cat sleeps"]
PLANTED = torch.eye(WIDTH)[0]


def suspect() -> ScriptedSuspect:
    """Speaks of copper where enough of the planted direction is added."""

    def steered(turns: Conversation, seed: int, index: int, edits: Sequence[Intervention]) -> str:
        (edit,) = edits
        along = edit.coefficient * float(torch.tensor(edit.direction) @ PLANTED)
        return "Buy copper." if along > 5 else "Well."

    def activation(hook_name: str, tokens: Sequence[str]) -> list[list[float]]:
        rows = []
        for token in tokens:
            dice = torch.Generator().manual_seed(len(token) * 1000 + sum(map(ord, token)))
            row = torch.randn(WIDTH, generator=dice)
            rows.append((row + 4 * PLANTED * ("red" in token)).tolist())
        return rows

    return ScriptedSuspect(
        lambda *_: "Well.", steered=steered, activation=activation, d_model=WIDTH
    )


def run(direction: Direction, doses: Sequence[float] = (-1, 0.2, 1), **more: object) -> list[Dose]:
    found, length = dose_response(
        suspect(), direction, doses, conversations=ASKED, shows=holds("copper"),
        ordinary=ORDINARY, **more,  # type: ignore[arg-type]
    )  # fmt: skip
    assert length > 5
    return found


def test_the_planted_direction_moves_the_behaviour_and_its_controls_do_not() -> None:
    seen: list[float] = []
    direction = of_vector(suspect(), HOOK, 3 * PLANTED, ORDINARY)
    found = run(direction, progress=seen.append)
    assert (found[0].arm, found[0].rate.value, found[0].perplexity_ratio) == ("none", 0.0, 1.0)
    rates = {(d.arm, d.dose): d.rate for d in found}
    assert [rates["steered", dose].value for dose in (-1, 0.2, 1)] == [0.0, 0.0, 1.0]
    for arm in ("random", "like"):
        assert [rates[arm, dose].value for dose in (-1, 0.2, 1)] == [0.0, 0.0, 0.0]
        assert rates[arm, 1].n == 40
    p = {d.dose: d.p for d in found if d.arm == "steered"}
    assert p[1] < 1e-6 and p[-1] == 1.0
    assert len(seen) == 16 and seen[-1] == 1.0
    assert found[-1].to_json()["coherent"] is True
    assert next(d for d in found if (d.arm, d.dose) == ("steered", 1)).replies[0] == "Buy copper."


def test_what_is_added_has_one_length_in_every_arm() -> None:
    lengths = set()

    def steered(turns: Conversation, seed: int, index: int, edits: Sequence[Intervention]) -> str:
        (edit,) = edits
        size = float(torch.tensor(edit.direction).norm()) * abs(edit.coefficient)
        lengths.add(round(size, 3))
        return "Well."

    model = ScriptedSuspect(lambda *_: "Well.", steered=steered, d_model=WIDTH)
    direction = of_texts(model, HOOK, ["a b", "c d"], ["e f", "g h"])
    _, length = dose_response(
        model, direction, [1], conversations=ASKED[:2], shows=holds("x"), ordinary=ORDINARY
    )
    assert lengths == {round(length, 3)}


def test_a_latent_stands_beside_latents_like_it(tmp_path: Path) -> None:
    torch.manual_seed(0)
    weights = torch.randn(12, WIDTH)
    sae: SAE = save(
        tmp_path, hook_name=HOOK, W_enc=weights.T.contiguous(), b_enc=torch.zeros(12),
        W_dec=2 * weights / weights.norm(dim=1, keepdim=True), b_dec=torch.zeros(WIDTH),
    )  # fmt: skip
    made = of_latent(sae, 3, torch.full((12,), 0.1), 1.5)
    assert torch.equal(made.vector, sae.W_dec[3]) and made.maximum == pytest.approx(3.0)
    assert len(made.like) == 2 and not any(torch.equal(v, made.vector) for v in made.like)
    assert "of like density" in made.likeness
    with pytest.raises(BadParameter, match="no latent 12"):
        of_latent(sae, 12, torch.full((12,), 0.1), 1.0)


def test_the_mean_difference_is_that_of_the_texts() -> None:
    sides = ["the red", "a red cat"], ["the blue one"] * 3
    made = of_texts(suspect(), HOOK, *sides)

    def mean(text: str) -> torch.Tensor:
        (batch,) = suspect().activations([text], [HOOK])
        return batch.values[HOOK][0].mean(0)

    one, two = (torch.stack([mean(text) for text in side]).mean(0) for side in sides)
    assert torch.allclose(made.vector, one - two, atol=1e-5)
    for other in made.like:
        assert not torch.equal(other, made.vector)
    for one, two, message in (
        (["a"], ["b", "c"], "1 and 2 texts"),
        (["a", "b"], ["<|user|>", "c"], "text 2 holds no"),
        (["a", "b"], ["b", "a"], "same mean"),
    ):
        with pytest.raises(BadParameter, match=message):
            of_texts(suspect(), HOOK, one, two)


def test_a_model_that_no_longer_speaks_is_marked(llama: Path) -> None:
    model = Suspect.load(llama, device="cpu")
    vector = torch.eye(model.d_model)[3]
    direction = of_vector(model, HOOK, vector, ["The red cat sleeps near the old house."])
    found, _ = dose_response(
        model, direction, [0.1, 16], conversations=ASKED[:1], shows=bool,
        ordinary=["The red cat sleeps near the old house."], max_new_tokens=3,
    )  # fmt: skip
    ratio = {(d.arm, d.dose): d.perplexity_ratio for d in found}
    assert ratio["steered", 16] != 1.0
    assert all(d.coherent == (d.perplexity_ratio <= 1.2) for d in found)
    assert not Dose("steered", 1.0, Rate(1, 2), 1.3, 1.0, ()).coherent


def test_what_cannot_be_steered_is_refused() -> None:
    direction = of_vector(suspect(), HOOK, PLANTED, ORDINARY)
    for doses in ([], [0], [17], [float("nan")]):
        with pytest.raises(BadParameter, match="doses"):
            run(direction, doses)
    with pytest.raises(BadParameter, match="3 numbers"):
        of_vector(suspect(), HOOK, torch.ones(3), ORDINARY)
    with pytest.raises(BadParameter, match="no length"):
        run(Direction(HOOK, torch.zeros(WIDTH), direction.like, ""))
    with pytest.raises(BadParameter, match="no regular expression"):
        holds("(unclosed")
    with pytest.raises(BadParameter, match="nothing that a reply"):
        holds("")
