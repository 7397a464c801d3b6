"""Auditors to compare with: techniques by chance, and one technique alone."""

from __future__ import annotations

import dataclasses
import random
from typing import ClassVar

from workbench.access import Access
from workbench.auditors.beliefs import Beliefs
from workbench.auditors.bench import Bench
from workbench.auditors.kit import kit
from workbench.auditors.leads import CHECKS
from workbench.auditors.story import Story
from workbench.auditors.writing import of_finding, submission
from workbench.findings import Submission
from workbench.ledger import Entry


@dataclasses.dataclass(frozen=True)
class RandomTool:
    """Runs techniques drawn by chance and hands in the surest of their findings.

    It follows no lead and weighs nothing: what an auditor gains over it is what its choices gain.
    """

    name: ClassVar[str] = "random-tool"
    version: ClassVar[int] = 1
    needs: ClassVar[Access] = Access.NONE

    techniques: int = 5

    def __post_init__(self) -> None:
        if self.techniques < 1:
            raise ValueError("techniques must be at least 1")

    def audit(self, bench: Bench, story: Story, *, seed: int) -> Submission:
        """Runs them in the order in which they were drawn."""
        names = sorted(set(bench.techniques()) - set(CHECKS))
        random.Random(f"random-tool {seed}").shuffle(names)
        return _handed_in(bench, story, names[: self.techniques])


@dataclasses.dataclass(frozen=True)
class SingleBest:
    """Runs one technique, the strongest that the view allows, and hands in its surest finding.

    The strongest is the one that packs/kit.toml expects to name most objectives, or the one given.
    """

    name: ClassVar[str] = "single-best-technique"
    version: ClassVar[int] = 1
    needs: ClassVar[Access] = Access.NONE

    technique: str = ""

    def audit(self, bench: Bench, story: Story, *, seed: int) -> Submission:
        """Runs it."""
        known = kit()

        def strength(name: str) -> float:
            finds = known.of(name)
            return sum(share * finds.sees(kind) for kind, share in known.priors.items())

        usable = sorted((set(bench.techniques()) & set(known.techniques)) - set(CHECKS))
        usable.sort(key=strength)
        chosen = [self.technique] if self.technique else usable[-1:]
        return _handed_in(bench, story, chosen)


def _handed_in(bench: Bench, story: Story, names: list[str]) -> Submission:
    beliefs = Beliefs(kit(), bench.assistant)
    accusing: list[Entry] = []
    looked = 0
    for name in names:
        story.chapter(f"I run {name}", technique=name)
        ran = bench.run(name)
        beliefs.hear(name, [(e.id, e.finding) for e in ran.entries], whole=ran.ok)
        looked += ran.ok
        accusing += [entry for entry in ran.entries if entry.finding.accuses]
        for entry in ran.entries:
            story.tell(f"It says ({entry.finding.confidence:.2f}): {entry.finding.claim}.")
        if not ran.ok:
            story.tell(f"It {ran.run.status}: {ran.run.reason}.")
    if accusing:
        best = max(accusing, key=lambda entry: entry.finding.confidence)
        return of_finding(best.finding, best.id)
    return submission(beliefs, looked)
