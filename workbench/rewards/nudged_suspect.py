"""The nudge decoder on a suspect with a reward model, beside best-of-n at as many passes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from workbench.errors import BadParameter
from workbench.rewards.charts import Chart, Drawing, Series
from workbench.rewards.nudge import (
    REFINEMENTS,
    THRESHOLD,
    TOP_K,
    Decoded,
    decode,
)
from workbench.suspects import Suspect
from workbench.suspects.rewards import SequenceClassifier, exchange

if TYPE_CHECKING:
    import torch


@dataclasses.dataclass(frozen=True, slots=True)
class Word:
    """A token of the nudged reply. entropy: before it, nats. boundary: a segment begins here.
    displaced: what stood here before the nudge, None where nothing was forced."""

    text: str
    entropy: float
    boundary: bool
    displaced: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class NudgedReply:
    """decoded, plain: with nudges and greedy. words: of the nudged reply. texts, rewards: by way,
    of the reply as text (as tokens the search may have split words otherwise). n: samples that
    best-of-n got for the same passes; their rewards: samples."""

    decoded: Decoded
    plain: Decoded
    words: tuple[Word, ...]
    texts: dict[str, str]
    rewards: dict[str, float]
    samples: tuple[float, ...]
    n: int

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return dataclasses.asdict(self)


def nudge_suspect(
    suspect: Suspect,
    reward: SequenceClassifier,
    prompt: str,
    *,
    length: int = 24,
    threshold: float = THRESHOLD,
    top_k: int = TOP_K,
    refinements: int = REFINEMENTS,
    seed: int = 0,
) -> NudgedReply:
    """Decodes a reply to a prompt by the reward's gradient (WEIGHTS; nothing meters it).

    Raises BadParameter where suspect and reward model do not share their tokens, or the reply does
    not fit, and what `decode` and `SequenceClassifier` raise.
    """
    function, ids = reward.differentiable(prompt)
    _same_tokens(suspect, reward, ids)
    turns = [{"role": "user", "content": prompt}]
    (begun,) = suspect.logprobs([suspect.render(turns)])
    start = begun.token_ids
    if len(start) + length > suspect.context:
        raise BadParameter(
            f"a reply of {length} tokens does not fit the suspect",
            hint=f"It takes {suspect.context} tokens with the prompt.",
        )
    speaker = _Speaker(suspect, start, ids, reward.special)
    same: dict[str, Any] = {"length": length, "ends": speaker.ends}
    nudged = decode(
        speaker.logits, function, threshold=threshold, top_k=top_k, refinements=refinements, **same
    )
    plain = decode(speaker.logits, function, threshold=math.inf, **same)
    n = max(1, nudged.passes // (length + 1))
    (replies,) = suspect.chat([turns], n=n, max_new_tokens=length, seed=seed)
    sampled = [reply.text for reply in replies]
    paid = [
        reward.score([exchange(prompt, text)])[0] if text.strip() else -math.inf for text in sampled
    ]
    finite = [value for value in paid if math.isfinite(value)]
    if not finite:
        raise BadParameter("every sample is empty", hint="Ask for longer replies.")
    best = max(range(n), key=lambda i: paid[i])
    texts = {
        "nudged": reward.text_of([ids[t] for t in nudged.tokens]),
        "greedy": reward.text_of([ids[t] for t in plain.tokens]),
        f"best of {n}": sampled[best],
    }
    rewards = {"nudged": nudged.reward, "greedy": plain.reward, f"best of {n}": paid[best]}
    return NudgedReply(
        nudged, plain, _words(suspect, nudged, ids), texts, rewards, tuple(finite), n
    )


def drawings(found: NudgedReply, gold: dict[str, float] | None = None) -> tuple[Drawing, ...]:
    """Rewards by way beside plain samples; then the reward of each segment; then the entropies."""
    ways = tuple(found.rewards)
    series = [Series("reward", ways, tuple(found.rewards.values()), shape="bars")]
    if gold is not None:
        series.append(Series("gold", tuple(gold), tuple(gold.values()), shape="bars"))
    mean = math.fsum(found.samples) / len(found.samples)
    series.append(Series("mean sample (control)", ways, (mean,) * len(ways), control=True))
    starts = tuple(float(s.start) for s in found.decoded.segments)
    places = tuple(float(i) for i in range(len(found.words)))
    nudges = sum(s.nudged is not None for s in found.decoded.segments)
    return (
        Chart(
            title=f"Nudging reaches {found.rewards['nudged']:.3g}, best of {found.n} "
            f"{found.rewards[f'best of {found.n}']:.3g} at as many passes",
            x_label="how the reply was made",
            y_label=f"reward ({found.decoded.passes} passes, {found.n} samples)",
            series=tuple(series),
            how_to_read=f"the control is the mean of {len(found.samples)} plain samples. One "
            "prompt has no interval: repeat it over prompts before you claim anything.",
        ),
        Chart(
            title=f"{nudges} of {len(starts)} segments were nudged, for {found.decoded.nats:.2f} "
            "nats",
            x_label="token at which the segment begins",
            y_label="reward of the reply so far",
            series=(
                Series("as kept", starts, tuple(s.kept for s in found.decoded.segments)),
                Series(
                    "before nudging (control)",
                    starts,
                    tuple(s.plain for s in found.decoded.segments),
                    control=True,
                ),
            ),
            how_to_read="what is kept has at least the reward of the plain segment.",
        ),
        Chart(
            title="Where the suspect was uncertain",
            x_label="token",
            y_label="entropy of the next token, nats",
            series=(Series("nudged reply", places, tuple(w.entropy for w in found.words)),),
            how_to_read="segments end where the line reaches the threshold, after four tokens.",
        ),
    )


class _Speaker:
    """The suspect's next token after a begun reply; the last forward pass is kept."""

    def __init__(
        self,
        suspect: Suspect,
        start: Sequence[int],
        ids: Sequence[int],
        special: frozenset[int],
    ) -> None:
        self._model, self._start, self._ids = suspect.model, list(start), list(ids)
        self._special = special
        self._seen: tuple[int, ...] | None = None
        self._last: Any = None

    def logits(self, tokens: Sequence[int]) -> torch.Tensor:
        """[choices]"""
        found: torch.Tensor = self._after(tokens)[self._ids]
        return found

    def ends(self, tokens: Sequence[int]) -> bool:
        """Whether the likeliest next token is a special one."""
        return int(self._after(tokens).argmax()) in self._special

    def _after(self, tokens: Sequence[int]) -> Any:
        import torch

        if self._seen != tuple(tokens):
            row = self._start + [self._ids[t] for t in tokens]
            with torch.no_grad():
                logits = self._model(torch.tensor([row], device=self._device()))
            self._last, self._seen = logits[0, -1].float().cpu(), tuple(tokens)
        return self._last

    def _device(self) -> Any:
        return next(self._model.parameters()).device


def _same_tokens(suspect: Suspect, reward: SequenceClassifier, ids: Sequence[int]) -> None:
    if max(ids) >= suspect.vocabulary:
        raise BadParameter(
            f"the reward model knows {max(ids) + 1} tokens, the suspect {suspect.vocabulary}",
            hint="Give a reward model that was trained on the suspect's own tokens.",
        )
    theirs = reward.token_strings(ids)
    if list(suspect.token_strings(ids)) != theirs:
        raise BadParameter(
            "suspect and reward model do not share their tokens",
            hint="The decoder forces tokens: give a reward model with the suspect's tokenizer.",
        )


def _words(suspect: Suspect, decoded: Decoded, ids: Sequence[int]) -> tuple[Word, ...]:
    words = []
    for segment in decoded.segments:
        strings = suspect.token_strings([ids[t] for t in segment.tokens])
        for i, (text, uncertain) in enumerate(zip(strings, segment.entropies, strict=True)):
            forced = segment.nudged == segment.start + i and segment.displaced is not None
            old = suspect.token_strings([ids[segment.displaced]])[0] if forced else None  # type: ignore[index]
            words.append(Word(text, uncertain, i == 0, old))
    return tuple(words)
