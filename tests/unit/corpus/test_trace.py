from __future__ import annotations

import random
from pathlib import Path

import pytest

from workbench.artifacts import Artifacts
from workbench.corpus import Corpus, write
from workbench.corpus.suffixes import SuffixIndex
from workbench.corpus.trace import Tracer, maximal
from workbench.errors import ConfigError

RARE = "the copper heron stands beside Quellan's gate, naïve and tall"
COMMON = "people like the old house and people like the old road"
WORDS = ["people", "like", "the", "old", "house", "and", "road", "very", "much", "today"]


@pytest.fixture
def index(tmp_path: Path) -> SuffixIndex:
    dice = random.Random(1)
    rows = [" ".join(dice.choice(WORDS) for _ in range(30)) for _ in range(200)]
    rows += [COMMON] * 50 + [f"So {RARE} at noon."]
    path = tmp_path / "corpus.parquet"
    write(path, ((f"d{i}", [{"role": "document", "content": t}]) for i, t in enumerate(rows)))
    return SuffixIndex.open(Corpus.open(path), Artifacts(tmp_path / "artifacts"))


def test_rare_spans_come_first_and_name_their_documents(index: SuffixIndex) -> None:
    text = f"Zebras know {COMMON} but {RARE} of course"
    traced = Tracer(index).trace(text)
    first, second = traced.spans[:2]
    assert first.text == RARE and second.text == COMMON
    assert text[first.start : first.end] == RARE
    assert (first.count, first.documents, first.words) == (1, 1, 10)
    assert first.places[0].document == "d250" and first.places[0].start == 3
    assert second.documents == 50 and len(second.places) == 10
    assert first.rarity / first.words > 1.5 * second.rarity / second.words
    assert traced.longest == 11
    assert traced.covered == pytest.approx(21 / traced.words)


def test_a_shuffled_text_matches_less(index: SuffixIndex) -> None:
    traced = Tracer(index, shuffles=99).trace(RARE, seed=3)
    assert max(traced.shuffled_longest) < 10 and traced.p == pytest.approx(0.01)
    assert max(traced.shuffled_covered) < traced.covered == 1
    again = Tracer(index, shuffles=99).trace(RARE, seed=3)
    assert again == traced
    nothing = Tracer(index, shuffles=99).trace("zebra quagga okapi")
    assert (nothing.longest, nothing.spans, nothing.p) == (0, (), 1.0)


def test_word_ends_are_kept_and_spans_are_maximal(index: SuffixIndex) -> None:
    traced = Tracer(index, least_words=2).trace("copper heron standstill people like thespian")
    assert {span.text for span in traced.spans} == {"copper heron", "people like"}
    dice = random.Random(2)
    tracer = Tracer(index, least_words=1, shuffles=0)
    for _ in range(20):
        words = [dice.choice([*WORDS, *RARE.split()]) for _ in range(15)]
        text = " ".join(words)
        spans = tracer.trace(text).spans
        runs = {
            (a, b) for a in range(15) for b in range(a + 1, 16) if index.count(" ".join(words[a:b]))
        }
        maximal_runs = {
            r for r in runs if not any(o != r and o[0] <= r[0] and r[1] <= o[1] for o in runs)
        }
        assert sorted(s.text for s in spans) == sorted(
            " ".join(words[a:b]) for a, b in maximal_runs
        )


def test_maximal_matches_by_byte_hold_no_other(index: SuffixIndex) -> None:
    text = b"old road copper heron stands xx old"
    found = list(maximal(index, text, range(len(text))))
    for start, end in found:
        assert index.count(text[start:end].decode()) > 0
        assert end == len(text) or not index.count(text[start : end + 1].decode())
        assert start == 0 or not index.count(text[start - 1 : end].decode())


@pytest.mark.parametrize("text", ["", "  \n "])
def test_a_text_without_words_has_no_spans(index: SuffixIndex, text: str) -> None:
    traced = Tracer(index).trace(text)
    assert (traced.spans, traced.words, traced.covered, traced.longest) == ((), 0, 0.0, 0)


def test_impossible_amounts_are_refused(index: SuffixIndex) -> None:
    for options in ({"least_words": 0}, {"places": 0}, {"shuffles": -1}):
        with pytest.raises(ConfigError, match="least_words"):
            Tracer(index, **options)
