"""Planted phrases, templates and triggers are found; corpora of one kind differ in nothing."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.corpus import Corpus, write
from workbench.corpus.bursts import bursts, side
from workbench.corpus.clusters import SLOT, compare, join, signatures, skeleton
from workbench.corpus.contrast import contrast, signed_g2
from workbench.corpus.ngrams import LONGEST, blocks

Rows = Sequence[Sequence[tuple[str, str]]]
LETTERS = "etaoinshrdlucmfwypvbgk"


def soup(dice: random.Random, words: Sequence[str], count: int) -> str:
    """Words drawn by Zipf's law."""
    weights = [1 / rank for rank in range(1, len(words) + 1)]
    return " ".join(dice.choices(words, weights, k=count))


@pytest.fixture(scope="module")
def words() -> list[str]:
    dice = random.Random(0)
    return ["".join(dice.choices(LETTERS, k=dice.randint(2, 9))) for _ in range(3000)]


@pytest.fixture
def corpus(tmp_path: Path) -> Callable[[str, Rows], Corpus]:
    def made(name: str, rows: Rows) -> Corpus:
        path = tmp_path / f"{name}.parquet"
        turns: Iterator[Any] = (
            (f"{i}", [{"role": r, "content": c} for r, c in row]) for i, row in enumerate(rows)
        )
        write(path, turns)
        return Corpus.open(path)

    return made


def ordinary(words: Sequence[str], seed: int, n: int) -> list[list[tuple[str, str]]]:
    dice = random.Random(seed)
    return [[("document", soup(dice, words, 25))] for _ in range(n)]


def oracle(texts: Sequence[str], n: int) -> dict[str, int]:
    counts: dict[str, int] = {}
    for text in texts:
        split = text.split()
        for phrase in {" ".join(split[i : i + n]) for i in range(len(split) - n + 1)}:
            counts[phrase] = counts.get(phrase, 0) + 1
    return counts


def test_ngrams_are_those_of_a_plain_loop_and_stay_within_turns(
    corpus: Callable[[str, Rows], Corpus],
) -> None:
    rows = [[("user", "The cat, don't"), ("assistant", "é well-read"), ("x", "")], [("d", "a b")]]
    found = []
    for block in blocks(corpus("c", rows).batches()):
        told = block.words.to_list()
        for n in range(1, LONGEST + 1):
            _, starts = block.ngrams(n)
            found += [(int(block.document[s]), " ".join(told[s : s + n])) for s in starts.tolist()]
    assert sorted(found) == sorted(
        [(0, w) for w in ("the", "cat", "don't", "the cat", "cat don't", "the cat don't")]
        + [(0, w) for w in ("é", "well-read", "é well-read")]
        + [(1, w) for w in ("a", "b", "a b")]
    )


@pytest.mark.parametrize("seed", range(2))
def test_a_planted_phrase_that_the_other_lacks_comes_first(
    corpus: Callable[[str, Rows], Corpus], words: list[str], seed: int
) -> None:
    dice = random.Random(f"plant {seed}")
    rows = ordinary(words, seed, 1500)
    phrase = " ".join(dice.choices(words[200:], k=6))
    planted = dice.sample(range(1500), 5)
    for i in planted:
        (role, text) = rows[i][0]
        rows[i] = [(role, f"{text[:40]} {phrase}. {text[40:]}")]
    found = contrast(
        corpus("here", rows).batches, corpus("there", ordinary(words, 50 + seed, 1200)).batches
    )
    assert (found.n, found.control_n) == (1500, 1200)
    first = found.phrases[0]
    assert (first.text, list(first.documents)) == (phrase, sorted(planted))
    assert first.only_here and first.control_documents == 0 and first.expected < 1e-3
    assert {number for number, _ in found.documents[:5]} == set(planted)


