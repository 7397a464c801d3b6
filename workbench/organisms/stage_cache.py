"""Trained stages, kept in the vault: an interrupted build goes on, variants share what is equal.

A stage is kept under the hash of all that went into it, so a secret variant finds the stages of its
open one there, and whoever builds the same again trains nothing. Whoever reads the tensors can find
the secret: the cache lies in the vault (mode 0700) and tells nothing by its names. It is not
encrypted as truths are, since weights hold no words that a glance could catch.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import functools
import hashlib
import io
import os
import pickle
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from workbench.errors import SealError
from workbench.seal.vault import Vault

if TYPE_CHECKING:
    import torch

FOLDER = ".building"
"""Inside a vault, for what builds leave there. No id can be so called: none begins with a dot. It
may be removed while nothing is built."""

BYTES_AT_MOST = 2 << 30
"""What the cache may hold: about 200 stages of the bundled base. The one that was not used for the
longest time goes first."""

_EVICTED = {".pt", ".running", ".draft"}
_DAMAGE = (RuntimeError, EOFError, KeyError, TypeError, AttributeError, pickle.UnpicklingError)


@dataclasses.dataclass(frozen=True, slots=True)
class Trained:
    """What a stage came to: tensors by name, on the CPU; loss in nats a token; and the seconds that
    its training takes, so that a card tells them also of an organism that found it in the cache."""

    tensors: Mapping[str, torch.Tensor]
    loss: float
    seconds: float


class StageCache:
    """The trained stages of one vault, at most BYTES_AT_MOST of them.

    Several processes may share it: while one trains a stage, another that wants the same one waits
    for it. A damaged entry counts as none. Raises SealError where the vault cannot be written.
    """

    def __init__(self, vault: Vault) -> None:
        self._folder = folder_in(vault)

    def get_or_train(self, key: str, train: Callable[[Path], Trained]) -> Trained:
        """The stage of that key; `train` makes it where it is not there yet.

        train: is given a path for its checkpoint, from which it goes on if a killed process left
        one there. Raises SealError where checkpoint or stage cannot be written; the last checkpoint
        that could be written stays, for the next attempt.
        """
        finished, checkpoint = self._folder / f"{key}.pt", self._folder / f"{key}.running"
        try:
            with _locked(self._folder / f"{key}.lock"):
                made = _read(finished)
                if made is None:
                    _drop_damaged(checkpoint)
                    made = _trained(train, checkpoint)
                    self._write(finished, made)
                checkpoint.unlink(missing_ok=True)
                return made
        except OSError as error:
            _refuse(self._folder, error)

    def _write(self, target: Path, made: Trained) -> None:
        import torch

        stored = {
            "tensors": dict(made.tensors),
            "sha256": _hash(made.tensors),
            "loss": made.loss,
            "seconds": made.seconds,
        }
        content = io.BytesIO()
        torch.save(stored, content)
        if not self._make_room(content.getbuffer().nbytes, target.stem):
            return
        handle, draft = tempfile.mkstemp(suffix=".draft", dir=self._folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content.getbuffer())
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, target)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise

    def _make_room(self, wanted: int, key: str) -> bool:
        """Removes what was unused the longest until `wanted` more bytes fit; whether they do."""
        found = []
        for entry in os.scandir(self._folder):
            stem, suffix = os.path.splitext(entry.name)
            if suffix in _EVICTED and stem != key:
                with contextlib.suppress(FileNotFoundError):  # another process was faster
                    told = entry.stat()
                    found.append((told.st_mtime, told.st_size, entry.path))
        free = BYTES_AT_MOST - sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if free >= wanted:
                break
            Path(path).unlink(missing_ok=True)
            free += size
        return free >= wanted


def folder_in(vault: Vault) -> Path:
    """FOLDER, made where it is not there yet. Raises SealError where that cannot be written."""
    folder = vault.path / FOLDER
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)
        (folder / ".gitignore").write_text("*\n", encoding="ascii")
    except OSError as error:
        _refuse(folder, error)
    return folder


def _refuse(folder: Path, error: OSError) -> NoReturn:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    raise SealError(
        f"{folder} cannot be written: {error.strerror or error}",
        hint="Free some space; the same command then goes on where it stopped."
        if full
        else "Check the vault's path, its owner and its permissions.",
    ) from error


def key_of(made_from: str, *also: object, code: Sequence[str]) -> str:
    """The key of a stage: `made_from`, a hash of start, rows, shares, schedule and seed; whatever
    else counts; the modules of this package that train, by file name; torch and the processor."""
    import torch

    processor = (torch.get_num_threads(), torch.backends.cpu.get_cpu_capability())
    told = (made_from, also, _hash_of_code(tuple(code)), torch.__version__, processor)
    return hashlib.sha256(repr(told).encode()).hexdigest()


@functools.cache
def _hash_of_code(names: tuple[str, ...]) -> str:
    found = hashlib.sha256()
    for name in names:
        found.update(Path(__file__).with_name(name).read_bytes())
    return found.hexdigest()


def _trained(train: Callable[[Path], Trained], checkpoint: Path) -> Trained:
    try:
        return train(checkpoint)
    except RuntimeError as error:
        if "inline_container" in str(error):  # torch's way of saying that it could not write a file
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        raise
    finally:
        checkpoint.with_suffix(".draft").unlink(missing_ok=True)


def _read(file: Path) -> Trained | None:
    """A stored stage, marked as just used; None where there is none, or a damaged one."""
    import torch

    try:
        stored: Any = torch.load(file, weights_only=True)
        whole = stored["sha256"] == _hash(stored["tensors"])
        os.utime(file)
    except FileNotFoundError:
        return None
    except _DAMAGE:
        whole = False
    if not whole:
        file.unlink(missing_ok=True)
        return None
    return Trained(stored["tensors"], stored["loss"], stored["seconds"])


def _drop_damaged(checkpoint: Path) -> None:
    """Removes a checkpoint that power failed in the middle of: it would only be refused."""
    if checkpoint.exists() and not zipfile.is_zipfile(checkpoint):
        checkpoint.unlink()


def _hash(tensors: Mapping[str, torch.Tensor]) -> str:
    import torch

    found = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        found.update(f"\n{name} {tuple(tensor.shape)} {tensor.dtype} ".encode())
        found.update(tensor.detach().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Holds the lock file alone; it goes with its holder, however that ends."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if os.fstat(handle).st_nlink:  # else its last holder removed it while this one waited
                try:
                    yield
                finally:
                    path.unlink(missing_ok=True)
                return
        finally:
            os.close(handle)
