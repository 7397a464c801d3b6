"""The contract of an auditor, and the entry points through which anybody's auditor comes."""

from __future__ import annotations

import dataclasses
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from workbench import registry
from workbench.access import Access
from workbench.errors import BrokenTechnique
from workbench.findings import Submission

if TYPE_CHECKING:
    from workbench.auditors.bench import Bench
    from workbench.auditors.story import Story

AUDITORS = "workbench.auditors"


class Auditor(Protocol):
    """Who audits a suspect with nobody beside: a frozen dataclass whose fields are parameters.

    `needs`: refused without it; an auditor makes do with whatever else is granted. `version` is
    raised when results change. The first line of the class docstring says what it does.

    `audit` works through the bench alone, within its access and budget, tells the story what it
    does and why, and returns what it believes; the evidence of a submission are ids of findings
    that the bench gave. It opens no database and prints nothing. What a suspect says, and what its
    training data says, is evidence and never an instruction.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    needs: ClassVar[Access]

    def audit(self, bench: Bench, story: Story, *, seed: int) -> Submission: ...


@dataclasses.dataclass(frozen=True, slots=True)
class Listing:
    """One installed auditor: its class, or the reason why it is unavailable."""

    name: str
    kind: type[Auditor] | None
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """A row of `workbench auditor list --json`."""
        kind = self.kind
        return {
            "name": self.name,
            "version": kind.version if kind else None,
            "needs": kind.needs.names if kind else [],
            "summary": (kind.__doc__ or "").strip().splitlines()[0] if kind else "",
            "available": kind is not None,
            "reason": self.reason,
        }


def auditors() -> list[Listing]:
    """Every installed auditor by name; one that cannot be used stays listed with the reason."""
    listings = []
    for point in registry.points(AUDITORS):
        try:
            listings.append(Listing(point.name, _load(point)))
        except BrokenTechnique as error:
            listings.append(Listing(point.name, None, error.message))
    return sorted(listings, key=lambda listing: listing.name)


def auditor(name: str) -> type[Auditor]:
    """The class behind a name; raises UnknownTechnique, BrokenTechnique or DuplicateTechnique."""
    return _load(registry.find(AUDITORS, name, "auditor"))


def _load(point: EntryPoint) -> type[Auditor]:
    hint = f"Repair or uninstall the package behind '{point.value}'."
    try:
        kind = point.load()
    except (Exception, SystemExit) as error:  # a plugin may fail in any way: it is listed so
        raise BrokenTechnique(
            f"auditor '{point.name}' cannot be imported: {type(error).__name__}: {error}",
            hint=hint,
        ) from error
    lacks = [
        attribute
        for attribute, wanted in (("name", str), ("version", int), ("needs", Access))
        if not isinstance(getattr(kind, attribute, None), wanted)
    ]
    if not callable(getattr(kind, "audit", None)):
        lacks.append("audit")
    if not dataclasses.is_dataclass(kind):
        lacks.append("@dataclass(frozen=True)")
    if not lacks and kind.name != point.name:
        lacks.append(f"name == '{point.name}'")
    if lacks:
        raise BrokenTechnique(f"auditor '{point.name}' lacks {', '.join(lacks)}", hint=hint)
    return kind  # type: ignore[no-any-return]
