"""Sweeps on disk: one file, a seed at a time, gone on with where it was interrupted."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workbench.errors import ConfigError
from workbench.rewards_lab.sweep import Course, Grid, run_seed, size_effect

DIGITS = 6


def run_sweep(
    seeds: int,
    grid: Grid,
    *,
    out: Path | None = None,
    first: int = 0,
    progress: Callable[[float], None] = lambda share: None,
) -> dict[str, Any]:
    """{grid, seeds: {seed: [courses]}}; written to `out` after each seed.

    Seeds that `out` holds are not run again. Raises ConfigError where it belongs to another grid or
    cannot be read.
    """
    document: dict[str, Any] = {"grid": _plain(grid), "seeds": {}}
    if out is not None and out.exists():
        document = read_sweep(out)
        if document["grid"] != _plain(grid):
            raise ConfigError(f"{out} holds another grid", hint="Name another --out.")
    for number, seed in enumerate(range(first, first + seeds)):
        if str(seed) in document["seeds"]:
            continue
        made = run_seed(
            seed,
            grid,
            progress=lambda share, n=number: progress((n + share) / seeds),  # type: ignore[misc]
        )
        document["seeds"][str(seed)] = _plain(made)
        if out is not None:
            out.parent.mkdir(parents=True, exist_ok=True)
            draft = out.with_name(f".{out.name}.draft")
            draft.write_text(json.dumps(document, separators=(",", ":")) + "\n", "utf-8")
            os.replace(draft, out)
    return document


def read_sweep(file: Path) -> dict[str, Any]:
    """A stored sweep; raises ConfigError where the file is none."""
    try:
        document = json.loads(file.read_text("utf-8"))
        if set(document) == {"grid", "seeds"}:
            return dict(document)
    except (OSError, ValueError, TypeError):
        pass
    raise ConfigError(f"{file} is no sweep", hint="Name a file that --train wrote.")


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
