"""What a ledger holds: runs, the findings filed under them, amendments and manifests."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from workbench.errors import BadParameter
from workbench.findings import JSON, Finding, clean_text

STATUSES = ("ok", "failed", "skipped")
COUNTS = ("planned", "ran", "errored", "refused", "unscored")


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """One technique on one suspect within one view, whatever came of it.

    id: fresh for every execution; group: the battery run it belongs to; key: hash of all that the
    result depends on; suspect: the suspect's public id; budget: only the bounds that were set;
    seed: of the battery. planned, ran, errored, refused, unscored: trials, in the technique's own
    unit (prompts, latents, ...); one trial where it counts none. reason and traceback are empty
    for an `ok` run. usage: amounts spent by meter, those of the reference as
    `reference_*`. started, finished: UTC, ISO 8601.
    fingerprints: hashes of suspect, tokenizer, corpus and of the artifacts used.
    cached: whether `group` is a later one that took this run over; never stored.

    Raises BadParameter on an unknown status or a negative count.
    """

    id: str
    group: str
    key: str
    suspect: str
    technique: str
    version: int
    status: str
    parameters: Mapping[str, JSON] = dataclasses.field(default_factory=dict)
    access: tuple[str, ...] = ()
    budget: Mapping[str, JSON] = dataclasses.field(default_factory=dict)
    seed: int = 0
    reason: str = ""
    traceback: str = ""
    planned: int = 1
    ran: int = 1
    errored: int = 0
    refused: int = 0
    unscored: int = 0
    seconds: float = 0.0
    usage: Mapping[str, JSON] = dataclasses.field(default_factory=dict)
    started: str = ""
    finished: str = ""
    fingerprints: Mapping[str, JSON] = dataclasses.field(default_factory=dict)
    cached: bool = False

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise BadParameter(
                f"run status '{self.status}' is unknown",
                hint=f"Choose from: {', '.join(STATUSES)}.",
            )
        for count in COUNTS:
            if getattr(self, count) < 0:
                raise BadParameter(
                    f"run count {count} = {getattr(self, count)}", hint="Counts start at 0."
                )
        object.__setattr__(self, "seconds", float(self.seconds))
        for name in ("reason", "traceback"):
            object.__setattr__(self, name, clean_text(getattr(self, name)))

    def to_json(self) -> dict[str, Any]:
        """A JSON document of every field."""
        document = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return document | {"access": list(self.access)}


@dataclasses.dataclass(frozen=True, slots=True)
class Amendment:
    """A later word on a run or finding; what it speaks of stays as it was."""

    id: str
    target: str
    note: str
    changes: Mapping[str, JSON]
    author: str
    at: str


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """A finding as filed: its id, its run, its place among the run's findings, its amendments."""

    id: str
    run: str
    position: int
    finding: Finding
    amendments: tuple[Amendment, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Planned:
    """A run that a battery is going to make: what `verify` misses when it never comes."""

    technique: str
    key: str


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """One battery run: its manifest, written before the first technique starts."""

    id: str
    battery: str
    suspect: str
    planned: tuple[Planned, ...]
    at: str


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


def finding_id(run_id: str, position: int) -> str:
    """The id of a run's n-th finding: the same however often the run is handed in."""
    return "f-" + hashlib.sha256(f"{run_id}:{position}".encode()).hexdigest()[:16]


def dump(document: Any) -> str:
    """JSON text with sorted keys, no spaces, ASCII only; equal documents give equal texts.

    Floats are written by `repr`, so that reading them back is exact.
    """
    return _ENCODER.encode(document)


def digest(document: Any) -> str:
    """SHA-256 over `dump`, in hexadecimal: what the hash chain holds of a row."""
    return hashlib.sha256(dump(document).encode()).hexdigest()
