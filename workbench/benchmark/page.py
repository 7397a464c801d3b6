"""A benchmark as one HTML page: tables, reliability plots and costs against what is solved."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

from workbench.benchmark.report import notes, tables

_SIZE, _EDGE = 260, 34
_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; }
table { border-collapse: collapse; margin: 0 0 1.5rem; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid color-mix(in srgb, currentColor 25%, transparent);
  padding: .3rem .7rem; text-align: left; vertical-align: top; }
th { font-weight: 600; }
.wide { overflow-x: auto; }
figure { display: inline-block; margin: 0 1.5rem 1.5rem 0; }
figcaption { font-size: .9rem; }
svg text { font: 11px system-ui, sans-serif; fill: currentColor; }
.axis { stroke: currentColor; stroke-opacity: .5; }
.even { stroke: currentColor; stroke-opacity: .35; stroke-dasharray: 4 4; }
.bar { stroke: #3b6ea8; stroke-width: 2; }
.dot { fill: #3b6ea8; }
"""


def page(document: Mapping[str, Any]) -> str:
    """The page; nothing in it is loaded from anywhere, and every text is escaped."""
    parts = ["<h1>Benchmark</h1>"]
    for table in tables(document):
        parts.append(f"<h2>{_text(table.title)}</h2>")
        parts.append(_table(table.columns, table.rows))
        if table.title == "Auditors":
            parts += _figures(document["auditors"])
    parts += [f"<p>{_text(note)}</p>" for note in notes(document)]
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width">'
        f"<title>Benchmark</title><style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _figures(auditors: Mapping[str, Any]) -> list[str]:
    made = [
        _figure(_reliability(summary["reliability"]["bins"]), f"{name}: confidence against right")
        for name, summary in auditors.items()
        if summary["reliability"]["bins"]
    ]
    points = [
        (name, float(summary["cost"]["median_cpu_seconds"]), float(summary["solved"]["value"]))
        for name, summary in auditors.items()
        if summary["solved"] and summary["cost"]["median_cpu_seconds"] is not None
    ]
    if len(points) > 1:
        made.append(_figure(_costs(points), "Solved against median CPU seconds (logarithmic)"))
    return made


def _reliability(bins: Sequence[Mapping[str, Any]]) -> str:
    """Dots with their intervals beside the line on which confidence is what it says."""
    marks = [_line(0, 0, 1, 1, "even")]
    for one in bins:
        x, right = one["confidence"], one["right"]
        low, high = right["ci"]
        marks.append(_line(x, low, x, high, "bar"))
        told = f"{right['value']:.2f} of {right['n']}"
        marks.append(_dot(x, right["value"], told))
    return _plot(marks, "confidence", "right", ("0", "1"))


def _costs(points: Sequence[tuple[str, float, float]]) -> str:
    logs = [math.log10(max(0.1, seconds)) for _, seconds, _ in points]
    low, high = min(logs) - 0.1, max(logs) + 0.1
    marks = []
    for (name, seconds, solved), log in zip(points, logs, strict=True):
        x = (log - low) / (high - low)
        marks.append(_dot(x, solved, f"{name}: {solved:.2f} in {seconds:.1f} s"))
        marks.append(_label(x, solved, name))
    return _plot(marks, "CPU seconds", "solved", (f"{10**low:.1f}", f"{10**high:.1f}"))


def _plot(marks: Sequence[str], x: str, y: str, ends: tuple[str, str]) -> str:
    inner = _SIZE - 2 * _EDGE
    axes = _line(0, 0, 1, 0, "axis") + _line(0, 0, 0, 1, "axis")
    words = (
        f'<text x="{_EDGE}" y="{_SIZE - 18}">{_text(ends[0])}</text>'
        f'<text x="{_SIZE - _EDGE}" y="{_SIZE - 18}" text-anchor="end">{_text(ends[1])}</text>'
        f'<text x="{_EDGE + inner / 2}" y="{_SIZE - 4}" text-anchor="middle">{_text(x)}</text>'
        f'<text x="4" y="{_EDGE - 10}">{_text(y)}, 1 at the top</text>'
    )
    return (
        f'<svg role="img" width="{_SIZE}" height="{_SIZE}" viewBox="0 0 {_SIZE} {_SIZE}">'
        f"{axes}{''.join(marks)}{words}</svg>"
    )


def _figure(svg: str, caption: str) -> str:
    return f"<figure>{svg}<figcaption>{_text(caption)}</figcaption></figure>"


def _at(x: float, y: float) -> tuple[float, float]:
    inner = _SIZE - 2 * _EDGE
    return round(_EDGE + x * inner, 1), round(_SIZE - _EDGE - y * inner, 1)


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    (a, b), (c, d) = _at(x1, y1), _at(x2, y2)
    return f'<line class="{kind}" x1="{a}" y1="{b}" x2="{c}" y2="{d}"/>'


def _dot(x: float, y: float, told: str) -> str:
    a, b = _at(x, y)
    return f'<circle class="dot" cx="{a}" cy="{b}" r="4"><title>{_text(told)}</title></circle>'


def _label(x: float, y: float, name: str) -> str:
    a, b = _at(x, y)
    anchor = "end" if x > 0.6 else "start"
    shift = -7 if x > 0.6 else 7
    return f'<text x="{a + shift}" y="{b - 6}" text-anchor="{anchor}">{_text(name)}</text>'


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{_text(column)}</th>' for column in columns)
    body = "".join(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>'


def _text(text: str) -> str:
    from workbench.report.inert import inert_line

    return html.escape(inert_line(str(text)))
