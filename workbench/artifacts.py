"""A content-addressed cache of what is dear to make: activations, SAEs, probes, indexes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from workbench.findings import JSON


class Artifacts:
    """Directories under `root`, each keyed by the hash of all that went into it.

    A dozen techniques share one SAE through it. Two processes may make the same artifact at the
    same time: the first to finish wins, and no half-made artifact is ever visible.
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


def artifact_id(kind: str, key: Mapping[str, JSON]) -> str:
    """SHA-256 over the kind and the key's sorted JSON, in hexadecimal."""
    text = json.dumps([kind, key], sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
