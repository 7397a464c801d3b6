"""An organism appears whole and sealed, or not at all: also on a full disk, and after a kill."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from workbench.errors import BadParameter, SealError, WorkbenchError
from workbench.findings import JSON
from workbench.organisms.stage_cache import folder_in
from workbench.seal.vault import TRUTH, Vault
from workbench.suspects import cabinet

EPOCH = 1_600_000_000
"""Modification time of every file of an organism: times tell nothing."""

_DRAFT = ".workbench-draft-"
_LOCK, _JOURNAL = "sealing.lock", "sealing"
_SPARE_BYTES = 16 << 20


def refuse_taken(into: Path) -> None:
    """Raises BadParameter where something lies at `into`."""
    if os.path.lexists(into):
        raise BadParameter(f"{into} exists already", hint="Choose a new directory.")


def refuse_small_disk(into: Path, organism_bytes: int, vault: Vault, kept_bytes: int) -> None:
    """Raises BadParameter where the organism would find no room, SealError where its stages."""
    out, kept = into.parent, vault.path
    shared = kept_bytes if out.stat().st_dev == kept.stat().st_dev else 0
    _require(out, organism_bytes + shared, BadParameter, "build into another directory")
    _require(kept, kept_bytes, SealError, "use a vault elsewhere")


def _require(place: Path, needed: int, error: type[WorkbenchError], other: str) -> None:
    free = shutil.disk_usage(place).free
    if free < needed + _SPARE_BYTES:
        raise error(
            f"{place} has room for {free >> 20} MB; the build needs about "
            f"{(needed + _SPARE_BYTES) >> 20} MB",
            hint=f"Free some space, or {other}.",
        )


@contextlib.contextmanager
def draft_of(into: Path) -> Iterator[Path]:
    """A new directory beside `into`, in which an organism is put together; gone afterwards.

    First removes the drafts of builds that were killed. Raises BadParameter where nothing can be
    written beside `into`.
    """
    with writing(into):
        into.parent.mkdir(parents=True, exist_ok=True)
        for left in into.parent.glob(f"{_DRAFT}*"):
            _remove_abandoned(left)
        draft, handle = _new_draft(into.parent)
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        os.close(handle)


@contextlib.contextmanager
def writing(into: Path) -> Iterator[None]:
    """Turns a failure to write the organism's files into BadParameter."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, SafetensorError) as error:
        told = str(error) if not isinstance(error, OSError) else error.strerror or str(error)
        raise BadParameter(
            f"{into} cannot be written: {told.splitlines()[0]}",
            hint="Free some space, or name another directory. The stages that were trained are "
            "kept in the vault: the same command goes on from them.",
        ) from error


def seen_from(into: Path, base: str) -> str:
    """The base as the organism's card names it: a bundled name, a hub id, or a path relative to the
    card's directory, which tells nothing of the maker's machine and survives a move of both."""
    if base in cabinet.bundled() or base.startswith("hf:"):
        return base
    return os.path.relpath(Path(base).resolve(), into.resolve())


def settle(draft: Path) -> None:
    """Makes modes and times of an organism's files those of every other."""
    for path in draft.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
        os.utime(path, (EPOCH, EPOCH))
    draft.chmod(0o755)


def refuse_sealed(vault: Vault, id: str) -> None:
    """Raises SealError where the vault holds a truth under that id."""
    if id in vault.ids():
        raise SealError(
            f"'{id}' is sealed already", hint="A seal is never overwritten: use a new id."
        )


def place(
    draft: Path,
    into: Path,
    vault: Vault,
    id: str,
    truth: Mapping[str, Any],
    attached: Mapping[str, JSON],
) -> str:
    """Seals the truth, attaches the rest, moves the draft to `into`; returns the commitment.

    Where any of it fails the vault is left as it was; where the process is killed in the midst of
    it, the next `take_back` leaves it so. Raises SealError, and BadParameter where the move fails.
    """
    with _alone_in(vault) as journal:
        refuse_sealed(vault, id)
        told = json.dumps([id, str(into.resolve()), list(attached)])
        try:
            journal.write_text(told, encoding="utf-8")
            commitment = vault.seal(id, dict(truth))
            for name, document in attached.items():
                vault.attach(id, name, document)
            with writing(into):
                draft.rename(into)
        except BaseException:
            _withdraw(vault, id, attached)
            raise
        finally:
            journal.unlink(missing_ok=True)
    return commitment


def take_back(vault: Vault) -> None:
    """Removes the seal of a build that was killed between sealing and moving to its place.

    Its commitment was never told. Raises SealError where the vault cannot be written.
    """
    with _alone_in(vault) as journal:
        told = journal.read_bytes() if journal.exists() else b""
        with contextlib.suppress(ValueError):  # killed while it noted what it was about to do
            id, into, attached = json.loads(told)
            if not os.path.lexists(into):
                _withdraw(vault, id, attached)
        journal.write_bytes(b"")
        journal.unlink()


@contextlib.contextmanager
def _alone_in(vault: Vault) -> Iterator[Path]:
    """The journal of seals under way, held by one process at a time; a failure to read or write
    while it is held is SealError."""
    folder = folder_in(vault)
    try:
        handle = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield folder / _JOURNAL
        finally:
            os.close(handle)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise SealError(
            f"vault {vault.path} cannot be written: {error.strerror or error}",
            hint="Free some space." if full else "Check the path, its owner and its permissions.",
        ) from error


def _withdraw(vault: Vault, id: str, attached: Iterable[str]) -> None:
    for name in (TRUTH, *attached):
        (vault.path / id / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # others may have left something there
        (vault.path / id).rmdir()


def _new_draft(parent: Path) -> tuple[Path, int]:
    while True:
        draft = Path(tempfile.mkdtemp(prefix=_DRAFT, dir=parent))
        with contextlib.suppress(FileNotFoundError):
            handle = os.open(draft, os.O_RDONLY)
            fcntl.flock(handle, fcntl.LOCK_EX)
            if os.fstat(handle).st_nlink:  # else another build took it for abandoned: once more
                return draft, handle
            os.close(handle)


def _remove_abandoned(draft: Path) -> None:
    with contextlib.suppress(OSError):
        handle = os.open(draft, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while its build is alive
            shutil.rmtree(draft, ignore_errors=True)
        finally:
            os.close(handle)
