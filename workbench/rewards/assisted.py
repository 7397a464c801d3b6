"""Assisted evaluation: does a critic make a weak evaluator better, and what does a bad one cost?

After Leike, Schulman and Wu (OpenAI 2022), "Our approach to alignment research", second pillar.
A response has m features, at most one of which is flawed. The evaluator looks at each feature with
chance k/m. A critic says where to look and whether there is a flaw: looking there takes one of the
k looks, so the others are seen with chance (k - 1)/(m - 1). With chance `trust` the evaluator
repeats what the critic says without looking. Where it sees no flaw it guesses.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

from workbench.errors import BadParameter
from workbench.rewards.tables import Column, Table
from workbench.statistics import Rate, holm

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

COLUMNS = (
    Column("item", "text", "which response was judged"),
    Column("condition", "text", "who helped, as alone or helpful"),
    Column("verdict", "number", "1 if it was judged flawed, else 0"),
    Column("flawed", "number", "1 if it is flawed, else 0"),
)
ALONE = "alone"
Z = 1.959964


@dataclasses.dataclass(frozen=True, slots=True)
class Evaluator:
    """looks: k of `features` m; guess: chance to say "flawed" where no flaw is seen; trust: chance
    to repeat the critic unseen; flawed: share of responses with a flaw.

    Raises BadParameter unless 1 <= k <= m, m >= 2 and the rest are probabilities.
    """

    looks: int = 3
    features: int = 8
    guess: float = 0.2
    trust: float = 0.0
    flawed: float = 0.5

    def __post_init__(self) -> None:
        shares = (self.guess, self.trust, self.flawed)
        if not 1 <= self.looks <= self.features or self.features < 2:
            raise BadParameter(
                f"{self.looks} looks at {self.features} features",
                hint="Give at least 2 features, and from 1 look to as many.",
            )
        if not all(0 <= share <= 1 for share in shares):
            raise BadParameter(
                f"guess {self.guess}, trust {self.trust}, flawed {self.flawed}",
                hint="Give probabilities.",
            )


@dataclasses.dataclass(frozen=True, slots=True)
class Critic:
    """points: chance to point at the flaw of a flawed response; says_flawed, cries: chance to say
    that there is one where there is, and where there is none."""

    points: float
    says_flawed: float
    cries: float


HELPFUL = Critic(1.0, 1.0, 0.0)
ADVERSARIAL = Critic(0.0, 0.0, 1.0)


def random_critic(features: int) -> Critic:
    """Points anywhere and says anything."""
    return Critic(1 / features, 0.5, 0.5)


def accuracy(evaluator: Evaluator, critic: Critic | None = None) -> float:
    """The share of right verdicts, in closed form.

    With d the chance that the flaw is looked at (k/m alone, a + (1 - a)(k - 1)/(m - 1) with a
    critic that points at it with chance a), flawed share f and guess g, looking is right with
    f (d + (1 - d) g) + (1 - f)(1 - g), and repeating the critic is right where the critic is.
    """
    e = evaluator
    seen = e.looks / e.features
    if critic is not None:
        seen = critic.points + (1 - critic.points) * (e.looks - 1) / (e.features - 1)
    looked = e.flawed * (seen + (1 - seen) * e.guess) + (1 - e.flawed) * (1 - e.guess)
    if critic is None:
        return looked
    told = e.flawed * critic.says_flawed + (1 - e.flawed) * (1 - critic.cries)
    return e.trust * told + (1 - e.trust) * looked


@dataclasses.dataclass(frozen=True, slots=True)
class Condition:
    """Verdicts under one condition.

    accuracy, hits (of the flawed), alarms (of the sound): rates, None where there is none of that
    kind; uplift: accuracy minus that of the evaluator alone on the same items, with its 95 %
    interval; p: two-sided, exact, after Holm's correction. The last three are None for `alone`.
    """

    name: str
    accuracy: Rate
    hits: Rate | None
    alarms: Rate | None
    uplift: float | None
    interval: tuple[float, float] | None
    p: float | None

    @property
    def verdict(self) -> str:
        """What the uplift says."""
        if self.interval is None:
            return "the control"
        if self.interval[0] > 0:
            return "helps"
        return "harms" if self.interval[1] < 0 else "no uplift shown"

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        document = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        for name in ("accuracy", "hits", "alarms"):
            rate = document[name]
            document[name] = None if rate is None else rate.to_json()
        return {**document, "verdict": self.verdict}


def measure(table: Table, *, alone: str = ALONE) -> tuple[Condition, ...]:
    """Accuracy under each condition, and its difference from the evaluator alone, by item.

    The interval is Agresti and Min's for paired proportions (2005, Stat. Med. 24, 729), the test
    McNemar's exact one. Raises BadParameter where no condition is called `alone`, a verdict is not
    0 or 1, an item has two truths or two verdicts under one condition, or a condition shares no
    item with the control.
    """
    import numpy as np

    items, conditions = table.labels("item"), table.labels("condition")
    verdict, flawed = table.numbers("verdict"), table.numbers("flawed")
    for name, values in (("verdict", verdict), ("flawed", flawed)):
        if not np.isin(values, (0, 1)).all():
            raise BadParameter(f"{name} holds more than 0 and 1", hint="1: flawed; 0: sound.")
    if alone not in conditions.names:
        raise BadParameter(
            f"no condition is called '{alone}', only {', '.join(conditions.names[:8])}",
            hint="Name the one without a critic with --alone.",
        )
    truth = np.full(len(items.names), -1.0)
    truth[items.codes] = flawed
    odd = np.flatnonzero(truth[items.codes] != flawed)
    if len(odd):
        raise BadParameter(
            f"item '{items.names[items.codes[odd[0]]]}' has two truths", hint="Give it one."
        )
    right = np.full((len(conditions.names), len(items.names)), np.nan)
    pairs = conditions.codes * len(items.names) + items.codes
    if len(np.unique(pairs)) < len(pairs):
        raise BadParameter(
            "an item has two verdicts under one condition", hint="Give one, or split the item."
        )
    right[conditions.codes, items.codes] = verdict == flawed
    control = right[conditions.names.index(alone)]
    found = [
        _condition(name, right[i], control if name != alone else None, truth)
        for i, name in enumerate(conditions.names)
    ]
    tested = [c for c in found if c.p is not None]
    adjusted = dict(zip((c.name for c in tested), holm([c.p or 0.0 for c in tested]), strict=True))
    found = [dataclasses.replace(c, p=adjusted.get(c.name)) for c in found]
    return tuple(sorted(found, key=lambda c: c.name != alone))


def _condition(
    name: str,
    right: NDArray[np.float64],
    control: NDArray[np.float64] | None,
    truth: NDArray[np.float64],
) -> Condition:
    import numpy as np

    judged = np.isfinite(right)
    rate = Rate(int(right[judged].sum()), int(judged.sum()))
    flawed, sound = right[judged & (truth == 1)], right[judged & (truth == 0)]
    hits = Rate(int(flawed.sum()), len(flawed)) if len(flawed) else None
    alarms = Rate(int(len(sound) - sound.sum()), len(sound)) if len(sound) else None
    if control is None:
        return Condition(name, rate, hits, alarms, None, None, None)
    both = judged & np.isfinite(control)
    if not both.any():
        raise BadParameter(
            f"condition '{name}' shares no item with the control",
            hint="Let the evaluator judge the same responses alone.",
        )
    n = int(both.sum())
    gained = int((right[both] > control[both]).sum())
    lost = int((right[both] < control[both]).sum())
    return Condition(
        name,
        rate,
        hits,
        alarms,
        (gained - lost) / n,
        paired(gained, lost, n),
        _mcnemar(gained, lost),
    )


def paired(gained: int, lost: int, n: int) -> tuple[float, float]:
    """95 % interval of (gained - lost)/n over n pairs (Agresti and Min 2005)."""
    middle = (gained - lost) / (n + 2)
    spread = math.sqrt((gained + lost + 1) - (gained - lost) ** 2 / (n + 2)) / (n + 2)
    return max(-1.0, middle - Z * spread), min(1.0, middle + Z * spread)


def _mcnemar(gained: int, lost: int) -> float:
    from scipy.stats import binomtest

    return float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0
