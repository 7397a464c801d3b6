"""Plotly specifications of measurements and figures, as plain JSON.

Colours are names ("@suspect") that the page resolves in its light or dark theme. Plotly reads a
small HTML in every label, so each text from outside is escaped before it goes in.
"""

from __future__ import annotations

import html
from typing import Any

from workbench.findings import Figure, Measurement
from workbench.report.inert import inert_line

SUSPECT, CONTROL = "@suspect", "@control"
OTHERS = ("@third", "@fourth", "@fifth", "@sixth")
LONGEST_LABEL = 80


def measurement(evidence: Measurement) -> dict[str, Any]:
    """Value and control, each a mark with its 95 % interval; rates on an axis that starts at 0."""
    rows = (
        ("control", evidence.control_value, evidence.control_interval, CONTROL, "circle-open"),
        ("suspect", evidence.value, evidence.interval, SUSPECT, "circle"),
    )
    axis: dict[str, Any] = {"title": {"text": label(evidence.unit)}, "zeroline": False}
    if evidence.unit == "rate":
        widest = max(evidence.interval[1], evidence.control_interval[1])
        top = 1.0 if widest > 0.4 else max(1.25 * widest, 0.01)
        axis["range"] = [-0.02 * top, 1.02 * top]
    return {
        "data": [
            {
                "type": "scatter",
                "mode": "markers",
                "x": [value],
                "y": [name],
                "error_x": {
                    "type": "data",
                    "symmetric": False,
                    "array": [interval[1] - value],
                    "arrayminus": [value - interval[0]],
                    "thickness": 2.5,
                    "width": 7,
                    "color": colour,
                },
                "marker": {
                    "color": colour,
                    "size": 12,
                    "symbol": symbol,
                    "line": {"width": 2.5, "color": colour},
                },
                "name": name,
                "hovertemplate": f"{name}: %{{x:.3f}}<extra></extra>",
            }
            for name, value, interval, colour, symbol in rows
        ],
        "layout": {
            "height": 165,
            "showlegend": False,
            "margin": {"l": 70, "r": 16, "t": 8, "b": 44},
            "xaxis": axis,
            "yaxis": {"type": "category", "range": [-0.6, 1.6], "fixedrange": True},
        },
    }


def figure(evidence: Figure) -> dict[str, Any]:
    """Bars, lines or points, one trace a series; a control is hatched, dashed or hollow."""
    kinds = {"bar": _bar, "line": _line, "scatter": _points}
    others = iter(OTHERS * (1 + len(evidence.series) // len(OTHERS)))
    x = [label(v) if isinstance(v, str) else v for v in evidence.x]
    traces = []
    for name in sorted(evidence.series, key=_rank):
        rank = _rank(name)
        colour = {0: SUSPECT, 2: CONTROL}.get(rank) or next(others)
        style = kinds[evidence.kind](colour, rank == 2)
        values = list(evidence.series[name])
        traces.append({**style, "x": x, "y": values, "name": label(name)})
    return {
        "data": traces,
        "layout": {
            "height": 320,
            "barmode": "group",
            "showlegend": len(traces) > 1,
            "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
            "margin": {"l": 60, "r": 16, "t": 36, "b": 56},
            "xaxis": {"title": {"text": label(evidence.x_label)}, "automargin": True},
            "yaxis": {"title": {"text": label(evidence.y_label)}, "automargin": True},
        },
    }


def _rank(series: str) -> int:
    """0: the suspect's own series; 1: any other; 2: a control."""
    words = series.lower()
    if any(word in words for word in ("control", "reference", "base")):
        return 2
    return 0 if "suspect" in words else 1


def _bar(colour: str, control: bool) -> dict[str, Any]:
    pattern = {"shape": "/" if control else "", "fillmode": "replace", "fgcolor": colour}
    return {"type": "bar", "marker": {"color": colour, "pattern": pattern}}


def _line(colour: str, control: bool) -> dict[str, Any]:
    dash = "dash" if control else "solid"
    return {"type": "scatter", "mode": "lines", "line": {"color": colour, "dash": dash}}


def _points(colour: str, control: bool) -> dict[str, Any]:
    symbol = "circle-open" if control else "circle"
    return {
        "type": "scatter",
        "mode": "markers",
        "marker": {"color": colour, "symbol": symbol, "size": 8},
    }


def label(text: str) -> str:
    """One line, escaped, of at most LONGEST_LABEL characters."""
    line = inert_line(text)
    return html.escape(line if len(line) <= LONGEST_LABEL else line[: LONGEST_LABEL - 1] + "…")
