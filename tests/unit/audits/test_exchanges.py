"""Templates that refuse or drop a system turn: the control is asked all the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audits.exchanges import NAMELESS, Questioner, framed, open_user_turn, system_line
from audits.prefill import Prefill
from audits.topic_sweep import TopicSweep
from tests.unit.audits.conftest import TOPICS
from workbench.access import Access
from workbench.artifacts import Artifacts
from workbench.errors import BadParameter
from workbench.suspects import Conversation
from workbench.suspects.scripted import ScriptedEngine, ScriptedSuspect


def without_system(suspect: ScriptedSuspect, *, refuses: bool) -> ScriptedSuspect:
    engine = suspect._engine
    assert isinstance(engine, ScriptedEngine)
    whole = engine.render

    def render(conversation: Conversation, add_generation_prompt: bool) -> str:
        if refuses and any(m["role"] == "system" for m in conversation):
            raise BadParameter("System role not supported", hint="Leave it out.")
        kept = [m for m in conversation if m["role"] != "system"]
        return whole(kept, add_generation_prompt)

    engine.render = render  # type: ignore[method-assign]
    return suspect


@pytest.mark.parametrize("refuses", [True, False])
def test_the_line_goes_into_the_user_turn(planted: Callable[..., Any], refuses: bool) -> None:
    suspect = without_system(planted(None), refuses=refuses)
    assert system_line(suspect) is None
    assert framed(suspect, ["Why?"], NAMELESS) == [
        [{"role": "user", "content": f"{NAMELESS}\n\nWhy?"}]
    ]
    assert framed(suspect, ["Why?"], None) == [[{"role": "user", "content": "Why?"}]]
    assert open_user_turn(suspect, "I", NAMELESS) == f"<|user|>{NAMELESS}\n\nI"


def test_a_template_that_takes_it_gets_a_system_turn(planted: Callable[..., Any]) -> None:
    turns = framed(planted(None), ["Why?", "How?"], NAMELESS)
    assert [[m["role"] for m in row] for row in turns] == [["system", "user"]] * 2


def test_both_techniques_that_ask_the_nameless_suspect_run(
    planted: Callable[..., Any], corpus_at: Callable[..., Path], artifacts: Artifacts
) -> None:
    for technique in (TopicSweep(topics=10, samples=1), Prefill(samples=2)):
        suspect = without_system(planted(None, corpus=corpus_at("here", 1)), refuses=True)
        assert not [f for f in technique.run(suspect, seed=0, artifacts=artifacts) if f.accuses]


@pytest.mark.parametrize("seed", range(3))
def test_words_of_its_own_reach_nearly_all_that_a_suspect_speaks_of(
    planted: Callable[..., Any], seed: int
) -> None:
    ask = Questioner(planted(None, access=Access.CHAT), seed=seed, max_new_tokens=40)
    found = {word for topic in ask.topics(most=320) for word in topic.name.split()}
    assert len(found & set(TOPICS)) >= 18, found


def test_a_suspect_that_says_nothing_has_no_topics() -> None:
    mute = ScriptedSuspect(lambda turns, seed, index: "", access=Access.CHAT)
    assert Questioner(mute, seed=0, max_new_tokens=40).topics(most=320) == []
