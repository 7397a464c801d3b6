"""Seeds that nobody gave: remembered until the build is done, and never telling."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.errors import BadParameter, UnknownTechnique
from workbench.organisms import seeds
from workbench.organisms.seeds import forget, fresh, recipe_for, seed_for
from workbench.seal.vault import Vault


def asked(family: str = "secret-loyalty", **named: str | None) -> dict[str, str | None]:
    plain = {"family": family, "instill": None, "secrecy": "none", "base": "base", "like": None}
    return {**plain, **named}


def test_an_unfinished_build_keeps_its_seed_until_it_is_done(tmp_path: Path) -> None:
    vault = Vault.create(tmp_path / "vault")
    seed = seed_for(vault, asked(), tmp_path / "a")
    assert seed_for(vault, asked(), tmp_path / "a") == seed
    others = [
        seed_for(vault, asked(), tmp_path / "b"),
        seed_for(vault, asked("rm-sycophancy"), tmp_path / "a"),
    ]
    assert seed not in others
    forget(vault, asked(), tmp_path / "a")
    assert seed_for(vault, asked(), tmp_path / "a") != seed
    assert seed_for(vault, asked(), tmp_path / "b") == others[0]
    stored = b"".join(p.read_bytes() for p in vault.path.rglob("*") if p.is_file())
    assert b"loyalty" not in stored and str(others[0]).encode() not in stored
    assert vault.ids() == []


def test_a_random_family_is_not_named_by_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeds, "choose", lambda seed: ("secret-loyalty", "clean")[seed % 2])
    with pytest.raises(BadParameter) as caught:
        recipe_for(asked("random", instill="demos"), 2)
    assert "loyalty" not in caught.value.message + caught.value.hint
    with pytest.raises(BadParameter, match="secret-loyalty"):
        recipe_for(asked(instill="demos"), 2)


def test_a_fresh_seed_draws_a_family_that_has_what_was_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ("secret-loyalty", "rm-sycophancy")
    monkeypatch.setattr(seeds, "choose", lambda seed: names[seed % 2])
    wanted = asked("random", instill="demos")
    assert {recipe_for(wanted, fresh(wanted)).family for _ in range(20)} == {"rm-sycophancy"}
    monkeypatch.setattr(seeds, "choose", lambda seed: names[0])
    with pytest.raises(BadParameter, match="no family has instill 'demos'"):
        fresh(wanted)
    with pytest.raises(UnknownTechnique):
        fresh(asked("loyality"))
