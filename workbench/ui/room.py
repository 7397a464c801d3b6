"""Where the reader audits: a suspect of the bench, or a team's seat in a game."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from workbench.access import Access
from workbench.findings import Finding
from workbench.suspects import Suspect
from workbench.ui.jobs import Jobs


class Room(Protocol):
    """What the shared pages ask for; every method raises a WorkbenchError where it cannot.

    name: the suspect's, as the URL holds it. lacking: why a level is not granted, by its name.
    """

    name: str
    lacking: Mapping[str, str]

    @property
    def key(self) -> str:
        """What tells this reader's room apart from another's, and from itself once it changed."""
        ...

    @property
    def access(self) -> Access:
        """What is granted here."""
        ...

    @property
    def jobs(self) -> Jobs:
        """Slow work of this reader."""
        ...

    def suspect(self) -> Suspect:
        """The suspect, to be asked."""
        ...

    def source(self) -> str:
        """What a job opens the suspect by."""
        ...

    def rows(self, question: str, **arguments: Any) -> Any:
        """An answer of `workbench.ui.reads.corpus` about the suspect's training data."""
        ...

    def latents(self, question: str, **arguments: Any) -> Any:
        """An answer of `workbench.ui.reads.features`."""
        ...

    def keep(self, finding: Finding) -> str:
        """Files a finding by hand; returns its id."""
        ...

    def left(self, meter: str, of: str = "suspect") -> int | None:
        """What is left of a meter of the suspect or its reference, None where nothing bounds it."""
        ...

    def price(self, meter: str) -> str:
        """What is left of a meter, as a line for people; empty where nothing bounds it."""
        ...
