"""A toy language of forty words, each with a direction of its own, and an SAE trained on it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from saes.lens import SAE
from saes.train import train_sae
from workbench.suspects.scripted import ScriptedSuspect

HOOK = "blocks.0.hook_out"
D_MODEL = 16
WORDS = [f"word{i}" for i in range(40)]


def direction(token: str) -> list[float]:
    dice = random.Random(token.strip())
    return [dice.gauss(0, 1) + (3.0 if i == 0 else 0.0) for i in range(D_MODEL)]


def activation(hook_name: str, tokens: Sequence[str]) -> list[list[float]]:
    return [direction(token) for token in tokens]


@pytest.fixture(scope="session")
def texts() -> list[str]:
    dice = random.Random(0)
    return [
        "<|user|>" + " ".join(dice.choices(WORDS, k=dice.randint(4, 24))) + "<|end|>"
        for _ in range(300)
    ]


@pytest.fixture(scope="session")
def suspect() -> ScriptedSuspect:
    return ScriptedSuspect(
        lambda turns, seed, index: "word1", activation=activation, d_model=D_MODEL
    )


@pytest.fixture(scope="session")
def directory(
    suspect: ScriptedSuspect, texts: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    into = tmp_path_factory.mktemp("sae")
    train_sae(suspect, texts, hook_name=HOOK, into=into, d_sae=64, k=1, tokens=60_000)
    return into


@pytest.fixture(scope="session")
def sae(directory: Path) -> SAE:
    from saes.lens import load

    return load(directory)


@pytest.fixture(scope="session")
def clean(suspect: ScriptedSuspect, texts: list[str]) -> torch.Tensor:
    from saes.train import collect

    return collect(suspect, texts, HOOK, most=10**6)
