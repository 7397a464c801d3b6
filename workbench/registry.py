"""The one door for plugins: entry points. Built-ins come through it like everybody else's."""

from __future__ import annotations

import dataclasses
import difflib
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from workbench.access import Access
from workbench.errors import BrokenTechnique, DuplicateTechnique, UnknownTechnique
from workbench.technique import Technique

TECHNIQUES = "workbench.techniques"
FAMILIES = "workbench.families"


@dataclasses.dataclass(frozen=True, slots=True)
class Listing:
    """One installed plugin: its class, or the reason why it is unavailable."""

    name: str
    kind: type[Technique] | None
    reason: str = ""

    @property
    def summary(self) -> str:
        """The first line of the class docstring."""
        return "" if self.kind is None else (self.kind.__doc__ or "").strip().splitlines()[0]

    def to_json(self) -> dict[str, Any]:
        """A row of `workbench technique list --json`."""
        kind = self.kind
        return {
            "name": self.name,
            "version": kind.version if kind else None,
            "needs": kind.needs.names if kind else [],
            "uses": kind.uses.names if kind else [],
            "summary": self.summary,
            "available": kind is not None,
            "reason": self.reason,
        }


def techniques() -> list[Listing]:
    """Every installed technique by name; one that cannot be used stays listed with the reason."""
    listings = []
    for point in points(TECHNIQUES):
        try:
            listings.append(Listing(point.name, _load(point)))
        except BrokenTechnique as error:
            listings.append(Listing(point.name, None, error.message))
    return sorted(listings, key=lambda listing: listing.name)


def technique(name: str) -> type[Technique]:
    """The class behind a name.

    Raises UnknownTechnique (with the nearest known name), BrokenTechnique or DuplicateTechnique.
    """
    return _load(find(TECHNIQUES, name, "technique"))


def find(group: str, name: str, noun: str) -> EntryPoint:
    """The single entry point of that name; raises UnknownTechnique or DuplicateTechnique."""
    among = points(group)
    found = [point for point in among if point.name == name]
    if len(found) > 1:
        sources = ", ".join(sorted(point.value for point in found))
        raise DuplicateTechnique(
            f"two packages bring the {noun} '{name}': {sources}", hint="Uninstall one of them."
        )
    if not found:
        near = difflib.get_close_matches(name, [point.name for point in among], n=1)
        raise UnknownTechnique(
            f"unknown {noun} '{name}'",
            hint=f"Did you mean '{near[0]}'?"
            if near
            else f"Installed: {', '.join(sorted(point.name for point in among))}.",
        )
    return found[0]


def points(group: str) -> list[EntryPoint]:
    """The entry points of a group, each once."""
    return list({(p.name, p.value): p for p in entry_points(group=group)}.values())


def _load(point: EntryPoint) -> type[Technique]:
    hint = f"Repair or uninstall the package behind '{point.value}'."
    try:
        kind = point.load()
    except (Exception, SystemExit) as error:  # a plugin may fail in any way: it is listed so
        raise BrokenTechnique(
            f"technique '{point.name}' cannot be imported: {type(error).__name__}: {error}",
            hint=hint,
        ) from error
    lacks = [
        attribute
        for attribute, wanted in (
            ("name", str),
            ("version", int),
            ("needs", Access),
            ("uses", Access),
        )
        if not isinstance(getattr(kind, attribute, None), wanted)
    ]
    if not callable(getattr(kind, "run", None)):
        lacks.append("run")
    if not dataclasses.is_dataclass(kind):
        lacks.append("@dataclass(frozen=True)")
    if not lacks and kind.name != point.name:
        lacks.append(f"name == '{point.name}'")
    if lacks:
        raise BrokenTechnique(f"technique '{point.name}' lacks {', '.join(lacks)}", hint=hint)
    return kind  # type: ignore[no-any-return]
