"""The stage cache: private, bounded, whole, and shared by whoever wants the same stage."""

from __future__ import annotations

import errno
import os
import re
import stat
import threading
import time
from pathlib import Path

import pytest
import torch

from workbench.errors import SealError
from workbench.organisms import stage_cache
from workbench.organisms.stage_cache import FOLDER, StageCache, Trained, key_of
from workbench.seal.vault import Vault

A, B, C = ("a" * 64, "b" * 64, "c" * 64)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault.create(tmp_path / "vault")


def stage(value: float, n: int = 4) -> Trained:
    return Trained({"w": torch.full((n,), value), "tied": torch.ones(2, 2)}, 0.5, 3.0)


def untrained(checkpoint: Path) -> Trained:
    raise AssertionError("trained again")


def entries(vault: Vault) -> list[str]:
    return sorted(p.name for p in (vault.path / FOLDER).iterdir() if p.name != ".gitignore")


def test_a_finished_stage_is_not_trained_again(vault: Vault) -> None:
    StageCache(vault).get_or_train(A, lambda checkpoint: stage(2.0))
    kept = StageCache(vault).get_or_train(A, untrained)
    assert torch.equal(kept.tensors["w"], torch.full((4,), 2.0))
    assert (kept.loss, kept.seconds) == (0.5, 3.0)


def test_the_cache_is_private_and_its_names_are_hashes(vault: Vault) -> None:
    key = key_of("made from", code=("training.py",))
    StageCache(vault).get_or_train(key, lambda checkpoint: stage(1.0))
    folder = vault.path / FOLDER
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert entries(vault) == [f"{key}.pt"] and re.fullmatch("[0-9a-f]{64}", key)
    assert stat.S_IMODE((folder / f"{key}.pt").stat().st_mode) == 0o600
    assert vault.ids() == []


def test_a_key_tells_apart_what_tensors_depend_on(monkeypatch: pytest.MonkeyPatch) -> None:
    key = key_of("start", True, code=("training.py",))
    assert key == key_of("start", True, code=("training.py",))
    others = {key_of("start", False, code=("training.py",)), key_of("start", True, code=())}
    monkeypatch.setattr(torch, "get_num_threads", lambda: 63)
    others.add(key_of("start", True, code=("training.py",)))
    assert len(others | {key}) == 4


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "other"])
def test_a_damaged_stage_counts_as_none(vault: Vault, damage: str) -> None:
    cache = StageCache(vault)
    cache.get_or_train(A, lambda checkpoint: stage(2.0, n=4096))
    file = vault.path / FOLDER / f"{A}.pt"
    content = bytearray(file.read_bytes())
    content[5_000] ^= 1
    whole = {"flip": content, "cut": content[:2_000], "empty": b"", "other": b"x" * 900}[damage]
    file.write_bytes(bytes(whole))
    assert cache.get_or_train(A, lambda checkpoint: stage(3.0)).tensors["w"][0] == 3.0
    assert cache.get_or_train(A, untrained).tensors["w"][0] == 3.0


def test_a_damaged_checkpoint_is_started_anew_and_a_whole_one_is_kept(vault: Vault) -> None:
    cache = StageCache(vault)
    running = vault.path / FOLDER / f"{A}.running"
    for content, kept in ((b"", False), (b"half", False), (None, True)):
        torch.save({"step": 3}, running) if content is None else running.write_bytes(content)

        def train(checkpoint: Path, kept: bool = kept) -> Trained:
            assert checkpoint.exists() is kept
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            cache.get_or_train(A, train)
    cache.get_or_train(A, lambda checkpoint: stage(1.0))
    assert entries(vault) == [f"{A}.pt"]


def test_the_longest_unused_goes_first(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = StageCache(vault)
    for number, key in enumerate((A, B)):
        cache.get_or_train(key, lambda checkpoint: stage(1.0, n=10_000))
        os.utime(vault.path / FOLDER / f"{key}.pt", (number, number))
    (vault.path / FOLDER / f"{'d' * 64}.running").write_bytes(b"x" * 10_000)
    size = (vault.path / FOLDER / f"{A}.pt").stat().st_size
    cache.get_or_train(A, untrained)
    monkeypatch.setattr(stage_cache, "BYTES_AT_MOST", 2 * size + 12_000)
    cache.get_or_train(C, lambda checkpoint: stage(1.0, n=10_000))
    assert entries(vault) == [f"{A}.pt", f"{C}.pt", f"{'d' * 64}.running"]
    monkeypatch.setattr(stage_cache, "BYTES_AT_MOST", size - 1)
    assert cache.get_or_train(B, lambda checkpoint: stage(4.0, n=10_000)).tensors["w"][0] == 4.0
    assert entries(vault) == []


def test_a_full_disk_says_so_and_leaves_nothing_half(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    cache = StageCache(vault)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(SealError, match="No space left") as caught:
            cache.get_or_train(A, lambda checkpoint: stage(1.0))
    assert "goes on where it stopped" in caught.value.hint
    assert entries(vault) == []


def test_a_checkpoint_on_a_full_disk_says_so_too(vault: Vault) -> None:
    def train(checkpoint: Path) -> Trained:
        draft = checkpoint.with_suffix(".draft")
        draft.symlink_to("/dev/full")
        torch.save({"step": torch.zeros(100_000)}, draft)
        raise AssertionError("it was written")

    with pytest.raises(SealError, match="No space left"):
        StageCache(vault).get_or_train(A, train)
    assert entries(vault) == []


def test_errors_of_the_training_itself_pass(vault: Vault) -> None:
    def train(checkpoint: Path) -> Trained:
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        StageCache(vault).get_or_train(A, train)
    assert entries(vault) == []


def test_who_wants_a_stage_in_training_waits_for_it(vault: Vault) -> None:
    started, made = threading.Event(), []

    def train(checkpoint: Path) -> Trained:
        started.set()
        time.sleep(0.3)
        return stage(7.0)

    def get(how: object) -> None:
        made.append(StageCache(vault).get_or_train(A, how))  # type: ignore[arg-type]

    first = threading.Thread(target=get, args=(train,))
    first.start()
    started.wait(30)
    second = threading.Thread(target=get, args=(untrained,))
    second.start()
    first.join(30)
    second.join(30)
    assert [trained.tensors["w"][0].item() for trained in made] == [7.0, 7.0]
    assert entries(vault) == [f"{A}.pt"]


def test_a_cache_that_cannot_be_made_is_refused(vault: Vault) -> None:
    (vault.path / FOLDER).write_text("in the way")
    with pytest.raises(SealError, match="cannot be written"):
        StageCache(vault)
