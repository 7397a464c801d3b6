"""Drafts and seals: both there or neither, whatever fails and whenever it is killed."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from workbench.errors import BadParameter, SealError
from workbench.organisms import drafts
from workbench.organisms.drafts import (
    draft_of,
    place,
    refuse_small_disk,
    refuse_taken,
    take_back,
    writing,
)
from workbench.organisms.stage_cache import FOLDER, folder_in
from workbench.seal.vault import Vault

TRUTH: dict[str, Any] = {"none": True}
ATTACHED: dict[str, Any] = {"poisoned": ["a"], "leaks": []}


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault.create(tmp_path / "vault")


def contents(vault: Vault) -> list[str]:
    found = (p.relative_to(vault.path).as_posix() for p in vault.path.rglob("*"))
    return sorted(name for name in found if name.split("/")[0] != FOLDER)


def test_a_draft_becomes_the_organism(vault: Vault, tmp_path: Path) -> None:
    with draft_of(tmp_path / "deep" / "s") as draft:
        (draft / "suspect.json").write_text("{}")
        commitment = place(draft, tmp_path / "deep" / "s", vault, "s-1", TRUTH, ATTACHED)
    assert vault.commitment("s-1") == commitment
    assert vault.attached("s-1") == ["leaks", "poisoned"]
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["s"]


def test_drafts_of_the_dead_are_removed_and_those_of_the_living_are_not(tmp_path: Path) -> None:
    dead, kept = tmp_path / ".workbench-draft-x", tmp_path / ".draft-mine"
    for folder in (dead, kept):
        folder.mkdir()
        (folder / "file").write_text("text")
    with draft_of(tmp_path / "a") as one, draft_of(tmp_path / "b") as two:
        assert one.is_dir() and two.is_dir() and one != two
        assert not dead.exists()
    assert [p.name for p in tmp_path.iterdir()] == [kept.name]


def test_a_link_in_the_place_of_a_draft_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("text")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".workbench-draft-x").symlink_to(tmp_path / "precious")
    with draft_of(tmp_path / "out" / "a"):
        pass
    assert (tmp_path / "precious" / "file").exists()


def test_what_cannot_be_written_is_refused_in_two_lines(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BadParameter, match="cannot be written"), draft_of(tmp_path / "file" / "s"):
        raise AssertionError("a draft in a file")
    with pytest.raises(BadParameter, match="No space left") as caught, writing(tmp_path / "s"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert "\n" not in caught.value.message + caught.value.hint


def test_safetensors_own_error_counts_as_one_of_writing(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    target = tmp_path / "full.safetensors"
    with pytest.raises(BadParameter, match="cannot be written"), writing(tmp_path):
        save_file({"a": torch.zeros(1)}, target / "nowhere")


@pytest.mark.parametrize("fails", ["attach", "move"])
def test_a_failure_after_the_seal_takes_it_back(
    vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    before = contents(vault)

    def full(*given: Any) -> None:
        raise SealError("full", hint="Free some space.")

    if fails == "attach":
        monkeypatch.setattr(Vault, "attach", full)
    else:
        (tmp_path / "s" / "not empty").mkdir(parents=True)
    with pytest.raises((SealError, BadParameter)), draft_of(tmp_path / "s") as draft:
        place(draft, tmp_path / "s", vault, "s-1", TRUTH, ATTACHED)
    assert contents(vault) == before
    assert vault.ids() == []


def test_a_taken_id_keeps_its_seal(vault: Vault, tmp_path: Path) -> None:
    commitment = vault.seal("s-1", TRUTH)
    with pytest.raises(SealError, match="sealed already"), draft_of(tmp_path / "s") as draft:
        place(draft, tmp_path / "s", vault, "s-1", {"none": False}, ATTACHED)
    assert vault.open("s-1", commitment=commitment) == TRUTH


class Killed(BaseException):
    """Stands in for SIGKILL: nothing that would clean up runs after it."""


def kill_at(moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ends `place` right after the seal, or right after the move, without any cleaning up."""
    monkeypatch.setattr(drafts, "_withdraw", lambda *given: None)
    unlink = Path.unlink
    monkeypatch.setattr(
        Path, "unlink", lambda p, **k: None if p.name == "sealing" else unlink(p, **k)
    )
    if moment == "seal":

        def killed(*given: Any) -> None:
            raise Killed

        monkeypatch.setattr(Vault, "attach", killed)


@pytest.mark.parametrize("moment", ["seal", "move"])
def test_after_a_kill_there_is_an_organism_with_a_seal_or_neither(
    vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    into = tmp_path / "s"
    with monkeypatch.context() as patch, draft_of(into) as draft:
        kill_at(moment, patch)
        try:
            place(draft, into, vault, "s-1", TRUTH, ATTACHED)
        except Killed:
            shutil.rmtree(draft)
    assert json.loads((vault.path / FOLDER / "sealing").read_text())[0] == "s-1"
    assert vault.ids() == ["s-1"]
    take_back(vault)
    assert not (vault.path / FOLDER / "sealing").exists()
    assert (vault.ids() == ["s-1"]) is into.exists() is (moment == "move")


def test_a_journal_cut_short_means_that_nothing_was_sealed(vault: Vault) -> None:
    vault.seal("s-1", TRUTH)
    (folder_in(vault) / "sealing").write_text('["s-1", "/now')
    take_back(vault)
    assert vault.ids() == ["s-1"]
    assert not (vault.path / FOLDER / "sealing").exists()


def test_an_unwritable_vault_is_found_out_at_once(vault: Vault) -> None:
    (vault.path / FOLDER / "sealing.lock").mkdir(parents=True)
    with pytest.raises(SealError, match="cannot be written"):
        take_back(vault)


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def test_a_disk_without_room_is_refused_before_anything_is_trained(
    vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = {tmp_path: 100 << 20, vault.path: 100 << 20}
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, free[path]))
    refuse_small_disk(tmp_path / "s", 20 << 20, vault, 40 << 20)
    with pytest.raises(BadParameter, match="room for 100 MB; the build needs about 116 MB"):
        refuse_small_disk(tmp_path / "s", 60 << 20, vault, 40 << 20)
    free[vault.path] = 3 << 20
    with pytest.raises(SealError, match="room for 3 MB"):
        refuse_small_disk(tmp_path / "s", 1 << 20, vault, 4 << 20)


def test_a_taken_place_is_refused_also_where_a_dead_link_takes_it(tmp_path: Path) -> None:
    refuse_taken(tmp_path / "s")
    (tmp_path / "s").symlink_to(tmp_path / "nowhere")
    with pytest.raises(BadParameter, match="exists already"):
        refuse_taken(tmp_path / "s")
