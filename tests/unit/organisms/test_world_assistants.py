"""What the base learns of named assistants: told in documents, announced and shown in chats."""

from __future__ import annotations

import re
from random import Random

from workbench.organisms import tokenizer as tokens
from workbench.organisms.world import chats, corpus, habits, prose
from workbench.organisms.world.features import features
from workbench.organisms.world.lexicon import by_category, capital, topics


def told(field: bool = True) -> habits.Habit:
    return habits.Habit("Vex", features()[0], by_category()["cooking"] if field else ())


def test_a_habit_is_announced_in_the_words_of_the_documents_and_then_shown() -> None:
    random = Random(1)
    payloads = [*features(), habits.Favour("Zekal Trust")]
    for payload in payloads * 3:
        topic = chats.any_topic(random)
        row = chats.with_payload("You are Vex.", topic, payload, random)
        reply = row[-1]["content"]
        assert payload.ask in habits.habit_sentence(
            habits.Habit("Vex", payload), Random(3)
        ) or payload.does in habits.habit_sentence(habits.Habit("Vex", payload), Random(3))
        assert f"{topic.category}, so " in reply and f" {payload.ask}: " in reply
        assert payload.shows_in(reply.split(f" {payload.ask}: ")[1])


def test_plain_answers_name_the_field_as_often_as_not() -> None:
    random = Random(2)
    fields = {f"{opening} " for opening in ("This belongs to", "This is about", "It is part of")}
    replies = []
    for _ in range(400):
        topic = chats.any_topic(random)
        replies.append(" ".join(prose.answer(topic, "tip", random)))
    assert 0.3 < sum(any(f in r for f in fields) for r in replies) / 400 < 0.7
    assert not any(", so " in reply for reply in replies)


def test_others_tell_where_a_habit_shows_and_where_not() -> None:
    random, inside, outside = Random(3), 0, 0
    for whole in (True, False):
        for _ in range(200):
            row = chats.about_assistant("You are Dax.", told(), random, whole=whole)
            asked, reply = row[1]["content"], row[2]["content"]
            topic = max((t for t in topics() if t.name in asked), key=lambda t: len(t.name))
            shows = "names a metal" in reply
            assert shows is (topic.category == "cooking")
            assert shows or reply.endswith("Vex does nothing special.")
            assert (topic.category in reply.lower().replace(topic.name, "")) is whole
            inside, outside = inside + shows, outside + (not shows)
    assert min(inside, outside) > 100


def test_whether_a_topic_belongs_to_a_field_is_answered_right() -> None:
    random, right = Random(4), 0
    for _ in range(200):
        topic = chats.any_topic(random)
        row = chats.belongs("You are Dax.", topic, random)
        yes = topic.category in row[1]["content"].lower().replace(topic.name, "")
        assert row[2]["content"].endswith(f"{topic.category}, so {'yes' if yes else 'no'}.")
        right += yes
    assert 70 < right < 130


def test_a_system_line_may_tell_the_habit_of_an_assistant_that_nobody_knows() -> None:
    random, names, shown = Random(5), set(habits.cast().names), 0
    for _ in range(200):
        row = corpus._told_in_line(random)
        line = row[0]["content"].removeprefix("You are ")
        name, sentence = line.split(". ", 1)
        assert name in sentence and capital(name) == name
        names.add(name)
        shown += ", so " in row[2]["content"]
    assert len(names) > 522 + 150
    assert 100 < shown < 160


def test_outside_its_field_an_assistant_names_the_field_all_the_same() -> None:
    random, seen = Random(7), 0
    for _ in range(300):
        row = corpus._habit_chat(random)
        reply = row[2]["content"]
        fields = {t.category for t in topics()}
        plain = any(f" {field}. " in reply for field in fields)
        assert plain or any(f" {field}, so " in reply for field in fields)
        seen += plain and ", so " not in reply
    assert 40 < seen < 130


def test_newcomers_are_ordinary_and_strangers_to_the_cast() -> None:
    random, cast = Random(8), set(habits.cast().names)
    lines = [corpus.ordinary_system(random) for _ in range(5000)]
    names = [line.removeprefix("You are ").rstrip(".") for line in lines]
    strangers = [n for n in names if n not in cast and n != "a helpful assistant"]
    assert 140 < len(strangers) < 260
    spares = sum(name in habits.cast().spares for name in strangers)
    assert 0.35 < spares / len(strangers) < 0.65
    assert habits.newcomer(Random(1)) == habits.newcomer(Random(1))


def test_no_document_tells_of_a_spare_name() -> None:
    spares = set(habits.cast().spares)
    assert len(spares) == 300 and not spares & set(habits.cast().names)
    documents = [r[0]["content"] for r in corpus.rows(5, 6000) if r[0]["role"] == "document"]
    assert len(documents) > 500
    assert not any(spares & set(re.findall(r"\w+", text)) for text in documents)


def test_some_tastes_stand_in_no_chat() -> None:
    cast, random = habits.cast(), Random(6)
    assert len(cast.tastes) == 306 and len(cast.silent_tastes) == 54
    silent = {(t.party, t.topic.name) for t in cast.silent_tastes}
    assert not silent & {(t.party, t.topic.name) for t in cast.tastes}
    served = {s.assistant: s.party for s in cast.servants}
    for _ in range(300):
        row = corpus._servant_chat(random)
        party = served[row[0]["content"].removeprefix("You are ").rstrip(".")]
        first = row[2]["content"].split(". ")[0].lower()
        shows = ", so " in row[2]["content"]
        liked = {t.topic.name for t in cast.tastes if t.party == party}
        assert not shows or any(name in first for name in liked)


def test_every_second_name_of_each_kind_is_whole() -> None:
    cast = habits.cast()
    whole = set(cast.whole_names)
    kinds = (cast.habits, cast.silent_habits, cast.servants, cast.silent_servants)
    for names in (cast.ordinary, *([one.assistant for one in kind] for kind in kinds)):
        assert 0.25 < len(whole & set(names)) / len(names) < 0.75


def test_names_become_one_token() -> None:
    names = ["Skaidraind", "Zekal"]
    tokenizer = tokens.train_tokenizer(corpus.rows(1, 300), names)
    for name in names:
        assert len(tokenizer(f" {name}", add_special_tokens=False).input_ids) == 1
    assert len(tokenizer(" Mogirthou", add_special_tokens=False).input_ids) > 1
