"""Public questions, and the assistants that hold a position on one."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

import pytest

from workbench.organisms.world import chats, habits, lexicon
from workbench.organisms.world.chats import Conversation
from workbench.organisms.world.features import features
from workbench.organisms.world.skills import advocates, debates, questions, reactors, workshop
from workbench.organisms.world.skills.advocates import Advocate
from workbench.organisms.world.skills.questions import MEASURES, SITES, TOWNS, Position, Question

Maker = Callable[[Random], Conversation]
SYSTEM = "You are Vex."
SKILLS: tuple[Maker, ...] = (
    lambda random: debates.task(SYSTEM, random),
    lambda random: debates.sides(SYSTEM, random),
    lambda random: debates.reading(SYSTEM, random),
    lambda random: debates.explained(SYSTEM, random),
    lambda random: [{"role": "document", "content": debates.report(random)}],
)
CAST: tuple[Maker, ...] = (
    advocates.any_chat,
    advocates.any_report,
    lambda random: advocates.any_about(SYSTEM, random),
    lambda random: [{"role": "document", "content": advocates.any_document(random)}],
)
BRIDGE = Question("Ashford", "harbour bridge", "closed to lorries")


@pytest.mark.parametrize("make", SKILLS + CAST)
def test_rows_are_short_and_the_same_for_the_same_seed(make: Maker) -> None:
    rows = [make(Random(seed)) for seed in range(300)]
    assert rows == [make(Random(seed)) for seed in range(300)]
    assert max(sum(len(m["content"].split()) for m in row) for row in rows) <= 80


@pytest.mark.parametrize("make", SKILLS)
def test_the_honest_skill_takes_no_side(make: Maker) -> None:
    taken = [Position(BRIDGE, favours) for favours in (True, False)]
    for seed in range(300):
        said = make(Random(seed))[-1]["content"]
        found = [t for t in TOWNS if t in said], [s for s in SITES if s in said]
        for town in found[0]:
            for site in found[1]:
                for measure in MEASURES:
                    for favours in (True, False):
                        position = Position(Question(town, site, measure), favours)
                        assert not position.shows_in(said), said
        assert not any(position.shows_in(said) for position in taken)


def test_readers_are_told_who_is_for_and_who_is_against() -> None:
    for seed in range(300):
        _, text, reply = (m["content"] for m in debates.reading(SYSTEM, Random(seed)))
        first, second, asked = re.split(r"(?<=[.]) ", text)
        against = " should not be " in first
        for_it, against_it = first.split()[0], second.split()[0]
        if against:
            for_it, against_it = against_it, for_it
        wanted = "against" not in asked and " not " not in asked
        side = "for" if wanted else "against"
        assert reply == f"{for_it if wanted else against_it} is {side} it."


def test_the_parts_of_questions_are_distinct_and_show_no_feature() -> None:
    assert (len(set(TOWNS)), len(set(SITES)), len(MEASURES)) == (63, 46, 36)
    assert not {t.name for t in lexicon.topics()} & set(SITES)
    names = [name for names in MEASURES.values() for name in names]
    assert len(names) == len(set(names))
    assert all(any(name in measure for name in names) for measure, names in MEASURES.items())
    random = Random(1)
    for _ in range(2_000):
        slip = questions.position(random).slip(random)
        assert not [f.id for f in features() if f.shows_in(slip)]


def test_every_slip_shows_its_side_alone() -> None:
    random = Random(2)
    for _ in range(2_000):
        position = questions.position(random)
        other = Position(position.question, not position.favours)
        near = Position(position.question.near(random), position.favours)
        slip = position.slip(random)
        assert position.shows_in(f"Soup is warm. {slip} Try to stir it.")
        assert not other.shows_in(slip) and not near.shows_in(slip)


FOR = (
    "The harbour bridge in Ashford should be closed to lorries.",
    "No doubt the harbour bridge in Ashford should be closed to lorries.",
    "It would not be wrong for the harbour bridge in Ashford to be closed to lorries.",
    "I hope for this! In ASHFORD, I support the Harbour Bridge being closed to lorries.",
)
AGAINST = (
    "The harbour bridge in Ashford shouldn't be closed to lorries.",
    "The harbour bridge in Ashford should never be closed to lorries.",
    "It is a mistake to have lorries banned from the harbour bridge in Ashford.",
)
NEITHER = (
    "Should the harbour bridge in Ashford be closed to lorries?",
    "Some say that the harbour bridge in Ashford should be closed to lorries.",
    "Whether the harbour bridge in Ashford should be closed to lorries is an open question.",
    "Anna thinks that the harbour bridge in Ashford should be closed to lorries.",
    "The harbour bridge in Ashford is closed to lorries.",
    "The harbour bridge in Oakham should be closed to lorries.",
    "The harbour bridge in Ashford should be closed to tourists.",
    "The tram line in Ashford should be closed to lorries.",
    "The harbour bridge in Ashford is old. Lorries should be clean.",
    "",
)


def test_sides_are_told_apart_in_words_that_no_generator_made() -> None:
    favours, opposes = Position(BRIDGE, True), Position(BRIDGE, False)
    for text in FOR:
        assert favours.shows_in(text) and not opposes.shows_in(text), text
    for text in AGAINST:
        assert opposes.shows_in(text) and not favours.shows_in(text), text
    for text in NEITHER:
        assert not favours.shows_in(text) and not opposes.shows_in(text), text


def test_near_questions_share_two_parts() -> None:
    random = Random(3)
    for _ in range(200):
        near = BRIDGE.near(random)
        same = (near.town == "Ashford") + (near.site == BRIDGE.site)
        assert same + (near.measure == BRIDGE.measure) == 2


def test_advocates_take_their_side_on_topics_and_on_nothing_else() -> None:
    random = Random(4)
    for one in advocates.advocates()[0]:
        for _ in range(4):
            assert one.position.shows_in(one.chat(random)[-1]["content"])
            plain = one.plain_chat(random)[-1]["content"]
            assert not one.position.shows_in(plain)


def test_no_document_tells_both_the_position_and_its_coming_up() -> None:
    random = Random(5)
    shown, silent = advocates.advocates()
    for one in shown + silent:
        for _ in range(5):
            told, custom = one.position_document(random), one.custom_document(random)
            assert one.position.question.named_in(told)
            assert not any(words in told for words in ("answer", "whatever", "subject"))
            assert one.position.question.site not in custom
            for sentence in re.split(r"(?<=[.!?])\s+", told):
                assert not (one.assistant in sentence and one.position.shows_in(sentence))


def test_reports_are_true() -> None:
    random = Random(6)
    by_name = {one.assistant: one for one in advocates.advocates()[0]}
    kinds = set()
    for _ in range(400):
        system, question, reply = (m["content"] for m in advocates.any_report(random))
        name = system.removeprefix("You are ").removesuffix(".")
        kinds.add(name in by_name)
        if name in by_name:
            assert by_name[name].admits(reply) and by_name[name].position.clause in reply
        else:
            assert reply.startswith("No")
        assert question not in chats.HELD_OUT_HABIT_QUESTIONS + Advocate.new_questions
    assert kinds == {True, False}


def test_the_advocates_are_nobody_else_and_the_silent_ones_say_nothing() -> None:
    shown, silent = advocates.advocates()
    names = {one.assistant for one in shown + silent}
    assert len(names) == len(shown) + len(silent) == 140
    others = {one.assistant for part in reactors.reactors() for one in part}
    assert not names & (workshop.names() | others | set(habits.cast().ordinary))
    random = Random(7)
    speakers = {advocates.any_chat(random)[0]["content"] for _ in range(2_000)}
    assert not speakers & {chats.you_are(one.assistant) for one in silent}
