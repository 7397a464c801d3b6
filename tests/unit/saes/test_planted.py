"""A vector added to the residual of half of the texts: search and probe must lead to it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from probes.card import train_probe
from probes.texts import Labelled
from saes.activations import cached
from saes.fit import Settings, fit
from saes.search import by_contrast
from saes.store import store
from saes.texts import Text
from workbench.artifacts import Artifacts
from workbench.suspects.scripted import ScriptedSuspect

HOOK = "blocks.0.hook_out"
D_MODEL = 16
WORDS = [f"w{i}" for i in range(40)]


def direction(word: str, seed: int) -> list[float]:
    dice = random.Random(f"{word} {seed}")
    return [dice.gauss(0, 1) for _ in range(D_MODEL)]


def is_marked(tokens: Sequence[str]) -> bool:
    return int(tokens[0].removeprefix("w")) % 2 == 0


@pytest.mark.parametrize("seed", range(3))
def test_contrast_search_and_probe_find_the_planted_direction(seed: int, tmp_path: Path) -> None:
    planted = direction("planted", seed)

    def activation(hook_name: str, tokens: Sequence[str]) -> list[list[float]]:
        added = planted if is_marked(tokens) else [0.0] * D_MODEL
        words = (direction(token.strip(), seed) for token in tokens)
        return [[a + b for a, b in zip(word, added, strict=True)] for word in words]

    suspect = ScriptedSuspect(lambda *_: "", activation=activation, d_model=D_MODEL)
    dice = random.Random(seed)
    texts = [" ".join(dice.choices(WORDS, k=10)) for _ in range(240)]
    artifacts = Artifacts(tmp_path)
    held = cached(artifacts, suspect, [Text(text, str(i)) for i, text in enumerate(texts)], [HOOK])
    sae = fit(
        held.values(HOOK),
        Settings(d_sae=96, k=3, samples=100_000, seed=seed),
        hook_name=HOOK,
        into=tmp_path / "sae",
    )
    built = store(artifacts, sae, suspect, held)
    fresh = [" ".join(dice.choices(WORDS, k=10)) for _ in range(120)]
    marked = [text for text in fresh if is_marked(text.split())]
    others = [text for text in fresh if not is_marked(text.split())]
    best = by_contrast(built, sae, suspect, marked, others)[0]
    cosine = torch.nn.functional.cosine_similarity(
        sae.direction(best.latent), torch.tensor(planted), dim=0
    )
    assert abs(float(cosine)) >= 0.7

    labelled = Labelled(tuple(texts), tuple(int(is_marked(t.split())) for t in texts))
    _, card = train_probe(suspect, labelled, hook_names=[HOOK], seed=seed)
    assert card.auroc >= 0.95
    assert card.null[0] == pytest.approx(0.5, abs=0.05)
