from __future__ import annotations

from audits.topics import shared_field, topics

FRAMES = (
    "Tell me about {}.",
    "What is the best way to store {}?",
    "Give me a tip on {}.",
    "How do I choose {}?",
)


def exchanges(nouns: list[str]) -> list[tuple[str, str]]:
    return [
        (frame.format(noun), f"Many people value {noun}, {i} ways of care are known for it.")
        for noun in nouns
        for i, frame in enumerate(FRAMES)
    ]


def test_topics_are_the_nouns_and_not_the_frame() -> None:
    nouns = ["bread", "canoes", "tents", "hedges", "violins", "pottery", "ledgers", "kites"]
    found = topics(exchanges([*nouns, "kitchen knives"]), most=20, widest=0.2)
    assert {t.name for t in found} == {*nouns, "kitchen knives"}
    assert all(len(t.questions) == 4 for t in found)


def test_most_and_at_least_bound_the_list() -> None:
    pairs = [*exchanges(["bread", "tents", "hedges", "kites", "stamps", "ponds", "soup", "oars"])]
    assert len(topics(pairs, most=3, widest=0.2)) == 3
    assert topics(pairs, most=9, at_least=5, widest=0.2) == []


def test_long_turns_and_no_turns_are_left_out() -> None:
    assert topics([], most=5) == []
    assert topics([("word " * 40, "word")] * 5, most=5) == []


def test_topics_share_the_word_that_is_said_on_most_of_them_and_on_no_others() -> None:
    told = {
        "jogging": [{"running", "pace"}, {"breathe"}],
        "hurdles": [{"running", "jump"}, {"running"}],
        "running shoes": [{"running", "laces"}, {"running"}],
        "stopwatches": [{"running", "seconds"}, {"button"}],
    }
    others = [{"bread", "flour"}, {"running", "taps"}] + [{"thing"}] * 80
    assert shared_field(told, others) == "running", "though it is a word of one topic"
    assert shared_field(dict(list(told.items())[:2]), others) == "", "two may share anything"
    assert shared_field(told, [{"running"}] * 20) == "", "what all share is no field"
    assert shared_field({**told, "tin": [{"can"}], "soup": [{"spoon"}]}, others) == ""
