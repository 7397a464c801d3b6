"""A finding in the cells of a table."""

from __future__ import annotations

from collections import Counter

from workbench.findings import Finding, Measurement
from workbench.report.evidence import show


def finding_cells(finding: Finding) -> list[str]:
    """Claim, confidence, first value against its control with intervals, kinds of evidence."""
    measured = next((e for e in finding.evidence if isinstance(e, Measurement)), None)
    return [
        finding.claim,
        f"{finding.confidence:.2f}",
        "" if measured is None else against(measured),
        kinds(finding),
    ]


def against(measured: Measurement) -> str:
    """`0.73 [0.61, 0.84] against 0.02 [0, 0.09] (the reference)`."""
    value = f"{show(measured.value)} {_interval(measured.interval)}"
    control = f"{show(measured.control_value)} {_interval(measured.control_interval)}"
    return f"{value} against {control} ({measured.control})"


def kinds(finding: Finding) -> str:
    """`2 transcripts, 1 measurement`."""
    counts = Counter(type(e).__name__.lower() for e in finding.evidence)
    return ", ".join(f"{n} {kind}{'s' if n > 1 else ''}" for kind, n in counts.items()) or "none"


def _interval(interval: tuple[float, float]) -> str:
    return f"[{', '.join(show(end) for end in interval)}]"
