"""What an instrument shows, as data: `workbench.report.charts` draws it."""

from __future__ import annotations

import dataclasses
from typing import Literal, TypeAlias


@dataclasses.dataclass(frozen=True, slots=True)
class Series:
    """Values over x with their 95 % intervals (`low`, `high`: as long as `y`, or empty).

    control: drawn dashed, hollow or hatched, in grey. dashed: a theory or a bound rather than
    a measurement.
    """

    name: str
    x: tuple[float | str, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    shape: Literal["line", "points", "bars"] = "line"
    control: bool = False
    dashed: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Mark:
    """A value on the x axis that matters, with its 95 % interval where there is one."""

    x: float
    label: str
    low: float | None = None
    high: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Chart:
    """A plot for a slide: `title` says the finding, the labels carry units and n."""

    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    marks: tuple[Mark, ...] = ()
    how_to_read: str = ""
    log_x: bool = False
    log_y: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class HeatMap:
    """Values on a grid: `values[i][j]` belongs to `y[i]` and `x[j]`; None where there is none."""

    title: str
    x_label: str
    y_label: str
    value_label: str
    x: tuple[str, ...]
    y: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]
    how_to_read: str = ""


Drawing: TypeAlias = Chart | HeatMap
