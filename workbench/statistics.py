"""Rates with intervals, tests against a control, and correction for the number of things tried."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True, slots=True)
class Rate:
    """`hits` out of `n` (n >= 1)."""

    hits: int
    n: int

    @property
    def value(self) -> float:
        """The share of hits."""
        return self.hits / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % score interval (Wilson 1927, JASA 22, 209)."""
        from scipy.stats import binomtest

        ci = binomtest(self.hits, self.n).proportion_ci(0.95, method="wilson")
        return float(ci.low), float(ci.high)

    def to_json(self) -> dict[str, object]:
        """{value, n, ci}, as health cards and benchmarks print it."""
        return {"value": self.value, "n": self.n, "ci": list(self.interval)}


def exceeds(rate: Rate, control: Rate) -> float:
    """One-sided p of `rate` being no larger than `control` (Fisher's exact test)."""
    from scipy.stats import fisher_exact

    table = [[rate.hits, rate.n - rate.hits], [control.hits, control.n - control.hits]]
    return float(fisher_exact(table, alternative="greater").pvalue)


def difference_interval(rate: Rate, control: Rate, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of `rate` less `control`, two independent proportions (Newcombe 1998, Statist. Med.
    17, 873, method 10: from Wilson's)."""
    return contrast_interval([(1.0, rate), (-1.0, control)], confidence)


def contrast_interval(
    terms: Sequence[tuple[float, Rate]], confidence: float = 0.95
) -> tuple[float, float]:
    """Interval of a sum of independent proportions, each with its coefficient, from Wilson's
    intervals (Zou and Donner 2008, Statist. Med. 27, 1693)."""
    from scipy.stats import binomtest

    value, down, up = 0.0, [], []
    for coefficient, rate in terms:
        ci = binomtest(rate.hits, rate.n).proportion_ci(confidence, method="wilson")
        value += coefficient * rate.value
        ends = sorted((coefficient * (ci.low - rate.value), coefficient * (ci.high - rate.value)))
        down.append(ends[0])
        up.append(ends[1])
    return float(value - math.hypot(*down)), float(value + math.hypot(*up))


def holm(p_values: Sequence[float], tried: int | None = None) -> list[float]:
    """Adjusted p-values, family-wise (Holm 1979, Scand. J. Statist. 6, 65).

    `tried` is the number of hypotheses tried where only the promising ones are passed in.
    """
    m = len(p_values) if tried is None else max(tried, len(p_values))
    adjusted = [1.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (m - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """Normal 95 % interval of a mean; the mean itself twice where n is 1."""
    n = len(values)
    mean = math.fsum(values) / n
    if n < 2:
        return mean, mean
    half = 1.96 * math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (n - 1) / n)
    return mean - half, mean + half


def student_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """Student's interval of a mean of two values or more."""
    from scipy.stats import t

    n, mean = len(values), math.fsum(values) / len(values)
    deviation = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (n - 1))
    half = float(t.ppf((1 + confidence) / 2, n - 1)) * deviation / math.sqrt(n)
    return mean - half, mean + half


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """q-values: those of at most x make a list with a false-discovery rate of at most x, where
    the tests are independent or positively dependent (Benjamini and Hochberg 1995, JRSS B 57,
    289)."""
    m = len(p_values)
    adjusted = [1.0] * m
    smallest = 1.0
    for rank, index in enumerate(sorted(range(m), key=lambda i: -p_values[i])):
        smallest = min(smallest, p_values[index] * m / (m - rank))
        adjusted[index] = smallest
    return adjusted
