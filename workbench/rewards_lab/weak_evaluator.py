"""A weak evaluator and its critics, among them one that is trained on few labelled responses.

A prompt is m of SYMBOLS symbols; the right response has each one's partner under a fixed
permutation, a flawed response has one wrong partner. The critic learns from labelled flaws which
pairs belong together, and points at the pair that it believes least.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from workbench.errors import BadParameter
from workbench.rewards.assisted import (
    ADVERSARIAL,
    ALONE,
    HELPFUL,
    Critic,
    Evaluator,
    accuracy,
    random_critic,
)
from workbench.rewards.tables import Labels, Table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

SYMBOLS = 40
STEPS = 200
RATE = 4.0


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Responses:
    """Pairs of symbols as one number each [responses, m], and the flawed place, m where none is."""

    pairs: Integers
    flaw: Integers


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Told:
    """What a critic says of each response: where to look, and whether there is a flaw."""

    where: Integers
    flaw: NDArray[np.bool_]


def draw_responses(evaluator: Evaluator, n: int, rng: np.random.Generator) -> Responses:
    """Responses of which a share of `evaluator.flawed` has one wrong partner."""
    import numpy as np

    m = evaluator.features
    partner = np.random.default_rng(12).permutation(SYMBOLS)
    asked = rng.integers(0, SYMBOLS, (n, m))
    given = partner[asked]
    flaw = np.where(rng.random(n) < evaluator.flawed, rng.integers(0, m, n), m)
    rows = np.flatnonzero(flaw < m)
    given[rows, flaw[rows]] += rng.integers(1, SYMBOLS, len(rows))
    return Responses(asked * SYMBOLS + given % SYMBOLS, flaw)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class TrainedCritic:
    """Suspicion of each pair of symbols [SYMBOLS²], and of there being no flaw."""

    suspicion: Floats
    none: float

    @classmethod
    def train(cls, labelled: Responses) -> TrainedCritic:
        """Softmax regression on the flawed place, or none, with a small penalty on weights."""
        import numpy as np

        n, m = labelled.pairs.shape
        if n < 1:
            raise BadParameter("no labelled response", hint="Give the critic one at least.")
        weights, none = np.zeros(SYMBOLS**2), 0.0
        wanted = np.eye(m + 1)[labelled.flaw]
        for _ in range(STEPS):
            error = _softmax(weights[labelled.pairs], none) - wanted
            slope = np.bincount(labelled.pairs.ravel(), error[:, :m].ravel(), SYMBOLS**2)
            weights -= RATE * (slope / n + 1e-4 * weights)
            none -= RATE * float(error[:, m].mean())
        return cls(weights, none)

    def tell(self, responses: Responses) -> Told:
        """The most suspicious place; a flaw where all places together are likelier than none."""
        chances = _softmax(self.suspicion[responses.pairs], self.none)
        where: Integers = chances[:, :-1].argmax(axis=1)
        return Told(where, chances[:, -1] < 0.5)

    def mislead(self, responses: Responses) -> Told:
        """The least suspicious place, and the opposite of what it believes."""
        chances = _softmax(self.suspicion[responses.pairs], self.none)
        where: Integers = chances[:, :-1].argmin(axis=1)
        return Told(where, chances[:, -1] >= 0.5)


def tell(critic: Critic, responses: Responses, rng: np.random.Generator) -> Told:
    """What a critic of given rates says; it points elsewhere where not at the flaw."""
    import numpy as np

    n, m = responses.pairs.shape
    flawed = responses.flaw < m
    away = (responses.flaw + rng.integers(1, m, n)) % m
    where = np.where(flawed, away, rng.integers(0, m, n))
    where = np.where(flawed & (rng.random(n) < critic.points), responses.flaw, where)
    said = rng.random(n) < np.where(flawed, critic.says_flawed, critic.cries)
    return Told(where, said)


def judge(
    evaluator: Evaluator, responses: Responses, told: Told | None, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Verdicts [responses]: whether each is called flawed."""
    import numpy as np

    n, m = responses.pairs.shape
    looks = np.full((n, m), evaluator.looks / m)
    if told is not None:
        looks[:] = (evaluator.looks - 1) / (m - 1)
        looks[np.arange(n), told.where] = 1.0
    seen = rng.random((n, m)) < looks
    found = (seen & (responses.flaw[:, None] == np.arange(m))).any(axis=1)
    verdict = found | (rng.random(n) < evaluator.guess)
    if told is not None:
        verdict = np.where(rng.random(n) < evaluator.trust, told.flaw, verdict)
    return np.asarray(verdict)


def measured(told: Told, responses: Responses) -> Critic:
    """The rates of a critic, from what it said."""
    m = responses.pairs.shape[1]
    flawed = responses.flaw < m
    return Critic(
        points=float((told.where == responses.flaw)[flawed].mean()),
        says_flawed=float(told.flaw[flawed].mean()),
        cries=float(told.flaw[~flawed].mean()),
    )


def run(
    evaluator: Evaluator, *, items: int = 2000, labelled: int = 8, seed: int = 0
) -> tuple[Table, dict[str, float]]:
    """Verdicts under each condition as a table for `assisted.measure`, and the accuracies that the
    closed form gives each."""
    import numpy as np

    rng = np.random.default_rng(seed)
    responses = draw_responses(evaluator, items, rng)
    critic = TrainedCritic.train(draw_responses(evaluator, labelled, rng))
    told: dict[str, Told | None] = {
        ALONE: None,
        "perfect": tell(HELPFUL, responses, rng),
        "trained": critic.tell(responses),
        "random": tell(random_critic(evaluator.features), responses, rng),
        "adversarial": tell(ADVERSARIAL, responses, rng),
        "trained, adversarial": critic.mislead(responses),
    }
    known = {
        ALONE: None,
        "perfect": HELPFUL,
        "random": random_critic(evaluator.features),
        "adversarial": ADVERSARIAL,
    }
    closed, verdicts = {}, []
    for name, said in told.items():
        if name in known:
            closed[name] = accuracy(evaluator, known[name])
        elif said is not None:
            closed[name] = accuracy(evaluator, measured(said, responses))
        verdicts.append(judge(evaluator, responses, said, rng))
    flawed = (responses.flaw < evaluator.features).astype(np.float64)
    columns: dict[str, Any] = {
        "item": Labels(np.tile(np.arange(items), len(told)), tuple(map(str, range(items)))),
        "condition": Labels(np.repeat(np.arange(len(told)), items), tuple(told)),
        "verdict": np.concatenate(verdicts).astype(np.float64),
        "flawed": np.tile(flawed, len(told)),
    }
    return Table(items * len(told), columns), closed


def _softmax(places: Floats, none: float) -> Floats:
    """[responses, m + 1] chances of the flaw being at each place, or nowhere."""
    import numpy as np

    scores = np.column_stack([places, np.full(len(places), none)])
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))
