"""Figures of a dose response."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workbench.report.figures import CONTROL, SUSPECT

ARMS = {"steered": "the direction", "random": "random", "like": "like the direction"}


def curve(doses: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The rate by dose and arm; crosses where the model no longer reads ordinary text."""
    before = doses[0]
    traces = []
    for arm, colour, dash in (
        ("random", CONTROL, "dash"), ("like", CONTROL, "dot"), ("steered", SUSPECT, "solid"),
    ):  # fmt: skip
        points = sorted([before, *(d for d in doses if d["arm"] == arm)], key=lambda d: d["dose"])
        plain = "circle" if arm == "steered" else "circle-open"
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": ARMS[arm],
                "x": [d["dose"] for d in points],
                "y": [d["rate"] for d in points],
                "error_y": {
                    "type": "data",
                    "symmetric": False,
                    "array": [d["interval"][1] - d["rate"] for d in points],
                    "arrayminus": [d["rate"] - d["interval"][0] for d in points],
                    "color": colour,
                    "thickness": 1.5 if arm == "steered" else 1,
                    "width": 4,
                },
                "line": {"color": colour, "dash": dash},
                "marker": {
                    "color": colour,
                    "size": 9,
                    "symbol": [plain if d["coherent"] else "x-thin" for d in points],
                    "line": {"width": 2, "color": colour},
                },
                "hovertemplate": f"{ARMS[arm]}, dose %{{x}}: %{{y:.2f}}<extra></extra>",
            }
        )
    return {
        "data": traces,
        "layout": {
            "height": 340,
            "margin": {"l": 56, "r": 16, "t": 28, "b": 48},
            "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
            "xaxis": {"title": {"text": "dose"}},
            "yaxis": {"title": {"text": "share of replies"}, "range": [-0.03, 1.03]},
        },
    }


def coherence(doses: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The perplexity ratio by dose and arm, with the bound."""
    traces: list[dict[str, Any]] = []
    for arm, colour, dash in (
        ("random", CONTROL, "dash"), ("like", CONTROL, "dot"), ("steered", SUSPECT, "solid"),
    ):  # fmt: skip
        points = sorted([doses[0], *(d for d in doses if d["arm"] == arm)], key=lambda d: d["dose"])
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": ARMS[arm],
                "x": [d["dose"] for d in points],
                "y": [d["perplexity_ratio"] for d in points],
                "line": {"color": colour, "dash": dash},
                "marker": {"symbol": "circle" if arm == "steered" else "circle-open"},
            }
        )
    ends = [min(d["dose"] for d in doses), max(d["dose"] for d in doses)]
    bound = {
        "type": "scatter", "mode": "lines", "name": "bound", "x": ends, "y": [1.2, 1.2],
        "line": {"color": "@danger", "dash": "dot", "width": 1}, "hoverinfo": "skip",
    }  # fmt: skip
    return {
        "data": [*traces, bound],
        "layout": {
            "height": 240,
            "margin": {"l": 56, "r": 16, "t": 28, "b": 48},
            "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
            "xaxis": {"title": {"text": "dose"}},
            "yaxis": {"title": {"text": "perplexity ratio (log)"}, "type": "log",
                      "tickvals": [0.5, 1, 1.2, 2, 5, 10, 100, 1000]},
        },
    }  # fmt: skip
