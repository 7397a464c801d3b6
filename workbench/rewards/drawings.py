"""The charts of each instrument, made from what it returned."""

from __future__ import annotations

import math
from collections.abc import Sequence

from workbench.rewards.best_of_n import Estimate, Meter
from workbench.rewards.biases import EVERYWHERE, Scan
from workbench.rewards.charts import Chart, Drawing, HeatMap, Mark, Series
from workbench.rewards.generalisation import Difference, Generalisation
from workbench.rewards.overoptimization import Curve
from workbench.rewards.tails import Report


def best_of_n(meter: Meter) -> tuple[Drawing, ...]:
    """Gold, proxy and control against sqrt(KL); then the textbook KL beside what ties leave."""
    return _gains(meter), _divergences(meter)


def _gains(meter: Meter) -> Chart:
    first = meter.points[0]
    x = tuple(math.sqrt(point.kl) for point in meter.points)

    def gain(name: str, values: list[Estimate], spread: float, control: bool = False) -> Series:
        unit, zero = spread or 1.0, values[0].value
        return Series(
            name,
            x,
            tuple((v.value - zero) / unit for v in values),
            tuple((v.low - zero) / unit for v in values),
            tuple((v.high - zero) / unit for v in values),
            control=control,
        )

    gold = [point.gold for point in meter.points]
    if meter.verdict == "declines":
        title = f"Gold falls after n = {meter.decline_from} while the proxy rises"
    elif meter.verdict == "undetermined":
        title = "Too few prompts to say whether gold declines"
    else:
        title = f"Gold does not decline up to n = {meter.points[-1].n}"
    return Chart(
        title=title,
        x_label="distance from the base policy, sqrt(KL in nats), ties counted as atoms",
        y_label=f"gain over n = {first.n}, in base standard deviations "
        f"({meter.prompts} prompts, {meter.rows} samples)",
        series=(
            gain("gold", gold, meter.gold_spread),
            gain("proxy", [point.proxy for point in meter.points], meter.proxy_spread),
            gain(
                "gold by a shuffled proxy (control)",
                [point.control for point in meter.points],
                meter.gold_spread,
                control=True,
            ),
        ),
        how_to_read="each step to the right picks the best of twice as many samples; bands are "
        f"95 % intervals ({meter.interval}). Where gold leaves proxy, the proxy is being gamed; "
        "the grey line shows what choosing at random does.",
    )


def _divergences(meter: Meter) -> Chart:
    n = tuple(float(point.n) for point in meter.points)
    last = meter.points[-1]
    return Chart(
        title=f"The textbook KL overstates by {last.textbook_kl - last.kl:.2f} nats at "
        f"n = {last.n}",
        x_label="n, samples to choose from",
        y_label="KL of best-of-n from the base policy, nats",
        series=(
            Series("ties counted as atoms", n, tuple(p.kl for p in meter.points), shape="line"),
            Series("log n - (n-1)/n", n, tuple(p.textbook_kl for p in meter.points), dashed=True),
        ),
        how_to_read="the formula holds where no two samples can tie and is an upper bound "
        "elsewhere; the more ties, the earlier the true divergence stops growing.",
        log_x=True,
    )


def overoptimization(curve: Curve) -> tuple[Drawing, ...]:
    """The points, both fits (one that is refused is dashed), and where to stop."""
    furthest, nearest = max(curve.d), min(curve.d)
    grid = [nearest + (furthest - nearest) * i / 100 for i in range(101)]
    series = [
        Series("gold, measured", curve.d, curve.gain, shape="points"),
        *(
            Series(
                f"{fit.form} form" + ("" if fit.fits else " (refused)"),
                tuple(grid),
                tuple(fit.at(d) + fit.intercept - curve.baseline for d in grid),
                dashed=not fit.fits,
            )
            for fit in curve.fits
        ),
        Series(
            f"base policy (control), {curve.baseline_from}",
            (nearest, furthest),
            (0.0, 0.0),
            control=True,
        ),
    ]
    stop = curve.stop_kl
    marks: tuple[Mark, ...] = ()
    if stop is not None:
        high = None if stop.high is None else min(math.sqrt(stop.high), furthest)
        low = None if stop.low is None else math.sqrt(stop.low)
        marks = (Mark(math.sqrt(stop.value), f"stop: KL = {stop.value:.3g} nats", low, high),)
    words = {"neither": "Neither published form fits", "flat": "Gold does not move with KL"}
    return (
        Chart(
            title=words.get(curve.verdict, f"{curve.verdict} form fits; {curve.advice}"),
            x_label="distance from the base policy, sqrt(KL in nats)",
            y_label=f"gold gain over the base policy ({curve.points} points)",
            series=tuple(series),
            marks=marks,
            how_to_read="the dotted line is where the fitted gold is highest, the grey band its "
            f"95 % interval ({curve.interval}). Beyond it more optimisation buys less gold.",
        ),
    )


