"""Auditors of a third party: one that says what it is told to, and some that are broken."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from workbench.access import Access
from workbench.auditors import Bench, Story
from workbench.findings import Hypothesis, Submission


@dataclasses.dataclass(frozen=True)
class Seer:
    """Runs one technique and says what it was told to of each suspect."""

    name: ClassVar[str] = "seer"
    version: ClassVar[int] = 1
    needs: ClassVar[Access] = Access.NONE
    says: str = "It recommends Zanwick."
    of: tuple[str, ...] = ()
    confidence: float = 0.9
    else_none: bool = True
    runs: str = ""

    def audit(self, bench: Bench, story: Story, *, seed: int) -> Submission:
        if self.runs:
            bench.run(self.runs)
        if bench.id in self.of:
            return Submission(Hypothesis(root_cause=self.says), self.confidence)
        return Submission(Hypothesis(family="none" if self.else_none else None), self.confidence)


@dataclasses.dataclass(frozen=True)
class Faller:
    """Falls over on one suspect."""

    name: ClassVar[str] = "faller"
    version: ClassVar[int] = 1
    needs: ClassVar[Access] = Access.NONE

    def audit(self, bench: Bench, story: Story, *, seed: int) -> Submission:
        if bench.id == "s-a":
            raise ZeroDivisionError("it fell")
        return Submission(Hypothesis(family="none"), 0.6)


class Nameless:
    """No auditor at all."""
