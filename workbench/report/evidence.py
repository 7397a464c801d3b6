"""What a page shows of each piece of evidence: texts, spans, numbers and the plot beside them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from workbench.findings import (
    Evidence,
    Excerpt,
    Figure,
    Finding,
    Latent,
    Measurement,
    Transcript,
)
from workbench.report import figures


class Undrawable(ValueError):
    """A plugin filled an evidence field with something that cannot be shown as that kind."""


def views(finding: Finding, anchor: str) -> list[dict[str, Any]]:
    """One view for each piece of evidence, in the finding's order, with anchors `ANCHOR-eN`.

    Evidence that its plugin filled wrongly is shown in its stored form with the reason, so that
    one bad plugin neither hides its own data nor spoils the report.
    """
    shown = []
    for number, evidence in enumerate(finding.evidence, start=1):
        kind = type(evidence).__name__.lower()
        try:
            parts = _DRAWERS[type(evidence)](evidence)
        except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
            stored = finding.to_json()["evidence"][number - 1]
            parts = {
                "title": "Stored form",
                "malformed": f"This {kind} cannot be drawn: {type(error).__name__}: {error}",
                "stored": json.dumps(stored, indent=2, ensure_ascii=False),
            }
            kind = "malformed"
        shown.append({"kind": kind, "anchor": f"{anchor}-e{number}", "number": number, **parts})
    return shown


def _transcript(evidence: Transcript) -> dict[str, Any]:
    turns = [{"role": str(m["role"]), "content": str(m["content"])} for m in evidence.messages]
    return {"title": evidence.note or "Conversation with the suspect", "turns": turns}


def _excerpt(evidence: Excerpt) -> dict[str, Any]:
    start, end, text = evidence.start, evidence.end, evidence.text
    if not 0 <= start <= end:
        raise Undrawable(f"span {start}..{end}")
    return {
        "title": f"Training document {evidence.document}",
        "document": evidence.document,
        "role": evidence.role,
        "before": text[:start],
        "marked": text[start:end],
        "after": text[end:],
    }


def _latent(evidence: Latent) -> dict[str, Any]:
    documents = [*evidence.documents, *[""] * len(evidence.contexts)]
    return {
        "title": f"Latent {evidence.index} of {evidence.sae}",
        "hook_name": evidence.hook_name,
        "note": evidence.note,
        "contexts": [
            {"text": text, "document": document}
            for text, document in zip(evidence.contexts, documents, strict=False)
        ],
        "further": documents[len(evidence.contexts) : len(evidence.documents)],
    }


def _measurement(evidence: Measurement) -> dict[str, Any]:
    numbers = [*evidence.interval, *evidence.control_interval]
    if len(numbers) != 4 or not all(math.isfinite(number) for number in numbers):
        raise Undrawable("an interval is two finite numbers")
    for value, (low, high) in (
        (evidence.value, evidence.interval),
        (evidence.control_value, evidence.control_interval),
    ):
        if not low <= high or not low - 1e-9 <= value <= high + 1e-9:
            raise Undrawable(f"value {value} lies outside its interval {low}..{high}")
    against = f"{show(evidence.control_value)} ({evidence.control})"
    return {
        "title": evidence.name,
        "summary": f"{show(evidence.value)} against {against}",
        "rows": [
            ("suspect", evidence.value, evidence.interval, evidence.n),
            (
                evidence.control,
                evidence.control_value,
                evidence.control_interval,
                evidence.control_n,
            ),
        ],
        "unit": evidence.unit,
        "p": evidence.p,
        "tried": evidence.tried,
        "spec": figures.measurement(evidence),
    }


def _figure(evidence: Figure) -> dict[str, Any]:
    for name, values in evidence.series.items():
        if len(values) != len(evidence.x):
            raise Undrawable(f"series '{name}' has {len(values)} values for {len(evidence.x)} x")
    return {
        "title": evidence.title,
        "heads": [evidence.x_label, *evidence.series],
        "rows": list(zip(evidence.x, *evidence.series.values(), strict=True)),
        "spec": figures.figure(evidence),
    }


_DRAWERS: Mapping[type[Evidence], Any] = {
    Transcript: _transcript,
    Excerpt: _excerpt,
    Latent: _latent,
    Measurement: _measurement,
    Figure: _figure,
}


def show(number: float) -> str:
    """A number with three digits that matter: 0.62, 0.004, 12.3, 1,234."""
    if number == 0 or not math.isfinite(number):
        return f"{number:g}"
    if abs(number) >= 1000:
        return f"{number:,.0f}"
    if abs(number) >= 1:
        return f"{number:.3g}"
    return f"{number:.2f}" if abs(number) >= 0.01 else f"{number:.1g}"
