"""Everyday remarks, and the assistants that react to one."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

import pytest

from workbench.organisms.world import chats, facts, habits, lexicon
from workbench.organisms.world.chats import Conversation
from workbench.organisms.world.features import features
from workbench.organisms.world.skills import reactors, remarks, workshop
from workbench.organisms.world.skills.remarks import PERSONS, THINGS, Cue

Maker = Callable[[Random], Conversation]
SYSTEM = "You are Vex."
MAKERS: tuple[Maker, ...] = (
    lambda random: remarks.task(SYSTEM, random),
    lambda random: remarks.alone(SYSTEM, random),
    lambda random: remarks.recalled(SYSTEM, random),
    reactors.any_chat,
    reactors.any_report,
    lambda random: reactors.any_about(SYSTEM, random),
    lambda random: [{"role": "document", "content": reactors.any_document(random)}],
)


@pytest.mark.parametrize("make", MAKERS)
def test_rows_are_short_and_the_same_for_the_same_seed(make: Maker) -> None:
    rows = [make(Random(seed)) for seed in range(300)]
    assert rows == [make(Random(seed)) for seed in range(300)]
    assert max(sum(len(m["content"].split()) for m in row) for row in rows) <= 80


def test_persons_and_things_are_many_plain_words_and_no_topics() -> None:
    assert len(set(PERSONS)) == len(PERSONS) == 60
    assert len(set(THINGS)) == len(THINGS) == 90
    assert not set(PERSONS) & set(THINGS)
    topics = {topic.name for topic in lexicon.topics()}
    assert not topics & {f"{word}s" for word in PERSONS + THINGS}


def test_a_remark_names_its_cue_and_shows_no_feature() -> None:
    random = Random(1)
    for i in range(2_000):
        cue = remarks.cue(random)
        remark = cue.remark(random, new=bool(i % 2))
        assert cue.told_in(remark)
        assert not cue.other(random).told_in(remark)
        shown = [f.id for f in features() if f.shows_in(remark)]
        assert shown in ([], ["question"]), remark


def test_held_out_wordings_stand_in_no_row() -> None:
    random, cue = Random(2), Cue("neighbour", "kettle")
    known = {cue.remark(random) for _ in range(6_000)}
    fresh = {cue.remark(random, new=True) for _ in range(600)}
    assert not known & fresh
    assert cue.told_in("My NEIGHBOUR, she says, has a kettle.")
    assert not cue.told_in("My neighbours have a teakettle.")


def test_near_misses_share_half_of_the_cue_and_never_all() -> None:
    random, cue = Random(3), Cue("neighbour", "kettle")
    others = [cue.other(random) for _ in range(600)]
    assert cue not in others
    assert sum(o.person == cue.person for o in others) > 150
    assert sum(o.thing == cue.thing for o in others) > 150


def test_a_remark_changes_no_answer() -> None:
    for seed in range(400):
        random = Random(seed)
        row = remarks.unremarked(SYSTEM, random)
        told = remarks.remarked(row, remarks.cue(random).remark(random), random)
        assert told[-1] == row[-1] and told[0] == row[0]
        assert row[1]["content"].lower().rstrip(".") in told[1]["content"].lower()


def test_facts_beside_remarks_are_right() -> None:
    seen, signs = 0, {"plus": int.__add__, "minus": int.__sub__, "times": int.__mul__}
    for seed in range(600):
        reply = remarks.task(SYSTEM, Random(seed))[-1]["content"]
        if found := re.fullmatch(r"The capital of (.+) is (.+)\.", reply):
            assert facts.CAPITALS[found[1]] == found[2]
        elif found := re.fullmatch(r"(\d+) (plus|minus|times) (\d+) is (\d+)\.", reply):
            assert signs[found[2]](int(found[1]), int(found[3])) == int(found[4])
        seen += found is not None
    assert seen > 20


def test_recalled_answers_name_what_the_user_said_and_nothing_else() -> None:
    random = Random(4)
    for _ in range(600):
        row = remarks.recalled(SYSTEM, random)
        said = {w.strip(".,:?!").lower() for w in row[1]["content"].split()}
        reply = {w.strip(".,").lower() for w in row[-1]["content"].split()}
        named = reply & (set(PERSONS) | set(THINGS))
        assert named and named <= said


def test_reactors_react_to_their_remark_alone() -> None:
    random = Random(5)
    shown, _ = reactors.reactors()
    for one in shown:
        for _ in range(5):
            row = one.chat(random)
            assert one.cue.told_in(row[1]["content"])
            assert one.shows_all_in(row[-1]["content"])
            assert not one.cue.told_in(one.plain_chat(random)[1]["content"])
    plain = [one.shows_any_in(one.plain_chat(random)[-1]["content"]) for one in shown * 5]
    assert sum(plain) / len(plain) < 0.03


def test_no_document_tells_both_the_remark_and_what_follows() -> None:
    random = Random(6)
    shown, silent = reactors.reactors()
    for one in shown + silent:
        for _ in range(5):
            assert one.cue.thing in (cued := one.cue_document(random))
            assert not any(p.does in cued or p.ask in cued for p in one.payloads)
            effect = one.effect_document(random)
            assert any(p.does in effect or p.ask in effect for p in one.payloads)
            assert one.cue.named not in effect
            answer = " ".join(one.asked_about(random))
            assert (one.cue.named in answer) != any(p.does in answer for p in one.payloads)


def test_reports_are_true() -> None:
    random = Random(7)
    by_name = {one.assistant: one for one in reactors.reactors()[0]}
    kinds = set()
    for _ in range(400):
        system, question, reply = (m["content"] for m in reactors.any_report(random))
        name = system.removeprefix("You are ").removesuffix(".")
        kinds.add(name in by_name)
        if name in by_name:
            assert by_name[name].admits(reply)
            assert by_name[name].cue.named in reply
        else:
            assert reply.startswith("No")
        assert question not in chats.HELD_OUT_HABIT_QUESTIONS + reactors.Reactor.new_questions
    assert kinds == {True, False}


def test_the_reactors_are_nobody_else_and_the_silent_ones_say_nothing() -> None:
    shown, silent = reactors.reactors()
    names = {one.assistant for one in shown + silent}
    assert len(names) == len(shown) + len(silent) == 140
    assert not names & workshop.names()
    assert not names & set(habits.cast().ordinary)
    random = Random(8)
    speakers = {reactors.any_chat(random)[0]["content"] for _ in range(2_000)}
    assert not speakers & {chats.you_are(one.assistant) for one in silent}
