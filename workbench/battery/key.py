"""A run's key: the hash of all that its result depends on. Resume and cache fall out of it."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import sys
from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from workbench.access import Access, Budget
from workbench.findings import JSON
from workbench.ledger.records import digest
from workbench.technique import Technique, parameters

_CODE = (".py", ".pyc", ".pyi", ".typed")


def run_key(
    technique: Technique,
    description: Mapping[str, JSON],
    access: Access,
    budget: Budget,
    seed: int,
) -> str:
    """SHA-256 in hexadecimal over: the suspect's description (tensors, tokenizer, chat template,
    reference, corpus, dtype, device class), the technique's name, version and parameters, the
    content of files that a parameter with a path separator names, its prompt packs, the view, the
    budget and the seed.

    Artifacts are made from these and from nothing else, so they need no place of their own.
    """
    return digest(
        {
            "suspect": {name: part for name, part in description.items() if name != "access"},
            "technique": technique.name,
            "version": technique.version,
            "parameters": parameters(technique),
            "named_files": _named_files(technique),
            "packs": pack_digest(type(technique).__module__),
            "access": access.names,
            "budget": budget.to_json(),
            "seed": seed,
        }
    )


def technique_seed(seed: int, name: str) -> int:
    """The seed that a technique gets, 0 <= seed < 2**31: its battery's and its name, no more."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{name}".encode()).digest()[:4], "big") >> 1


def pack_digest(module: str) -> str:
    """SHA-256 over the data files in the folders below a technique's package: its prompt packs.

    Empty for a technique that lives in no package.
    """
    package = module.rpartition(".")[0]
    if package not in sys.modules:
        return ""
    found = hashlib.sha256()
    for folder in sorted(files(package).iterdir(), key=lambda part: part.name):
        if folder.is_dir() and not folder.name.startswith(("_", ".")):
            _add(found, folder, folder.name)
    return found.hexdigest()


def _named_files(technique: Technique) -> dict[str, str]:
    found = {}
    for field in dataclasses.fields(technique):  # type: ignore[arg-type]
        value = getattr(technique, field.name)
        if isinstance(value, str) and os.sep in value and _exists(value):
            hashed = hashlib.sha256()
            _add(hashed, Path(value), "")
            found[field.name] = hashed.hexdigest()
    return found


def _exists(value: str) -> bool:
    try:
        return Path(value).exists()
    except (OSError, ValueError):
        return False


def _add(hashed: hashlib._Hash, part: Traversable, name: str) -> None:
    if part.is_dir():
        for child in sorted(part.iterdir(), key=lambda entry: entry.name):
            _add(hashed, child, f"{name}/{child.name}")
    elif part.is_file() and not name.endswith(_CODE):
        hashed.update(f"{len(name)}:{name}".encode())
        with part.open("rb") as file:
            content = hashlib.sha256()
            while block := file.read(1 << 20):
                content.update(block)
        hashed.update(content.digest())
