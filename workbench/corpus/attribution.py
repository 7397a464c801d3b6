"""From a behaviour back to the documents that may have taught it.

A behaviour is two lists of texts: some that show it and some that do not, as like the first ones
as can be had. Each method gives documents a score; `rank` puts them in order. What a score means
differs: BM25 (`ranked`) finds what says the same words, a direction finds what looks alike inside
the model, a gradient (`gradients`) finds what would have moved the model the same way. All are
correlational: only training again without the documents says what they did.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workbench.corpus.semantic import SemanticIndex
from workbench.errors import BadParameter
from workbench.statistics import Rate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SHRINKAGE = 0.1
"""How far a probe's covariance is drawn towards a multiple of the identity."""


@dataclasses.dataclass(frozen=True, slots=True)
class Behaviour:
    """Texts that show a behaviour and texts that do not; raises BadParameter where one is empty."""

    shown: tuple[str, ...]
    control: tuple[str, ...]

    def __post_init__(self) -> None:
        if not any(t.strip() for t in self.shown) or not any(t.strip() for t in self.control):
            raise BadParameter(
                f"a behaviour of {len(self.shown)} texts against {len(self.control)}",
                hint="Give texts with words on both sides.",
            )


@dataclasses.dataclass(frozen=True, slots=True)
class Recall:
    """How many of the planted documents are among the first k, beside a random order's share.

    p: hypergeometric, of a random order finding as many.
    """

    found: Rate
    random: Rate
    k: int
    p: float


def activation_difference(index: SemanticIndex, behaviour: Behaviour) -> NDArray[np.float64]:
    """The direction from the control's mean activation to the behaviour's, [width].

    After Xiao and Aranguri 2026 (arXiv 2602.11079), at the hook that the index was read at.
    """
    shown, control = (index.vectors(texts) for texts in (behaviour.shown, behaviour.control))
    direction: NDArray[np.float64] = shown.mean(0) - control.mean(0)
    return direction


def probe_direction(index: SemanticIndex, behaviour: Behaviour) -> NDArray[np.float64]:
    """A linear probe's weights, [width]: Fisher's discriminant (1936) of the behaviour against its
    control, the pooled covariance shrunk by SHRINKAGE."""
    import numpy as np

    shown, control = (index.vectors(texts) for texts in (behaviour.shown, behaviour.control))
    inside = np.concatenate([shown - shown.mean(0), control - control.mean(0)])
    covariance = inside.T @ inside / len(inside)
    scale = max(float(np.trace(covariance)) / len(covariance), 1e-12)
    shrunk = (1 - SHRINKAGE) * covariance + SHRINKAGE * scale * np.eye(len(covariance))
    weights: NDArray[np.float64] = np.linalg.solve(shrunk, shown.mean(0) - control.mean(0))
    return weights


def along(index: SemanticIndex, direction: NDArray[Any]) -> dict[str, float]:
    """Every document's projection onto a direction of the index's space: one of the above, a
    trained probe's weights, or an SAE latent's decoder row of the same hook.

    Raises BadParameter where the widths differ.
    """
    width = index.vectors(["a"]).shape[1]
    if direction.shape != (width,):
        raise BadParameter(
            f"a direction of shape {direction.shape} in a space of width {width}",
            hint="Take the direction from the hook that the index was read at.",
        )
    scores = index.scores(direction, cosine=False)
    return dict(zip(index.documents, scores.tolist(), strict=True))


def rank(scores: Mapping[str, float]) -> list[str]:
    """Documents by falling score; equal scores in their given order."""
    return sorted(scores, key=lambda document: -scores[document])


def random_order(documents: Iterable[str], seed: int) -> list[str]:
    """The control of every method: the documents shuffled."""
    order = sorted(documents)
    random.Random(seed).shuffle(order)
    return order


def fused(orders: Sequence[Sequence[str]], *, damping: int = 60) -> list[str]:
    """One order out of several by reciprocal rank (Cormack, Clarke and Buettcher 2009)."""
    scores: dict[str, float] = {}
    for order in orders:
        for place, document in enumerate(order):
            scores[document] = scores.get(document, 0.0) + 1 / (damping + place + 1)
    return rank(scores)


def recall_at(
    order: Sequence[str], planted: Iterable[str], k: int, *, of: int, seed: int = 0
) -> Recall:
    """Recall of the planted documents among the first k of an order over `of` documents.

    The random control is drawn 100 times. Raises BadParameter without planted documents or with
    an impossible k.
    """
    from scipy.stats import hypergeom

    wanted = set(planted)
    if not wanted or not 1 <= k <= of or len(wanted) > of:
        raise BadParameter(
            f"recall of {len(wanted)} planted documents among {k} of {of}",
            hint="Plant at least one, and look at 1 to all of the documents.",
        )
    hits = len(wanted & set(order[:k]))
    dice = random.Random(seed)
    drawn = sum(sum(i < len(wanted) for i in dice.sample(range(of), k)) for _ in range(100))
    return Recall(
        found=Rate(hits, len(wanted)),
        random=Rate(drawn, 100 * len(wanted)),
        k=k,
        p=float(hypergeom.sf(hits - 1, of, len(wanted), k)),
    )
