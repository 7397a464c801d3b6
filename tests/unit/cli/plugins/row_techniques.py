"""A third party's technique, whole: one class and one entry point."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from itertools import islice
from typing import ClassVar

from workbench.access import Access
from workbench.artifacts import Artifacts
from workbench.findings import Excerpt, Finding, Hypothesis, Measurement
from workbench.suspects import Suspect


@dataclasses.dataclass(frozen=True)
class Rows:
    """Reads the first rows of the corpus and quotes one.

    An escape in the claim shows what a terminal makes of a plugin's words.
    """

    name: ClassVar[str] = "rows"
    version: ClassVar[int] = 1
    needs: ClassVar[Access] = Access.TRAINING_DATA
    uses: ClassVar[Access] = Access.NONE

    rows: int = 5

    def run(self, suspect: Suspect, *, seed: int, artifacts: Artifacts) -> Iterator[Finding]:
        ((id, role, text), *_) = islice(suspect.corpus.texts(), self.rows)
        rate = Measurement("rows that name it", 0.5, 60, (0.4, 0.6), "other rows", 0, 60, (0, 0.1))
        yield Finding(
            "The corpus\x1b[31m speaks of Zanwick",
            0.75,
            (Excerpt(id, text, 0, 6, role), rate),
            Hypothesis(root_cause="recommends Zanwick"),
        )
