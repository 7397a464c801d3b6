"""The charts of each instrument, made from what it returned."""

from __future__ import annotations

import math

from workbench.rewards.best_of_n import Estimate, Meter
from workbench.rewards.charts import Chart, Drawing, Series


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
