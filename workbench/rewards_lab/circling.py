"""Does a driver that is trained on the score circle where the linter says that it will?"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from workbench.errors import BadParameter
from workbench.rewards.lagoon import AHEAD, Lagoon
from workbench.rewards.linter import Lint, lint
from workbench.rewards_lab.drivers import Drivers, Worlds, drive, sample_returns, train_drivers
from workbench.statistics import Rate

PLANTED = Lagoon(lap_time=6, lap_reward=1.2, finish_distance=18, finish_reward=10.0, targets=3)
SOUND = Lagoon(lap_time=6, lap_reward=0.6, finish_distance=18, finish_reward=10.0, targets=3)
"""The same course with targets worth half: the null version."""
RACES = 500
LAPS = 10
"""A race is cut after so many times the whole way (lap and course)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Race:
    """A trained driver beside a scripted one that goes straight to the finish.

    score: mean undiscounted reward of a race, with its 95 % interval; finisher_score: the scripted
    driver's; completion: share of races that the trained driver finishes when it samples its
    actions; finishes: whether it does when it takes its likeliest ones; trained, scripted: the
    states of one race each, of the likeliest actions; horizon: steps to a race.
    """

    lagoon: Lagoon
    lint: Lint
    score: float
    score_interval: tuple[float, float]
    finisher_score: float
    completion: Rate
    finishes: bool
    trained: tuple[str, ...]
    scripted: tuple[str, ...]
    horizon: int

    @property
    def predicted(self) -> bool:
        """Whether the driver does what the linter's verdict says."""
        return self.finishes == (self.lint.verdict == "sound")

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            **{f.name: getattr(self, f.name) for f in dataclasses.fields(self)},
            "lagoon": dataclasses.asdict(self.lagoon),
            "lint": self.lint.to_json(),
            "completion": self.completion.to_json(),
            "predicted": self.predicted,
        }


def race(
    lagoon: Lagoon,
    *,
    discount: float = 0.97,
    seed: int = 0,
    updates: int = 300,
    progress: Callable[[float], None] = lambda share: None,
) -> Race:
    """Trains a driver on the score of a Lagoon and lets it race."""
    import numpy as np

    from workbench.statistics import mean_interval

    spec = lagoon.spec()
    worlds = Worlds.of([spec])
    drivers = Drivers.new(worlds)
    train_drivers(drivers, [discount], seed=seed, updates=updates, progress=progress)
    horizon = LAPS * (lagoon.lap_time + lagoon.finish_distance)
    scores, finished = sample_returns(drivers, cars=RACES, horizon=horizon, seed=seed + 1)
    (trained,), (finishes,) = drive(worlds, drivers.greedy(), horizon=horizon)
    ahead = np.zeros(drivers.greedy().shape, dtype=np.int64)
    first = spec.first_edge
    for state in np.flatnonzero(np.diff(first)):
        ahead[0, state] = spec.action[first[state] : first[state + 1]].index(AHEAD)
    (scripted,), _ = drive(worlds, ahead, horizon=horizon)
    return Race(
        lagoon=lagoon,
        lint=lint(spec, discount=discount),
        score=float(scores.mean()),
        score_interval=mean_interval(scores[0].tolist()),
        finisher_score=lagoon.finish_reward,
        completion=Rate(int(finished.sum()), finished.size),
        finishes=bool(finishes),
        trained=tuple(spec.states[s] for s in trained),
        scripted=tuple(spec.states[s] for s in scripted),
        horizon=horizon,
    )


def draw_lagoons(count: int, *, seed: int, band: float = 0.02) -> list[tuple[Lagoon, float]]:
    """Random Lagoons of 20 to 60 states with a discount each, none within `band` of a crossover.

    The discounts are relative: one is in the band if it is within `band` times the crossover. Every
    second Lagoon prefers the finish.
    """
    import numpy as np

    if not 0 <= band < 0.2:
        raise BadParameter(f"a band of {band}", hint="Give a share from 0 to 0.2.")
    rng = np.random.default_rng(seed)
    drawn: list[tuple[Lagoon, float]] = []
    while len(drawn) < count:
        lagoon = Lagoon(
            lap_time=int(rng.integers(3, 21)),
            lap_reward=1.0,
            finish_distance=int(rng.integers(8, 40)),
            finish_reward=float(np.exp(rng.uniform(0, np.log(60)))),
            targets=int(rng.integers(1, 4)),
        )
        discount = float(rng.uniform(0.7, 0.99))
        if not 20 <= lagoon.lap_time + lagoon.finish_distance <= 60:
            continue
        near = np.linspace(discount * (1 - 1.05 * band), min(0.9999, discount * (1 + 1.05 * band)))
        sides = {lagoon.log_advantage(float(g)) > 0 for g in near}
        if len(sides) == 1 and sides == {len(drawn) % 2 == 0}:
            drawn.append((lagoon, discount))
    return drawn


def flips(
    count: int = 200,
    *,
    seed: int = 0,
    updates: int = 150,
    progress: Callable[[float], None] = lambda share: None,
) -> Rate:
    """How many trained drivers end on the side that the linter's verdict predicts."""
    drawn = draw_lagoons(count, seed=seed)
    specs = [lagoon.spec() for lagoon, _ in drawn]
    discounts = [discount for _, discount in drawn]
    worlds = Worlds.of(specs)
    drivers = Drivers.new(worlds)
    train_drivers(drivers, discounts, seed=seed, updates=updates, cars=16, progress=progress)
    longest = max(len(spec.states) for spec in specs)
    _, finished = drive(worlds, drivers.greedy(), horizon=longest + 1)
    verdicts = [lint(s, discount=g).verdict for s, g in zip(specs, discounts, strict=True)]
    right = sum(f == (v == "sound") for f, v in zip(finished, verdicts, strict=True))
    return Rate(int(right), count)
