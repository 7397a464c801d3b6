"""The nudge decoder: gradients, thresholds, monotone segments; a suspect with a reward model."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.unit.suspects.test_rewards import classifier
from workbench.errors import BadParameter
from workbench.rewards.nudge import Decoded, decode, entropy, gains
from workbench.rewards.nudged_suspect import drawings, nudge_suspect
from workbench.suspects import Suspect
from workbench.suspects.rewards import SequenceClassifier

CHOICES, LENGTH = 6, 16
dice = torch.Generator().manual_seed(0)
TABLE = torch.randn(CHOICES, CHOICES, generator=dice)
EMBEDDED = torch.randn(CHOICES, 5, generator=dice)
PLACES = torch.randn(LENGTH, 5, generator=dice)


def speaker(tokens: Sequence[int]) -> torch.Tensor:
    return 2 * TABLE[tokens[-1]] if tokens else TABLE.sum(dim=0)


def linear(rows: torch.Tensor) -> torch.Tensor:
    return ((rows @ EMBEDDED) * PLACES[: rows.shape[1]]).sum(dim=(1, 2))


def curved(rows: torch.Tensor) -> torch.Tensor:
    return torch.tanh(rows.sum(dim=1) @ EMBEDDED[:, 0]) + rows[:, :, 2].sum(dim=1) ** 2 / 4


def greedy(length: int = LENGTH) -> list[int]:
    said: list[int] = []
    for _ in range(length):
        said.append(int(speaker(said).argmax()))
    return said


def test_a_linear_rewards_gains_are_predicted_exactly() -> None:
    tokens = greedy()
    for at in range(LENGTH):
        predicted, true = gains(linear, tokens, CHOICES, at)
        assert predicted == pytest.approx(true, abs=1e-5)
        assert max(range(CHOICES), key=predicted.__getitem__) == max(
            range(CHOICES), key=true.__getitem__
        )
    predicted, true = gains(curved, tokens, CHOICES, 3)
    assert predicted != pytest.approx(true, abs=1e-2)


def test_no_threshold_is_greedy_and_nothing_is_nudged() -> None:
    found = decode(speaker, linear, length=LENGTH, threshold=math.inf)
    assert list(found.tokens) == greedy() and found.nats == 0
    (only,) = found.segments
    assert only.nudged is None and only.reason == "length" and only.tried == 0


@pytest.mark.parametrize("floor", [1, 4, 5])
def test_a_threshold_of_nothing_ends_segments_wherever_it_may(floor: int) -> None:
    found = decode(speaker, linear, length=LENGTH, threshold=0.0, floor=floor, refinements=0)
    assert [s.start for s in found.segments] == list(range(0, LENGTH, floor))
    assert list(found.tokens) == greedy() and all(s.nudged is None for s in found.segments)


@pytest.mark.parametrize("reward", [linear, curved])
def test_what_is_kept_is_never_worse(reward: Any) -> None:
    found = decode(speaker, reward, length=LENGTH, threshold=0.8, top_k=CHOICES)
    assert all(s.kept >= s.plain for s in found.segments)
    nudged = [s for s in found.segments if s.nudged is not None]
    assert (
        nudged and found.reward > decode(speaker, reward, length=LENGTH, threshold=math.inf).reward
    )
    said = list(found.tokens)
    for segment in nudged:
        assert segment.nudged in (segment.start, 4) and segment.kept > segment.plain
        place = segment.nudged
        assert said[place] != segment.displaced
        logs = speaker(said[:place]).log_softmax(dim=0)
        assert segment.nats == pytest.approx(-float(logs[said[place]]), abs=1e-5)
    assert found.nats == pytest.approx(sum(s.nats for s in nudged))
    assert [t for s in found.segments for t in s.tokens] == said


def test_boundaries_lie_where_the_entropy_says() -> None:
    found = decode(speaker, linear, length=LENGTH, threshold=0.8)
    said = list(found.tokens)
    for segment in found.segments[1:]:
        assert entropy(speaker(said[: segment.start]).log_softmax(dim=0)) >= 0.8
    assert entropy(torch.full((4,), 0.25).log()) == pytest.approx(math.log(4))
    assert entropy(torch.tensor([0.0, -math.inf])) == 0


def test_only_the_likeliest_tokens_are_candidates() -> None:
    alone = decode(speaker, linear, length=LENGTH, threshold=0.0, top_k=1)
    assert list(alone.tokens) == greedy()


def test_passes_are_counted() -> None:
    calls = {"speaker": 0, "reward": 0}

    def counted(tokens: Sequence[int]) -> torch.Tensor:
        calls["speaker"] += 1
        return speaker(tokens)

    def rewarded(rows: torch.Tensor) -> torch.Tensor:
        calls["reward"] += 2 if rows.requires_grad else 1
        return linear(rows)

    found = decode(counted, rewarded, length=LENGTH, threshold=0.8)
    assert found.passes == calls["speaker"] + calls["reward"]


def test_it_ends_where_the_model_does() -> None:
    found = decode(
        speaker, linear, length=LENGTH, threshold=math.inf, ends=lambda tokens: len(tokens) == 5
    )
    assert len(found.tokens) == 5 and found.segments[-1].reason == "end"


def test_what_is_refused() -> None:
    for options in (
        {"length": 0}, {"length": 4, "threshold": -1.0}, {"length": 4, "top_k": 0},
        {"length": 4, "refinements": -1}, {"length": 4, "threshold": math.nan},
    ):  # fmt: skip
        with pytest.raises(BadParameter):
            decode(speaker, linear, **options)  # type: ignore[arg-type]
    with pytest.raises(BadParameter, match="nan"):
        decode(speaker, lambda rows: rows.sum(dim=(1, 2)) * math.nan, length=4)


def reply(llama: Path, rm: Path, prompt: str = "Why does the fox sing?", **options: Any) -> Any:
    suspect = Suspect.load(llama, device="cpu")
    return nudge_suspect(
        suspect, SequenceClassifier(rm, device="cpu"), prompt,
        length=10, threshold=0.0, **options,
    )  # fmt: skip


def test_a_suspect_with_a_reward_model(llama: Path, save_model: Callable[[Any], Path]) -> None:
    rm = save_model(classifier("Llama"))
    prompts = ("Why does the fox sing?", "One?", "A small dog eats bread.", "B")
    tried = [reply(llama, rm, prompt, top_k=200) for prompt in prompts]
    found = max(tried, key=lambda one: one.decoded.nats)
    decoded: Decoded = found.decoded
    assert all(s.kept >= s.plain for s in decoded.segments)
    assert found.n == max(1, decoded.passes // 11) and set(found.texts) == set(found.rewards)
    assert len(found.words) == len(decoded.tokens)
    forced = [w for w in found.words if w.displaced is not None]
    assert len(forced) == sum(s.nudged is not None for s in decoded.segments) > 0
    assert found.rewards["nudged"] >= found.rewards["greedy"] - 1e-6 or forced
    assert len(drawings(found)) == 3 and found.to_json()["n"] == found.n
    again = reply(llama, rm, prompts[tried.index(found)], top_k=200)
    assert again.decoded == decoded and again.texts == found.texts


def test_tokens_that_are_not_shared_are_refused(
    llama: Path, save_model: Callable[[Any], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    rm = save_model(classifier("Llama"))
    monkeypatch.setattr(SequenceClassifier, "token_strings", lambda self, ids: ["x" for _ in ids])
    with pytest.raises(BadParameter, match="do not share"):
        reply(llama, rm)
