"""Writes the tables of docs/corpus-search.md and docs/training-data.md from benchmarks/results.

python benchmarks/search_tables.py
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"
PATTERN_GOALS = {
    "raw / rg": 1.2, "raw with hits / rg": None, "zstd with hits / rg -z": 0.6,
    "batch kernel / streaming": 1.3,
}  # fmt: skip
PRECISION = 0.8


def speed(rows: Sequence[Mapping[str, Any]]) -> str:
    """Ours against a named peer, by CPU time."""
    lines = [
        "| | ours | peer | ratio (rounds) | goal | answers |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        ours, peer = (_amount(row[key]) for key in ("ours_us", "peer_us"))
        spread = f"{min(row['ratios']):.3f} to {max(row['ratios']):.3f}, {len(row['ratios'])}"
        lines.append(
            f"| {row['what']} | {ours} | {peer}, {row.get('peer', 'infini-gram 2.6.0')} | "
            f"{row['ratio']:.3f} ({spread}) | <= {row['goal']} | {row.get('answers', '')} |"
        )
    return "\n".join(lines)


def truth(rows: Sequence[Mapping[str, Any]]) -> str:
    """By method: planted documents named, and the behaviour after training without those named."""
    before = [row["before"] for row in rows]
    lines = [
        f"Before: {_mean(before)} nats, {len(rows)} seeds ({_each(before)}).",
        "",
        "| without the documents that ... names | planted among its first 24 | log-probability "
        "after training again | by seed |",
        "|---|---|---|---|",
    ]
    for method in rows[0]["methods"]:
        found = [row["methods"][method] for row in rows]
        named, planted = (sum(f[key] for f in found) for key in ("named", "planted"))
        after = [f["after"] for f in found]
        lines.append(f"| {method} | {named} of {planted} | {_mean(after)} | {_each(after)} |")
    return "\n".join(lines)


def scan(told: Mapping[str, Any]) -> str:
    """Ratios of CPU time by class of pattern, and what a pack of fifty costs."""
    heads = [f"{name}{f' (goal {goal})' if goal else ''}" for name, goal in PATTERN_GOALS.items()]
    lines = [f"| pattern | rg ms | {' | '.join(heads)} |", "|---" * (len(heads) + 2) + "|"]
    for name, row in told.items():
        if isinstance(row, dict):
            ratios = " | ".join(f"{row[head]:.2f}" for head in PATTERN_GOALS)
            lines.append(f"| {name} | {row['rg ms']} | {ratios} |")
    packs = [
        f"{name} against one (goal 1.3): {told[f'{name} / one, raw']:.2f} raw, "
        f"{told[f'{name} / one, zstd']:.2f} zstd, with {told[f'{name}: documents / one']:,.1f} "
        "times as many documents found."
        for name in ("50 patterns", "50 patterns, short ones too")
    ]
    return "\n".join(
        [
            f"{told['rg']}, {told['bytes'] / 1e6:.0f} MB of text, {told['repetitions']} rounds.",
            "",
            *lines,
            "",
            *packs,
        ]
    )


def scale(rows: Sequence[Mapping[str, Any]]) -> str:
    """CPU seconds and peak memory by size."""
    lines = ["| | text | CPU | CPU per GB | peak memory |", "|---|---|---|---|---|"]
    for row in rows:
        gigabytes = row["bytes"] / 1e9
        lines.append(
            f"| {row['what']} | {row['bytes'] / 1e6:,.0f} MB | {row['cpu_s']} s | "
            f"{row['cpu_s'] / gigabytes:.1f} s | {row['peak_mb']:,} MB |"
        )
    return "\n".join(lines)


def ray(told: Mapping[str, Any]) -> str:
    """Wall time by number of workers."""
    lines = [
        f"Ray {told['ray']}, {told['pieces']} pieces, {told['megabytes']} MB packed; hits equal.",
        "",
        "| pattern | one process | one worker | two workers | two / one (goal 1.6) |",
        "|---|---|---|---|---|",
    ]
    for name, row in told.items():
        if isinstance(row, dict):
            one, two, alone = (
                row[f"{who} s"] for who in ("one worker", "two workers", "one process")
            )
            lines.append(f"| {name} | {alone} s | {one} s | {two} s | {row['two / one']} |")
    return "\n".join(lines)


def organisms(rows: Sequence[Mapping[str, Any]]) -> str:
    """Precision at 20 by organism, and how many reach the goal by how they were taught."""
    ways = ("contrast", "clusters", "anti-join", "random")
    lines = [
        f"| taught by | organism | poisoned | {' | '.join(ways)} |",
        "|---" * (len(ways) + 3) + "|",
    ]
    for row in rows:
        shares = " | ".join(f"{row[way]:.2f}" for way in ways)
        name = f"{row['family']} {row['seed']}"
        lines.append(f"| {row['instill']} | {name} | {row['poisoned']:.3f} | {shares} |")
    lines.append("")
    for instill in dict.fromkeys(row["instill"] for row in rows):
        mine = [row for row in rows if row["instill"] == instill]
        one, other = (sum(row[way] >= PRECISION for row in mine) for way in ways[:2])
        either = sum(max(row[way] for way in ways[:2]) >= PRECISION for row in mine)
        lines.append(
            f"- {instill}: {PRECISION} reached by contrast in {one}, by clusters in {other}, "
            f"by one of the two in {either} of {len(mine)}."
        )
    return "\n".join(lines)


TABLES: dict[str, dict[str, tuple[str, Callable[[Any], str]]]] = {
    "corpus-search.md": {"search": ("search", speed), "attribution": ("attribution", truth)},
    "training-data.md": {
        "scan": ("corpus_scan", scan),
        "scale": ("corpus_scale", scale),
        "ray": ("corpus_ray", ray),
        "organisms": ("organisms", organisms),
    },
}


def write_tables() -> None:
    """Replaces what stands between the marks of each table."""
    for file, tables in TABLES.items():
        page = (DOCS / file).read_text()
        for mark, (result, table) in tables.items():
            rows = json.loads((HERE / "results" / f"{result}.json").read_text())
            head, opening, rest = page.partition(f"<!-- {mark} -->\n")
            _, closing, tail = rest.partition("<!-- end -->")
            page = head + opening + table(rows) + "\n" + closing + tail
        (DOCS / file).write_text(page)


def _amount(microseconds: float) -> str:
    if microseconds >= 1e6:
        return f"{microseconds / 1e6:.1f} s"
    if microseconds >= 1e3:
        return f"{microseconds / 1e3:.2f} ms"
    return f"{microseconds:.1f} us"


def _mean(values: Sequence[float]) -> str:
    return f"{statistics.mean(values):.2f}"


def _each(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.2f}" for value in values)


if __name__ == "__main__":
    write_tables()
