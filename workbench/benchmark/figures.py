"""A benchmark as Plotly specifications: what was found against what it cost, and how sure."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from workbench.benchmark.report import ALL
from workbench.report.figures import CONTROL, SUSPECT, label

LEAST_SECONDS = 0.1
"""Where the logarithmic axis begins."""
_TICKS = [part * 10**power for power in range(-1, 5) for part in (1, 2, 5)]


@dataclasses.dataclass(frozen=True, slots=True)
class Entrant:
    """A technique or an auditor. found, alarms: {value, n, ci} over organisms and over clean
    suspects, alarms None where there was none; seconds: median."""

    name: str
    seconds: float
    found: Mapping[str, Any]
    alarms: Mapping[str, Any] | None


def techniques(document: Mapping[str, Any]) -> list[Entrant]:
    """Those that came to their end on some organism, by what they hit, the best first; not all of
    them taken together."""
    return _ranked(
        Entrant(name, float(s["median_seconds"]), s["hits"], s["false_alarms"])
        for name, s in document.get("techniques", {}).items()
        if name != ALL and s["hits"] is not None and s.get("median_seconds") is not None
    )


def auditors(document: Mapping[str, Any]) -> list[Entrant]:
    """As `techniques`, by what they solved; seconds are those of a processor."""
    return _ranked(
        Entrant(name, float(s["cost"]["median_cpu_seconds"]), s["solved"], s["false_accusations"])
        for name, s in document.get("auditors", {}).items()
        if s["solved"] is not None and s["cost"]["median_cpu_seconds"] is not None
    )


def front(entrants: Sequence[Entrant]) -> list[Entrant]:
    """Those that nothing beats that costs no more (Pareto), the cheapest first."""
    kept: list[Entrant] = []
    for one in sorted(entrants, key=lambda e: (e.seconds, -e.found["value"])):
        if one.found["value"] > 0 and all(one.found["value"] > k.found["value"] for k in kept):
            kept.append(one)
    return kept


def told(entrants: Sequence[Entrant], what: str) -> str:
    """A title that says which finds most, and which does so at least cost."""
    if not entrants or entrants[0].found["value"] == 0:
        return f"None {what} anything"
    best = entrants[0].found["value"]
    equal = [one for one in entrants if one.found["value"] == best]
    cheapest = min(equal, key=lambda one: one.seconds)
    rate = cheapest.found
    among = f", the cheapest of {len(equal)} that do" if len(equal) > 1 else ""
    return (
        f"{cheapest.name} {what} {round(rate['value'] * rate['n'])} of {rate['n']} in "
        f"{cheapest.seconds:.1f} s{among}"
    )


def costs(entrants: Sequence[Entrant], seconds: str, found: str) -> dict[str, Any]:
    """Rates with their intervals over seconds (logarithmic): found, false alarms, and the front."""
    best = front(entrants)
    line = {
        "type": "scatter",
        "mode": "lines",
        "name": "nothing cheaper finds more",
        "x": [_at_least(one) for one in best],
        "y": [one.found["value"] for one in best],
        "line": {"color": SUSPECT, "dash": "dot", "width": 1, "shape": "hv"},
        "hoverinfo": "skip",
    }
    alarmed = [(one, one.alarms) for one in entrants if one.alarms is not None]
    names = {one.name for one in best}
    return {
        "data": [
            line,
            _rates("false alarms", alarmed, CONTROL, "circle-open", set()),
            _rates(found, [(one, one.found) for one in entrants], SUSPECT, "circle", names),
        ],
        "layout": {
            "height": 420,
            "margin": {"l": 56, "r": 16, "t": 28, "b": 48},
            "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
            "xaxis": {"title": {"text": f"{seconds} (log)"}, "type": "log", "tickvals": _TICKS},
            "yaxis": {"title": {"text": "share of suspects"}, "range": [-0.03, 1.09]},
        },
    }


def reliability(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Confidence against how often it was right, in bins, with intervals and the even line."""
    bins = summary["reliability"]["bins"]
    rights = [one["right"] for one in bins]
    even = {
        "type": "scatter", "mode": "lines", "name": "as sure as right", "x": [0, 1], "y": [0, 1],
        "line": {"color": CONTROL, "dash": "dash", "width": 1}, "hoverinfo": "skip",
    }  # fmt: skip
    points = {
        "type": "scatter",
        "mode": "markers",
        "name": "right",
        "x": [one["confidence"] for one in bins],
        "y": [right["value"] for right in rights],
        "text": [f"n = {right['n']}" for right in rights],
        "error_y": _bars(rights, SUSPECT),
        "marker": {"color": SUSPECT, "size": 10},
        "hovertemplate": "sure %{x:.2f}, right %{y:.2f}, %{text}<extra></extra>",
    }
    return {
        "data": [even, points],
        "layout": {
            "height": 340,
            "showlegend": False,
            "margin": {"l": 56, "r": 16, "t": 12, "b": 48},
            "xaxis": {"title": {"text": "confidence"}, "range": [-0.02, 1.02]},
            "yaxis": {"title": {"text": "share that was right"}, "range": [-0.03, 1.05]},
        },
    }


def _ranked(entrants: Any) -> list[Entrant]:
    return sorted(entrants, key=lambda one: (-one.found["value"], one.seconds, one.name))


def _rates(
    name: str,
    rates: Sequence[tuple[Entrant, Mapping[str, Any]]],
    colour: str,
    symbol: str,
    named: set[str],
) -> dict[str, Any]:
    values = [rate for _, rate in rates]
    return {
        "type": "scatter",
        "mode": "markers+text",
        "name": name,
        "x": [_at_least(one) for one, _ in rates],
        "y": [rate["value"] for rate in values],
        "text": [label(one.name) if one.name in named else "" for one, _ in rates],
        "customdata": [[label(one.name), rate["n"]] for one, rate in rates],
        "textposition": [_beside(one, rates) for one, _ in rates],
        "error_y": _bars(values, colour),
        "marker": {"color": colour, "size": 9, "symbol": symbol, "line": {"color": colour}},
        "hovertemplate": "%{customdata[0]}: %{y:.2f} of %{customdata[1]}, %{x:.1f} s<extra>"
        f"{name}</extra>",
    }


def _beside(one: Entrant, rates: Sequence[tuple[Entrant, Any]]) -> str:
    """Where a name has room: towards the middle of the axis."""
    logs = [math.log(_at_least(other)) for other, _ in rates]
    right = math.log(_at_least(one)) > (min(logs) + max(logs)) / 2
    return "top left" if right else "top right"


def _bars(rates: Sequence[Mapping[str, Any]], colour: str) -> dict[str, Any]:
    return {
        "type": "data",
        "symmetric": False,
        "array": [rate["ci"][1] - rate["value"] for rate in rates],
        "arrayminus": [rate["value"] - rate["ci"][0] for rate in rates],
        "color": colour,
        "thickness": 1,
        "width": 3,
    }


def _at_least(one: Entrant) -> float:
    return max(LEAST_SECONDS, one.seconds)
