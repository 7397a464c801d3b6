"""The nudge decoder: greedy segments, each begun anew with the token that a reward's gradient asks.

After Lin and Zhang 2026 (arXiv 2606.09635). Language model and reward stay as they are; where the
model is uncertain a segment ends, and one token at the start of the next may be replaced.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from workbench.errors import BadParameter

if TYPE_CHECKING:
    import torch

TOP_K, REFINEMENTS, FLOOR, THRESHOLD = 25, 8, 4, 1.5
"""As published: candidates of the language model, refinements of a segment, fewest tokens of a
segment, and the entropy in nats at which one ends (2.0 for reasoning)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Segment:
    """One segment as it was kept. start: its place. nudged: the place of the token that was forced,
    None where the plain segment was best; displaced: the token that stood there. nats: -log of the
    probability that the language model gave the forced token. plain, kept: reward before nudging
    and as kept. entropies: of the language model before each token, nats. reason: why it ended.
    """

    start: int
    tokens: tuple[int, ...]
    entropies: tuple[float, ...]
    nudged: int | None
    displaced: int | None
    nats: float
    plain: float
    kept: float
    tried: int
    reason: Literal["entropy", "length", "end"]


@dataclasses.dataclass(frozen=True, slots=True)
class Decoded:
    """passes: sequences that went forward through a model, and backward; nats: of all nudges."""

    tokens: tuple[int, ...]
    segments: tuple[Segment, ...]
    reward: float
    passes: int
    nats: float


Logits = Callable[[Sequence[int]], "torch.Tensor"]
"""Tokens so far (choices) to logits [choices] of the next."""
Reward = Callable[["torch.Tensor"], "torch.Tensor"]
"""One-hot tokens [batch, length, choices] to rewards [batch], differentiable."""
Ends = Callable[[Sequence[int]], bool]
"""Whether the language model would end here rather than say any other token."""
Pick = Callable[[Sequence[float]], int]
"""Scores of candidates to the place of the chosen one."""


def decode(
    logits: Logits,
    reward: Reward,
    *,
    length: int,
    threshold: float = THRESHOLD,
    top_k: int = TOP_K,
    refinements: int = REFINEMENTS,
    floor: int = FLOOR,
    ends: Ends | None = None,
    pick: Pick | None = None,
) -> Decoded:
    """Decodes up to `length` tokens, or to where the model `ends`.

    A segment ends after `floor` tokens or more where the entropy of the next reaches `threshold`.
    It is refined where it begins at such a place, and the first one, at offset `floor`, where it
    ends at one: an infinite threshold is greedy decoding, and no nudge. pick: which candidate; the
    one of largest gradient by default (a random one is the control). Raises BadParameter on sizes
    below 1, a threshold below 0 and a reward that is not finite.
    """
    for name, size in (("length", length), ("top_k", top_k), ("floor", floor)):
        if size < 1:
            raise BadParameter(f"a {name} of {size}", hint="Give at least 1.")
    if not threshold >= 0 or refinements < 0:
        raise BadParameter(
            f"threshold {threshold}, {refinements} refinements", hint="Give at least 0."
        )
    work = _Work(logits, reward, length, threshold, floor, ends)
    said: list[int] = []
    segments: list[Segment] = []
    kept = math.nan
    while len(said) < length and not (segments and segments[-1].reason == "end"):
        first = not said
        plain = work.segment(said, None)
        value = work.score(said + plain.tokens)
        best: tuple[float, _Draft, int | None, float] = (value, plain, None, 0.0)
        offset = floor if first else 0
        uncertain = plain.reason == "entropy" if first else True
        tried: set[int] = set()
        if uncertain and offset < len(plain.tokens):
            tried.add(plain.tokens[offset])
            at, now = len(said) + offset, plain
            spread = work.logs(said + plain.tokens[:offset])
            candidates = spread.topk(min(top_k, len(spread))).indices.tolist()
            for _ in range(refinements):
                slopes = work.slopes(said + now.tokens, at)
                # the token in place counts for nothing, as in the published code
                scores = [slopes[c] * (1e-10 if c == now.tokens[offset] else 1) for c in candidates]
                chosen = candidates[(pick or _largest)(scores)]
                if chosen in tried:
                    break
                tried.add(chosen)
                now = work.segment(said, (offset, chosen), plain.tokens[:offset])
                gained = work.score(said + now.tokens)
                if gained > best[0]:
                    best = (gained, now, at, -float(spread[chosen]))
        kept, taken, nudged, nats = best
        segments.append(
            Segment(
                len(said),
                tuple(taken.tokens),
                tuple(taken.entropies),
                nudged,
                None if nudged is None else plain.tokens[offset],
                nats,
                value,
                kept,
                max(0, len(tried) - 1),
                taken.reason,
            )
        )
        said += taken.tokens
    return Decoded(tuple(said), tuple(segments), kept, work.passes, sum(s.nats for s in segments))


