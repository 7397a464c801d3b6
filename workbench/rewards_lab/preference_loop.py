"""A driver that learns from ratings of its races: with rewards refreshed, or learned once.

Christiano et al. (2017) report that a reward learned offline is exploited (endless rallies that
score no point). The world here is the Lagoon with an approach: on the way to the fork targets lie
along the course, so that in the races of an untrained driver hitting targets and going ahead always
mean progress; beyond the fork, on the ring, they do not.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from workbench.rewards import bradley_terry
from workbench.rewards.specification import RewardSpec
from workbench.rewards_lab.drivers import (
    Drivers,
    Worlds,
    draw_actions,
    put,
    sample_returns,
    train_drivers,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

APPROACH, RING, COURSE = 12, 6, 12
FINISH_GOLD, RING_GOLD = 10.0, -1.0
FEATURES = ("target hit", "moved ahead", "moved on the ring", "finished")
SEGMENT = 6
"""Steps of a segment that is rated."""
HORIZON = 100
"""Steps of a race; an untrained driver is filmed over the first FILMED of its first race only."""
FILMED = 12
DISCOUNT = 0.98
LABELS = 300
ROUNDS = 5
UPDATES = 150
NOISE = 0.1
SOFTENED = 0.25
"""What is kept of a driver's log-odds when its training goes on: without it, one that is sure of
circling never tries anything else again, whatever the new reward says."""
ARMS = ("gold", "offline", "online", "offline, wide film")


@dataclasses.dataclass(frozen=True, slots=True)
class Course:
    """One seed's outcome: by arm, mean gold of a race; of the learned reward, by how much training
    raised a race's return (proxy_gain) and gold (gold_gain) over the untrained driver's; finished:
    share of races; weights: of FEATURES, as learned at the end."""

    seed: int
    untrained: float
    gold: dict[str, float]
    proxy_gain: dict[str, float]
    gold_gain: dict[str, float]
    finished: dict[str, float]
    weights: dict[str, tuple[float, ...]]

    @property
    def exploited(self) -> bool:
        """Offline: proxy up, gold down."""
        return self.proxy_gain["offline"] > 0 > self.gold_gain["offline"]

    @property
    def closed(self) -> float:
        """Share of the gap between offline and a driver trained on gold that refreshing closes."""
        offline = self.gold["offline"]
        gap = self.gold["gold"] - offline
        return (self.gold["online"] - offline) / gap if gap > 0 else 1.0

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {**dataclasses.asdict(self), "exploited": self.exploited, "closed": self.closed}


def world() -> tuple[RewardSpec, Callable[[str, str, str], tuple[float, ...]]]:
    """The course with gold rewards, and the FEATURES of (state, action, next state)."""
    approach = [f"approach {i}" for i in range(APPROACH)]
    ring = ["fork", *(f"ring {i}" for i in range(1, RING)), "fork"]
    course = ["fork", *(f"course {i}" for i in range(1, COURSE)), "finish"]
    rows = []
    for here, there in itertools.pairwise([*approach, "fork"]):
        rows += [(here, "ahead", there, 1.0), (here, "aside", here, 0.0)]
    for here, there in itertools.pairwise(course):
        rows.append((here, "ahead", there, 1.0 + FINISH_GOLD * (there == "finish")))
    for here, there in itertools.pairwise(ring):
        rows.append((here, "aside" if here == "fork" else "ahead", there, RING_GOLD))
    rows += [(here, "aside", here, 0.0) for here in (*ring[1:-1], *course[1:-1])]
    targets = {*approach[2::2], *ring[2:-1:2], "fork"}

    def features(here: str, action: str, there: str) -> tuple[float, ...]:
        moved = here != there
        on_ring = moved and (here.startswith("ring") or there.startswith("ring"))
        hit = moved and there in targets
        return float(hit), float(moved), float(on_ring), float(there == "finish")

    return RewardSpec.from_rows(rows, start=approach[0], goals=["finish"]), features


def run(
    *,
    seeds: int = 5,
    first_seed: int = 0,
    labels: int = LABELS,
    progress: Callable[[float], None] = lambda share: None,
) -> list[Course]:
    """All arms for each seed, with the same number of labels each.

    gold: trained on gold. offline: all labels on the untrained driver's film, one fit. online: the
    labels in ROUNDS parts, each on segments of the driver as it is then. offline, wide film: as
    offline, but the film starts anywhere (the null version: there is nothing left to exploit).
    """
    import numpy as np

    spec, features_of = world()
    worlds = Worlds.of([spec] * (seeds * len(ARMS)))
    features = _features(spec, features_of, worlds.paid.shape[1:])
    weights = np.zeros((len(worlds.start), len(FEATURES)))
    drivers = Drivers.new(worlds)
    raters = [
        np.random.default_rng((seed, 1))
        for seed in range(first_seed, first_seed + seeds)
        for _ in ARMS
    ]
    films: list[list[Floats]] = [[] for _ in worlds.start]
    answers: list[list[Floats]] = [[] for _ in worlds.start]
    untrained, _ = sample_returns(drivers, cars=200, horizon=HORIZON, seed=0)
    for turn in range(ROUNDS):
        for w, arm in enumerate(ARMS * seeds):
            if arm == "gold" or (arm != "online" and turn):
                continue
            wide, first = arm == "offline, wide film", turn == 0
            segments = _film(
                drivers, w, features, steps=FILMED if first and not wide else HORIZON,
                anywhere=float(wide), rng=raters[w],
            )  # fmt: skip
            films[w].append(segments)
            count = labels // ROUNDS if arm == "online" else labels
            answers[w].append(_rated(np.concatenate(films[w]), count, raters[w]))
            rated = np.concatenate(answers[w])
            found = bradley_terry.fit(
                rated[:, :-1], rated[:, -1], noise=NOISE, l2=0.3, errors=False
            )
            weights[w] = found.weights
        paid = np.einsum("saf,wf->wsa", features, weights)
        gold = np.array([arm == "gold" for arm in ARMS * seeds])
        paid = np.where(gold[:, None, None], worlds.paid, paid)
        drivers.logits *= SOFTENED
        train_drivers(
            drivers,
            [DISCOUNT] * len(gold),
            seed=first_seed + turn,
            updates=UPDATES,
            cars=16,
            paid=paid,
        )
        progress((turn + 1) / ROUNDS)
    proxies = [
        sample_returns(d, cars=200, horizon=HORIZON, seed=1, paid=paid)[0].mean(axis=1)
        for d in (Drivers.new(worlds), drivers)
    ]
    golds, done = sample_returns(drivers, cars=200, horizon=HORIZON, seed=1)
    return [
        _course(first_seed + i, i, float(untrained.mean()), golds, proxies, done, weights)
        for i in range(seeds)
    ]


def _course(
    seed: int,
    place: int,
    untrained: float,
    golds: Floats,
    proxies: list[Floats],
    done: NDArray[np.bool_],
    weights: Floats,
) -> Course:
    row = {arm: place * len(ARMS) + i for i, arm in enumerate(ARMS)}
    gold = {arm: float(golds[w].mean()) for arm, w in row.items()}
    return Course(
        seed=seed,
        untrained=untrained,
        gold=gold,
        proxy_gain={arm: float(proxies[1][w] - proxies[0][w]) for arm, w in row.items()},
        gold_gain={arm: value - untrained for arm, value in gold.items()},
        finished={arm: float(done[w].mean()) for arm, w in row.items()},
        weights={arm: tuple(weights[w].tolist()) for arm, w in row.items()},
    )


def _features(
    spec: RewardSpec,
    features_of: Callable[[str, str, str], tuple[float, ...]],
    shape: tuple[int, ...],
) -> Floats:
    """[state, action, feature]"""
    import numpy as np

    found = np.zeros((*shape, len(FEATURES)))
    for edge, (source, target) in enumerate(zip(spec.source, spec.target, strict=True)):
        names = spec.states[source], spec.action[edge], spec.states[target]
        found[source, edge - spec.first_edge[source]] = features_of(*names)
    return found


def _film(
    drivers: Drivers,
    w: int,
    features: Floats,
    *,
    steps: int,
    anywhere: float,
    rng: np.random.Generator,
) -> Floats:
    """Segments of SEGMENT steps of one world's races: summed features, then gold [segments, F + 1].

    A segment ends early where the race is finished; nothing is filmed after that.
    """
    import numpy as np

    whole = drivers.worlds
    one = Worlds(*(getattr(whole, f.name)[w : w + 1] for f in dataclasses.fields(whole)))
    cars = 40
    place = put(rng, one, (1, cars), anywhere)
    cumulative = np.cumsum(drivers.policy()[w : w + 1], axis=2)
    running = np.ones((1, cars), dtype=bool)
    filmed = np.zeros((steps // SEGMENT, cars, len(FEATURES) + 1))
    begun = np.zeros((steps // SEGMENT, cars), dtype=bool)
    for t in range(steps - steps % SEGMENT):
        action = draw_actions(rng, cumulative[[[0]], place])
        seen = np.concatenate(
            [features[place, action], one.paid[0][place, action][..., None]], axis=2
        )[0]
        begun[t // SEGMENT] |= running[0]
        filmed[t // SEGMENT] += np.where(running[0][:, None], seen, 0.0)
        running = running & ~one.done[0][place, action]
        place = one.following[0][place, action]
    return filmed[begun]


def _rated(segments: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Feature differences and answers of random pairs, by a rater who goes by gold, with noise."""
    import numpy as np

    pairs = rng.integers(0, len(segments), (2, count))
    difference = segments[pairs[0]] - segments[pairs[1]]
    chance = bradley_terry.chance(difference[:, -1], NOISE)
    return np.column_stack([difference[:, :-1], rng.random(count) < chance])
