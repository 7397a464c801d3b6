"""The charts of the linter and of what is read from tables of raters, tests and audits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from workbench.rewards import gaps as gap_board
from workbench.rewards import pareto
from workbench.rewards.assisted import Condition
from workbench.rewards.charts import Chart, Drawing, Series
from workbench.rewards.detection import Curve
from workbench.rewards.linter import Lint, Way
from workbench.rewards.preferences import Bin
from workbench.rewards.quantiles import QuantileLine

SHOWN_ITEMS = 30


def loops(found: Lint) -> tuple[Drawing, ...]:
    """What each way pays per step, beside the way to finish."""
    shown = list(found.exploits) or ([found.worst] if found.worst else [])
    bars = [
        Series(
            "never finishing",
            tuple(label(way) for way in shown),
            tuple(way.rate for way in shown),
            shape="bars",
        )
    ]
    if found.finish is not None:
        bars.append(
            Series(
                "finishing",
                (label(found.finish),),
                (found.finish.rate,),
                shape="bars",
                control=True,
            )
        )
    if found.verdict == "exploit":
        title = f"{len(shown)} way{'s' * (len(shown) != 1)} to never finish pay more than finishing"
    else:
        title = "No cycle pays more than finishing"
    return (
        Chart(
            title=title,
            x_label="way through the world",
            y_label="reward per step, undiscounted",
            series=tuple(bars),
            how_to_read="a loop pays its rate for ever, a finish only once: compare the returns in "
            f"the table at discount {found.discount:g}"
            + (f" within {found.horizon} steps." if found.horizon else "."),
        ),
    )


def frontier(found: pareto.Board) -> tuple[Drawing, ...]:
    """Detection against cost with the hull; what is off the hull is grey."""
    corners = sorted((p for p in found.points if p.hull), key=lambda p: p.cost)
    series = [_dots(point) for point in found.points]
    path = _mixtures(corners)
    series.append(Series("mixtures on the frontier", *path, dashed=True))
    series += [_ellipse(point) for point in found.points if _spread(point)]
    off = sum(not point.hull for point in found.points)
    trades = (_trades(found.curves),) if found.curves else ()
    return (
        Chart(
            title=f"{len(corners)} on the frontier of cost and detection, {off} below it",
            x_label="mean cost of an audit, in the unit of the table",
            y_label="AUROC of the score, 95 % interval",
            series=tuple(series),
            how_to_read="choosing at random between two techniques reaches the dashed line between "
            "them; a grey technique is never worth its cost. Dotted rings hold 95 % of the "
            f"{found.resamples} resamples of suspects.",
        ),
        *trades,
    )


def _trades(curves: Sequence[Curve]) -> Chart:
    return Chart(
        title="What a hit costs in false alarms",
        x_label="false alarms, share of suspects with nothing to hide",
        y_label="hits, share of suspects that hide an objective",
        series=(
            *(Series(curve.name, curve.false_alarms, curve.hits) for curve in curves),
            Series("guessing", (0.0, 1.0), (0.0, 1.0), control=True, dashed=True),
        ),
        how_to_read="each point is a threshold; a curve on the dashed line says nothing.",
    )


def _dots(point: pareto.Point) -> Series:
    low, high = point.value_interval
    return Series(
        point.name,
        (point.cost,),
        (point.value,),
        (low,),
        (high,),
        shape="points",
        control=not point.hull,
    )


def _mixtures(corners: list[pareto.Point]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return tuple(p.cost for p in corners), tuple(p.value for p in corners)


def _spread(point: pareto.Point) -> bool:
    return min(b - a for a, b in (point.cost_interval, point.value_interval)) > 0


def _ellipse(point: pareto.Point) -> Series:
    """The 95 % ellipse of a normal with the spreads and the correlation of the resamples."""
    wide, high = ((b - a) / 3.92 for a, b in (point.cost_interval, point.value_interval))
    radius, r = math.sqrt(5.991), point.correlation
    turns = [2 * math.pi * i / 40 for i in range(41)]
    x = tuple(point.cost + radius * wide * math.cos(t) for t in turns)
    y = tuple(
        point.value + radius * high * (r * math.cos(t) + math.sqrt(max(0, 1 - r * r)) * math.sin(t))
        for t in turns
    )
    return Series(f"95 % of {point.name}", x, y, control=True, dashed=True)


def gaps(found: gap_board.Board) -> tuple[Drawing, ...]:
    """The gap against what honest incompetence leaves; and against size, with its upper tail."""
    solvers = list(dict.fromkeys(gap.solver for gap in found.gaps))
    flagged = sum(gap.verdict.startswith("more") for gap in found.gaps)
    top = max(max((gap.expected for gap in found.gaps), default=0.0), 0.05)
    shown = [
        Chart(
            title=f"{flagged} of {len(found.gaps)} gaps are more than brittleness explains",
            x_label="gap that honest incompetence leaves, p - p^m",
            y_label="gap D = pass rate on visible tests - on held-out tests",
            series=(
                *(_gap_dots([g for g in found.gaps if g.solver == name]) for name in solvers),
                Series("honest incompetence", (0.0, top), (0.0, top), control=True, dashed=True),
            ),
            how_to_read="a point on the line is as brittle as its visible tests say; one whose "
            "95 % interval lies above it passes visible tests that it has not solved.",
        )
    ]
    if found.line is not None:
        shown.append(_by_size(found, solvers, found.line))
    return tuple(shown)


def _gap_dots(mine: list[gap_board.Gap]) -> Series:
    return Series(
        mine[0].solver,
        tuple(gap.expected for gap in mine),
        tuple(gap.gap for gap in mine),
        tuple(gap.expected + gap.interval[0] for gap in mine),
        tuple(gap.expected + gap.interval[1] for gap in mine),
        shape="points",
    )


def _by_size(found: gap_board.Board, solvers: list[str], line: QuantileLine) -> Chart:
    sized = [gap for gap in found.gaps if gap.size]
    ends = sorted(gap.size or 1.0 for gap in sized)[:: max(1, len(sized) - 1)]
    low, high = line.slope_interval
    return Chart(
        title=f"The upper tail of the gap grows by {line.slope:.2f} for ten times the size",
        x_label="size of the solution, lines",
        y_label="gap D",
        series=(
            *(
                Series(
                    name,
                    tuple(gap.size or 1.0 for gap in sized if gap.solver == name),
                    tuple(gap.gap for gap in sized if gap.solver == name),
                    shape="points",
                )
                for name in solvers
            ),
            Series(
                "90th percentile",
                tuple(ends),
                tuple(line.intercept + line.slope * math.log10(size) for size in ends),
                dashed=True,
            ),
        ),
        how_to_read=f"the slope is {line.slope:.3f} a decade (95 % {low:.3f} to {high:.3f}, "
        f"n = {line.n}); a tail, not the typical gap.",
        log_x=True,
    )


def assisted(found: Mapping[str, Sequence[Condition]]) -> tuple[Drawing, ...]:
    """What each critic adds to the accuracy of the evaluator alone."""
    series = []
    for name, conditions in found.items():
        shown = [c for c in conditions if c.uplift is not None and c.interval is not None]
        series.append(
            Series(
                name,
                tuple(c.name for c in shown),
                tuple(c.uplift or 0.0 for c in shown),
                tuple(c.interval[0] for c in shown if c.interval),
                tuple(c.interval[1] for c in shown if c.interval),
                shape="bars",
            )
        )
    n = max((c.accuracy.n for conditions in found.values() for c in conditions), default=0)
    rows = [c for conditions in found.values() for c in conditions if c.uplift is not None]
    critics = tuple(dict.fromkeys(c.name for c in rows))
    alone = Series("evaluator alone (control)", critics, (0.0,) * len(critics), control=True)
    helps, harms = (sum(c.verdict == word for c in rows) for word in ("helps", "harms"))
    return (
        Chart(
            title=f"{helps} of {len(rows)} critics help a weak evaluator, {harms} harm it",
            x_label="critic",
            y_label=f"accuracy with the critic - accuracy alone (n = {n} responses)",
            series=(*series, alone),
            how_to_read="0 is the evaluator alone on the same responses; intervals are 95 %, "
            "paired. Below 0 the critic makes verdicts worse than none would.",
        ),
    )


def calibration(bins: Sequence[Bin]) -> tuple[Drawing, ...]:
    """Predicted against observed preference on answers held out in turn."""
    return (
        Chart(
            title="How often held-out answers are as predicted",
            x_label="predicted chance that a is preferred",
            y_label="share of answers that preferred a, 95 % interval",
            series=(
                Series(
                    "held-out answers",
                    tuple(found.predicted for found in bins),
                    tuple(found.observed.value for found in bins),
                    tuple(found.observed.interval[0] for found in bins),
                    tuple(found.observed.interval[1] for found in bins),
                    shape="points",
                ),
                Series("perfect calibration", (0.0, 1.0), (0.0, 1.0), control=True, dashed=True),
            ),
            how_to_read="points on the dashed line are calibrated; flatter than it: the rater is "
            "noisier than the model assumes.",
        ),
    )


def label(way: Way) -> str:
    """A way's kind, its length and its first states."""
    states = " > ".join(way.states[:4]) + (" > …" if len(way.states) > 4 else "")
    return f"{way.kind} of {way.steps}: {states}"


def rewards(found: Mapping[str, float]) -> Chart:
    """The learned rewards of the best and the worst items."""
    order = sorted(found, key=lambda name: -found[name])
    half = SHOWN_ITEMS // 2
    names = order if len(order) <= SHOWN_ITEMS else [*order[:half], *order[-half:]]
    cut = "" if len(names) == len(order) else f", best and worst {half} of {len(order)} items"
    return Chart(
        title=f"{order[0]} is rated highest, {order[-1]} lowest",
        x_label=f"item{cut}",
        y_label="learned reward (mean 0, unit spread)",
        series=(
            Series("learned", tuple(names), tuple(found[n] for n in names), shape="bars"),
            Series("mean item (control)", tuple(names), (0.0,) * len(names), control=True),
        ),
        how_to_read="only differences between items that a chain of answers connects mean "
        "anything.",
    )
