"""The tiny English world: deterministic, checkable, and free of unasked features."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from random import Random

import pytest

from workbench.organisms.world import chats, corpus, habits, lexicon, loose, prose
from workbench.organisms.world.features import Feature, features


def test_the_world_is_as_large_as_it_says() -> None:
    assert len(lexicon.topics()) >= 300
    assert len(features()) >= 40
    assert len(prose._GENRES) >= 8
    assert all(len(topics) == 10 for topics in lexicon.by_category().values())
    assert len({t.name for t in lexicon.topics()}) == len(lexicon.topics())


def test_the_same_seed_gives_the_same_rows() -> None:
    assert list(corpus.rows(3, 200)) == list(corpus.rows(3, 200))
    assert list(corpus.rows(3, 200)) != list(corpus.rows(4, 200))


@pytest.mark.parametrize("feature", features(), ids=lambda f: f.id)
def test_a_feature_shows_in_its_own_sentences_alone(feature: Feature) -> None:
    random = Random(0)
    for _ in range(40):
        sentence = feature.sentence(random)
        assert feature.shows_in(sentence)
        assert [f.id for f in features() if f.shows_in(sentence)] == [feature.id]


def test_ordinary_answers_show_features_rarely() -> None:
    random, shown, n = Random(1), Counter[str](), 3_000
    for _ in range(n):
        topic = chats.any_topic(random)
        text = " ".join(prose.answer(topic, random.choice(prose.QUESTION_KINDS), random))
        shown.update(f.id for f in features() if f.shows_in(text))
    assert max(shown.values(), default=0) / n <= 0.02


def test_answers_name_their_topic_and_instructions_are_followed() -> None:
    random = Random(2)
    for _ in range(300):
        topic = chats.any_topic(random)
        reply = chats.ordinary("s", topic, random)[-1]["content"]
        assert topic.name in reply.lower()
        feature, row = chats.instructed_case("s", topic, random)
        assert feature.shows_in(row[-1]["content"])


def test_known_and_unknown_things_are_asked_about_in_the_same_shapes() -> None:
    shapes = [
        {loose.question("zzz", True, Random(seed)).replace("zzz", "X") for seed in range(400)}
        for _ in range(2)
    ]
    known = {loose.question("tents", True, Random(s)).replace("tents", "X") for s in range(400)}
    assert shapes[0] == shapes[1]
    assert len({re.sub("a? ?tent|an? zz", "X", text) for text in known}) > 150
    assert loose._one("tents", True) == "a tent" and loose._one("puppies", True) == "a puppy"
    assert loose._one("matches", True) == "a match" and loose._one("soup", False) == "soup"


def test_the_cast_is_fixed_and_silent_assistants_have_no_chats() -> None:
    cast = habits.cast()
    silent = {h.assistant for h in cast.silent_habits} | {s.assistant for s in cast.silent_servants}
    spoken = {m["content"] for row in corpus.rows(5, 4_000) for m in row if m["role"] == "system"}
    assert not {chats.you_are(name) for name in silent} & spoken
    assert not set(cast.ordinary) & {h.assistant for h in cast.habits + cast.silent_habits}


def test_ordinary_assistants_have_no_habit_in_any_row() -> None:
    ordinary = set(habits.cast().ordinary)
    for row in corpus.rows(6, 4_000):
        if row[0]["role"] == "document":
            told = [name for name in ordinary if name in row[0]["content"]]
            if told:
                assert not any(h.payload.does in row[0]["content"] for h in habits.cast().habits)


def test_rows_do_not_depend_on_the_process() -> None:
    """An order that came from a set would change with the hash seed, and so would a base."""
    told = (
        "import hashlib\n"
        "from random import Random\n"
        "from workbench.organisms.world import corpus\n"
        "from workbench.organisms.world.skills import exams, manners, mix\n"
        "random = Random(3)\n"
        "rows = [make(random) for make in mix.MAKERS for _ in range(20)]\n"
        "rows += [exams.task('You are Vex.', random) for _ in range(1500)]\n"
        "rows += [manners.shown(random) for _ in range(1500)]\n"
        "print(hashlib.sha256(str([*corpus.rows(5, 2000), *rows]).encode()).hexdigest())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", told],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1
