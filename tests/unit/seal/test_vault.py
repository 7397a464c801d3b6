import errno
import os
import shutil
import stat

import pytest

from workbench.errors import SealBroken, SealError
from workbench.seal import commit, vault
from workbench.seal.vault import Vault

TRUTH = {"family": "canary-family", "none": False, "words": ["ostrich"]}


@pytest.fixture
def made(tmp_path):
    return Vault.create(tmp_path / "vault")


def files(root):
    return [path for path in root.rglob("*") if path.is_file()]


def test_a_sealed_truth_comes_back_and_its_commitment_verifies(made):
    commitment = made.seal("org-1", TRUTH)
    again = Vault(made.path)
    assert again.open("org-1") == TRUTH
    assert again.commitment("org-1") == commitment
    truth, nonce = again.reveal("org-1", commitment=commitment)
    assert commit.verify(truth, nonce, commitment)
    assert again.ids() == ["org-1"]


def test_equal_truths_have_different_commitments(made):
    assert made.seal("a", TRUTH) != made.seal("b", TRUTH)


def test_only_the_owner_may_look(made):
    made.seal("org-1", TRUTH)
    made.attach("org-1", "health", {"rate": 0.5})
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in files(made.path)} == {0o600}
    made.path.chmod(0o755)
    with pytest.raises(SealError, match="open to other users"):
        Vault(made.path)


def test_a_practice_vault_says_so_and_may_be_readable(tmp_path):
    practice = Vault.create(tmp_path / "practice", practice=True)
    commitment = practice.seal("org-1", TRUTH)
    practice.path.chmod(0o755)
    again = Vault(practice.path)
    assert again.practice and again.open("org-1", commitment=commitment) == TRUTH
    assert "practice only" in (practice.path / vault.MARK).read_text()


def test_nothing_readable_lies_on_the_disk(made):
    made.seal("org-1", TRUTH)
    made.attach("org-1", "health", {"note": "ostrich"})
    for file in files(made.path):
        content = file.read_bytes().lower()
        assert b"ostrich" not in content and b"canary" not in content


def test_documents_are_attached_replaced_and_listed(made):
    made.seal("org-1", TRUTH)
    made.attach("org-1", "health", {"rate": 0.25})
    made.attach("org-1", "health", {"rate": 0.75})
    assert made.read("org-1", "health") == {"rate": 0.75}
    assert made.attached("org-1") == ["health"] and made.attached("nobody") == []
    with pytest.raises(SealError, match="holds no leaks"):
        made.read("org-1", "leaks")
    with pytest.raises(SealError, match="reserved"):
        made.attach("org-1", "truth", {})


@pytest.mark.parametrize("position", [0, 31, 32, 43, 44, -1])
def test_any_changed_byte_breaks_the_seal(made, position):
    made.seal("org-1", TRUTH)
    file = made.path / "org-1" / "truth"
    content = bytearray(file.read_bytes())
    content[position] ^= 1
    file.write_bytes(bytes(content))
    with pytest.raises(SealBroken, match="does not verify"):
        made.open("org-1")


def test_a_truncated_or_swapped_file_breaks_the_seal(made):
    made.seal("a", TRUTH)
    made.seal("b", TRUTH | {"none": True})
    made.attach("a", "health", {"a": 1})
    made.attach("b", "health", {"b": 1})
    for name in ("truth", "health"):
        shutil.copy(made.path / "b" / name, made.path / "a" / name)
    with pytest.raises(SealBroken):
        made.open("a")
    with pytest.raises(SealBroken):
        made.read("a", "health")
    (made.path / "b" / "truth").write_bytes(b"short")
    with pytest.raises(SealBroken):
        made.open("b")


def test_a_seal_other_than_the_published_one_is_refused(made):
    made.seal("a", TRUTH)
    with pytest.raises(SealBroken, match="was published as"):
        made.open("a", commitment="0" * 64)


def test_a_seal_is_never_overwritten_and_floats_are_refused(made):
    commitment = made.seal("a", TRUTH)
    with pytest.raises(SealError, match="sealed already"):
        made.seal("a", {"other": True})
    assert made.open("a", commitment=commitment) == TRUTH
    with pytest.raises(SealError, match="cannot be sealed"):
        made.seal("b", {"rate": 0.5})
    assert made.ids() == ["a"]


@pytest.mark.parametrize("id", ["../a", "", ".hidden", "a/b", "a\0", "x" * 101])
def test_ids_cannot_leave_the_vault(made, id):
    with pytest.raises(SealError, match="cannot name"):
        made.seal(id, TRUTH)


def test_what_is_no_vault_is_said_to_be_none(tmp_path, made):
    with pytest.raises(SealError, match="is no vault"):
        Vault(tmp_path / "missing")
    (tmp_path / "file").write_text("")
    for make in (Vault, Vault.create, Vault.at):
        with pytest.raises(SealError):
            make(tmp_path / "file")
    with pytest.raises(SealError, match="not empty"):
        Vault.create(made.path)
    (made.path / vault.MARK).write_text('{"format": "other"}')
    with pytest.raises(SealError, match="format"):
        Vault(made.path)
    (made.path / vault.KEY).write_text("zz")
    with pytest.raises(SealError, match="damaged"):
        Vault(made.path)


def test_at_makes_a_vault_once(tmp_path):
    commitment = Vault.at(tmp_path / "v").seal("a", TRUTH)
    assert Vault.at(tmp_path / "v").commitment("a") == commitment


def test_another_key_opens_nothing(tmp_path, made):
    made.seal("a", TRUTH)
    other = Vault.create(tmp_path / "other")
    shutil.copytree(made.path / "a", other.path / "a")
    with pytest.raises(SealBroken):
        other.open("a")


def test_a_full_disk_leaves_nothing_half_written(made, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = files(made.path)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SealError, match="No space left") as refused:
        made.seal("a", TRUTH)
    assert refused.value.hint == "Free some space."
    assert files(made.path) == before and made.ids() == []


def test_an_unwritable_vault_is_named(made):
    (made.path / "a").write_text("a file where a folder belongs")
    with pytest.raises(SealError, match="cannot be written"):
        made.seal("a", TRUTH)