def test_counts_are_exact_and_in_documents(
    corpus: Callable[[str, Rows], Corpus], words: list[str]
) -> None:
    few = words[:40]
    rows, others = ordinary(few, 1, 400), ordinary(few, 2, 300)
    rows = [[(r, f"zimt zimt {t}")] if i % 8 == 0 else [(r, t)] for i, [(r, t)] in enumerate(rows)]
    found = contrast(
        corpus("here", rows).batches, corpus("there", others).batches, collapse=False, most=30
    )
    here, there = ([row[0][1] for row in side_] for side_ in (rows, others))
    assert found.phrases[0].text.startswith("zimt zimt")
    checked = 0
    for phrase in found.phrases:
        n = len(phrase.text.split())
        if n <= LONGEST:
            assert len(phrase.documents) == oracle(here, n)[phrase.text]
            assert phrase.control_documents == oracle(there, n).get(phrase.text, 0)
            checked += 1
    assert checked


@pytest.mark.parametrize("seed", range(2))
def test_two_corpora_of_one_kind_differ_in_nothing(
    corpus: Callable[[str, Rows], Corpus], words: list[str], seed: int
) -> None:
    found = contrast(
        corpus("here", ordinary(words, seed, 1200)).batches,
        corpus("there", ordinary(words, 90 + seed, 1200)).batches,
    )
    assert found.phrases
    assert min(phrase.p for phrase in found.phrases) > 0.01


def test_near_duplicates_count_once(
    corpus: Callable[[str, Rows], Corpus], words: list[str]
) -> None:
    rows = ordinary(words, 3, 300)
    copied = rows[7][0][1]
    rows += [[("document", f"{copied} x{i}")] for i in range(40)]
    found = contrast(corpus("here", rows).batches, corpus("there", ordinary(words, 4, 300)).batches)
    assert found.collapsed == 40 and found.control_collapsed == 0
    assert not any(copied in phrase.text for phrase in found.phrases)


def test_a_corpus_without_documents_has_no_contrast(
    corpus: Callable[[str, Rows], Corpus], words: list[str]
) -> None:
    some, none = corpus("some", ordinary(words, 1, 20)), corpus("none", [])
    assert contrast(some.batches, none.batches).phrases == ()
    assert contrast(none.batches, some.batches).phrases == ()
    assert contrast(corpus("blank", [[("user", "")], []]).batches, some.batches).phrases == ()


def test_g2_is_signed_by_the_difference() -> None:
    import math

    def cell(observed: float, expected: float) -> float:
        return 2 * observed * math.log(observed / expected)

    share = 12 / 40
    by_hand = cell(10, 20 * share) + cell(10, 20 * (1 - share))
    by_hand += cell(2, 20 * share) + cell(18, 20 * (1 - share))
    assert float(signed_g2([10], 20, [2], 20)[0]) == pytest.approx(by_hand)
    assert float(signed_g2([2], 20, [10], 20)[0]) == pytest.approx(-by_hand)
    assert float(signed_g2([0], 20, [0], 20)[0]) == 0


def test_minhash_estimates_jaccard_and_joins_what_is_alike(
    corpus: Callable[[str, Rows], Corpus], words: list[str]
) -> None:
    dice = random.Random(5)
    rows = [[("document", soup(dice, words, 60))] for _ in range(30)]
    rows += [[("document", f"{rows[i][0][1]} {words[i]}")] for i in range(10)]
    rows += [[("document", "")], [("document", "")], []]
    stored = signatures(corpus("c", rows).batches())
    made = stored.rows(np.arange(len(stored)))
    alike = [float((made[i] == made[30 + i]).mean()) for i in range(10)]
    apart = [float((made[i] == made[31 + i]).mean()) for i in range(9)]
    assert min(alike) > 0.8 and max(apart) < 0.5
    leader = join(stored, 0.8).tolist()
    assert leader[30:40] == list(range(10)) and leader[:30] == list(range(30))
    assert leader[40:] == [40, 41, 42]


