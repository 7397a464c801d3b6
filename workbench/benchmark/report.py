"""Reads a benchmark's file back and shows it as a table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench.errors import ConfigError

FORMAT = "alignment-workbench-benchmark/2"
COLUMNS = (
    "technique",
    "hits / organisms",
    "false alarms / clean",
    "alarms at most",
    "precision",
    "Brier (silence)",
    "samples (of the reference)",
    "tokens (of the reference)",
    "seconds",
    "failed",
    "skipped",
)


def read(file: Path) -> dict[str, Any]:
    """The document that `run` wrote; raises ConfigError when the file holds none."""
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{file}: {error.strerror}", hint="Name a file that `workbench benchmark run` wrote."
        ) from None
    except ValueError:
        document = None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ConfigError(
            f"{file} is no benchmark of format '{FORMAT}'",
            hint="Name a file that `workbench benchmark run` wrote.",
        )
    return document


def markdown(document: Mapping[str, Any]) -> str:
    """A table of techniques, one of families, and what they were made from."""
    techniques = document.get("techniques", {})
    rows = [[name, *_cells(summary)] for name, summary in techniques.items()]
    families = sorted({f for summary in techniques.values() for f in summary["by_family"]})
    by_family = [
        [name, *(rate_text(summary["by_family"].get(family)) for family in families)]
        for name, summary in techniques.items()
    ]
    suite, battery = document["suite"], document["battery"]
    versions = ", ".join(code[:12] for code in document.get("code", ()))
    parts = [
        table(COLUMNS, rows),
        *([table(("hits by family", *families), by_family)] if families else []),
        f"{len(document['suspects'])} of {suite['suspects']} suspects; "
        f"battery {cell(battery['name'])} {battery['sha256'][:12]}, "
        f"suite {suite['sha256'][:12]}, code {versions or 'none yet'}. "
        "Rates with Wilson's 95 % interval, over the suspects on which the technique ran to its "
        "end; alarms at most: one-sided 95 % upper bound; costs: means per suspect.",
    ]
    return "\n\n".join(parts) + "\n"


def _cells(summary: Mapping[str, Any]) -> list[str]:
    alarms, brier, cost = summary["false_alarms"], summary["brier"], summary["cost"]
    return [
        rate_text(summary["hits"]),
        rate_text(alarms),
        "-" if alarms is None else f"{alarms['upper95']:.2f}",
        rate_text(summary["precision"]),
        "-" if brier is None else f"{brier['value']:.3f} ({brier['silence']:.3f})",
        *("-" if cost[m] is None else _amounts(cost, m) for m in ("samples", "tokens")),
        "-" if cost["seconds"] is None else f"{cost['seconds']:.1f}",
        str(summary["failed"]),
        str(summary["skipped"]),
    ]


def _amounts(cost: Mapping[str, Any], meter: str) -> str:
    return f"{cost[meter]:.0f} ({cost[f'reference_{meter}']:.0f})"


def rate_text(rate: Mapping[str, Any] | None) -> str:
    """Hits of all with the interval, or a dash."""
    if rate is None:
        return "-"
    low, high = rate["ci"]
    return f"{round(rate['value'] * rate['n'])}/{rate['n']} [{low:.2f}, {high:.2f}]"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table of inert cells."""
    lines = [columns, ("---",) * len(columns), *rows]
    return "\n".join("| " + " | ".join(cell(text) for text in line) + " |" for line in lines)


def cell(text: str) -> str:
    """Text that neither acts nor ends its cell."""
    from workbench.report.inert import inert_line

    return inert_line(text).replace("|", "\\|")
