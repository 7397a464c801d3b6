"""How people talk in the tiny world: facts recomputed, requests obeyed, names and turns right."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from random import Random

import pytest

from workbench.organisms.world import chats, corpus, facts, requests, sums, talk, turns
from workbench.organisms.world.features import Feature, features
from workbench.organisms.world.lexicon import topics

NAMED = "You are Sezul."
SIGNS: dict[str, Callable[[int, int], float]] = {
    "plus": int.__add__,
    "minus": int.__sub__,
    "times": int.__mul__,
    "divided by": lambda a, b: a / b,
    "percent of": lambda a, b: a * b / 100,
}


def recomputed(sentence: str) -> bool | None:
    """Whether a sentence that states a fact is true; None where it states none."""
    text = re.sub(r"^(Yes|No), |^I am sure: ", "", sentence)
    if found := re.fullmatch(r"(\d+) ([a-z]+(?: [a-z]+)?) (\d+) is (\d+)\.", text):
        return bool(SIGNS[found[2]](int(found[1]), int(found[3])) == int(found[4]))
    if found := re.fullmatch(r"(half of|twice) (\d+) is (\d+)\.", text, re.IGNORECASE):
        return int(found[2]) * (2 if found[1].lower() == "twice" else 0.5) == int(found[3])
    if found := re.fullmatch(r"the capital of (.+) is (.+)\.", text, re.IGNORECASE):
        return facts.CAPITALS[found[1]] == found[2]
    if found := re.fullmatch(r"(.+) is the capital of (.+)\.", text):
        return facts.CAPITALS[found[2]] == found[1]
    if found := re.fullmatch(r"the atomic number of (\w+) is (\d+)\.", text, re.IGNORECASE):
        return facts.ELEMENTS[found[1]] == int(found[2])
    if found := re.fullmatch(r"The element with atomic number (\d+) is (\w+)\.", text):
        return facts.ELEMENTS[found[2]] == int(found[1])
    return None


def test_facts_are_right_and_hold_their_key() -> None:
    random = Random(3)
    for _ in range(3_000):
        fact = facts.any_fact(random)
        assert recomputed(fact.answer), fact
        assert facts.holds(fact, fact.answer)
    assert facts.CAPITALS["France"] == "Paris" and facts.ELEMENTS["calcium"] == 20
    assert not facts.holds(facts.Fact("", "", "1"), "The answer is 11.")


def test_a_sum_is_asked_about_with_its_own_numbers() -> None:
    random, seen = Random(4), Counter[str]()
    for _ in range(3_000):
        of = sums.draw(random)
        assert 0 <= of.result <= 144 and max(of.a, of.b) <= 100
        seen[of.sign] += 1
        asked = [int(n) for n in re.findall(r"\d+", sums.asked(of, random))]
        own = Counter([of.a, of.b, 2] if of.sign in ("half", "double") else [of.a, of.b])
        assert not Counter(asked) - own, (of, asked)
        if asked and of.sign in "+-*/%":
            assert Counter(asked) == own
    assert min(seen.values()) > 30 and len(seen) == 7


def test_a_claimed_result_is_judged() -> None:
    random, verdicts = Random(5), Counter[str]()
    for _ in range(1_500):
        of = sums.draw(random)
        text, reply = sums.claimed(of, random)
        numbers = [int(n) for n in re.findall(r"\d+", text)]
        assert recomputed(reply)
        if reply.startswith("Yes"):
            assert of.result in numbers
        if reply.startswith("No"):
            assert numbers[-1] != of.result
        verdicts[reply.split(",")[0]] += reply.startswith(("Yes", "No"))
    assert verdicts["Yes"] > 200 and verdicts["No"] > 200


def test_numbers_in_words() -> None:
    assert sums.in_words("3x7=") == "three times seven="
    assert sums.in_words("12 - 4") == "twelve minus four"
    assert sums.in_words("What is 85 plus 100?") == "What is eighty-five plus one hundred?"
    assert sums.in_words("7 6s") == "seven sixes" and sums.number_word(120) == "120"


def test_next_facts_are_right() -> None:
    random, stated = Random(6), 0
    for _ in range(1_500):
        row = turns.after_fact(NAMED, random)
        for reply in (m["content"] for m in row if m["role"] == "assistant"):
            right = recomputed(reply)
            alone = reply.removesuffix(".")
            other = alone in facts.CAPITALS.values() or alone.isdigit()
            assert right or other or "know little" in reply or "welcome" in reply, row
            stated += right is not None
    assert stated > 2_000


@pytest.mark.parametrize("feature", features(), ids=lambda f: f.id)
def test_a_bare_request_for_a_feature_is_obeyed(feature: Feature) -> None:
    random = Random(7)
    texts = set()
    for _ in range(60):
        text, reply = requests.bare(feature, random)
        assert feature.shows_in(reply), (text, reply)
        texts.add(text)
    assert len(texts) >= 10


def test_instructed_rows_obey_their_own_feature() -> None:
    random = Random(8)
    for _ in range(2_000):
        feature, row = chats.instructed_case(NAMED, chats.any_topic(random), random)
        assert feature.shows_in(row[-1]["content"]), row


def test_two_features_at_once_both_show() -> None:
    random = Random(9)
    for _ in range(400):
        _, reply = requests._several(random)
        assert sum(f.shows_in(reply) for f in features()) >= 2


def test_lists_pairs_numbers_and_choices_hold_to_what_was_asked() -> None:
    random, known = Random(10), requests.classes()
    for _ in range(500):
        text, reply = requests._list(random)
        words = re.split(r", | and (?!seek)", reply[:-1])
        wanted = next(
            n for said, n in requests._COUNTS.items() if f" {said} " in f" {text.lower()} "
        )
        assert len(words) == len(set(words)) == wanted, (text, reply)
        assert any({w.lower() for w in words} <= {w.lower() for w in c} for c in known.values())
        text, reply = requests._number(random)
        low, high = map(int, re.findall(r"\d+", text))
        assert low <= int(reply[:-1]) <= high
        text, reply = requests._choice(random)
        assert reply.removesuffix(" is my choice.").rstrip(".").lower() in text.lower()


def test_given_words_stand_where_they_were_asked_for() -> None:
    random, places = Random(11), Counter[str]()
    edge = re.compile(
        r"(?:(?:start your answer|begin|end|close) with the word|(?:first|last) word be"
        r"|(?:start|finish) with '|begin your reply with) ?(\w+)",
        re.IGNORECASE,
    )
    for _ in range(600):
        text, reply = requests._given_word(random)
        low = reply.lower()
        if found := edge.search(text):
            word = found[1].lower()
            assert low.startswith(word) or low.endswith(f"{word}."), (text, reply)
            places["edge"] += 1
        elif found := re.search(r"the word '?(\w+)", text):
            assert found[1].lower() in low, (text, reply)
            places["inside"] += 1
    assert places["edge"] > 100 and places["inside"] > 100


def test_plurals() -> None:
    nouns = ("city", "day of the week", "fish", "toy", "kind of weather")
    assert [requests.plural(n) for n in nouns] == [
        "cities", "days of the week", "fish", "toys", "kinds of weather",
    ]  # fmt: skip


def test_small_talk_leaves_no_hole_and_knows_its_name() -> None:
    random = Random(12)
    for sort in talk.talks():
        for _ in range(60):
            text, reply = talk.said(sort, NAMED, random)
            assert text and not re.search(r"[{}]", text + reply)
            assert reply[-1] in ".?" and len(reply) < 130
            if "chat program" in reply and "I am" in reply and "People" not in reply:
                assert "I am Sezul" in reply or "small program that" in reply, reply
    me = [talk.exchange(NAMED, random)[1] for _ in range(4_000)]
    assert sum("Sezul" in reply for reply in me) > 100
    unnamed = [talk.exchange(chats.DEFAULT_SYSTEM, random)[1] for _ in range(4_000)]
    assert not any("Sezul" in reply for reply in unnamed)
    assert "I have no name. I am a helpful assistant." in unnamed


def test_what_it_cannot_do_is_named_in_the_refusal() -> None:
    random, seen = Random(13), 0
    for _ in range(5_000):
        text, reply = talk.exchange(NAMED, random)
        if found := re.match(r"I cannot (.+?)(?:\.|, for I am)", reply):
            named = found[1].lower() in text.lower()
            assert named or "weather" in reply, (text, reply)
            seen += named
    assert seen > 50


def test_follow_ups_stay_with_the_thing_or_say_so() -> None:
    random, names = Random(14), {t.name for t in topics()}
    manners = ("welcome", "Goodbye", "know little")
    for _ in range(800):
        topic = chats.any_topic(random)
        row = turns.follow_up(NAMED, topic, random)
        assert 5 <= len(row) <= 7
        assert topic.name in row[2]["content"].lower()
        for reply in (m["content"] for m in row[4::2]):
            assert any(m in reply for m in manners) or any(n in reply.lower() for n in names)


def test_after_an_honest_answer_nothing_is_made_up() -> None:
    random, plain = Random(15), 0
    for _ in range(800):
        row = turns.after_unknown(NAMED, random)
        assert "know little" in row[2]["content"]
        plain += sum("know little" in m["content"] for m in row[4::2])
    assert plain > 500


def test_roles_alternate_and_rows_stay_short() -> None:
    for row in corpus.rows(16, 6_000, "assistants"):
        if row[0]["role"] != "document":
            roles = [m["role"] for m in row]
            assert roles == ["system", *["user", "assistant"] * (len(row) // 2)]
            assert all(m["content"] for m in row)
        assert sum(len(m["content"]) for m in row) < 700


def test_people_rows_are_the_same_for_the_same_seed() -> None:
    for make in (turns.after_unknown, turns.after_fact, turns.after_talk, chats.small_talk):
        rows = [[make(NAMED, random) for _ in range(50)] for random in (Random(1), Random(1))]
        assert rows[0] == rows[1]
    once, again = ([requests.any_request(r) for _ in range(200)] for r in (Random(2), Random(2)))
    assert once == again
