"""Which code grades and verifies, by its hash, and the same code as one file for any Python."""

from __future__ import annotations

import hashlib
import hmac
import io
import pkgutil
import zipfile
from collections.abc import Mapping
from typing import Any

from workbench.errors import SealBroken
from workbench.game.score import VERSION
from workbench.seal.commit import canonical

GRADING = (
    ("workbench", "errors.py"),
    ("workbench", "findings.py"),
    ("workbench", "words.py"),
    ("workbench.seal", "commit.py"),
    ("workbench.game", "rubric.py"),
    ("workbench.game", "score.py"),
    ("workbench.game", "submission.py"),
    ("workbench.game", "rescored.py"),
)
"""What a score depends on; its hash stands in the seal."""

CHECKING = (
    ("workbench", "__init__.py"),
    ("workbench.seal", "__init__.py"),
    ("workbench.game", "__init__.py"),
    ("workbench.game", "archive.py"),
    ("workbench.game", "grader.py"),
    ("workbench.game", "spending.py"),
    ("workbench.game", "verify.py"),
    ("workbench.suspects", "tensors.py"),
)
_MAIN = b"import sys\nfrom workbench.game.verify import main\nsys.exit(main(sys.argv[1:]))\n"


def identity() -> dict[str, Any]:
    """Version and hash of the grading code, as they stand in a seal."""
    listed = [
        [f"{package}.{name}", hashlib.sha256(_source(package, name)).hexdigest()]
        for package, name in GRADING
    ]
    return {"version": VERSION, "sha256": hashlib.sha256(canonical(listed)).hexdigest()}


def script() -> bytes:
    """All of it in one file that `python3` (3.11 or newer) runs as it is; nothing is installed."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as pack:
        files = {f"{p.replace('.', '/')}/{n}": _source(p, n) for p, n in (*GRADING, *CHECKING)}
        # the package's own file imports what needs more than the standard library
        files |= {"workbench/suspects/__init__.py": b"", "__main__.py": _MAIN}
        for name in sorted(files):
            pack.writestr(zipfile.ZipInfo(name), files[name])
    return b"#!/usr/bin/env python3\n" + made.getvalue()


def masked(parts: Mapping[str, Any], salt: str) -> dict[str, Any]:
    """A fingerprint as teams see it: the same for the same files, and no hash that can be looked
    up, since published models have published hashes."""
    key = bytes.fromhex(salt)
    return {
        name: None
        if value is None
        else hmac.new(key, f"{name}\0{value}".encode(), hashlib.sha256).hexdigest()
        for name, value in parts.items()
    }


def _source(package: str, name: str) -> bytes:
    found = pkgutil.get_data(package, name)
    if found is None:
        raise SealBroken(
            f"{package}/{name} cannot be read", hint="Install the workbench again, with its source."
        )
    return found.replace(b"\r\n", b"\n")
