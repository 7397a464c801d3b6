"""Writes the tables of docs/corpus-search.md from benchmarks/results.

python benchmarks/search_tables.py
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "corpus-search.md"


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


def write_tables() -> None:
    """Replaces what stands between the marks of each table."""
    page = PAGE.read_text()
    for name, table in (("search", speed), ("attribution", truth)):
        rows = json.loads((HERE / "results" / f"{name}.json").read_text())
        head, opening, rest = page.partition(f"<!-- {name} -->\n")
        _, closing, tail = rest.partition("<!-- end -->")
        page = head + opening + table(rows) + "\n" + closing + tail
    PAGE.write_text(page)


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
