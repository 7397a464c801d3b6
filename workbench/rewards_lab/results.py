"""Sweeps on disk, and what they come to."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

from workbench.rewards_lab import stored
from workbench.rewards_lab.stored import Progress
from workbench.rewards_lab.sweep import Course, Grid, run_seed, size_effect

DIGITS = 6


def run_sweep(
    seeds: int,
    grid: Grid,
    *,
    out: Path | None = None,
    first: int = 0,
    progress: Progress = lambda share: None,
) -> dict[str, Any]:
    """{grid, seeds: {seed: [courses]}}, as `stored.run`."""
    return stored.run(
        {"grid": _plain(grid)},
        seeds,
        lambda seed, told: _plain(run_seed(seed, grid, progress=told)),
        out=out,
        first=first,
        progress=progress,
    )


def read_sweep(file: Path) -> dict[str, Any]:
    """A stored sweep; raises ConfigError where the file is none."""
    return stored.read(file, "grid")


def courses(document: dict[str, Any]) -> list[list[Course]]:
    """Each seed's courses, seeds in order."""
    lists = {"kl", "proxy", "gold", "frontier"}

    def made(stored: dict[str, Any]) -> Course:
        values: dict[str, Any] = {k: tuple(v) if k in lists else v for k, v in stored.items()}
        return Course(**values)

    return [list(map(made, document["seeds"][s])) for s in sorted(document["seeds"], key=int)]


def summary(document: dict[str, Any]) -> dict[str, Any]:
    """What docs and screen show: one row for each cell and optimiser (means over seeds), the
    effect of proxy size, and how far above the frontier any point lies (never, up to rounding)."""
    seeds = courses(document)
    cells: dict[tuple[Any, ...], list[Course]] = {}
    for seed in seeds:
        for one in seed:
            cells.setdefault((one.hidden, one.comparisons, one.noise, one.optimiser), []).append(
                one
            )
    rows = [
        {
            "hidden": key[0],
            "comparisons": key[1],
            "noise": key[2],
            "optimiser": key[3],
            "seeds": len(found),
            "accuracy": _mean([c.accuracy for c in found]),
            "peak_gold": _mean([c.peak_gold for c in found]),
            "peak_kl": _mean([c.peak_kl for c in found]),
            "last_gold": _mean([c.gold[-1] for c in found]),
            "last_kl": _mean([c.kl[-1] for c in found]),
            "below_frontier": _mean([c.frontier[-1] - c.proxy[-1] for c in found]),
        }
        for key, found in sorted(cells.items())
    ]
    above = max(p - f for s in seeds for c in s for p, f in zip(c.proxy, c.frontier, strict=True))
    return {"rows": rows, "size_effect": size_effect(seeds), "above_frontier": above}


def _plain(value: Any) -> Any:
    """JSON with rounded numbers, so that a committed file stays small."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return round(value, DIGITS) if isinstance(value, float) else value


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)
