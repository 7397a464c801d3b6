"""Drivers: tabular softmax policies trained on a reward by advantage actor-critic, many at once.

They see states, actions and what is paid, no more: neither the graph nor the discounting of paths.
Mnih et al. (2016, 1602.01783) for the method, with generalised advantages (Schulman et al. 2016).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from workbench.errors import BadParameter
from workbench.rewards.specification import RewardSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

SMOOTHING = 0.9
"""lambda of the generalised advantages."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Worlds:
    """Worlds of two actions as arrays, padded to the largest one.

    following: next state [world, state, action], its own state where there is no such action;
    allowed, done [world, state, action]; paid: reward [world, state, action]; start [world];
    states: how many each has [world].
    """

    following: Integers
    paid: Floats
    allowed: NDArray[np.bool_]
    done: NDArray[np.bool_]
    start: Integers
    states: Integers

    @classmethod
    def of(cls, specs: Sequence[RewardSpec]) -> Worlds:
        """Raises BadParameter for a dead end, where a driver would have nothing to do."""
        import numpy as np

        states = np.array([len(spec.states) for spec in specs])
        fan = max(int(np.diff(spec.first_edge).max()) for spec in specs)
        shape = (len(specs), int(states.max()), fan)
        following = np.broadcast_to(np.arange(shape[1])[:, None], shape).copy()
        paid = np.zeros(shape)
        allowed = np.zeros(shape, dtype=bool)
        done = np.zeros(shape, dtype=bool)
        for w, spec in enumerate(specs):
            place = np.arange(len(spec.source)) - spec.first_edge[spec.source]
            following[w, spec.source, place] = spec.target
            paid[w, spec.source, place] = spec.reward
            allowed[w, spec.source, place] = True
            done[w, spec.source, place] = np.isin(spec.target, sorted(spec.goals))
            stuck = set(range(len(spec.states))) - set(spec.source.tolist()) - spec.goals
            if stuck:
                raise BadParameter(
                    f"state '{spec.states[min(stuck)]}' is a dead end",
                    hint="Give it an action, or make it a goal.",
                )
        return cls(following, paid, allowed, done, np.array([s.start for s in specs]), states)


@dataclasses.dataclass(slots=True, eq=False)
class Drivers:
    """Policies and critics of many worlds: logits [world, state, action], values [world, state]."""

    worlds: Worlds
    logits: Floats
    values: Floats

    @classmethod
    def new(cls, worlds: Worlds) -> Drivers:
        """Drivers that take each allowed action equally often."""
        import numpy as np

        logits = np.where(worlds.allowed, 0.0, -np.inf)
        logits[~worlds.allowed.any(axis=2)] = 0.0
        return cls(worlds, logits, np.zeros(logits.shape[:2]))

    def policy(self) -> Floats:
        """Probabilities [world, state, action]."""
        import numpy as np

        raised = np.exp(self.logits - self.logits.max(axis=2, keepdims=True))
        return np.asarray(raised / raised.sum(axis=2, keepdims=True))

    def greedy(self) -> Integers:
        """The likeliest action [world, state]."""
        best: Integers = self.logits.argmax(axis=2)
        return best


def train_drivers(
    drivers: Drivers,
    discounts: Sequence[float],
    *,
    seed: int,
    updates: int = 400,
    cars: int = 32,
    steps: int = 16,
    paid: Floats | None = None,
    start_anywhere: float = 1.0,
    restart: float = 0.02,
    policy_rate: float = 0.6,
    critic_rate: float = 0.3,
    progress: Callable[[float], None] = lambda share: None,
) -> None:
    """Goes on training in place, on the worlds' rewards or on `paid` [world, state, action].

    cars: copies of each world that are driven at once; steps: between two updates; restart: the
    chance per step that a car is put back, to a random state with chance `start_anywhere`, else to
    the start; finished cars are put back the same way.
    """
    import numpy as np

    worlds = drivers.worlds
    rewards = worlds.paid if paid is None else paid
    size = len(worlds.start)
    rng = np.random.default_rng(seed)
    g = np.asarray(discounts, dtype=np.float64)[:, None]
    rewards = rewards / np.maximum(np.abs(rewards).max(axis=(1, 2), keepdims=True), 1e-300)
    rows = np.arange(size)[:, None]
    place = put(rng, worlds, (size, cars), start_anywhere)
    spread = np.full((size, 1, 1), 0.0)
    for update in range(updates):
        policy = drivers.policy()
        cumulative = np.cumsum(policy, axis=2)
        seen = np.empty((steps, 4, size, cars))
        for t in range(steps):
            action = draw_actions(rng, cumulative[rows, place])
            got = rewards[rows, place, action]
            ended = worlds.done[rows, place, action]
            after = worlds.following[rows, place, action]
            follow = np.where(ended, 0.0, drivers.values[rows, after])
            surprise = g * (got + follow) - drivers.values[rows, place]
            back = ended | (rng.random((size, cars)) < restart)
            seen[t] = place, action, surprise, back
            place = np.where(back, put(rng, worlds, (size, cars), start_anywhere), after)
        advantage = np.empty((steps, size, cars))
        running = np.zeros((size, cars))
        for t in reversed(range(steps)):
            running = seen[t, 2] + g * SMOOTHING * np.where(seen[t, 3] > 0, 0.0, running)
            advantage[t] = running
        states = seen[:, 0].astype(np.int64)
        actions = seen[:, 1].astype(np.int64)
        square = np.square(advantage).mean(axis=(0, 2))[:, None, None]
        spread = square if update == 0 else 0.9 * spread + 0.1 * square
        scaled = advantage / np.sqrt(spread[:, :, 0] + 1e-12)
        _step(drivers, policy, states, actions, advantage, scaled, policy_rate, critic_rate)
        progress((update + 1) / updates)


