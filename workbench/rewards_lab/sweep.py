"""The overoptimization lab: proxy size x comparisons x noise x optimiser, measured exactly.

After Gao, Schulman and Hilton 2022 (arXiv 2210.10760), in worlds of 4,096 responses a prompt.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workbench.rewards import enumerable
from workbench.rewards_lab.policies import reinforce
from workbench.rewards_lab.proxies import train_proxy
from workbench.rewards_lab.worlds import World, make_world

if TYPE_CHECKING:
    import numpy

NS = tuple(2**i for i in range(15))
PENALTIES = (0.03, 0.3)


@dataclasses.dataclass(frozen=True, slots=True)
class Grid:
    """What is trained for one seed; `rl` names the (hidden, comparisons, noise) that are also
    optimised by reinforcement learning, once for each penalty, in the seeds below `rl_seeds`."""

    hidden: tuple[int, ...] = (8, 64, 512)
    comparisons: tuple[int, ...] = (50, 500, 5000)
    noise: tuple[float, ...] = (0.0, 0.25)
    rl: tuple[tuple[int, int, float], ...] = ((64, 50, 0.0), (64, 500, 0.0), (64, 5000, 0.0))
    rl_seeds: int = 3
    rl_steps: int = 150
    vocabulary: int = 8
    length: int = 4
    prompts: int = 6


FULL = Grid(
    hidden=(8, 32, 128, 512),
    noise=(0.0, 0.1, 0.25),
    rl=((128, 50, 0.0), (128, 500, 0.1), (128, 5000, 0.25)),
)
"""The grid of docs/rewards.md, for each of its seeds."""


@dataclasses.dataclass(frozen=True, slots=True)
class Course:
    """One optimiser on one proxy. Points in order of effort: exact KL (nats), proxy and gold, means
    over prompts; frontier: the highest mean proxy at that KL. peak_gold: the highest gold on the
    way, at peak_kl. accuracy: share of base pairs that the proxy orders as gold does.
    """

    hidden: int
    comparisons: int
    noise: float
    optimiser: str
    kl: tuple[float, ...]
    proxy: tuple[float, ...]
    gold: tuple[float, ...]
    frontier: tuple[float, ...]
    peak_gold: float
    peak_kl: float
    accuracy: float


def run_seed(
    seed: int, grid: Grid = Grid(), *, progress: Callable[[float], None] = lambda share: None
) -> list[Course]:
    """Every course of a grid in the world of a seed."""
    world = make_world(seed, vocabulary=grid.vocabulary, length=grid.length, prompts=grid.prompts)
    cells = [(h, c, e) for h in grid.hidden for c in grid.comparisons for e in grid.noise]
    learned = grid.rl if seed < grid.rl_seeds else ()
    wanted = [*cells, *(cell for cell in learned if cell not in cells)]
    courses: list[Course] = []
    for number, (hidden, comparisons, noise) in enumerate(wanted):
        proxy = train_proxy(world, hidden=hidden, comparisons=comparisons, noise=noise, seed=seed)
        cell = (hidden, comparisons, noise)
        named: Mapping[str, list[tuple[float, float, float]]] = {
            "best-of-n": _best_of_n(world, proxy),
            "tilt": _tilts(world, proxy),
            **(_learned(world, proxy, seed, grid.rl_steps) if cell in learned else {}),
        }
        frontier = _Frontier(world, proxy)
        share = accuracy(world, proxy)
        courses += [_course(*cell, name, points, frontier, share) for name, points in named.items()]
        progress((number + 1) / len(wanted))
    return courses


def accuracy(world: World, proxy: numpy.ndarray, pairs: int = 4000) -> float:
    """Share of pairs of base responses that both rewards order alike; ties count half."""
    import numpy as np

    rng = np.random.default_rng(0)
    found = []
    for p in range(world.prompts):
        one, two = rng.choice(len(world.tokens), (2, pairs), p=world.base[p])
        signs = np.sign(world.gold[p, one] - world.gold[p, two]) * np.sign(
            proxy[p, one] - proxy[p, two]
        )
        found.append(float(np.mean((1 + signs) / 2)))
    return math.fsum(found) / len(found)


def size_effect(courses: Sequence[Sequence[Course]], optimiser: str = "tilt") -> dict[str, Any]:
    """Does a larger proxy reach more gold? Spearman's rho of hidden size and peak gold within
    each (comparisons, noise), averaged for each seed; mean over seeds with its 95 % t interval.

    verdict: "reproduced" where the interval lies above 0, "reversed" below, "not reproduced"
    otherwise or with fewer than 5 seeds.
    """
    import numpy as np
    from scipy.stats import spearmanr, t

    rhos = []
    for seed in courses:
        cells: dict[tuple[int, float], list[Course]] = {}
        for course in seed:
            if course.optimiser == optimiser:
                cells.setdefault((course.comparisons, course.noise), []).append(course)
        found = [
            float(spearmanr([p.hidden for p in cell], [p.peak_gold for p in cell]).statistic)
            for cell in cells.values()
            if len({p.hidden for p in cell}) > 1 and len({p.peak_gold for p in cell}) > 1
        ]
        rhos.append(float(np.mean(found)) if found else 0.0)
    mean, n = float(np.mean(rhos)), len(rhos)
    half = float(t.ppf(0.975, n - 1) * np.std(rhos, ddof=1) / math.sqrt(n)) if n > 1 else math.inf
    verdict = "not reproduced"
    if n >= 5 and abs(mean) > half:
        verdict = "reproduced" if mean > 0 else "reversed"
    ci = [mean - half, mean + half] if n > 1 else None
    return {"rho": mean, "ci": ci, "seeds": n, "rhos": rhos, "verdict": verdict}


class _Frontier:
    """The highest mean proxy over prompts at a mean KL: one penalty for all prompts attains it."""

    def __init__(self, world: World, proxy: numpy.ndarray) -> None:
        import numpy as np

        self._worlds = list(zip(world.base, proxy, strict=True))
        self._betas = np.geomspace(1e3, 1e-3, 160)
        points = np.array(
            [
                _means([_moved(b, p, enumerable.tilted(b, p, beta)) for b, p in self._worlds])
                for beta in self._betas
            ]
        )
        self._kl, self._proxy = points[:, 0], points[:, 1]
        self._start = float(np.mean([b @ p for b, p in self._worlds]))
        self._best = float(np.mean([p[b > 0].max() for b, p in self._worlds]))

    def at(self, kl: float) -> float:
        """The least of the tangents at 160 tilts: on or barely above the frontier, never below."""
        if kl <= 0:
            return self._start
        # E[r] <= E_tilt[r] + beta (KL - KL_tilt) for every beta: the least of these is the tightest
        bounds = self._proxy + self._betas * (kl - self._kl)
        return float(min(bounds.min(), self._best))


def _moved(base: numpy.ndarray, proxy: numpy.ndarray, law: numpy.ndarray) -> tuple[float, float]:
    return enumerable.kl(law, base), float(law @ proxy)


def _means(rows: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    return tuple(math.fsum(column) / len(rows) for column in zip(*rows, strict=True))


def _point(
    world: World, proxy: numpy.ndarray, laws: Sequence[numpy.ndarray]
) -> tuple[float, float, float]:
    """(KL, proxy, gold) of the laws of all prompts, means over prompts."""
    rows = [
        (*_moved(base, reward, law), float(law @ gold))
        for base, reward, gold, law in zip(world.base, proxy, world.gold, laws, strict=True)
    ]
    kl, proxy_mean, gold_mean = _means(rows)
    return kl, proxy_mean, gold_mean


def _best_of_n(world: World, proxy: numpy.ndarray) -> list[tuple[float, float, float]]:
    pairs = list(zip(world.base, proxy, strict=True))
    laws = ([enumerable.best_of_n_law(*pair, n) for pair in pairs] for n in NS)
    return [_point(world, proxy, law) for law in laws]


def _tilts(world: World, proxy: numpy.ndarray) -> list[tuple[float, float, float]]:
    import numpy as np

    pairs = list(zip(world.base, proxy, strict=True))
    laws = ([enumerable.tilted(*p, float(b)) for p in pairs] for b in np.geomspace(10, 0.02, 40))
    return [_point(world, proxy, law) for law in laws]


def _learned(
    world: World, proxy: numpy.ndarray, seed: int, steps: int
) -> dict[str, list[tuple[float, float, float]]]:
    found = {}
    for penalty in PENALTIES:
        moments, _ = reinforce(world, proxy, penalty=penalty, seed=seed, steps=steps)
        found[f"rl, penalty {penalty}"] = [(m.kl, m.proxy, m.gold) for m in moments]
    return found


def _course(
    hidden: int,
    comparisons: int,
    noise: float,
    optimiser: str,
    points: Sequence[tuple[float, float, float]],
    frontier: _Frontier,
    share: float,
) -> Course:
    kl, proxy, gold = zip(*points, strict=True)
    at = max(range(len(gold)), key=lambda i: gold[i])
    return Course(
        hidden,
        comparisons,
        noise,
        optimiser,
        kl,
        proxy,
        gold,
        tuple(frontier.at(k) for k in kl),
        gold[at],
        kl[at],
        share,
    )
