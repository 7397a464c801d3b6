"""The Lagoon: a course with a finish, and beside it a ring where targets respawn.

After OpenAI (2016), "Faulty reward functions in the wild". At the fork the agent goes ahead, `D`
steps to the finish, or aside, once round a ring of `L` steps with targets on it, back to the fork.
Anywhere else it may also wait, which pays nothing.
"""

from __future__ import annotations

import dataclasses
import itertools
import math

from workbench.errors import BadParameter
from workbench.rewards.specification import RewardSpec

FORK = "fork"
FINISH = "finish"
AHEAD, ASIDE = "ahead", "aside"


@dataclasses.dataclass(frozen=True, slots=True)
class Lagoon:
    """A lap of `lap_time` steps that pays `lap_reward` in all, at `targets` evenly spaced places,
    the last at its end; a finish `finish_distance` steps from the fork that pays `finish_reward`.

    Raises BadParameter where a length is below 1, there are more targets than steps, or a reward
    is not positive.
    """

    lap_time: int
    lap_reward: float
    finish_distance: int
    finish_reward: float
    targets: int = 1

    def __post_init__(self) -> None:
        whole = min(self.lap_time, self.finish_distance, self.targets)
        if whole < 1 or self.targets > self.lap_time:
            raise BadParameter(
                f"no Lagoon has {self.lap_time} steps a lap, {self.targets} targets and "
                f"{self.finish_distance} steps to its finish",
                hint="Give lengths from 1, and at most one target a step.",
            )
        paid = (self.lap_reward, self.finish_reward)
        if not all(math.isfinite(v) and v > 0 for v in paid):
            raise BadParameter(
                f"a lap that pays {paid[0]} and a finish that pays {paid[1]}",
                hint="Give positive rewards.",
            )

    def spec(self) -> RewardSpec:
        """The world as a reward specification of L + D + 1 states at most."""
        every = self.lap_time / self.targets
        hits = {math.ceil(every * (i + 1)) for i in range(self.targets)}
        each = self.lap_reward / self.targets
        ring = [FORK, *(f"ring {i}" for i in range(1, self.lap_time)), FORK]
        course = [FORK, *(f"course {i}" for i in range(1, self.finish_distance)), FINISH]
        rows = []
        for i, (here, there) in enumerate(itertools.pairwise(ring), start=1):
            rows.append((here, ASIDE if here == FORK else AHEAD, there, each * (i in hits)))
        for here, there in itertools.pairwise(course):
            rows.append((here, AHEAD, there, self.finish_reward * (there == FINISH)))
        rows += [(here, ASIDE, here, 0.0) for here in (*ring[1:-1], *course[1:-1])]
        return RewardSpec.from_rows(rows, start=FORK, goals=[FINISH])

    def log_advantage(self, discount: float) -> float:
        """log of what circling for ever pays over finishing, in closed form; circling wins above 0.

        With one target: log(r g^L / (1 - g^L)) - log(g^D R), at a discount g in (0, 1); raises
        BadParameter outside.
        """
        if not 0 < discount < 1:
            raise BadParameter(
                f"discount {discount} lies outside (0, 1)", hint="Give one such as 0.99."
            )
        every = self.lap_time / self.targets
        hits = [math.ceil(every * (i + 1)) for i in range(self.targets)]
        log_g = math.log(discount)
        lap = sum(math.exp((hit - hits[0]) * log_g) for hit in hits) / self.targets
        circling = math.log(self.lap_reward * lap) + hits[0] * log_g
        forever = math.log(-math.expm1(self.lap_time * log_g))
        return circling - forever - math.log(self.finish_reward) - self.finish_distance * log_g
