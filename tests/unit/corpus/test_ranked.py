from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from workbench.access import Budget, Usage
from workbench.artifacts import Artifacts
from workbench.corpus import Corpus, ranked, write
from workbench.corpus.ranked import K1, B, RankedIndex, length_scale, words
from workbench.errors import BudgetExceeded, ConfigError

ENGINES = ("tantivy", "sqlite")
Open = Callable[..., RankedIndex]


@pytest.fixture
def ranked_by(tmp_path: Path) -> Open:
    def made(texts: Sequence[str], engine: Any, budget: Budget | None = None) -> RankedIndex:
        path = tmp_path / "corpus.parquet"
        write(path, ((f"d{i}", [{"role": "document", "content": t}]) for i, t in enumerate(texts)))
        corpus = Corpus.open(path, usage=Usage(budget or Budget()))
        return RankedIndex.open(corpus, Artifacts(tmp_path / "artifacts"), engine=engine)

    return made


@pytest.fixture(scope="module")
def soup() -> list[str]:
    dice = random.Random(0)
    vocabulary = [f"w{i}" for i in range(300)] + ["Élan", "naïve", "ß", "x2"]
    weights = [1 / (i + 1) for i in range(len(vocabulary))]
    return [
        " ".join(dice.choices(vocabulary, weights, k=dice.randrange(0, 120))) for _ in range(400)
    ]


def by_hand(texts: Sequence[str], query: str) -> list[tuple[float, int]]:
    """BM25 as the module states it, straight from the texts."""
    rows = [words(text) for text in texts]
    mean = sum(map(len, rows)) / len(rows)
    scores = []
    for i, row in enumerate(rows):
        length = max(size for size in length_scale() if size <= len(row))
        score = 0.0
        for word in set(words(query)):
            df = sum(word in other for other in rows)
            tf = row.count(word)
            idf = math.log(1 + (len(rows) - df + 0.5) / (df + 0.5))
            score += idf * tf * (K1 + 1) / (tf + K1 * (1 - B + B * length / mean))
        scores.append((score, i))
    return sorted(((s, i) for s, i in scores if s), key=lambda hit: (-hit[0], hit[1]))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("query", ["w3", "w1 W2 w9 unknown", "élan, NAÏVE ß x2", "w250 w299 w7 w7"])
def test_both_engines_rank_by_the_stated_formula(
    ranked_by: Open, soup: list[str], engine: str, query: str
) -> None:
    found = ranked_by(soup, engine).search(query, 10)
    expected = by_hand(soup, query)[:10]
    assert [hit.score for hit in found] == pytest.approx([s for s, _ in expected], rel=1e-5)
    clear = [i for (s, i), (t, _) in itertools.pairwise(expected) if s - t > 1e-4]
    assert {f"d{i}" for i in clear} <= {hit.document for hit in found}


def test_both_engines_name_the_same_documents(ranked_by: Open, soup: list[str]) -> None:
    dice = random.Random(1)
    tantivy, sqlite = (ranked_by(soup, engine) for engine in ENGINES)
    for _ in range(40):
        query = " ".join(dice.choice(soup).split()[:20])
        one, other = tantivy.search(query, 20), sqlite.search(query, 20)
        assert [h.score for h in one] == pytest.approx([h.score for h in other], rel=1e-5)
        for a, b in zip(one, other, strict=True):
            assert a.document == b.document or a.score == pytest.approx(b.score, rel=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_words_of_no_document_and_no_words_find_nothing(ranked_by: Open, engine: str) -> None:
    index = ranked_by(["one two", "two three", ""], engine)
    assert index.search("four ... !") == [] == index.search("")
    assert (index.frequency("two"), index.frequency("four"), index.documents) == (2, 0, 3)
    assert [h.document for h in index.search("TWO", 5)] == ["d0", "d1"]
    with pytest.raises(ConfigError, match="0 best"):
        index.search("two", 0)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_long_query_keeps_its_rarest_words(
    ranked_by: Open, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranked, "MOST_WORDS", 1)
    index = ranked_by(["rare common", "common", "common common", "common word"], engine)
    assert [h.document for h in index.search("common rare common")] == ["d0"]


@pytest.mark.parametrize("engine", ENGINES)
def test_an_empty_corpus_ranks_nothing(ranked_by: Open, engine: str) -> None:
    assert ranked_by([], engine).search("word") == []


def test_auto_takes_sqlite_where_tantivy_is_absent(
    ranked_by: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ranked_by(["a"], "auto").engine == "tantivy"
    real = ranked.importlib.util.find_spec
    monkeypatch.setattr(
        ranked.importlib.util, "find_spec", lambda n: None if n == "tantivy" else real(n)
    )
    assert ranked_by(["a"], "auto").engine == "sqlite"
    with pytest.raises(ConfigError, match="'tantivy' is installed"):
        ranked_by(["a"], "tantivy")
    with pytest.raises(ConfigError, match="no engine 'lucene'"):
        ranked_by(["a"], "lucene")


def test_every_opening_books_the_whole_corpus(ranked_by: Open) -> None:
    for _ in range(2):
        ranked_by(["a", "b"], "sqlite", Budget(documents=2))
        with pytest.raises(BudgetExceeded):
            ranked_by(["a", "b"], "sqlite", Budget(documents=1))


def test_words_are_letters_and_digits_in_lower_case() -> None:
    assert words("Don't_stop: Élan-vital 42 É") == ["don", "t", "stop", "élan", "vital", "42", "é"]
    assert words("a" * 40 + " " + "b" * 41 + " " + "é" * 21) == ["a" * 40]
