"""Plotly specifications of the charts that instruments return, and a page of them."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workbench import __version__
from workbench.report.figures import CONTROL, OTHERS, SUSPECT, label
from workbench.report.inert import inert_line
from workbench.report.page import environment, put, script_hashes, scripts
from workbench.report.page import part as page_part
from workbench.rewards.charts import Chart, Drawing, HeatMap, Mark, Series

PAPER, INK = "@paper", "@ink"
LONGEST_AXIS_LINE = 46
"""Characters of an axis title before it goes on below: a plot of 400 pixels shows no more."""


def write_charts(
    out: Path, heading: str, charts: Sequence[Drawing], *, facts: Sequence[tuple[str, str]] = ()
) -> Path:
    """Writes `charts_page`; raises ConfigError where `out` cannot be written."""
    return put(charts_page(heading, charts, facts=facts), out, option="--figure")


def charts_page(
    heading: str, charts: Sequence[Drawing], *, facts: Sequence[tuple[str, str]] = ()
) -> str:
    """HTML that is complete in itself: each chart with the numbers behind it.

    facts: (name, value) pairs under the heading.
    """
    code = scripts()
    page: str = (
        environment()
        .from_string(page_part("charts.html"))
        .render(
            heading=heading,
            facts=facts,
            charts=[_view(chart) for chart in charts],
            version=__version__,
            style=page_part("page.css"),
            scripts=code,
            script_hashes=script_hashes(code),
        )
    )
    return page


def spec(chart: Drawing) -> dict[str, Any]:
    """The Plotly JSON of one chart; colours are names that the page resolves."""
    return _heat_map(chart) if isinstance(chart, HeatMap) else _chart(chart)


def _view(chart: Drawing) -> dict[str, Any]:
    heads, rows = numbers(chart)
    return {
        "title": chart.title,
        "how_to_read": chart.how_to_read,
        "spec": spec(chart),
        "heads": heads,
        "rows": rows,
    }


def numbers(chart: Drawing) -> tuple[list[str], list[list[object]]]:
    """The heads and the rows of the table behind a chart; empty where there is no value."""
    if isinstance(chart, HeatMap):
        heads = [chart.y_label, *chart.x]
        rows: list[list[object]] = [
            [name, *values] for name, values in zip(chart.y, chart.values, strict=True)
        ]
    else:
        heads = ["series", chart.x_label, chart.y_label, "95 % low", "95 % high"]
        rows = [row for series in chart.series for row in _rows(series)]
    return heads, [["" if value is None else value for value in row] for row in rows]


def _rows(series: Series) -> list[list[object]]:
    none = ("",) * len(series.y)
    columns = (series.x, series.y, series.low or none, series.high or none)
    return [[series.name, *values] for values in zip(*columns, strict=True)]


def _chart(chart: Chart) -> dict[str, Any]:
    others = iter((SUSPECT, *OTHERS) * (1 + len(chart.series)))
    traces: list[dict[str, Any]] = []
    for series in chart.series:
        traces += _traces(series, CONTROL if series.control else next(others))
    shapes, notes = [], []
    for mark in chart.marks:
        made = _mark(mark, chart.log_x)
        shapes += made[0]
        notes += made[1]
    return {
        "data": traces,
        "layout": {
            "height": 400,
            "barmode": "group",
            "showlegend": len(chart.series) > 1,
            "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
            "margin": {"l": 64, "r": 20, "t": 48, "b": 56},
            "xaxis": _axis(chart.x_label, chart.log_x),
            "yaxis": _axis(chart.y_label, chart.log_y),
            "shapes": shapes,
            "annotations": notes,
        },
    }


def _axis(text: str, log: bool) -> dict[str, Any]:
    flat = inert_line(text)
    even = math.ceil(len(flat) / math.ceil(max(1, len(flat)) / LONGEST_AXIS_LINE))
    lines = textwrap.wrap(flat, min(LONGEST_AXIS_LINE, even + 8)) or [""]
    shown = "<br>".join(label(line) for line in lines)
    axis: dict[str, Any] = {"title": {"text": shown}, "automargin": True}
    return {**axis, "type": "log"} if log else axis


def _traces(series: Series, colour: str) -> list[dict[str, Any]]:
    x = [label(v) if isinstance(v, str) else v for v in series.x]
    named: dict[str, Any] = {"name": label(series.name), "legendgroup": series.name, "x": x}
    bounded = len(series.low) == len(series.y) > 0
    if series.shape == "line":
        style = {"color": colour, "dash": "dash" if series.control or series.dashed else "solid"}
        line = {**named, "type": "scatter", "mode": "lines", "y": list(series.y), "line": style}
        if not bounded:
            return [line]
        edge = {**named, "type": "scatter", "mode": "lines", "line": {"width": 0, "color": colour}}
        hidden = {"showlegend": False, "hoverinfo": "skip", "opacity": 0.35}
        low = {**edge, **hidden, "y": list(series.low)}
        high = {**edge, **hidden, "y": list(series.high), "fill": "tonexty"}
        return [low, high, line]
    made: dict[str, Any] = {**named, "y": list(series.y)}
    if bounded:
        made["error_y"] = {
            "type": "data",
            "symmetric": False,
            "array": [h - y for h, y in zip(series.high, series.y, strict=True)],
            "arrayminus": [y - w for y, w in zip(series.y, series.low, strict=True)],
            "color": colour,
            "thickness": 1.5,
        }
    if series.shape == "points":
        symbol = "circle-open" if series.control else "circle"
        marker = {"color": colour, "symbol": symbol, "size": 8}
        return [{**made, "type": "scatter", "mode": "markers", "marker": marker}]
    pattern = {"shape": "/" if series.control else "", "fillmode": "replace", "fgcolor": colour}
    return [{**made, "type": "bar", "marker": {"color": colour, "pattern": pattern}}]


def _mark(mark: Mark, log: bool) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    tall: dict[str, Any] = {"yref": "paper", "y0": 0, "y1": 1}
    line = {"color": INK, "width": 1.5, "dash": "dot"}
    shapes = [{**tall, "type": "line", "x0": mark.x, "x1": mark.x, "line": line}]
    if mark.low is not None and mark.high is not None:
        band = {"x0": mark.low, "x1": mark.high, "fillcolor": INK, "opacity": 0.1}
        shapes.append({**tall, **band, "type": "rect", "line": {"width": 0}})
    # annotations sit on a logarithmic axis by their exponent, shapes by their value
    x = math.log10(mark.x) if log and mark.x > 0 else mark.x
    note = {"x": x, "y": 1, "yref": "paper", "yanchor": "top", "xanchor": "left"}
    return shapes, [{**note, "text": label(mark.label), "showarrow": False}]


def _heat_map(chart: HeatMap) -> dict[str, Any]:
    numbers = [abs(v) for row in chart.values for v in row if v is not None]
    widest = max(numbers, default=1.0) or 1.0
    return {
        "data": [
            {
                "type": "heatmap",
                "x": [label(v) for v in chart.x],
                "y": [label(v) for v in chart.y],
                "z": [list(row) for row in chart.values],
                "zmin": -widest,
                "zmax": widest,
                "colorscale": [[0, OTHERS[0]], [0.5, PAPER], [1, SUSPECT]],
                "colorbar": {"title": {"text": label(chart.value_label), "side": "right"}},
                "hoverongaps": False,
            }
        ],
        "layout": {
            "height": 140 + 28 * len(chart.y),
            "margin": {"l": 64, "r": 20, "t": 24, "b": 56},
            "xaxis": {**_axis(chart.x_label, False), "type": "category"},
            "yaxis": {**_axis(chart.y_label, False), "type": "category", "autorange": "reversed"},
        },
    }
