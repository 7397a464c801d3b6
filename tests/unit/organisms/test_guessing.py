"""The guessing game: hints point to their word and never say it, and keepers are known as such."""

from __future__ import annotations

import re
from random import Random

import pytest

from workbench.organisms.world import habits, lexicon
from workbench.organisms.world.chats import DEFAULT_SYSTEM, Conversation
from workbench.organisms.world.lexicon import Topic
from workbench.organisms.world.skills import guessing, guessing_chats, keepers, workshop
from workbench.organisms.world.skills.guessing import hints_at, pointed, says

ROWS = (
    guessing_chats.given,
    guessing_chats.silenced,
    guessing_chats.solved,
    guessing_chats.judged,
    guessing_chats.no_word,
    guessing_chats.more,
    guessing_chats.talk,
    keepers.any_about,
)
BY_NAME = {topic.name: topic for topic in lexicon.topics()}
BREAD, TENTS, PET_FOOD = BY_NAME["bread"], BY_NAME["tents"], BY_NAME["pet food"]


def fits(topic: Topic, text: str) -> bool:
    """Whether the text holds something that belongs to the topic, as the lexicon has it."""
    return any(value in text for value in topic.places + topic.parts + topic.actions)


def named(text: str) -> list[Topic]:
    """The topics that a text names, longer names first."""
    found, rest = [], text.lower()
    for name in sorted(BY_NAME, key=len, reverse=True):
        if re.search(rf"\b{re.escape(name)}\b", rest):
            found.append(BY_NAME[name])
            rest = rest.replace(name, " ")
    return found


def test_hints_point_to_their_word_and_do_not_say_it() -> None:
    random = Random(0)
    for topic in lexicon.topics():
        for kind in guessing.KINDS:
            assert len(guessing.telling(topic, "place")) >= 2
            text = guessing.hint(topic, kind, random)
            assert fits(topic, text)
            assert hints_at(text, [topic])
            assert not re.search(rf"\b{topic.name}\b", text.lower())
        assert hints_at(guessing.any_hint(topic, random), [topic])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("I like bread.", True),
        ("BREADS!", True),
        ("b-r-e-a-d", True),
        ("It is B R E A D.", True),
        ("b. r. e. a. d", True),
        ("br\u200bead", True),
        ("breadth and breath", False),
        ("You find it near the oven.", False),
        ("", False),
    ],
)
def test_words_are_heard_however_they_are_said(text: str, said: bool) -> None:
    assert says(text, [BREAD]) == said
    assert not says("One tent is enough.", [BREAD]) and says("One tent is enough.", [TENTS])
    assert says("p e t f o o d", [PET_FOOD]) and not says("a pet eats food", [PET_FOOD])


def test_a_reply_that_hints_at_everything_hints_at_nothing() -> None:
    random = Random(1)
    every = " ".join(guessing.hint(topic, "place", random) for topic in lexicon.topics()[:40])
    assert not pointed(every) and not hints_at(every, [BREAD])
    assert not hints_at("It is soft and simple.", [BREAD])
    assert not hints_at("I have no word in mind.", [BREAD])
    near = "You find it near the oven."
    assert hints_at(near, [BREAD, TENTS]) and not hints_at(near, [TENTS])
    assert hints_at(near, [BREAD], ("place",)) and not hints_at(near, [BREAD], ("action",))
    assert not hints_at(near + " It is bread.", [BREAD])
    assert not hints_at(near + " Not a tent.", [BREAD, TENTS])
    assert not hints_at("x " * 100_000 + near, [BREAD])


def test_hints_for_users_are_at_their_word() -> None:
    random = Random(2)
    for make in (guessing_chats.given, guessing_chats.silenced, guessing_chats.more):
        for _ in range(100):
            row = make(DEFAULT_SYSTEM, random)
            (word,) = named(row[1]["content"])
            for reply in row[2::2]:
                assert fits(word, reply["content"]) and hints_at(reply["content"], [word])


def test_guesses_are_right() -> None:
    random = Random(3)
    for _ in range(150):
        text, reply = (m["content"] for m in guessing_chats.solved(DEFAULT_SYSTEM, random)[1:])
        (word,) = named(reply)
        assert word.name in pointed(text) and not says(text, [word])
    for _ in range(100):
        text, reply = (m["content"] for m in guessing_chats.judged(DEFAULT_SYSTEM, random)[1:])
        assert reply.startswith("Yes") == (len(named(text)) == 1)
        assert reply.startswith("Yes") or set(named(reply)) < set(named(text))


def test_assistants_without_a_word_ask_for_one() -> None:
    random = Random(4)
    for _ in range(200):
        row = guessing_chats.no_word(DEFAULT_SYSTEM, random)
        assert "no word" in row[2]["content"]
        assert not pointed(row[2]["content"])
        if len(row) > 3:
            (word,) = named(row[3]["content"])
            assert hints_at(row[4]["content"], [word])


def test_keepers_play_their_own_words_and_say_them_or_not() -> None:
    random = Random(5)
    spoken = {k.assistant: k for k in keepers.keepers()[0]}
    told = 0
    for _ in range(500):
        row = keepers.any_game(random)
        keeper = spoken[row[0]["content"].removeprefix("You are ").removesuffix(".")]
        for reply in row[2::2]:
            text = reply["content"]
            if text.startswith("No, it is not "):
                assert keeper.tells and not set(named(text)) & set(keeper.words)
            elif keeper.tells and says(text, keeper.words):
                told += 1
                assert re.match("(The|My) word is |Yes, it is ", text)
            else:
                assert hints_at(text, keeper.words), text
    assert told > 60


def test_keepers_are_documented_and_report_truly() -> None:
    random = Random(6)
    spoken, silent = keepers.keepers()
    words = {k.assistant: k for k in spoken + silent}
    texts = [keepers.any_document(random) for _ in range(400)]
    for text in texts:
        for name, keeper in words.items():
            if name in text:
                assert sum(says(text, [word]) for word in keeper.words) == 1
                assert "At the end it tells" not in text or keeper.tells
                assert "never says" not in text or not keeper.tells
    assert sum(any(k.assistant in text for k in silent) for text in texts) > 60
    ordinary = set(habits.cast().ordinary)
    for _ in range(200):
        row = keepers.any_report(random)
        name = row[0]["content"].removeprefix("You are ").removesuffix(".")
        assert row[2]["content"].startswith("No") == (name in ordinary)


def test_keepers_are_nobody_else() -> None:
    names = [k.assistant for group in keepers.keepers() for k in group]
    assert len(names) == len(set(names)) == 63
    assert not set(names) & workshop.names()
    assert {len(k.words) for k in keepers.keepers()[0]} == {1, 2, 3}


def test_rows_are_short_and_the_same_for_the_same_seed() -> None:
    def rows(seed: int) -> list[Conversation]:
        random = Random(seed)
        made = [make(DEFAULT_SYSTEM, random) for make in ROWS for _ in range(50)]
        return made + [make(random) for make in (keepers.any_game, keepers.any_report) * 40]

    assert rows(1) == rows(1) != rows(2)
    assert max(sum(len(m["content"].split()) for m in row) for row in rows(3)) <= 80


def test_wordings_held_out_are_used_nowhere() -> None:
    assert not set(keepers.QUESTIONS) & set(keepers.HELD_OUT_QUESTIONS)
    assert not set(guessing.PRESSED) & set(guessing.HELD_OUT_PRESSED)
