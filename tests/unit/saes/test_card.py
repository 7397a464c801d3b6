from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from saes import lens
from saes.baselines import zero
from saes.card import card
from workbench.errors import BadParameter
from workbench.suspects import Activations, Intervention, Suspect, TokenLogprobs
from workbench.suspects.scripted import ScriptedSuspect

HOOK = "blocks.0.hook_out"


class Linear:
    """The scripted suspect, with logits that are a linear read-out of its activations."""

    def __init__(self, suspect: ScriptedSuspect) -> None:
        self._suspect = suspect

    def activations(self, texts: Sequence[str], hooks: Sequence[str]) -> Iterator[Activations]:
        return self._suspect.activations(texts, hooks)

    def logprobs(
        self,
        texts: Sequence[str],
        *,
        interventions: Sequence[Intervention] = (),
        distributions: bool = False,
    ) -> list[TokenLogprobs]:
        found: dict[int, TokenLogprobs] = {}
        for batch in self._suspect.activations(texts, [HOOK]):
            for row, ids, kept, x in zip(
                batch.rows, batch.tokens, batch.mask, batch.values[HOOK], strict=True
            ):
                found[row] = self._read_out(ids[kept], x[kept], interventions)
        return [found[i] for i in range(len(texts))]

    def _read_out(
        self, ids: torch.Tensor, x: torch.Tensor, interventions: Sequence[Intervention]
    ) -> TokenLogprobs:
        for edit in interventions:
            assert edit.kind == "splice"
            sae = lens.load(edit.sae)
            made = sae.decode(sae.encode(x))
            x = made + edit.coefficient * (x - made)
        # each token predicts itself: what a suspect loses with its activations shows at once
        table = torch.tensor([self._suspect_direction(int(i)) for i in range(int(ids.max()) + 1)])
        logits = (-torch.cdist(x, table).pow(2)).log_softmax(-1)
        scores = logits[torch.arange(len(ids)), ids][1:]
        return TokenLogprobs(
            tuple(ids.tolist()), scores.numpy(), logits[-1].numpy(), logits.numpy()
        )

    def _suspect_direction(self, token: int) -> list[float]:
        strings = self._suspect.token_strings([token])
        rows = next(self._suspect.activations([strings[0]], [HOOK])).values[HOOK][0, -1]
        return cast(list[float], rows.tolist())


def test_a_good_sae_fits_and_its_figures_are_right(
    directory: Path, suspect: ScriptedSuspect, texts: list[str], clean: torch.Tensor
) -> None:
    judged = card(directory, cast(Suspect, Linear(suspect)), texts, scored=4)
    sae = lens.load(directory)
    latents = sae.encode(clean)
    error = (clean - sae.decode(latents)).pow(2).sum() / (clean - clean.mean(0)).pow(2).sum()
    assert judged.explained_variance == pytest.approx(1 - float(error), abs=1e-4)
    assert judged.l0 == pytest.approx(float((latents > 0).float().sum(1).mean()), abs=1e-4)
    assert judged.dead_fraction == pytest.approx(float((latents.amax(0) == 0).float().mean()))
    assert judged.ce_loss_score <= 1
    assert judged.kl_div_score <= 1
    assert judged.fits == (not judged.why_not)
    assert [b.name for b in judged.baselines] == ["frozen_random", "pca"]
    assert all(b.explained_variance < judged.explained_variance for b in judged.baselines)
    assert all(b.l0 == pytest.approx(judged.l0, rel=0.35) for b in judged.baselines)
    assert 0 <= judged.splice_error < 1e-4
    assert json.loads(json.dumps(judged.to_json()))["fits"] == judged.fits


def test_an_sae_that_knows_nothing_scores_nothing(
    suspect: ScriptedSuspect, texts: list[str], tmp_path: Path
) -> None:
    zero(tmp_path, d_in=16, hook_name=HOOK)
    with pytest.raises(BadParameter, match="no latent"):
        card(tmp_path, cast(Suspect, Linear(suspect)), texts[:20], scored=4)


def test_a_wrong_width_is_refused(
    suspect: ScriptedSuspect, texts: list[str], tmp_path: Path
) -> None:
    zero(tmp_path, d_in=5, hook_name=HOOK)
    with pytest.raises(BadParameter, match="reads 5 numbers"):
        card(tmp_path, cast(Suspect, Linear(suspect)), texts[:5])


def test_a_hook_that_does_not_matter_cannot_be_scored(
    directory: Path, suspect: ScriptedSuspect, texts: list[str]
) -> None:
    deaf: Any = suspect
    with pytest.raises(BadParameter, match="reads no worse without"):
        card(directory, deaf, texts, scored=4)
