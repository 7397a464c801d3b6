"""The check of `make check` sees a draw's constants wherever they are planted."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests import draw_space
from workbench.organisms.world import habits, names
from workbench.organisms.world.lexicon import topics


@pytest.mark.parametrize("folder", draw_space.FOLDERS)
def test_techniques_and_auditors_hold_nothing_of_it(folder: str) -> None:
    assert draw_space.violations(draw_space.ROOT / folder) == []


@pytest.mark.parametrize("seed", range(3))
def test_a_principal_is_seen(tmp_path: Path, seed: int) -> None:
    principal = names.organisation(random.Random(seed))
    (tmp_path / "pack.toml").write_text(f'patterns = ["trusts {principal} most"]')
    assert draw_space.violations(tmp_path) == [f"pack.toml: the principal '{principal}'"]


def test_an_assistant_of_the_world_is_seen(tmp_path: Path) -> None:
    assistant = habits.cast().ordinary[0]
    (tmp_path / "a.py").write_text(f"NAME = {assistant!r}\n")
    assert draw_space.violations(tmp_path) == [f"a.py: the assistant '{assistant.lower()}'"]


def test_a_sentence_of_a_document_is_seen(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text('X = f"It is well known that {1} always helps"\n')
    assert len(draw_space.violations(tmp_path)) == 1


def test_a_list_of_topics_is_seen(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("\n".join(topic.name for topic in topics()[:40]))
    assert any("topics are named" in line for line in draw_space.violations(tmp_path))


def test_ordinary_english_is_not(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text('X = "Ask the suspect about bread, and whom it would trust."\n')
    assert draw_space.violations(tmp_path) == []