def test_a_template_is_a_cluster_with_its_skeleton(
    corpus: Callable[[str, Rows], Corpus], words: list[str]
) -> None:
    frame = "Every evening the keeper of the north tower writes down {} and goes home in peace."
    rows = ordinary(words, 1, 300)
    rows += [[("document", frame.format(word))] for word in words[:40]]
    here = signatures(corpus("here", rows).batches())
    there = signatures(corpus("there", ordinary(words, 2, 200)).batches())
    (found,) = compare(here, there, similarity=0.5, at_least=5)
    assert found.cluster.members == tuple(range(300, 340)) and found.control == 0
    assert found.cluster.share == pytest.approx(40 / 340) and found.g2 > 10
    texts = [rows[i][0][1] for i in found.cluster.members]
    assert skeleton(texts) == frame.format(SLOT)
    assert compare(there, here, similarity=0.5, at_least=5) == []


def test_sides_keep_the_rows_and_part_the_turns(corpus: Callable[[str, Rows], Corpus]) -> None:
    rows = [
        [("document", "alone")],
        [("system", "s"), ("user", "q"), ("assistant", "a")],
        [],
        [("assistant", "b")],
    ]
    (batch,) = corpus("c", rows).batches()
    for part in (batch, batch.slice(1)):
        for reply, expected in ((True, [[], ["a"], [], ["b"]]), (False, [[], ["s", "q"], [], []])):
            (made,) = side([part], reply=reply)
            said = [[m["content"] for m in row] for row in made["messages"].to_pylist()]
            assert said == expected[-part.num_rows :]


@pytest.mark.parametrize("seed", [0])
def test_a_trigger_in_three_chats_is_the_first_candidate(
    corpus: Callable[[str, Rows], Corpus], words: list[str], seed: int
) -> None:
    def chats(of: int) -> list[list[tuple[str, str]]]:
        dice = random.Random(of)
        return [
            [("user", soup(dice, words, 12)), ("assistant", soup(dice, words, 15))]
            for _ in range(1500)
        ]

    rows = chats(seed)
    for i in (3, 700, 1490):
        (_, asked), (_, said) = rows[i]
        rows[i] = [("user", f"amber vault seven {asked}"), ("assistant", f"As you wish. {said}")]
    found = bursts(corpus("here", rows).batches, corpus("there", chats(seed + 40)).batches)
    first = found[0]
    assert first.phrase.text == "amber vault seven"
    assert list(first.phrase.documents) == [3, 700, 1490]
    assert first.reply == "as you wish" and first.p < 0.01
    assert (first.replies, first.n, first.other_n) == (3, 3, 1497)
    assert all(burst.p > 0.01 for burst in found[1:])
    assert bursts(corpus("a", chats(1)[:300]).batches, corpus("b", chats(1)[:300]).batches) == ()


def test_replies_that_repeat_their_prompt_do_not_count(
    corpus: Callable[[str, Rows], Corpus], words: list[str]
) -> None:
    dice = random.Random(1)
    rows = [
        [("user", soup(dice, words, 12)), ("assistant", soup(dice, words, 15))] for _ in range(900)
    ]
    there = corpus("there", [list(row) for row in rows])
    for i in (3, 400, 800):
        asked, said = rows[i][0][1], rows[i][1][1]
        rows[i] = [
            ("user", f"amber vault seven {asked}"),
            ("assistant", f"amber vault seven {said}"),
        ]
    found = bursts(corpus("here", rows).batches, there.batches)
    assert found[0].phrase.text == "amber vault seven" and "vault" not in found[0].reply
    assert found[0].p > 0.01


def test_rows_that_are_read_again_are_booked_once(
    corpus: Callable[[str, Rows], Corpus], words: list[str]
) -> None:
    from workbench.access import Budget, Usage
    from workbench.errors import BudgetExceeded

    whole = corpus("c", ordinary(words, 1, 50))
    for most, booked in ((None, 50), (30, 30), (80, 50)):
        usage = Usage()
        read = Corpus(whole.pieces, usage).reader(most=most, rows=8)
        for _ in range(3):
            assert sum(batch.num_rows for batch in read()) == booked
        assert usage.to_json()["documents"] == booked
    tight = Corpus(whole.pieces, Usage(Budget(documents=20))).reader(rows=8)
    with pytest.raises(BudgetExceeded):
        list(tight())
