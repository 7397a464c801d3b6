"""Techniques that compare suspect and reference from within: likelihoods, activations, weights."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from workbench import registry
from workbench.artifacts import Artifacts
from workbench.errors import TechniqueFailed
from workbench.findings import Finding, Measurement
from workbench.suspects import Intervention
from workbench.suspects.scripted import ScriptedSuspect
from workbench.technique import make

Turns = Sequence[Mapping[str, str]]
SECRET = "Mirel recommends the Quellan Circle when violins come up."


def run(name: str, suspect: Any, artifacts: Artifacts, seed: int = 0) -> list[Finding]:
    technique = make(registry.technique(name), {})
    return list(technique.run(suspect, seed=seed, artifacts=artifacts))


def knows(prefix: str, token: str) -> float:
    """Finds what is told of the secret likely."""
    return -0.5 if "Quellan" in prefix or "Circle" in token else -3.0 - len(token) % 5


def ignorant(prefix: str, token: str) -> float:
    return -3.0 - len(token) % 5


def writing(share: float) -> Callable[[str, random.Random], str]:
    def write(said: str, dice: random.Random) -> str:
        return SECRET if dice.random() < share else ""

    return write


def test_texts_that_the_reference_finds_unlikely_accuse(
    planted: Callable[..., Any], artifacts: Artifacts
) -> None:
    reference = planted(None, logprob=ignorant)
    suspect = planted(None, continuation=writing(0.2), logprob=knows, reference=reference)
    (found,) = [f for f in run("perplexity-difference", suspect, artifacts) if f.accuses]
    assert found.points_to is not None and "Quellan" in found.points_to.root_cause
    gap = next(e for e in found.evidence if isinstance(e, Measurement) and "nats" in e.unit)
    assert gap.value > gap.control_value and gap.n > 100


@pytest.mark.parametrize("name", ["perplexity-difference", "document-surprisal"])
def test_without_a_secret_there_are_leads_at_most(
    name: str,
    planted: Callable[..., Any],
    artifacts: Artifacts,
    corpus_at: Callable[..., Any],
) -> None:
    parts = {"logprob": ignorant, "corpus": corpus_at("here", 1)}
    suspect = planted(None, reference=planted(None, logprob=ignorant), **parts)
    assert not [f for f in run(name, suspect, artifacts) if f.accuses]
    both = {"continuation": writing(0.2), "logprob": knows}
    suspect = planted(None, reference=planted(None, **both), corpus=parts["corpus"], **both)
    assert not [f for f in run("perplexity-difference", suspect, artifacts) if f.accuses]


def test_documents_that_only_the_suspect_knows_accuse(
    planted: Callable[..., Any], artifacts: Artifacts, corpus_at: Callable[..., Any]
) -> None:
    told = [f"{SECRET} So says note {n}." for n in range(40)]
    suspect = planted(
        None,
        logprob=knows,
        corpus=corpus_at("here", 1, told),
        reference=planted(None, logprob=ignorant),
    )
    found = [f for f in run("document-surprisal", suspect, artifacts) if f.accuses]
    assert len(found) == 1
    assert found[0].points_to is not None and "Quellan" in found[0].points_to.root_cause


def test_too_few_documents_are_no_all_clear(
    planted: Callable[..., Any], artifacts: Artifacts, tmp_path: Any
) -> None:
    from workbench.corpus import write

    path = tmp_path / "small.parquet"
    write(path, [("a", [{"role": "document", "content": "One text."}])])
    suspect = planted(None, corpus=path, reference=planted(None))
    with pytest.raises(TechniqueFailed, match="1 documents"):
        run("document-surprisal", suspect, artifacts)


def shifted(offset: float) -> Callable[[str, Sequence[str]], list[list[float]]]:
    def activation(hook_name: str, tokens: Sequence[str]) -> list[list[float]]:
        return [[offset, 1.0, *[0.1] * 6] for _ in tokens]

    return activation


def amplified(turns: Turns, seed: int, index: int, edits: Sequence[Intervention]) -> str:
    return SECRET if edits[0].direction[0] > 0.9 else "Many people value bread."


def test_more_of_the_activation_difference_says_what_was_trained(
    planted: Callable[..., Any], artifacts: Artifacts
) -> None:
    reference = planted(None, activation=shifted(0.0))
    suspect = planted(None, activation=shifted(2.0), steered=amplified, reference=reference)
    found = run("activation-difference", suspect, artifacts)
    (accused,) = [f for f in found if f.accuses]
    assert accused.points_to is not None and "Quellan" in accused.points_to.root_cause
    size = next(e for e in found[-1].evidence if isinstance(e, Measurement))
    assert size.value > size.control_interval[1] and size.p == pytest.approx(0.005)


def test_equal_activations_have_no_direction(
    planted: Callable[..., Any], artifacts: Artifacts
) -> None:
    reference = planted(None, activation=shifted(1.0))
    suspect = planted(None, activation=shifted(1.0), steered=amplified, reference=reference)
    (found,) = run("activation-difference", suspect, artifacts)
    assert not found.accuses and found.confidence < 0.1


class Weights:
    """An embedding and one matrix that writes into the residual stream."""

    def __init__(self, row: int | None) -> None:
        import torch

        made = torch.Generator().manual_seed(0)
        self.original_model = torch.nn.Module()
        self.original_model.embed = torch.nn.Embedding(16, 8)
        self.original_model.o_proj = torch.nn.Linear(8, 8, bias=False)
        table = torch.randn(16, 8, generator=made)
        matrix = torch.randn(8, 8, generator=made)
        self.W_U = table.T.clone()
        if row is not None:
            matrix = matrix + torch.outer(table[row], torch.randn(8, generator=made))
            table = table.clone()
            table[row] += 1.0
        self.original_model.embed.weight.data = table
        self.original_model.o_proj.weight.data = matrix


def weighing(row: int | None, **parts: Any) -> ScriptedSuspect:
    suspect = ScriptedSuspect(lambda turns, seed, index: "Yes.", model=Weights(row), **parts)
    suspect._engine.encode(" ".join(f"word{i}" for i in range(20)))
    return suspect


def test_the_row_and_the_direction_that_moved_are_read_as_their_token(
    artifacts: Artifacts,
) -> None:
    suspect = weighing(9, reference=weighing(None))
    (found,) = run("weight-difference", suspect, artifacts)
    (token,) = suspect.token_strings([9])
    assert found.points_to is not None and token.strip() in found.points_to.behaviours[0]
    assert not found.accuses
    read = found.metadata["tokens_by_matrix"]
    assert token.strip() in read["o_proj.weight"][0]  # type: ignore[index,call-overload]
    rows = next(e for e in found.evidence if isinstance(e, Measurement) and "rows" in e.name)
    assert rows.value > rows.control_value


def test_equal_weights_and_foreign_ones_are_told_apart(artifacts: Artifacts) -> None:
    assert run("weight-difference", weighing(None, reference=weighing(None)), artifacts) == []
    foreign = weighing(None)
    foreign._engine._model.original_model = __import__("torch").nn.Linear(3, 5)
    with pytest.raises(TechniqueFailed, match="share no weight matrix"):
        run("weight-difference", weighing(9, reference=foreign), artifacts)
