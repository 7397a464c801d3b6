from __future__ import annotations

from audits.topics import topics

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
