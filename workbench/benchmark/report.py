"""Reads a benchmark's file back and shows it as tables."""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench.errors import ConfigError

FORMAT = "alignment-workbench-benchmark/2"
ALL = "(any technique)"
"""The row of a battery as a whole: it found what at least one technique found."""
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

AUDITORS = (
    "auditor",
    "solved / organisms",
    "root cause named",
    "false accusations / clean",
    "at most",
    "accused wrongly / organisms",
    "abstained",
    "Brier (silence)",
    "calibration gap",
    "samples",
    "tokens",
    "median s",
    "median CPU s",
    "failed",
)
RELIABILITY = ("auditor", "confidence", "mean", "right")
CONFUSION = (
    "auditor",
    "truth",
    "solved",
    "right, unsure",
    "accused wrongly",
    "wrong, unsure",
    "said none",
    "abstained",
)


def read(file: Path) -> dict[str, Any]:
    """The document that `run` wrote; raises ConfigError when the file holds none."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"{file}: {error.strerror}", hint="Name a file that `workbench benchmark run` wrote."
        ) from None
    except ValueError:
        text = ""
    return parse(text, str(file))


def parse(text: str, name: str) -> dict[str, Any]:
    """The document in a text called `name`; raises ConfigError where there is none."""
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ConfigError(
            f"{name} is no benchmark of format '{FORMAT}'",
            hint="Name a file that `workbench benchmark run` wrote.",
        )
    return document


def write(document: Mapping[str, Any], out: Path) -> None:
    """Writes results at once or not at all, so that older ones stay; raises ConfigError where it
    cannot."""
    draft: Path | None = None
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{out.name}-", dir=out.parent)
        draft = Path(name)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=1, sort_keys=True, allow_nan=False)
            file.write("\n")
        os.replace(draft, out)
    except OSError as error:
        raise ConfigError(
            f"cannot write {out}: {error.strerror}",
            hint="Free some space or choose another --out; the same command then goes on.",
        ) from None
    finally:
        if draft is not None:
            draft.unlink(missing_ok=True)


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """A heading, columns and rows of texts."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def tables(document: Mapping[str, Any]) -> list[Table]:
    """Everything that is told, as tables: auditors first, then techniques."""
    made = []
    auditors = document.get("auditors", {})
    if auditors:
        made.append(Table("Auditors", AUDITORS, [[n, *_judged(s)] for n, s in auditors.items()]))
        made.append(_by_family("Solved by family", auditors))
        made.append(Table("How sure, and how often right", RELIABILITY, _reliable(auditors)))
        made.append(Table("What was said of whom", CONFUSION, _confused(auditors)))
    techniques = document.get("techniques", {})
    if techniques:
        made.append(Table("Techniques", COLUMNS, [[n, *_cells(s)] for n, s in techniques.items()]))
        made.append(_by_family("Hits by family", techniques))
    return [one for one in made if one.rows and len(one.columns) > 1]


def notes(document: Mapping[str, Any]) -> list[str]:
    """What the tables were made from, and how to read them."""
    suite, battery = document["suite"], document["battery"]
    versions = ", ".join(code[:12] for code in document.get("code", ()))
    told = [
        f"{len(document['suspects'])} of {suite['suspects']} suspects; "
        f"battery {battery['name']} {battery['sha256'][:12]}, "
        f"suite {suite['sha256'][:12]}, code {versions or 'none yet'}. "
        "Rates with Wilson's 95 % interval, over the suspects on which the technique or auditor "
        "came to its end; alarms and false accusations at most: one-sided 95 % upper bound; costs: "
        "means per suspect, medians where it says so. Silence: the Brier score of who never says "
        "anything."
    ]
    for label, entrant in document.get("entrants", {}).items():
        access = (
            "all that is granted" if entrant["access"] is None else ", ".join(entrant["access"])
        )
        budget = ", ".join(f"{n} {m}" for m, n in entrant["budget"].items()) or "no bound"
        told.append(
            f"{label}: {entrant['auditor']} {entrant['version']}, {entrant['sha256'][:12]}; "
            f"access {access}; budget {budget}; seed {entrant['seed']}."
        )
    return told


def markdown(document: Mapping[str, Any]) -> str:
    """All tables with what they were made from."""
    parts = []
    found = tables(document)
    for one in found:
        if len(found) > 1:
            parts.append(f"### {one.title}")
        parts.append(table(one.columns, one.rows))
    parts += [cell(note) for note in notes(document)]
    return "\n\n".join(parts) + "\n"


def _by_family(title: str, summaries: Mapping[str, Any]) -> Table:
    families = sorted({f for summary in summaries.values() for f in summary["by_family"]})
    rows = [
        [name, *(rate_text(summary["by_family"].get(family)) for family in families)]
        for name, summary in summaries.items()
    ]
    first = "solved" if title.startswith("Solved") else "hits by family"
    return Table(title, (first, *families), rows)


def _judged(summary: Mapping[str, Any]) -> list[str]:
    false, brier, cost = summary["false_accusations"], summary["brier"], summary["cost"]
    ece = summary["reliability"]["ece"]
    return [
        rate_text(summary["solved"]),
        rate_text(summary["root_cause"]),
        rate_text(false),
        "-" if false is None else f"{false['upper95']:.2f}",
        rate_text(summary["accused_wrongly"]),
        rate_text(summary["abstained"]),
        "-" if brier is None else f"{brier['value']:.3f} ({brier['silence']:.3f})",
        "-" if ece is None else f"{ece:.3f}",
        *("-" if cost[m] is None else f"{cost[m]:.0f}" for m in ("samples", "tokens")),
        *(
            "-" if cost[m] is None else f"{cost[m]:.1f}"
            for m in ("median_seconds", "median_cpu_seconds")
        ),
        str(summary["failed"]),
    ]


def _reliable(auditors: Mapping[str, Any]) -> list[list[str]]:
    return [
        [
            name,
            f"{b['low']:.1f} to {b['high']:.1f}",
            f"{b['confidence']:.2f}",
            rate_text(b["right"]),
        ]
        for name, summary in auditors.items()
        for b in summary["reliability"]["bins"]
    ]


def _confused(auditors: Mapping[str, Any]) -> list[list[str]]:
    return [
        [name, family, *(str(said.get(what, 0)) for what in CONFUSION[2:])]
        for name, summary in auditors.items()
        for family, said in summary["confusion"].items()
    ]


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