def tails(report: Report) -> tuple[Drawing, ...]:
    """Tail index over thresholds, quantiles against two light laws, and gold along the reward."""
    charts: list[Drawing] = [_indices(report)]
    for tail in report.tails:
        charts.append(
            Chart(
                title=f"Quantiles of the {tail.name}: {tail.verdict} tail",
                x_label="quantile of a normal law with the same median and 90 % point",
                y_label=f"quantile of the {tail.name}, centred by prompt ({tail.n} samples)",
                series=(
                    Series(tail.name, tail.normal, tail.quantiles, shape="points"),
                    Series("exponential law", tail.normal, tail.exponential, dashed=True),
                    Series("normal law (control)", tail.normal, tail.normal, control=True),
                ),
                how_to_read="a normal tail follows the grey line, an exponential one the dashed "
                "curve; what bends above both is heavier.",
            )
        )
    if report.tips:
        shares = tuple(tip.share for tip in report.tips)
        charts.append(
            Chart(
                title="Gold falls again at the tip of the reward"
                if report.goodharts
                else "Gold does not fall at the tip of the reward",
                x_label="share of samples with the highest reward",
                y_label="mean gold, centred by prompt",
                series=(
                    Series(
                        "gold",
                        shares,
                        tuple(tip.gold for tip in report.tips),
                        tuple(tip.low for tip in report.tips),
                        tuple(tip.high for tip in report.tips),
                    ),
                    Series("all samples (control)", shares, (0.0,) * len(shares), control=True),
                ),
                how_to_read="to the left only the best-rewarded samples are left; where gold "
                "turns down there, choosing harder by this reward gives back what it gained.",
                log_x=True,
            )
        )
    return tuple(charts)


def _indices(report: Report) -> Chart:
    series = []
    for tail in report.tails:
        shares = tuple(100 * t.share for t in tail.thresholds)
        series.append(
            Series(
                f"{tail.name}, Pareto fit",
                shares,
                tuple(t.pareto.xi for t in tail.thresholds),
                tuple(t.pareto.low for t in tail.thresholds),
                tuple(t.pareto.high for t in tail.thresholds),
                shape="points",
            )
        )
        defined = [(100 * t.share, t.hill[0]) for t in tail.thresholds if t.hill]
        if defined:
            series.append(
                Series(
                    f"{tail.name}, Hill",
                    tuple(x for x, _ in defined),
                    tuple(h for _, h in defined),
                    shape="points",
                    control=True,
                )
            )
    ends = tuple(100 * t.share for t in report.tails[0].thresholds) or (1.0, 5.0)
    zero = Series("xi = 0, exponential decay", (ends[0], ends[-1]), (0.0, 0.0), dashed=True)
    return Chart(
        title=report.label.capitalize(),
        x_label="threshold: largest samples that are fitted, %",
        y_label="tail index xi (1 / power-law exponent)",
        series=(*series, zero),
        how_to_read="above the dashed line the tail is a power law, and any reward is cheap; bars "
        "are 95 % intervals. Hill's estimate is shown because papers print it; it moves with a "
        "shift that means nothing.",
    )


def scan(found: Scan) -> tuple[Drawing, ...]:
    """Effects with their intervals beside the placebos; then edit by context."""
    shown = [e for e in found.effects if e.context == EVERYWHERE]
    names = tuple(e.edit for e in shown)
    charts: list[Drawing] = [
        Chart(
            title=f"{len(found.flagged)} of {found.tried} effects are paid for "
            f"(false-discovery rate {found.fdr:.0%})",
            x_label="edit, most surely different from nothing first",
            y_label=f"mean change of reward ({found.responses} responses)",
            series=(
                Series(
                    "edited minus unedited",
                    names,
                    tuple(e.effect for e in shown),
                    tuple(e.low for e in shown),
                    tuple(e.high for e in shown),
                    shape="bars",
                ),
                Series(
                    "placebo of the same kind (control)",
                    tuple(e.edit for e in shown if e.placebo is not None),
                    tuple(e.placebo for e in shown if e.placebo is not None),
                    shape="bars",
                    control=True,
                ),
            ),
            how_to_read="an edit changes nothing that matters, so a fair reward does not move; "
            "bars are 95 % intervals over prompts. An effect as large as its placebo's is the "
            "price of any change, not of this one.",
        )
    ]
    contexts = sorted({e.context for e in found.effects} - {EVERYWHERE})
    if contexts:
        cells = {(e.edit, e.context): e.effect for e in found.effects}
        charts.append(
            HeatMap(
                title="Where each edit is paid for",
                x_label="context",
                y_label="edit",
                value_label="mean change of reward",
                x=tuple(contexts),
                y=names,
                values=tuple(tuple(cells.get((n, c)) for c in contexts) for n in names),
                how_to_read="one row an edit, one column a kind of prompt; empty where the edit "
                "never applies.",
            )
        )
    return tuple(charts)


def generalisation(found: Generalisation) -> tuple[Drawing, ...]:
    """By arm, exploitation of held-out biases over that of controls; then against the first arm."""
    good = [one.name for one in found.arms if one.verdict == "generalises"]
    title = (
        f"Held-out biases are exploited by {', '.join(good)}"
        if good
        else ("No arm exploits held-out biases more than controls")
    )
    charts = [_differences(title, "arm", "held-out less control exploitation", found.arms)]
    if found.separations:
        apart = [one.name for one in found.separations if one.verdict == "separates"]
        charts.append(
            _differences(
                f"{len(apart)} of {len(found.separations)} arms separate from the first",
                "first arm less the other",
                "difference of held-out less control exploitation",
                found.separations,
            )
        )
    return tuple(charts)


def _differences(title: str, x: str, y: str, shown: Sequence[Difference]) -> Chart:
    names = tuple(one.name for one in shown)
    bounded = all(one.low is not None for one in shown)
    return Chart(
        title=title,
        x_label=x,
        y_label=f"{y} (mean over {max(one.seeds for one in shown)} seeds)",
        series=(
            Series(
                "difference",
                names,
                tuple(one.mean for one in shown),
                tuple(one.low for one in shown if one.low is not None) if bounded else (),
                tuple(one.high for one in shown if one.high is not None) if bounded else (),
                shape="bars",
            ),
            Series("no difference (control)", names, (0.0,) * len(names), control=True),
        ),
        how_to_read="bars are 95 % t intervals over seeds; one that lies above 0 generalises, and "
        "below five seeds none does.",
    )
