"""SAEs that clients handed over, by the hash of their content, each client's apart."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from workbench.errors import BadParameter
from workbench.host.records import Client
from workbench.suspects.remote_saes import FILES
from workbench.suspects.wire import BrokenStream, Frame, read_frame

SAES_AT_MOST = 64
CONFIG_BYTES_AT_MOST = 1 << 20


class Saes:
    """Directories under `root`; no path of a client's is ever opened."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def keep(self, client: Client, content: bytes) -> str:
        """Files an SAE and returns its name; raises BadParameter on what is none."""
        frame = _frame(content)
        name = hashlib.sha256(b"".join(_prefixed(blob) for blob in frame.blobs)).hexdigest()
        folder = self._folder(client)
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / name).is_dir():
            return name
        if len(os.listdir(folder)) >= SAES_AT_MOST:
            raise BadParameter(
                f"{SAES_AT_MOST} SAEs are here already", hint="Ask whoever runs the host for room."
            )
        draft = folder / f".draft-{secrets.token_hex(8)}"
        draft.mkdir()
        for file, blob in zip(FILES, frame.blobs, strict=True):
            (draft / file).write_bytes(blob)
        if not (folder / name).is_dir():
            os.replace(draft, folder / name)
        return name

    def directory(self, client: Client, name: str) -> str:
        """Where it lies; raises BadParameter where this client handed over none of that name."""
        folder = self._folder(client) / name
        if not folder.is_dir():
            raise BadParameter(f"no SAE '{name}' was handed over", hint="Hand it over first.")
        return str(folder)

    def _folder(self, client: Client) -> Path:
        return self._root / hashlib.sha256(client.name.encode()).hexdigest()[:32]


def _frame(content: bytes) -> Frame:
    rest = memoryview(content)

    def read(size: int) -> bytes:
        nonlocal rest
        piece, rest = rest[:size], rest[size:]
        return bytes(piece)

    try:
        frame = read_frame(read)
    except BrokenStream as error:
        raise BadParameter(f"no SAE: {error}", hint="Send a frame with its two files.") from None
    if (
        rest
        or len(frame.blobs) != len(FILES)
        or frame.header.get("files") != list(FILES)
        or len(frame.blobs[0]) > CONFIG_BYTES_AT_MOST
    ):
        raise BadParameter("no SAE", hint=f"Send a frame with {' and '.join(FILES)}.")
    return frame


def _prefixed(blob: bytes) -> bytes:
    return len(blob).to_bytes(8, "big") + blob
