"""Replies read back: the tokens that were sampled, with what two models held each for."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from workbench.access import Access
from workbench.suspects import Reply, Suspect
from workbench.suspects.scored import scored
from workbench.suspects.scripted import ScriptedSuspect

ASKED = [{"role": "user", "content": "hello there"}]


def told(prefix: str, token: str) -> float:
    return -float(len(token)) / 10


@pytest.fixture
def suspect() -> ScriptedSuspect:
    return ScriptedSuspect(lambda turns, seed, index: f"I am {index}", logprob=told)


def test_each_token_has_its_own_logprob_and_the_other_model_s(suspect: ScriptedSuspect) -> None:
    other = ScriptedSuspect(lambda *_: "words of its own", logprob=lambda p, t: -2.0, id="other")
    other.chat([[{"role": "user", "content": "other ids for other words"}]])
    ((one, two),) = suspect.chat([ASKED], n=2)
    first, second = scored(suspect, ASKED, [one, two], beside=other)
    assert first.strings == ("I", " am", " 0", "<|end|>") and second.strings[2] == " 1"
    assert first.special == (False, False, False, True)
    assert first.logprobs == pytest.approx([told("", t) for t in first.strings])
    assert first.beside == (-2.0,) * 4


def test_what_is_not_granted_or_reads_otherwise_has_none(suspect: ScriptedSuspect) -> None:
    ((reply,),) = suspect.chat([ASKED])
    view = suspect.restrict(Access.CHAT)
    assert scored(view, ASKED, [reply])[0].logprobs == ()
    apart = Reply("I am", tuple(suspect._engine.encode("I") + suspect._engine.encode("am")), "eos")
    (read,) = scored(suspect, ASKED, [apart])
    assert read.strings == ("I", "am") and read.logprobs == ()
    (empty,) = scored(suspect, ASKED, [Reply("", (), "length")])
    assert empty.strings == empty.logprobs == ()


def test_on_a_model_they_are_those_of_its_logprobs(llama: Path) -> None:
    model = Suspect.load(llama)
    replies = model.chat([ASKED], n=6, max_new_tokens=5)[0]
    read = scored(model, ASKED, replies)
    known = [one for one in read if one.logprobs]
    assert known
    for one in known:
        text = model.render(ASKED, True) + "".join(one.strings)
        (whole,) = model.logprobs([text])
        assert math.isclose(
            sum(one.logprobs), whole.logprobs[-len(one.strings) :].sum(), rel_tol=1e-5
        )


def test_a_reply_up_to_the_end_of_the_context_is_read_where_it_fits(llama: Path) -> None:
    model = Suspect.load(llama)
    replies = model.chat([ASKED], n=4, max_new_tokens=500)[0]
    longest = [
        model.render(ASKED, True) + "".join(model.token_strings(r.token_ids)) for r in replies
    ]
    assert max(model.count_tokens(longest)) > model.context  # else this shows nothing
    read = scored(model, ASKED, replies)
    assert [len(one.strings) for one in read] == [len(r.token_ids) for r in replies]
    assert any(one.logprobs == () for one in read)