def entropy(logs: torch.Tensor) -> float:
    """Of a distribution given by its log-probabilities, nats."""
    p = logs.exp()
    return float(-(p * logs.clamp(min=-1e4)).sum())


def gains(reward: Reward, tokens: Sequence[int], choices: int, at: int) -> tuple[list[float], ...]:
    """(predicted, true) change of the reward for every substitution at a place: the gradient's
    first-order prediction, and the reward itself."""
    import torch
    from torch.nn.functional import one_hot

    slopes = _gradient(reward, tokens, choices)[at]
    rows = torch.tensor([list(tokens)] * choices)
    rows[:, at] = torch.arange(choices)
    with torch.no_grad():
        values = reward(one_hot(rows, choices).float())
    now = tokens[at]
    predicted = (slopes - slopes[now]).tolist()
    return predicted, (values - values[now]).tolist()


def _largest(scores: Sequence[float]) -> int:
    return max(range(len(scores)), key=lambda i: scores[i])


@dataclasses.dataclass(slots=True)
class _Draft:
    tokens: list[int]
    entropies: list[float]
    reason: Literal["entropy", "length", "end"]


class _Work:
    """The two models with their count of passes."""

    def __init__(
        self,
        logits: Logits,
        reward: Reward,
        length: int,
        threshold: float,
        floor: int,
        ends: Ends | None,
    ) -> None:
        self._logits, self._reward = logits, reward
        self._length, self._threshold, self._floor, self._ends = length, threshold, floor, ends
        self._choices = 0
        self.passes = 0

    def logs(self, tokens: Sequence[int]) -> torch.Tensor:
        """Log-probabilities [choices] of the next token."""
        import torch

        self.passes += 1
        with torch.no_grad():
            found = self._logits(tokens).float().log_softmax(dim=-1)
        self._choices = len(found)
        return found

    def segment(
        self,
        said: Sequence[int],
        forced: tuple[int, int] | None,
        begun: Sequence[int] = (),
    ) -> _Draft:
        """Greedy from here; `forced` is (offset, token), after the plain segment's `begun`."""
        draft = _Draft([], [], "length")
        while len(said) + len(draft.tokens) < self._length:
            place = len(draft.tokens)
            logs = self.logs([*said, *draft.tokens])
            uncertain = entropy(logs)
            if (
                place >= self._floor
                and uncertain >= self._threshold
                and not (forced is not None and place <= forced[0])
            ):
                draft.reason = "entropy"
                break
            if forced is not None and place == forced[0]:
                token = forced[1]
            elif forced is not None and place < forced[0]:
                token = begun[place]
            else:
                token = int(logs.argmax())
            draft.tokens.append(token)
            draft.entropies.append(uncertain)
            if self._ends is not None and self._ends([*said, *draft.tokens]):
                draft.reason = "end"
                break
        return draft

    def score(self, tokens: Sequence[int]) -> float:
        import torch
        from torch.nn.functional import one_hot

        self.passes += 1
        with torch.no_grad():
            value = float(self._reward(one_hot(torch.tensor([tokens]), self._choices).float())[0])
        if not math.isfinite(value):
            raise BadParameter(f"a reward of {value}", hint="Find out why before decoding by it.")
        return value

    def slopes(self, tokens: Sequence[int], at: int) -> list[float]:
        """[choices] the reward's gradient at a place; a pass forward and one back."""
        self.passes += 2
        slopes: list[float] = _gradient(self._reward, tokens, self._choices)[at].tolist()
        return slopes


def _gradient(reward: Reward, tokens: Sequence[int], choices: int) -> torch.Tensor:
    import torch
    from torch.nn.functional import one_hot

    rows = one_hot(torch.tensor([list(tokens)]), choices).float().requires_grad_()
    (slopes,) = torch.autograd.grad(reward(rows).sum(), rows)
    return slopes[0]
