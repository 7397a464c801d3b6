"""A content-addressed cache of what is dear to make: activations, SAEs, probes, indexes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from workbench.findings import JSON

ABANDONED_SECONDS = 86_400
"""A draft as old as this belongs to a process that was killed."""


class Artifacts:
    """Directories under `root`, each keyed by the hash of all that went into it.

    A dozen techniques share one SAE through it. Two processes may make the same artifact at the
    same time: the first to finish wins, and no half-made artifact is ever visible. Drafts that a
    killed process left are removed after a day, when the next artifact of the kind is made.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self.used: dict[str, str] = {}

    def get_or_make(self, kind: str, key: Mapping[str, JSON], make: Callable[[Path], None]) -> Path:
        """The artifact's directory; `make` fills an empty directory when there is none yet."""
        digest = artifact_id(kind, key)
        target = self.root / kind / digest[:24]
        self.used[kind] = digest
        if target.is_dir():
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(target.parent)
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=target.parent))
        try:
            make(draft)
            (draft / "key.json").write_text(json.dumps({"kind": kind, "key": key}, sort_keys=True))
            try:
                os.replace(draft, target)
            except OSError:
                if not target.is_dir():
                    raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return target

    def has(self, kind: str, key: Mapping[str, JSON]) -> bool:
        """Whether the artifact is there already."""
        return (self.root / kind / artifact_id(kind, key)[:24]).is_dir()


def _remove_abandoned(folder: Path) -> None:
    for draft in folder.glob(".draft-*"):
        with suppress(FileNotFoundError):  # another process may remove it, or finish it
            if time.time() - draft.stat().st_mtime > ABANDONED_SECONDS:
                shutil.rmtree(draft, ignore_errors=True)


def artifact_id(kind: str, key: Mapping[str, JSON]) -> str:
    """SHA-256 over the kind and the key's sorted JSON, in hexadecimal."""
    text = json.dumps([kind, key], sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
