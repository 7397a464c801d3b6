"""When a curve leaves its level, and by how much one curve does so before another."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from workbench.errors import BadParameter

if TYPE_CHECKING:
    import numpy

FEWEST = 5
SHUFFLES = 399
ONSET_P = 0.05


@dataclasses.dataclass(frozen=True, slots=True)
class Onset:
    """at: place of the last checkpoint on the first level, None where no rise is found. p: of no
    change at all, by shuffling checkpoints. before, after: the two levels."""

    at: int | None
    p: float
    before: float
    after: float


def onset(values: Sequence[float], *, seed: int = 0) -> Onset:
    """The place where a curve over checkpoints begins to rise for good.

    Least squares over all curves that keep a level, go straight to another and keep it; the rise
    counts where the fit explains more than 95 % of 399 shuffles of the same values do. Raises
    BadParameter below 5 values or on one that is not finite.
    """
    import numpy as np

    curve = np.asarray(values, dtype=np.float64)
    if len(curve) < FEWEST or not np.isfinite(curve).all():
        raise BadParameter(
            f"{len(curve)} checkpoints, {int((~np.isfinite(curve)).sum())} of them not finite",
            hint=f"An onset needs at least {FEWEST} finite values.",
        )
    starts, ramps, shapes = _ramps(len(curve))
    centred = curve - curve.mean()
    if not centred.any():
        return Onset(None, 1.0, float(curve[0]), float(curve[0]))
    explained = (shapes @ centred) ** 2
    best = int(np.argmax(explained))
    rng = np.random.default_rng(seed)
    shuffled = rng.permuted(np.tile(centred, (SHUFFLES, 1)), axis=1)
    chance = ((shapes @ shuffled.T) ** 2).max(axis=0)
    p = float((1 + (chance >= explained[best] * (1 - 1e-9)).sum()) / (1 + SHUFFLES))
    design = np.stack([np.ones(len(curve)), ramps[best]], axis=1)
    (before, rise), *_ = np.linalg.lstsq(design, curve, rcond=None)
    found = p <= ONSET_P and rise > 0
    return Onset(int(starts[best]) if found else None, p, float(before), float(before + rise))


@lru_cache(maxsize=16)
def _ramps(length: int) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    """Where each ramp starts, the ramps [k, length] from 0 to 1, and they centred with norm 1."""
    import numpy as np

    places = np.arange(length)
    pairs = [(s, e) for s in range(length - 1) for e in range(s + 1, length)]
    ramps = np.stack([np.clip((places - s) / (e - s), 0, 1) for s, e in pairs])
    centred = ramps - ramps.mean(axis=1, keepdims=True)
    shapes = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    return np.array([s for s, _ in pairs]), ramps, shapes