def draw_actions(rng: np.random.Generator, cumulative: Floats) -> Integers:
    """An action for each car from the cumulated probabilities [world, car, action]."""
    import numpy as np

    draw = rng.random((*cumulative.shape[:2], 1))
    action: Integers = np.minimum((draw > cumulative).sum(axis=2), cumulative.shape[2] - 1)
    return action


def put(
    rng: np.random.Generator, worlds: Worlds, shape: tuple[int, int], anywhere: float
) -> Integers:
    """Where cars start: anywhere that there is something to do, or at the start."""
    import numpy as np

    live = worlds.allowed.any(axis=2)
    order = np.argsort(~live, axis=1, kind="stable")
    pick = (rng.random(shape) * live.sum(axis=1)[:, None]).astype(np.int64)
    random = np.take_along_axis(order, pick, axis=1)
    return np.where(rng.random(shape) < anywhere, random, worlds.start[:, None])


def _step(
    drivers: Drivers,
    policy: Floats,
    states: Integers,
    actions: Integers,
    advantage: Floats,
    scaled: Floats,
    policy_rate: float,
    critic_rate: float,
) -> None:
    """One update by the mean over the visits of each state."""
    import numpy as np

    size, count, fan = drivers.logits.shape
    world = np.broadcast_to(np.arange(size)[:, None], states.shape[1:])
    flat = (world * count + states).ravel()
    visits = np.bincount(flat, minlength=size * count).reshape(size, count)
    per_visit = 1.0 / np.maximum(visits, 1)
    pull = np.bincount(flat, scaled.ravel(), size * count).reshape(size, count) * per_visit
    error = np.bincount(flat, advantage.ravel(), size * count).reshape(size, count) * per_visit
    chosen = np.bincount(flat * fan + actions.ravel(), scaled.ravel(), size * count * fan).reshape(
        size, count, fan
    )
    gradient = chosen * per_visit[:, :, None] - policy * pull[:, :, None]
    moved = np.clip(drivers.logits + policy_rate * gradient, -12.0, 12.0)
    drivers.logits = np.where(drivers.worlds.allowed, moved, drivers.logits)
    drivers.values += critic_rate * error


def sample_returns(
    drivers: Drivers, *, cars: int, horizon: int, seed: int, paid: Floats | None = None
) -> tuple[Floats, NDArray[np.bool_]]:
    """Rewards [world, car], undiscounted, of races from the start, and which were finished.

    paid: rewards to count instead of the worlds' own [world, state, action].
    """
    import numpy as np

    worlds = drivers.worlds
    rewards = worlds.paid if paid is None else paid
    rng = np.random.default_rng(seed)
    rows = np.arange(len(worlds.start))[:, None]
    place = np.repeat(worlds.start[:, None], cars, axis=1)
    total = np.zeros(place.shape)
    finished = np.zeros(place.shape, dtype=bool)
    cumulative = np.cumsum(drivers.policy(), axis=2)
    for _ in range(horizon):
        action = draw_actions(rng, cumulative[rows, place])
        total += np.where(finished, 0.0, rewards[rows, place, action])
        finished |= worlds.done[rows, place, action]
        place = worlds.following[rows, place, action]
    return total, finished


def drive(
    worlds: Worlds, actions: Integers, *, horizon: int
) -> tuple[list[list[int]], NDArray[np.bool_]]:
    """The states that a deterministic driver passes in each world, and whether it finishes."""
    import numpy as np

    passed: list[list[int]] = []
    finished = np.zeros(len(worlds.start), dtype=bool)
    for w, start in enumerate(worlds.start):
        state = int(start)
        path = [state]
        for _ in range(horizon):
            action = int(actions[w, state])
            finished[w] = worlds.done[w, state, action]
            state = int(worlds.following[w, state, action])
            path.append(state)
            if finished[w]:
                break
        passed.append(path)
    return passed, finished
