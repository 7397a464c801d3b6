"""The probes of a suspect that the artifact cache holds, and one call that adds another."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from probes.card import train_probe
from probes.probe import Probe
from probes.texts import Labelled
from workbench.artifacts import Artifacts
from workbench.errors import BadParameter
from workbench.findings import JSON
from workbench.suspects import Suspect

TRAINER = 1
"""Raised when the same texts give another probe or card, which retires cached ones."""
CARD = "card.json"


@dataclasses.dataclass(frozen=True, slots=True)
class Shelved:
    """A probe in the cache; name: of its directory there. title: what it looks for. card: as
    `ProbeCard.to_json` wrote it."""

    name: str
    title: str
    directory: Path
    card: dict[str, Any]


def shelved(root: Path, tensors: str) -> list[Shelved]:
    """The cached probes of the suspect with these tensors, the newest first; loads none of them."""
    found = []
    for file in (root / "probe").glob("*/key.json"):
        try:
            key = json.loads(file.read_text("utf-8"))["key"]
            card = json.loads((file.parent / CARD).read_text("utf-8"))
            mine = key["tensors"] == tensors and key["trainer"] == TRAINER
            one = Shelved(file.parent.name, str(key["title"]), file.parent, dict(card))
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if mine:
            found.append((file.stat().st_mtime_ns, one))
    return [one for _, one in sorted(found, key=lambda pair: -pair[0])]


def opened(root: Path, name: str) -> Probe:
    """The cached probe of that name; raises BadParameter where there is none."""
    if not name.isalnum() or not (root / "probe" / name).is_dir():
        raise BadParameter("there is no such probe here", hint="Choose one of those listed.")
    return Probe.load(root / "probe" / name)


def shelve(
    artifacts: Artifacts,
    suspect: Suspect,
    labelled: Labelled,
    *,
    title: str,
    hook_names: Sequence[str],
    kind: str = "logistic",
    benign: Sequence[str] = (),
    style: str = "",
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> Path:
    """Trains and judges a probe into the cache, or finds it there; returns its directory.

    Raises what `train_probe` raises.
    """
    made_from = suspect.fingerprint()
    read = json.dumps([labelled.texts, labelled.labels, labelled.styles, list(benign)])
    key: dict[str, JSON] = {
        "title": title,
        "tensors": made_from["tensors"],
        "tokenizer": made_from["tokenizer"],
        "texts": hashlib.sha256(read.encode()).hexdigest(),
        "hook_names": list(hook_names),
        "kind": kind,
        "style": style,
        "seed": seed,
        "trainer": TRAINER,
    }

    def make(into: Path) -> None:
        probe, card = train_probe(
            suspect,
            labelled,
            hook_names=hook_names,
            kind=kind,
            benign=benign,
            style=style,
            seed=seed,
            progress=progress,
        )
        probe.save(into)
        (into / CARD).write_text(json.dumps(card.to_json()), encoding="utf-8")

    return artifacts.get_or_make("probe", key, make)
