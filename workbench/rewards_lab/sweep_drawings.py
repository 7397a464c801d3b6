"""Charts of a sweep: one course against its frontier, and what size and data buy."""

from __future__ import annotations

import math
from collections.abc import Sequence

from workbench.rewards.charts import Chart, Drawing, Series
from workbench.rewards_lab.sweep import Course, size_effect


def sweep(seeds: Sequence[Sequence[Course]]) -> tuple[Drawing, ...]:
    """The course of every optimiser on the proxy that loses most gold, and peak gold by size."""
    return _worst(seeds[0]), _sizes(seeds)


def _worst(courses: Sequence[Course]) -> Chart:
    learned = {(c.hidden, c.comparisons, c.noise) for c in courses if c.optimiser.startswith("rl")}
    shown = [c for c in courses if (c.hidden, c.comparisons, c.noise) in learned] or list(courses)
    worst = max(shown, key=lambda c: c.peak_gold - c.gold[-1])
    cell = (worst.hidden, worst.comparisons, worst.noise)
    same = [c for c in shown if (c.hidden, c.comparisons, c.noise) == cell]
    series = []
    for course in same:
        x = tuple(math.sqrt(kl) for kl in course.kl)
        series.append(Series(f"gold, {course.optimiser}", x, course.gold))
        if course.optimiser == "tilt":
            series.append(Series("proxy, tilt = frontier", x, course.proxy, dashed=True))
    furthest = max(s.x[-1] for s in series)
    series.append(Series("base policy (control)", (0.0, furthest), (0.0, 0.0), control=True))
    return Chart(
        title=f"Gold peaks at {worst.peak_gold:.2f} and ends at {worst.gold[-1]:.2f} "
        f"({worst.optimiser})",
        x_label="distance from the base policy, sqrt(KL in nats)",
        y_label="reward, in base standard deviations (exact)",
        series=tuple(series),
        how_to_read=f"one proxy ({cell[0]} hidden units, {cell[1]} comparisons, {cell[2]:.0%} of "
        "labels wrong); no policy lies above the dashed frontier in proxy reward, and what it "
        "means in gold is the other lines.",
    )


def _sizes(seeds: Sequence[Sequence[Course]]) -> Chart:
    tilts = [c for seed in seeds for c in seed if c.optimiser == "tilt"]
    series = []
    for comparisons in sorted({c.comparisons for c in tilts}):
        rows = []
        for hidden in sorted({c.hidden for c in tilts}):
            found = [
                c.peak_gold for c in tilts if (c.hidden, c.comparisons) == (hidden, comparisons)
            ]
            mean = math.fsum(found) / len(found)
            spread = math.sqrt(math.fsum((v - mean) ** 2 for v in found) / max(1, len(found) - 1))
            half = 1.96 * spread / math.sqrt(len(found))
            rows.append((float(hidden), mean, mean - half, mean + half))
        x, y, low, high = zip(*rows, strict=True)
        series.append(Series(f"{comparisons} comparisons", x, y, low, high))
    effect = size_effect(seeds)
    return Chart(
        title=f"A larger proxy reaches more gold: {effect['verdict']} "
        f"(rho {effect['rho']:+.2f}, {effect['seeds']} seeds)",
        x_label="hidden units of the proxy reward model",
        y_label="highest gold on the frontier, in base standard deviations",
        series=tuple(series),
        how_to_read="each line is an amount of data, averaged over label noise and seeds; bands "
        "are 95 % intervals. Different scale from the published figure: compare shape only.",
        log_x=True,
    )
