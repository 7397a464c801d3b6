"""The vault: keeps sealed truths and what else would give an organism away, encrypted at rest."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import hmac
import json
import os
import re
import secrets
import stat
import tempfile
from pathlib import Path
from typing import Any, NoReturn

from workbench.errors import SealBroken, SealError
from workbench.findings import JSON
from workbench.seal import commit

FORMAT = "alignment-workbench-vault/1"
MARK = "vault.json"
KEY = "key"
TRUTH = "truth"
GCM_NONCE_BYTES = 12

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Vault:
    """A directory (mode 0700) with one folder per organism, its files (0600) under AES-256-GCM.

    The key lies in the vault's own `key` file: encryption keeps truths out of greps, backups and
    glances; the wall is the directory's mode and owner. Commitments bind to the plaintext, since
    AES-GCM does not commit to its key. A vault marked `practice` travels with the repository,
    readable by all, its key beside it: practice only, no secret from whoever looks.

    Raises SealError when `path` is no vault, is open to other users, or cannot be read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            mark = json.loads((self.path / MARK).read_bytes())
            key = bytes.fromhex((self.path / KEY).read_text("ascii"))
            mode = stat.S_IMODE(self.path.stat().st_mode)
        except FileNotFoundError:
            raise SealError(
                f"{self.path} is no vault",
                hint="Name the vault that the organism was built with, or build into a new one.",
            ) from None
        except OSError as error:
            _refuse(f"vault {self.path} cannot be read", error)
        except ValueError:
            raise SealError(
                f"vault {self.path}: '{MARK}' or '{KEY}' is damaged",
                hint="Restore it from a backup; without its key nothing in it can be opened.",
            ) from None
        if not isinstance(mark, dict) or mark.get("format") != FORMAT or len(key) != 32:
            raise SealError(
                f"{self.path} is no vault of format '{FORMAT}'",
                hint="Name another directory, or use the version that made this vault.",
            )
        self.practice = mark.get("practice") is True
        if mode & 0o077 and not self.practice:
            raise SealError(
                f"vault {self.path} is open to other users (mode {mode:04o})",
                hint=f"Run: chmod 700 {self.path}",
            )
        self._key = key

    @classmethod
    def create(cls, path: str | Path, *, practice: bool = False) -> Vault:
        """A new vault in a directory that is missing or empty; raises SealError otherwise.

        practice: marked as one that protects nothing from a reader of its directory.
        """
        path = Path(path)
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if any(path.iterdir()):
                raise SealError(f"{path} is not empty", hint="Name a new directory for the vault.")
            path.chmod(0o700)
        except OSError as error:
            _refuse(f"vault {path} cannot be made", error)
        _write(path / KEY, secrets.token_bytes(32).hex().encode())
        mark: dict[str, JSON] = {"format": FORMAT, "practice": practice}
        if practice:
            mark["note"] = "practice only: the key lies beside what it encrypts"
        _write(path / MARK, json.dumps(mark).encode())
        return cls(path)

    @classmethod
    def at(cls, path: str | Path) -> Vault:
        """The vault at `path`, made first where the directory is missing or empty."""
        path = Path(path)
        with contextlib.suppress(OSError):
            if not path.exists() or (path.is_dir() and not any(path.iterdir())):
                return cls.create(path)
        return cls(path)

    def seal(self, id: str, truth: JSON) -> str:
        """Stores a truth under a fresh nonce and returns its commitment, which may be published.

        Raises SealError when the id is taken, the truth has no canonical form (floats), or the
        vault cannot be written; nothing half-written stays behind.
        """
        if self._file(id, TRUTH).exists():
            raise SealError(
                f"'{id}' is sealed already", hint="A seal is never overwritten: use a new id."
            )
        nonce = commit.new_nonce()
        try:
            commitment = commit.commit(truth, nonce)
            body = commit.canonical({"truth": truth, "nonce": nonce.hex()})
        except commit.NotCanonical as error:
            raise SealError(
                f"the truth of '{id}' cannot be sealed: {error}",
                hint="Use texts, whole numbers, lists and mappings; write decimals as text.",
            ) from None
        self._store(id, TRUTH, bytes.fromhex(commitment) + self._encrypt(id, TRUTH, body))
        return commitment

    def commitment(self, id: str) -> str:
        """The commitment made when `id` was sealed; opens nothing."""
        return self._load(id, TRUTH)[:32].hex()

    def open(self, id: str, *, commitment: str | None = None) -> Any:
        """The truth, checked against the stored commitment and the published one, if given.

        Raises SealBroken when any of them disagree, SealError when there is no such seal.
        """
        return self.reveal(id, commitment=commitment)[0]

    def reveal(self, id: str, *, commitment: str | None = None) -> tuple[Any, bytes]:
        """Truth and nonce: what anyone needs to check the commitment. Raises as `open`."""
        stored = self._load(id, TRUTH)
        made = stored[:32].hex()
        document = self._parse(id, TRUTH, self._decrypt(id, TRUTH, stored[32:]))
        try:
            truth, nonce = document["truth"], bytes.fromhex(document["nonce"])
        except (KeyError, TypeError, ValueError):
            raise _broken(id, TRUTH) from None
        if not commit.verify(truth, nonce, made):
            raise _broken(id, TRUTH)
        if commitment is not None and commitment != made:
            raise SealBroken(
                f"'{id}' was published as {commitment[:16]}… and is sealed as {made[:16]}…",
                hint="This is not the seal that was published: distrust the organism and its game.",
            )
        return truth, nonce

    def attach(self, id: str, name: str, document: JSON) -> None:
        """Stores another secret document (health card, leak report); a later one replaces it.

        Raises SealError when the name is reserved or the vault cannot be written.
        """
        if name == TRUTH:
            raise SealError(f"'{TRUTH}' is reserved", hint="Use `seal` for the truth itself.")
        body = json.dumps(document, allow_nan=False).encode()
        self._store(id, name, self._encrypt(id, name, body))

    def read(self, id: str, name: str) -> Any:
        """An attached document; SealError when there is none, SealBroken when it was changed."""
        return self._parse(id, name, self._decrypt(id, name, self._load(id, name)))

    def attached(self, id: str) -> list[str]:
        """The names of the documents attached to an id."""
        try:
            names = [file.name for file in self._file(id, TRUTH).parent.iterdir()]
        except FileNotFoundError:
            return []
        return sorted(n for n in names if n != TRUTH and _NAME.fullmatch(n))

    def number(self, word: str) -> int:
        """128 bits that a word has in this vault alone: HMAC-SHA256 under its key."""
        drawn = hmac.new(self._key, b"number:" + word.encode(), hashlib.sha256).digest()
        return int.from_bytes(drawn[:16], "big")

    def ids(self) -> list[str]:
        """Every sealed id, sorted."""
        try:
            return sorted(file.parent.name for file in self.path.glob(f"*/{TRUTH}"))
        except OSError as error:
            _refuse(f"vault {self.path} cannot be read", error)

    def _file(self, id: str, name: str) -> Path:
        for part in (id, name):
            if not _NAME.fullmatch(part):
                raise SealError(
                    f"'{part}' cannot name anything in a vault",
                    hint="Use up to 100 letters, digits, '.', '_', '-'; the first is no sign.",
                )
        return self.path / id / name

    def _store(self, id: str, name: str, content: bytes) -> None:
        target = self._file(id, name)
        try:
            target.parent.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            _refuse(f"vault {self.path} cannot be written", error)
        _write(target, content)

    def _load(self, id: str, name: str) -> bytes:
        try:
            return self._file(id, name).read_bytes()
        except FileNotFoundError:
            raise SealError(
                f"the vault holds no {name} of '{id}'",
                hint=f"Sealed in {self.path}: {', '.join(self.ids()[:5]) or 'nothing'}.",
            ) from None
        except OSError as error:
            _refuse(f"vault {self.path} cannot be read", error)

    def _encrypt(self, id: str, name: str, body: bytes) -> bytes:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = secrets.token_bytes(GCM_NONCE_BYTES)
        return nonce + AESGCM(self._key).encrypt(nonce, body, f"{id}/{name}".encode())

    def _decrypt(self, id: str, name: str, content: bytes) -> bytes:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce, sealed = content[:GCM_NONCE_BYTES], content[GCM_NONCE_BYTES:]
        try:
            return AESGCM(self._key).decrypt(nonce, sealed, f"{id}/{name}".encode())
        except (InvalidTag, ValueError):
            raise _broken(id, name) from None

    def _parse(self, id: str, name: str, body: bytes) -> Any:
        try:
            return json.loads(body)
        except ValueError:
            raise _broken(id, name) from None


def _broken(id: str, name: str) -> SealBroken:
    return SealBroken(
        f"the {name} of '{id}' does not verify",
        hint="It was changed, moved or damaged after sealing: restore the vault from a backup.",
    )


def _write(target: Path, content: bytes) -> None:
    """All of it or nothing: a temporary file of mode 0600, synced, then renamed."""
    draft = ""
    try:
        handle, draft = tempfile.mkstemp(prefix=".draft-", dir=target.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, target)
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        if draft:
            Path(draft).unlink(missing_ok=True)
        _refuse(f"'{target.name}' cannot be written into vault {target.parent}", error)


def _refuse(message: str, error: OSError) -> NoReturn:
    reason = error.strerror or str(error)
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    hint = "Free some space." if full else "Check the path, its owner and its permissions."
    raise SealError(f"{message}: {reason}", hint=hint) from error
