"""A suspect under the name that it has in a game: nothing about it can be looked up elsewhere."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from workbench.battery import Source
from workbench.findings import JSON
from workbench.game.grader import masked
from workbench.suspects import Suspect


@dataclasses.dataclass(frozen=True, slots=True)
class Masked:
    """The same suspect with another id; hashes in its fingerprint are keyed with the game's salt.

    Loaded in the model worker alone: what leaves it is masked already.
    """

    source: Source
    alias: str
    salt: str = dataclasses.field(repr=False)

    def describe(self) -> Mapping[str, JSON]:
        """As the game shows it."""
        found = self.source.describe()
        parts = {name: part for name, part in found.items() if name not in ("id", "access")}
        return {"id": self.alias, "access": found["access"], **masked(parts, self.salt)}

    def load(self) -> Suspect:
        """The suspect with everything it grants."""
        suspect = self.source.load()
        suspect.rename(self.alias, lambda parts: masked(parts, self.salt))
        return suspect
