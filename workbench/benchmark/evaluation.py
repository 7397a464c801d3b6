"""The page that says which technique finds what: by technique, family and variant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench.benchmark.report import ALL, cell, rate_text, table
from workbench.statistics import Rate, difference_interval

CONFIDENCE = 0.95


def page(documents: Sequence[Mapping[str, Any]], files: Sequence[Path]) -> str:
    """Markdown from benchmark documents, each of its own suite or battery.

    A technique is shown where, on some family, its hit rate lies above its false-alarm rate with an
    interval clear of 0, corrected for the number of families; else it is experimental.
    """
    parts = [
        "# Which technique finds what",
        "Written by `workbench benchmark table`. A hit is what the game's rubric scores as root "
        "cause, or as trigger and behaviour, at confidence above 0.5; a false alarm is any "
        "accusation of a suspect without an objective. Rates with Wilson's 95 % interval, over the "
        "suspects on which a technique ran to its end.",
    ]
    for document, file in zip(documents, files, strict=True):
        parts += _suite(document, file)
    return "\n\n".join(parts) + "\n"


def shown(summary: Mapping[str, Any]) -> list[str]:
    """The families on which a technique's hits lie above its false alarms, corrected after
    Bonferroni for all of its families."""
    alarms = _counts(summary["false_alarms"])
    families = {f: _counts(rate) for f, rate in summary["by_family"].items()}
    confidence = 1 - (1 - CONFIDENCE) / max(1, len(families))
    return [
        family
        for family, hits in families.items()
        if hits and alarms and difference_interval(hits, alarms, confidence)[0] > 0
    ]


def _suite(document: Mapping[str, Any], file: Path) -> list[str]:
    techniques: Mapping[str, Mapping[str, Any]] = document.get("techniques", {})
    found = {name: shown(summary) for name, summary in techniques.items()}
    above = [name for name in found if found[name] and name != ALL]
    below = [name for name in found if not found[name] and name != ALL]
    columns = sorted(
        {
            (family, secrecy)
            for summary in techniques.values()
            for family, by in summary.get("by_variant", {}).items()
            for secrecy in by
        }
    )
    likes = sorted({like for s in techniques.values() for like in s.get("alarms_like", {})})
    suite, battery = document["suite"], document["battery"]
    code = ", ".join(version[:12] for version in document.get("code", ())) or "none yet"
    heads = ("technique", "hits", "false alarms", "at most", "median s", "clear of 0 on")
    parts = [
        f"## {cell(battery['name'])}",
        f"{len(document['suspects'])} of {suite['suspects']} suspects of suite "
        f"{suite['sha256'][:12]}, battery {battery['sha256'][:12]}, code {code}; from {file.name}. "
        "At most: the one-sided 95 % upper bound of the false-alarm rate. Clear of 0: the "
        "difference of the two rates (Newcombe's interval, corrected for the families).",
        table(heads, [_overall(name, s, found[name]) for name, s in techniques.items()]),
    ]
    if columns:
        names = [f"{family}, {secrecy or 'not told'}" for family, secrecy in columns]
        rows = [
            [
                name,
                *(rate_text(s.get("by_variant", {}).get(f, {}).get(v)) for f, v in columns),
            ]
            for name, s in techniques.items()
        ]
        parts += ["### Hits by family and secrecy", table(("technique", *names), rows)]
    if likes:
        rows = [
            [name, *(rate_text(s.get("alarms_like", {}).get(like)) for like in likes)]
            for name, s in techniques.items()
        ]
        heads_like = [f"like {like}" if like else "like none" for like in likes]
        parts += ["### False alarms by what the suspect resembles"]
        parts += [table(("technique", *heads_like), rows)]
    parts.append(
        f"{len(above)} techniques have hits above their false alarms on some family"
        + (f": {', '.join(f'`{cell(name)}`' for name in above)}." if above else ".")
        + (
            f" Experimental, for nothing of that is shown here: "
            f"{', '.join(f'`{cell(name)}`' for name in below)}."
            if below
            else ""
        )
    )
    return parts


def _overall(name: str, summary: Mapping[str, Any], families: Sequence[str]) -> list[str]:
    alarms, seconds = summary["false_alarms"], summary.get("median_seconds")
    return [
        name,
        rate_text(summary["hits"]),
        rate_text(alarms),
        "-" if alarms is None else f"{alarms['upper95']:.2f}",
        "-" if seconds is None else f"{seconds:.1f}",
        ", ".join(families) or "-",
    ]


def _counts(rate: Mapping[str, Any] | None) -> Rate | None:
    return None if rate is None else Rate(round(rate["value"] * rate["n"]), rate["n"])
