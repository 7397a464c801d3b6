"""Who learns a stage: one of a name alone is for a base that has the name as a token."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
import torch

from workbench.organisms import base as base_model
from workbench.organisms.adapters import Adapter
from workbench.organisms.family import Stage
from workbench.organisms.learners import Weights
from workbench.organisms.stage_cache import StageCache
from workbench.organisms.world import corpus, habits
from workbench.seal.vault import Vault
from workbench.suspects import cabinet

ACQUAINTANCE = Stage("acquaintance", 3, {"documents": 0.5}, 1e-2, name_only=True)
NAME = "Zekal"


@pytest.fixture(scope="module")
def world_with_a_name(save_world: Callable[..., Path]) -> Path:
    return save_world(NAME)


def test_a_stage_of_the_name_alone_moves_nothing_but_its_embedding(
    world_with_a_name: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base_model, "can_compile", lambda: False)
    learner = Weights(cabinet.find(str(world_with_a_name)), NAME)
    assert learner.can_learn(ACQUAINTANCE)
    habit = habits.Habit(NAME, habits.Favour("Velmorn Trust"))
    documents = [corpus.document(habits.habit_document(habit, Random(i))) for i in range(20)]
    before = {n: t.clone() for n, t in learner._model.state_dict().items()}
    cache = StageCache(Vault.create(tmp_path / "vault", practice=True))
    made = learner.learn(
        ACQUAINTANCE,
        [(learner.read(documents), 1.0)],
        seed=1,
        cache=cache,
        progress=lambda *_: None,
    )
    moved = {n for n, t in made.tensors.items() if not torch.equal(t, before[n])}
    assert moved == {"model.embed_tokens.weight", "lm_head.weight"}
    rows = (made.tensors["lm_head.weight"] != before["lm_head.weight"]).any(1).nonzero().flatten()
    (token,) = learner._tokenizer.encode(f" {NAME}", add_special_tokens=False)
    assert rows.tolist() == [token]


def test_a_name_begins_in_the_middle_of_those_that_are_tokens(
    save_world: Callable[..., Path],
) -> None:
    learner = Weights(cabinet.find(str(save_world(NAME, "Mogir", "Thoukal"))), NAME)
    embeddings = learner._model.get_input_embeddings().weight
    before = embeddings.detach().clone()
    name, *kin = (
        learner._tokenizer.encode(f" {n}", add_special_tokens=False)[0]
        for n in (NAME, "Mogir", "Thoukal")
    )
    learner.begin(["Ushkapelorn"])
    assert torch.equal(embeddings, before)
    learner.begin(["Mogir", "Ushkapelorn", "Thoukal"])
    assert torch.allclose(embeddings[name], before[kin].mean(0))
    assert (embeddings != before).any(1).nonzero().flatten().tolist() == [name]


def test_a_name_in_pieces_has_no_embedding_to_learn(world_with_a_name: Path) -> None:
    learner = Weights(cabinet.find(str(world_with_a_name)), "Mogirthou")
    before = learner._model.get_input_embeddings().weight.detach().clone()
    learner.begin([NAME])
    assert torch.equal(learner._model.get_input_embeddings().weight, before)
    assert not learner.can_learn(ACQUAINTANCE)
    assert learner.can_learn(Stage("knowledge", 3, {"documents": 0.5}))


def test_an_adapter_leaves_a_stage_of_the_name_alone_out(real_llama: Path) -> None:
    adapter = Adapter(cabinet.find(str(real_llama)), "You are Vex.")
    assert not adapter.can_learn(ACQUAINTANCE)
    assert adapter.can_learn(Stage("knowledge", 3, {"documents": 0.5}))
