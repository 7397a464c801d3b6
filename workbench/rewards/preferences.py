"""The preference bench: pairs to rate, an ensemble that learns from answers, and what to ask next.

Christiano et al. (2017, 1706.03741): several Bradley-Terry predictors on resampled answers, each
normalised and then averaged; the pair is asked on which they disagree most. A page or a scripted
rater calls `next_query` and `answer` in turn.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

from workbench.errors import BadParameter
from workbench.rewards import bradley_terry
from workbench.statistics import Rate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

Choice = Literal["a", "b", "tie", "incomparable"]
By = Literal["disagreement", "random"]
MU = {"a": 1.0, "b": 0.0, "tie": 0.5}
CANDIDATES = 400
MOST_WEIGHTS = 20_000


@dataclasses.dataclass(frozen=True, slots=True)
class Query:
    """A pair to rate, why it was chosen, and what the ensemble believes of it.

    chance: mean chance that a is preferred; disagreement: its standard deviation over the members.
    """

    a: int
    b: int
    why: str
    chance: float
    disagreement: float


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Ensemble:
    """Members fitted to resampled answers.

    weights [members, features]; rewards [items]: each member's, centred within each group whose
    level is not identified (a prompt, or items that a chain of answers connects), scaled to unit
    spread, then averaged; train_loss, held_out_loss: mean over the members, the latter on answers
    that a member did not see (nan where each saw all).
    """

    weights: Floats
    rewards: Floats
    train_loss: float
    held_out_loss: float

    def chances(self, differences: Any, noise: float = 0.0) -> Floats:
        """[members, pairs] of preferring the first."""
        return bradley_terry.chance((differences @ self.weights.T).T, noise)


@dataclasses.dataclass(frozen=True, slots=True)
class Bin:
    """Held-out answers whose predicted chance lies in one tenth of [0, 1]."""

    predicted: float
    observed: Rate


class PreferenceBench:
    """Items to compare, the answers so far, and what they say.

    prompts: of each item; only items of one prompt are compared. features: [items, features], the
    identity (a CSR array) where each item has its own reward.
    """

    def __init__(
        self,
        items: int | Floats,
        *,
        prompts: Sequence[str] | None = None,
        noise: float = 0.1,
        l2: float = 1.0,
        members: int = 5,
        seed: int = 0,
    ) -> None:
        """items: features of each [items, features], or how many there are: each then has a reward
        of its own.

        Raises BadParameter for fewer than two items, features that are not finite, more than
        MOST_WEIGHTS weights, or where no prompt has two items."""
        import numpy as np
        from scipy.sparse import eye_array

        self._own = isinstance(items, int)
        features = eye_array(items, format="csr") if isinstance(items, int) else items
        entries = features.data if isinstance(items, int) else items
        if features.shape[1] > MOST_WEIGHTS:
            raise BadParameter(
                f"more than {MOST_WEIGHTS} weights to learn",
                hint="Describe the items by fewer features.",
            )
        if features.shape[0] < 2 or not np.isfinite(entries).all() or not features.shape[1]:
            raise BadParameter(
                f"{features.shape[0]} items, or features that are not finite",
                hint="Give two items or more, each with finite features.",
            )
        if members < 2:
            raise BadParameter(f"{members} members", hint="An ensemble has 2 members or more.")
        self.features: Any = features
        self.noise, self.l2, self.members = noise, l2, members
        self.answers: list[tuple[int, int, Choice]] = []
        self._rng = np.random.default_rng(seed)
        count = features.shape[0]
        self._groups = _groups(prompts, count)
        self._prompts = np.unique(prompts or [""] * count, return_inverse=True)[1]
        self._ensemble: Ensemble | None = None

    def answer(self, a: int, b: int, choice: Choice) -> None:
        """Books an answer; "incomparable" is kept but not fitted. Raises BadParameter for a pair of
        one item, one that is not there, or another choice."""
        if a == b or not all(0 <= item < self.features.shape[0] for item in (a, b)):
            raise BadParameter(f"items {a} and {b} are no pair", hint="Name two different items.")
        if choice not in get_args(Choice):
            raise BadParameter(f"choice '{choice}'", hint=f"Say {', '.join(get_args(Choice))}.")
        self.answers.append((a, b, choice))
        self._ensemble = None

    def next_query(self, by: By = "disagreement") -> Query:
        """The pair of CANDIDATES random ones on which the members disagree most, or a random one.

        Disagreement sometimes hurts and random is a fair competitor (the paper's own ablation).
        """
        (query,) = self.next_queries(1, by)
        return query

    def next_queries(self, count: int, by: By = "disagreement") -> list[Query]:
        """As many pairs to be rated before the next fit."""
        import numpy as np

        first, second = self._pairs(max(count, CANDIDATES) if by == "disagreement" else count)
        chances = np.full((self.members, len(first)), 0.5)
        known = bool(self._answered()[0].size)
        if known:
            chances = self.fit().chances(self.features[first] - self.features[second])
        spread = chances.std(axis=0)
        queries = []
        for i in np.argsort(-spread, kind="stable")[:count].tolist():
            if not known:
                why = "nothing is known yet"
            elif by == "random":
                why = "drawn at random"
            else:
                why = (
                    f"of {len(first)} candidates the {self.members} members disagree most on it: "
                    f"chances from {chances[:, i].min():.2f} to {chances[:, i].max():.2f}"
                )
            pair = int(first[i]), int(second[i])
            queries.append(Query(*pair, why, float(chances[:, i].mean()), float(spread[i])))
        return queries

    def fit(self) -> Ensemble:
        """The ensemble of all answers so far; raises BadParameter where there is none to fit."""
        import numpy as np

        if self._ensemble is not None:
            return self._ensemble
        first, second, mu = self._answered()
        if not mu.size:
            raise BadParameter("there are no answers to fit", hint="Rate some pairs first.")
        differences = self.features[first] - self.features[second]
        weights, train, held = [], [], []
        for member in range(self.members):
            rng = np.random.default_rng((len(mu), member))
            taken = rng.integers(0, len(mu), len(mu))
            left = np.setdiff1d(np.arange(len(mu)), taken)
            found = bradley_terry.fit(
                differences[taken], mu[taken], noise=self.noise, l2=self.l2, errors=False
            )
            weights.append(found.weights)
            train.append(found.loss)
            if left.size:
                odds = differences[left] @ found.weights
                held.append(float(bradley_terry.loss(odds, mu[left], self.noise).mean()))
        self._ensemble = Ensemble(
            np.array(weights),
            self._normalised(np.array(weights)),
            float(np.mean(train)),
            float(np.mean(held)) if held else float("nan"),
        )
        return self._ensemble

    def components(self) -> Integers:
        """[items] the group of each: two items are in one if a chain of answers connects them.

        Between groups the levels of rewards are not identified where each item has its own.
        """
        import numpy as np
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        first, second, mu = self._answered()
        n = self.features.shape[0]
        links = coo_array((np.ones(len(mu)), (first, second)), shape=(n, n))
        found: Integers = connected_components(links, directed=False)[1]
        return found

    def calibration(self, folds: int = 5) -> list[Bin]:
        """Predicted against observed on answers held out in turn; ties are left out."""
        import numpy as np

        first, second, mu = self._answered()
        if len(mu) < 2 * folds:
            return []
        differences = self.features[first] - self.features[second]
        fold = np.random.default_rng(0).integers(0, folds, len(mu))
        predicted = np.full(len(mu), np.nan)
        for held in range(folds):
            taken = fold != held
            if taken.any() and not taken.all():
                found = bradley_terry.fit(
                    differences[taken], mu[taken], noise=self.noise, l2=self.l2, errors=False
                )
                odds = differences[~taken] @ found.weights
                predicted[~taken] = bradley_terry.chance(odds, self.noise)
        bins = []
        place = np.minimum((predicted * 10).astype(np.int64), 9)
        for i in range(10):
            mine = (place == i) & (mu != 0.5)
            if mine.any():
                rate = Rate(int(mu[mine].sum()), int(mine.sum()))
                bins.append(Bin(float(predicted[mine].mean()), rate))
        return bins

    def notices(self) -> list[str]:
        """What the answers cannot tell, for a person."""
        import numpy as np

        said = ["a constant added to all rewards changes no answer: only differences are learned"]
        first, second, mu = self._answered()
        if not mu.size:
            return said
        groups = len(np.unique(self.components()))
        if groups > 1:
            said.append(f"{groups} groups of items were never compared with each other")
        rank = self.features.shape[0] - groups
        if not self._own:
            rank = int(np.linalg.matrix_rank(self.features[first] - self.features[second]))
        lost = self.features.shape[1] - rank
        if lost:
            said.append(
                f"{lost} of {self.features.shape[1]} directions are not moved by any answer"
            )
        dropped = len(self.answers) - len(mu)
        if dropped:
            said.append(f"{dropped} incomparable pairs are left out")
        return said

    def _answered(self) -> tuple[Integers, Integers, Floats]:
        import numpy as np

        kept = [(a, b, MU[choice]) for a, b, choice in self.answers if choice in MU]
        made = np.array(kept, dtype=np.float64).reshape(-1, 3)
        return made[:, 0].astype(np.int64), made[:, 1].astype(np.int64), made[:, 2]

    def _pairs(self, count: int) -> tuple[Integers, Integers]:
        """Random pairs of different items of one prompt, larger prompts more often."""
        import numpy as np

        first = self._groups[0][self._rng.integers(0, len(self._groups[0]), count)]
        second = np.empty_like(first)
        for i, item in enumerate(first.tolist()):
            mates = self._groups[1][item]
            pick = int(self._rng.integers(0, len(mates) - 1))
            second[i] = mates[pick] if mates[pick] != item else mates[-1]
        return first, second

    def _normalised(self, weights: Floats) -> Floats:
        import numpy as np

        rewards = (self.features @ weights.T).T.copy()
        groups = self.components() if self._own else self._prompts
        sizes = np.bincount(groups)
        for row in rewards:
            row -= (np.bincount(groups, row) / sizes)[groups]
            row /= row.std() or 1.0
        return np.asarray(rewards.mean(axis=0))


def _groups(prompts: Sequence[str] | None, items: int) -> tuple[Integers, dict[int, Integers]]:
    """Items that have another of their prompt, and each one's prompt-mates, itself included."""
    import numpy as np

    if prompts is None:
        everything = np.arange(items)
        return everything, dict.fromkeys(range(items), everything)
    by_prompt: dict[str, list[int]] = {}
    for item, prompt in enumerate(prompts):
        by_prompt.setdefault(prompt, []).append(item)
    mates = {item: np.array(mine) for mine in by_prompt.values() if len(mine) > 1 for item in mine}
    if not mates:
        raise BadParameter(
            "no prompt has two items to compare", hint="Sample two responses or more a prompt."
        )
    return np.array(sorted(mates)), mates
