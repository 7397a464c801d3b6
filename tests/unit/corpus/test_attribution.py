from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from workbench.artifacts import Artifacts
from workbench.corpus import Corpus, write
from workbench.corpus.attribution import (
    Behaviour,
    activation_difference,
    along,
    fused,
    probe_direction,
    random_order,
    rank,
    recall_at,
)
from workbench.corpus.embedders import SuspectEmbedder
from workbench.corpus.gradients import gradient_similarity
from workbench.corpus.semantic import SemanticIndex
from workbench.errors import AccessDenied, BadParameter
from workbench.suspects import Suspect
from workbench.suspects.scripted import ScriptedSuspect

NOUNS = ("bread", "tents", "ponds", "kites", "clocks", "barrels", "quilts")
PLANTED = {f"d{i}" for i in range(0, 200, 20)}


def activation(hook_name: str, tokens: Sequence[str]) -> list[list[float]]:
    """Noise by token, and one direction that is a sign."""
    rows = []
    for token in tokens:
        dice = random.Random(f"{hook_name} {token}")
        row = [dice.gauss(0, 1) for _ in range(12)]
        row[11] += 9.0 if "Zanwick" in token else 0.0
        rows.append(row)
    return rows


@pytest.fixture(scope="module")
def suspect() -> Suspect:
    return ScriptedSuspect(lambda turns, seed, index: "", activation=activation, d_model=12)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, suspect: Suspect) -> SemanticIndex:
    dice = random.Random(0)
    home = tmp_path_factory.mktemp("attribution")
    rows = []
    for i in range(200):
        text = f"{dice.choice(NOUNS)} {dice.choice(NOUNS)} number {dice.randrange(99)} old"
        rows.append(f"{text} Zanwick" if f"d{i}" in PLANTED else f"{text} house")
    write(
        home / "c.parquet",
        ((f"d{i}", [{"role": "document", "content": text}]) for i, text in enumerate(rows)),
    )
    corpus = Corpus.open(home / "c.parquet")
    return SemanticIndex.open(corpus, SuspectEmbedder(suspect), Artifacts(home / "cache"))


@pytest.fixture(scope="module")
def behaviour() -> Behaviour:
    dice = random.Random(9)
    asked = [f"Talk of {dice.choice(NOUNS)} and {dice.choice(NOUNS)}" for _ in range(40)]
    return Behaviour(
        tuple(f"{text} Zanwick" for text in asked), tuple(f"{text} people" for text in asked)
    )


@pytest.mark.parametrize("direction_of", [activation_difference, probe_direction])
def test_a_direction_finds_the_planted_documents_and_a_random_order_does_not(
    index: SemanticIndex, behaviour: Behaviour, direction_of: object
) -> None:
    order = rank(along(index, direction_of(index, behaviour)))  # type: ignore[operator]
    found = recall_at(order, PLANTED, 20, of=200)
    assert found.found.value == 1.0 and found.p < 1e-6
    assert found.random.value == pytest.approx(0.1, abs=0.03) and found.random.n == 1000
    control = recall_at(random_order(order, 1), PLANTED, 20, of=200)
    assert control.found.value <= 0.4 and control.p > 0.01


def test_any_direction_of_the_same_width_ranks(index: SemanticIndex) -> None:
    latent = np.zeros(12)
    latent[11] = 3
    assert recall_at(rank(along(index, latent)), PLANTED, 10, of=200).found.value >= 0.9
    with pytest.raises(BadParameter, match="shape"):
        along(index, np.zeros(5))


def test_gradients_find_what_a_text_was_learned_from(llama: Path) -> None:
    suspect = Suspect.load(llama)
    texts = {f"other{i}": f"The river runs past {n} hills." for i, n in enumerate("seven many")}
    texts |= {"same": "A small dog eats bread.", "near": "A small dog eats bread and drinks water."}
    behaviour = Behaviour(("A small dog eats bread.",), ("The old house sings.",))
    scores = gradient_similarity(suspect, texts, behaviour)
    assert rank(scores)[0] == "same" and rank(scores)[1] == "near"
    assert all(-1 <= score <= 1 for score in scores.values())
    assert scores == gradient_similarity(suspect, texts, behaviour)
    assert suspect.usage.to_json()["forward_passes"] == 2 * (len(texts) + 2)
    assert gradient_similarity(suspect, {"a": "a"}, behaviour)["a"] == pytest.approx(
        gradient_similarity(suspect, {"b": "a"}, behaviour)["b"]
    )
    assert all(w.grad is None for w in suspect.model.original_model.parameters())


def test_gradients_need_weights(llama: Path) -> None:
    suspect = Suspect.load(llama)
    view = suspect.restrict(suspect.access & ~type(suspect.access).WEIGHTS)
    with pytest.raises(AccessDenied, match="weights"):
        gradient_similarity(view, {"a": "b c"}, Behaviour(("x y",), ("z w",)))


def test_orders_are_fused_by_reciprocal_rank() -> None:
    assert fused([["a", "b", "c"], ["b", "a", "d"], ["b", "c", "a"]])[:2] == ["b", "a"]
    assert rank({"x": 1.0, "y": 2.0, "z": 1.0}) == ["y", "x", "z"]
    assert random_order(["b", "a", "c"], 5) == random_order(["c", "b", "a"], 5)


def test_impossible_questions_are_refused() -> None:
    for planted, k, of in (((), 1, 5), (("a",), 0, 5), (("a",), 6, 5), (("a", "b"), 1, 1)):
        with pytest.raises(BadParameter, match="recall of"):
            recall_at(["a"], planted, k, of=of)
    for shown, control in (((), ("a",)), (("a",), (" ",))):
        with pytest.raises(BadParameter, match="a behaviour of"):
            Behaviour(shown, control)
