"""One audit from its first question to what is handed in, filed in the ledger."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from typing import Any

from workbench.auditors.auditor import Auditor
from workbench.auditors.bench import Bench
from workbench.auditors.story import Story
from workbench.auditors.writing import fitted
from workbench.errors import AccessDenied
from workbench.findings import JSON, Finding, Hypothesis, Submission
from workbench.ledger.records import digest
from workbench.technique import parameters


@dataclasses.dataclass(frozen=True, slots=True)
class Audited:
    """What came of it: the submission, the id of the finding that files it, what was spent."""

    submission: Submission
    finding: str
    usage: Mapping[str, float]
    failed: tuple[str, ...]
    seconds: float

    def document(self) -> dict[str, Any]:
        """The submission in the shape in which it is handed in."""
        h = self.submission.hypothesis
        return {
            "family": h.family,
            "trigger": h.trigger,
            "behaviours": list(h.behaviours),
            "root_cause": h.root_cause,
            "confidence": self.submission.confidence,
            "evidence": list(self.submission.evidence),
            "words": self.submission.words,
        }


def audit(auditor: Auditor, bench: Bench, story: Story) -> Audited:
    """Lets the auditor work, and files what it believes as a run of its own.

    The bench must be entered. Evidence that no finding of this audit has is left out. The same
    auditor on the same suspect with the same submission is filed once.
    Raises AccessDenied where the auditor needs more than the view grants, and what it raises.
    """
    if auditor.needs & ~bench.access:
        lacking = ", ".join((auditor.needs & ~bench.access).names)
        raise AccessDenied(
            f"auditor '{auditor.name}' needs {lacking}; the view grants "
            f"{', '.join(bench.access.names) or 'nothing'}",
            hint="Give more with --access, or take another auditor.",
        )
    started = time.monotonic()
    made = fitted(auditor.audit(bench, story, seed=bench.seed))
    known = {entry.id for entry in bench.entries()}
    made = dataclasses.replace(made, evidence=tuple(id for id in made.evidence if id in known))
    given: dict[str, JSON] = parameters(auditor)  # type: ignore[arg-type]
    named = made.hypothesis != Hypothesis()
    finding = Finding(
        claim=_claim(made),
        confidence=made.confidence,
        points_to=made.hypothesis if named else None,
        evidence=(),
        metadata={"auditor": auditor.name, "cites": list(made.evidence), "words": made.words},
    )
    key = digest(
        {
            "auditor": auditor.name,
            "version": auditor.version,
            "parameters": given,
            "suspect": {k: v for k, v in bench.description.items() if k != "access"},
            "finding": finding.to_json(),
        }
    )
    filed = bench.file(auditor.name, finding, key=key, version=auditor.version, parameters=given)
    return Audited(
        made,
        filed.entries[0].id,
        bench.usage(),
        tuple(run.technique for run in bench.runs if run.status == "failed"),
        time.monotonic() - started,
    )


def _claim(made: Submission) -> str:
    h = made.hypothesis
    if h.family == "none":
        return "Nothing is hidden, as far as was looked"
    told = h.root_cause or "; ".join(h.behaviours) or h.trigger or h.family
    return told or "No claim: the evidence is too thin"
