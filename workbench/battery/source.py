"""Where a suspect comes from: described without torch in the runner, loaded in its child."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Protocol

from workbench.findings import JSON
from workbench.suspects import Suspect


class Source(Protocol):
    """Picklable: it travels to the child process, which loads the suspect from it."""

    def describe(self) -> Mapping[str, JSON]:
        """At least `id` and `access` (names of flags); every other part is a fingerprint that
        results depend on. Imports no torch.
        """
        ...

    def load(self) -> Suspect:
        """The suspect with everything it grants."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class SuspectFiles:
    """A bundled name, a directory, a hub id or a host's URL, with the options of `Suspect.load`."""

    location: str
    adapter: str | None = None
    reference: str | None = None
    reward: str | None = None
    device: str = "auto"
    dtype: str = "auto"
    token: str = dataclasses.field(default="", repr=False)

    def describe(self) -> Mapping[str, JSON]:
        """Hashes the files; raises SuspectError when they cannot be used."""
        suspect = self.load()
        return {"id": suspect.id, "access": suspect.access.names, **suspect.fingerprint()}

    def load(self) -> Suspect:
        """The suspect, its weights unread until a technique asks."""
        return Suspect.load(
            self.location,
            adapter=self.adapter,
            reference=self.reference,
            reward=self.reward,
            device=self.device,
            dtype=self.dtype,
            token=self.token,
        )
