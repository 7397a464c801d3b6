"""The way back through a model: gradients by token against autograd, and a copy that learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest
import torch

from workbench.access import Access, Budget
from workbench.errors import AccessDenied, BadParameter, BudgetExceeded
from workbench.suspects import Suspect
from workbench.suspects.scripted import ScriptedSuspect

TEXTS = ["The red cat", "Why does the fox sing? Because the moon", "A dog"]
LESSON = [
    {"role": "user", "content": "Why does the fox sing?"},
    {"role": "assistant", "content": "One, two, three."},
]


@pytest.fixture(scope="module")
def suspect(tiny: Path) -> Suspect:
    return Suspect.load(tiny, device="cpu")


def scripted(**parts: Any) -> ScriptedSuspect:
    return ScriptedSuspect(lambda turns, seed, index: "Before.", **parts)


def test_gradients_are_those_of_the_one_hot_tokens(suspect: Suspect, tiny: Path) -> None:
    from transformers import AutoModelForCausalLM

    hf = AutoModelForCausalLM.from_pretrained(tiny, attn_implementation="eager").eval()
    weights = numpy.random.default_rng(0).standard_normal((3, 400)).astype("float32")
    found = suspect.token_gradients(TEXTS, weights)
    embedding = hf.get_input_embeddings()
    for one, wanted in zip(found, weights, strict=True):
        hot = torch.nn.functional.one_hot(torch.tensor(one.token_ids), 400).float()
        hot.requires_grad_(True)
        made = hot @ embedding.weight * getattr(embedding, "embed_scale", 1.0)
        last = hf(inputs_embeds=made[None]).logits[0, -1].log_softmax(-1)
        (expected,) = torch.autograd.grad((last * torch.from_numpy(wanted)).sum(), hot)
        off = (torch.from_numpy(one.gradient) - expected).abs().max()
        assert off < 1e-4 * expected.abs().max()


def test_a_tuned_copy_has_learnt_and_the_suspect_has_not(suspect: Suspect) -> None:
    told = suspect.render(LESSON, False)
    before = suspect.logprobs([told])[0].total
    tuned = suspect.tuned([LESSON], steps=8, learning_rate=0.01)
    assert tuned.logprobs([told])[0].total > before + 5
    assert suspect.logprobs([told])[0].total == before
    hook = suspect.residual_hook(1)  # the face with the hooks has the new weights too
    apart = [next(iter(who.activations([told], [hook]))).values[hook] for who in (suspect, tuned)]
    assert not torch.allclose(*apart)
    assert tuned.fingerprint()["tensors"] != suspect.fingerprint()["tensors"]
    again = suspect.tuned([LESSON], steps=8, learning_rate=0.01)
    assert again.fingerprint() == tuned.fingerprint()
    assert again.logprobs([told])[0].total == tuned.logprobs([told])[0].total


def test_only_the_last_reply_is_learnt(suspect: Suspect) -> None:
    asked = suspect.render(LESSON[:1], False)
    start = suspect.count_tokens([asked])[0] - 2
    tuned = suspect.tuned([LESSON], steps=6, learning_rate=0.003)
    both = [who.logprobs([suspect.render(LESSON, False)])[0].logprobs for who in (suspect, tuned)]
    gain = both[1] - both[0]
    assert gain[start:].mean() > gain[:start].mean() + 0.2


def test_the_way_back_is_booked_as_a_second_pass() -> None:
    suspect = scripted()
    view = suspect.restrict(Access.EVERYTHING & suspect.access, Budget(forward_passes=12))
    rows = numpy.zeros((2, view.vocabulary))
    view.token_gradients(["one two", "three"], rows)
    assert (view.usage.to_json()["forward_passes"], view.usage.to_json()["tokens"]) == (4, 6)
    tuned = view.tuned([LESSON], steps=3)
    spent = view.usage.to_json()
    assert spent["forward_passes"] == 10
    assert spent["tokens"] == 6 + 6 * view.count_tokens([view.render(LESSON, False)])[0]
    tuned.logprobs(["one"])
    assert view.usage.to_json()["forward_passes"] == 11
    with pytest.raises(BudgetExceeded):
        view.tuned([LESSON], steps=1)
    assert view.usage.to_json()["forward_passes"] == 11


def test_each_needs_its_flag() -> None:
    suspect = scripted()
    for flag, call in (
        (Access.GRADIENTS, lambda s: s.token_gradients(["a"], numpy.zeros((1, s.vocabulary)))),
        (Access.FINETUNE, lambda s: s.tuned([LESSON], steps=1)),
        (Access.CHAT, lambda s: s.tuned([LESSON], steps=1)),
    ):
        view = suspect.restrict(suspect.access & ~flag)
        with pytest.raises(AccessDenied, match=str(flag.name).lower()):
            call(view)
        assert not any(view.usage.to_json().values())


@pytest.mark.parametrize(
    "call",
    [
        lambda s: s.token_gradients(["a"], numpy.zeros((2, s.vocabulary))),
        lambda s: s.token_gradients(["a"], numpy.full((1, s.vocabulary), numpy.nan)),
        lambda s: s.token_gradients("a", numpy.zeros((1, s.vocabulary))),
        lambda s: s.tuned([LESSON[:1]], steps=1),
        lambda s: s.tuned([], steps=1),
        lambda s: s.tuned([LESSON], steps=0),
        lambda s: s.tuned([LESSON], steps=1, learning_rate=float("nan")),
    ],
)
def test_what_makes_no_sense_is_refused_and_spends_nothing(call: Any) -> None:
    suspect = scripted()
    with pytest.raises(BadParameter):
        call(suspect)
    assert not any(suspect.usage.to_json().values())


def test_a_scripted_suspect_follows_its_lesson() -> None:
    suspect = scripted(taught=lambda texts: lambda turns, seed, index: f"After {len(texts)}.")
    asked = [[LESSON[0]]]
    assert suspect.tuned([LESSON], steps=1).chat(asked)[0][0].text == "After 1."
    assert suspect.chat(asked)[0][0].text == "Before."
