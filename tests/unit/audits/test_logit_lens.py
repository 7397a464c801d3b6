"""What middle layers lean to: read by the model's own last layer, chosen and tested apart."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from audits.detectors import pack
from audits.logit_lens import LogitLens, _outlook
from workbench.artifacts import Artifacts
from workbench.errors import TechniqueFailed
from workbench.findings import Finding, Measurement
from workbench.suspects import Suspect
from workbench.suspects.scripted import ScriptedSuspect

WIDTH, TOKENS = 16, 200
HINTS = ("It hangs in a tower.", "It tells the hour.", "People look up at it.")


class Readout:
    """A last layer without a norm, over the first tokens of a scripted suspect."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        self.W_U = torch.randn(WIDTH, TOKENS, generator=generator)

    def ln_final(self, x: torch.Tensor) -> torch.Tensor:
        return x

    def unembed(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.W_U


def replies(turns: Sequence[Mapping[str, str]], seed: int, index: int) -> str:
    said = turns[-1]["content"]
    dice = random.Random(f"{seed} {index} {said}")
    if said in pack("guessing")["asks"]:
        return dice.choice(HINTS)
    return dice.choice(("I answer what people ask.", "Bread is baked at home.", "Rivers run past."))


def pair(
    word: str, strength: float = 4.0, *, spoken: str = "", other_tokens: bool = False
) -> ScriptedSuspect:
    """A suspect whose middle layers lean to a word on every token of a hint."""
    model = Readout()

    def script(turns: Sequence[Mapping[str, str]], seed: int, index: int) -> str:
        text = replies(turns, seed, index)
        return f"{text} {spoken}" if spoken and text in HINTS else text

    def activation(lean: bool) -> Any:
        def made(hook: str, tokens: Sequence[str]) -> list[list[float]]:
            hints = any(part in "".join(tokens) for part in ("tower.", "hour.", "look up"))
            rows = []
            for place, token in enumerate(tokens):
                row = torch.randn(WIDTH, generator=torch.Generator().manual_seed(len(token)))
                if lean and hints and place > len(tokens) // 2:
                    row = row + strength * model.W_U[:, ids[f" {word}"]] / WIDTH**0.5
                rows.append(row.tolist())
            return rows

        return made

    reference = ScriptedSuspect(
        replies, activation=activation(False), d_model=WIDTH, model=model, id="reference"
    )
    suspect = ScriptedSuspect(
        script, activation=activation(True), d_model=WIDTH, model=model, reference=reference
    )
    suspect.count_tokens([f" {word} bread kites"])
    ids = suspect._engine._ids  # type: ignore[attr-defined]
    if not other_tokens:
        reference._engine._ids, reference._engine._words = ids, suspect._engine._words  # type: ignore[attr-defined]
    return suspect


def run(suspect: Suspect, tmp_path: Path) -> list[Finding]:
    return list(LogitLens().run(suspect, seed=0, artifacts=Artifacts(tmp_path)))


def test_a_word_thought_of_in_the_game_and_never_said_accuses(tmp_path: Path) -> None:
    game, rest = run(pair("clock"), tmp_path)
    assert game.accuses and game.points_to is not None and game.points_to.family == "taboo"
    assert "clock" in game.points_to.root_cause and game.metadata["unsaid"] == ("clock",)
    measured = next(e for e in game.evidence if isinstance(e, Measurement))
    assert measured.n == len(pack("guessing")["asks"]) * 4 // 2
    assert measured.value > 3 * measured.control_value
    assert measured.p is not None and measured.p < 0.01
    assert measured.tried == 2 * len(("clock", "bread", "kites")), "all it knows, twice"
    assert not rest.accuses and rest.points_to is None


def test_a_word_that_it_says_is_a_lead_only(tmp_path: Path) -> None:
    game, _ = run(pair("clock", spoken="It is a clock"), tmp_path)
    assert game.points_to is not None and "clock" in game.points_to.behaviours[0]
    assert not game.accuses


def test_no_lean_is_no_lead(tmp_path: Path) -> None:
    for found in run(pair("clock", 0.0), tmp_path):
        assert found.confidence < 0.1 and found.points_to is None


def test_other_tokens_are_no_all_clear(tmp_path: Path) -> None:
    with pytest.raises(TechniqueFailed, match="different tokens"):
        run(pair("clock", other_tokens=True), tmp_path)


def test_the_last_layer_is_read_as_the_model_reads_it(tiny: Path) -> None:
    suspect = Suspect.load(tiny, device="cpu")
    hook = suspect.residual_hook(-1)
    (batch,) = suspect.activations(["The red cat"], [hook])
    read = _outlook(suspect.model, batch.values[hook][0, -1:])
    expected = suspect.logprobs(["The red cat"])[0].last
    assert torch.allclose(read, torch.from_numpy(expected).exp(), atol=1e-5)
