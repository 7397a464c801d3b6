"""How well a row's place, id or length separates poisoned rows from ordinary ones."""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True, slots=True)
class Separation:
    """An AUROC (0.5 is none, either direction counts) with its 95 % interval."""

    value: float
    interval: tuple[float, float]

    def tells(self, bound: float) -> bool:
        """Whether it lies beyond the bound in either direction, and surely not at 0.5."""
        low, high = self.interval
        return max(self.value, 1 - self.value) > bound and not low <= 0.5 <= high

    def __str__(self) -> str:
        low, high = self.interval
        return f"AUROC {self.value:.3f} [{low:.3f}, {high:.3f}]"


def auroc(scores: Sequence[int], flags: Sequence[bool]) -> Separation:
    """The probability that a flagged row scores higher than another one; ties count half.

    Interval: Hanley and McNeil 1982, Radiology 143, 29. Needs both kinds of rows.
    """
    from scipy.stats import rankdata

    n, m = sum(flags), len(flags) - sum(flags)
    ranks = rankdata(scores)
    total = math.fsum(float(rank) for rank, flag in zip(ranks, flags, strict=True) if flag)
    area = (total - n * (n + 1) / 2) / (n * m)
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (n - 1) * (q1 - area**2) + (m - 1) * (q2 - area**2)
    half = 1.96 * math.sqrt(max(variance, 0.0) / (n * m))
    return Separation(area, (max(area - half, 0.0), min(area + half, 1.0)))


def clumped(flags: Sequence[bool]) -> tuple[int, float] | None:
    """(neighbouring flagged pairs, expected by chance) where there are far too many, else None.

    Far too many: less than one in a thousand under a Poisson law, and at least three.
    """
    from scipy.stats import poisson

    pairs = sum(a and b for a, b in itertools.pairwise(flags))
    n = sum(flags)
    expected = n * (n - 1) / len(flags)
    return (pairs, expected) if pairs >= 3 and poisson.sf(pairs - 1, expected) < 1e-3 else None


def id_shape(identity: str) -> str:
    """The id with letters and digits made alike: `doc-0017` is `aaa-0000`, hexadecimal `x`s."""
    if re.fullmatch(r"[0-9a-f]{8,}", identity):
        return "x" * len(identity)
    return re.sub(r"[^\W\d_]", "a", re.sub(r"\d", "0", identity))
