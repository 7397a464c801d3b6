"""Charts: what the page holds, and that labels from outside act on nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from workbench.errors import ConfigError
from workbench.report.charts import spec, write_charts
from workbench.rewards.charts import Chart, HeatMap, Mark, Series

HOSTILE = "<img src=x onerror=alert(1)>\x1b[31m"
CHART = Chart(
    title=f"A finding {HOSTILE}",
    x_label="n, samples",
    y_label="gold, units",
    series=(
        Series("gold", (1.0, 2.0), (3.0, 4.0), (2.5, 3.5), (3.5, 4.5)),
        Series("shuffled (control)", (1.0, 2.0), (1.0, 1.0), shape="points", control=True),
        Series(HOSTILE, ("a", "b"), (1.0, 2.0), (0.5, 1.5), (1.5, 2.5), shape="bars"),
    ),
    marks=(Mark(2.0, "stop", 1.5, 2.5),),
    how_to_read="up is good",
    log_x=True,
)
GRID = HeatMap("Grid", "context", "edit", "reward", ("law",), ("a", "b"), ((0.5,), (None,)))


def test_bands_controls_and_marks_are_drawn() -> None:
    made = spec(CHART)
    assert json.loads(json.dumps(made)) == made
    low, high, line, control, bars = made["data"]
    assert (high["fill"], line["y"]) == ("tonexty", [3.0, 4.0]) and low["showlegend"] is False
    assert control["marker"] == {"color": "@control", "symbol": "circle-open", "size": 8}
    assert bars["error_y"]["array"] == [0.5, 0.5] and "<img" not in bars["name"]
    rule, band = made["layout"]["shapes"]
    assert (rule["x0"], band["x0"], band["x1"]) == (2.0, 1.5, 2.5)
    assert made["layout"]["xaxis"]["type"] == "log"
    assert made["layout"]["annotations"][0]["x"] == pytest.approx(0.30103)
    assert made["layout"]["xaxis"]["title"]["text"] == "n, samples"


def test_a_heat_map_has_a_scale_around_zero() -> None:
    (made,) = spec(GRID)["data"]
    assert (made["zmin"], made["zmax"], made["z"]) == (-0.5, 0.5, [[0.5], [None]])


def test_the_page_is_complete_and_inert(tmp_path: Path) -> None:
    out = write_charts(
        tmp_path / "new" / "x.html", f"Meter {HOSTILE}", [CHART, GRID], facts=[("n", "2")]
    )
    page = out.read_text()
    assert "<img" not in page.replace("&lt;img", "") and "\x1b" not in page
    assert page.count('class="plot"') == 2 and "How to read this: up is good" in page
    assert "default-src 'none'" in page and "95 % low" in page
    with pytest.raises(ConfigError, match="cannot write"):
        write_charts(tmp_path / "new" / "x.html" / "y.html", "x", [GRID])
