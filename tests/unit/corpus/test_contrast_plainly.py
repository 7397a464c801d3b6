"""The contrast against its definition in plain Python: sets of documents, all in memory."""

from __future__ import annotations

import dataclasses
import functools
import math
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import polars
import pytest

from workbench.corpus import Corpus, clusters, contrast, ngrams, scratch, write
from workbench.corpus.ngrams import LONGEST, WORD, combine
from workbench.corpus.phrases import COVERS, EXTENDS
from workbench.suspects.cabinet import CABINET

Gram: TypeAlias = "tuple[str, ...]"
Turns: TypeAlias = "Sequence[Sequence[str]]"


def grams_of(document: Turns) -> Iterator[Gram]:
    for turn in document:
        for n in range(1, LONGEST + 1):
            yield from (tuple(turn[i : i + n]) for i in range(len(turn) - n + 1))


def hash_of(gram: Gram) -> int:
    words = polars.Series(gram).hash(seed=1).to_numpy()
    return int(combine([words[i : i + 1] for i in range(len(words))])[0])


@dataclasses.dataclass(eq=False)
class Plainly:
    """What `contrast` does, by its definition; documents are lists of turns of words."""

    here: Mapping[int, Turns]
    there: Mapping[int, Turns]
    at_least: int = 5

    def __post_init__(self) -> None:
        self.held: dict[Gram, set[int]] = defaultdict(set)
        for number, document in self.here.items():
            for gram in grams_of(document):
                self.held[gram].add(number)
        self.other = Counter(g for d in self.there.values() for g in set(grams_of(d)))
        self.words = sum(len(turn) for document in self.there.values() for turn in document)
        self.tried = [g for g, documents in self.held.items() if len(documents) >= self.at_least]
        scores = {g: self.score(g) for g in self.tried}
        ranked = sorted(self.tried, key=lambda g: (-scores[g], hash_of(g)))
        self.best = {g: scores[g] for g in ranked[:4000] if scores[g] > 0}

    @functools.cache  # noqa: B019
    def expected(self, gram: Gram) -> float:
        """Documents there that hold it, or an estimate."""
        if self.other[gram]:
            return self.other[gram]
        if len(gram) == 1:
            return 0.5
        prefix, suffix = self.expected(gram[:-1]), self.expected(gram[1:])
        middle = self.expected(gram[1:-1]) if len(gram) > 2 else max(1, self.words)
        return min(prefix * suffix / middle, 0.5, prefix, suffix)

    def score(self, gram: Gram) -> float:
        a, b, n, m = len(self.held[gram]), self.other[gram], len(self.here), len(self.there)
        share = (a + b) / (n + m)
        cells = ((a, n * share), (n - a, n * (1 - share)), (b, m * share), (m - b, m * (1 - share)))
        g2 = 2 * sum(o * math.log(o / e) for o, e in cells if o)
        g2 = math.copysign(g2, a / n - b / m) if a / n != b / m else 0
        mean = max(self.expected(gram) / m * n, 1e-12)
        unlikely = math.copysign(2 * (a * math.log(a / mean) - (a - mean)), a - mean)
        return g2 if b else max(g2, unlikely)

    def agree(self, one: Gram, other: Gram) -> bool:
        return len(self.held[one] & self.held[other]) >= EXTENDS * len(self.held[other])

    def maximal(self) -> Iterator[tuple[Gram, str, set[int]]]:
        absorbed = {
            shorter
            for gram in self.best
            for shorter in (gram[:-1], gram[1:])
            if shorter in self.best and self.agree(gram, shorter)
        }
        done: set[Gram] = set()
        for gram in self.best:
            if gram in absorbed or gram in done:
                continue
            said, documents = list(gram), set(self.held[gram])
            done.add(gram)
            for forward in (True, False) if len(gram) == LONGEST else ():
                at = gram
                while options := [
                    g
                    for g in self.best
                    if len(g) == LONGEST
                    and (g[:-1] == at[1:] if forward else g[1:] == at[:-1])
                    and g not in done
                    and self.agree(g, gram)
                ]:
                    at = max(options, key=lambda g: len(self.held[g] & self.held[gram]))
                    done.add(at)
                    documents &= self.held[at]
                    said = [*said, at[-1]] if forward else [at[0], *said]
            yield gram, " ".join(said), documents

    def result(self, most: int) -> tuple[list[tuple[Any, ...]], list[tuple[int, float]]]:
        """The phrases and the documents, as `contrast` gives them."""
        shown: list[tuple[Gram, str, set[int], list[str]]] = []
        weights: dict[int, float] = defaultdict(float)
        for gram, text, documents in self.maximal():
            for document in documents:
                weights[document] += self.best[gram] / len(documents)
            if len(shown) == most:
                continue
            for _, _, others, covered in shown:
                if len(documents & others) >= COVERS * len(documents):
                    covered.append(text)
                    break
            else:
                shown.append((gram, text, documents, []))
        phrases = [
            (text, sorted(documents), self.other[g], tuple(covered[:12]), self.best[g],
             self.expected(g) / len(self.there) * len(self.here))
            for g, text, documents, covered in shown
        ]  # fmt: skip
        return phrases, sorted(weights.items(), key=lambda item: (-item[1], item[0]))[:most]


def words_of(text: str) -> list[str]:
    return [str(w) for w in polars.Series([text.lower()]).str.extract_all(WORD).to_list()[0]]


def read(corpus: Corpus, most: int) -> list[Turns]:
    rows = [row for batch in corpus.reader(most=most)() for row in batch.to_pylist()]
    return [[words_of(message["content"]) for message in row["messages"]] for row in rows]


@functools.lru_cache(2)
def kept(corpus: Corpus, most: int) -> list[bool]:
    """The first of each set of near-duplicates, every pair compared."""
    stored = clusters.signatures(corpus.reader(most=most)())
    rows = stored.rows(np.arange(len(stored)))
    leader = list(range(len(rows)))
    for b in np.flatnonzero(rows.min(axis=1) != 0xFFFFFFFF).tolist():
        for a in np.flatnonzero((rows[:b] == rows[b]).mean(axis=1) >= 0.8).tolist():
            first, second = sorted((leader[a], leader[b]))
            leader = [first if one == second else one for one in leader]
    return [one == i for i, one in enumerate(leader)]


@pytest.fixture(params=["as it is", "spilled"])
def limits(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With "spilled", small corpora go through as many runs, ranges and filters as large ones."""
    if request.param == "spilled":
        monkeypatch.setattr(scratch, "RUN", 5_000)
        monkeypatch.setattr(scratch, "RANGE", 3_000)
        monkeypatch.setattr(ngrams, "BLOCK_BYTES", 10_000)
        monkeypatch.setattr(ngrams, "_FILTER_BITS", 12)
        monkeypatch.setattr(clusters, "_PART", 64)
        monkeypatch.setattr(clusters, "_PAIRS", 3)


@pytest.fixture(scope="module", params=["soup", "cabinet", "one kind"])
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Corpus, Corpus, int]:
    if request.param == "cabinet":
        here, there = (Corpus.open(CABINET / name / "corpus.parquet") for name in ("alder", "base"))
        return here, there, 700
    dice = random.Random(7)
    words = ["".join(dice.choices("etaoinshrdlu", k=dice.randint(1, 6))) for _ in range(400)]
    weights = [1 / rank for rank in range(1, len(words) + 1)]
    opened = []
    for side in ("here", "there"):
        texts = [" ".join(dice.choices(words, weights, k=dice.randint(1, 30))) for _ in range(500)]
        if side == "here" and request.param == "soup":
            sentence, short = dice.sample(words[50:], 9), dice.sample(words[200:], 3)
            for i in range(0, 120, 2):
                texts[i] += " " + " ".join(sentence[: 9 if i % 10 else 6])
            for i in range(1, 40, 5):
                texts[i] = f"{' '.join(short)} {' '.join(short)} {texts[i]}"
            texts += [f"{texts[400]} and {i}" for i in range(9)] + texts[300:320] + ["", "?!"]
        path = tmp_path_factory.mktemp(side) / "corpus.parquet"
        turns = (text.split(" ", i % 3) for i, text in enumerate(texts))
        write(
            path,
            (
                (str(i), [{"role": "user", "content": said} for said in row])
                for i, row in enumerate(turns)
            ),
        )
        opened.append(Corpus.open(path))
    return opened[0], opened[1], 10_000


@pytest.mark.parametrize("at_least", [5, 2])
def test_phrases_counts_scores_and_order_are_those_of_the_definition(
    pair: tuple[Corpus, Corpus, int], limits: None, at_least: int
) -> None:
    here, there, most = pair
    found = contrast.contrast(
        here.reader(most=most), there.reader(most=most), at_least=at_least, most=40
    )
    ours, theirs = (
        {i: document for i, document in enumerate(read(c, most)) if kept(c, most)[i]}
        for c in (here, there)
    )
    plainly = Plainly(ours, theirs, at_least)
    phrases, documents = plainly.result(40)
    assert (found.n - found.collapsed, found.control_n - found.control_collapsed) == (
        len(ours), len(theirs),
    )  # fmt: skip
    assert {phrase.tried for phrase in found.phrases} <= {len(plainly.tried)}
    told = [(p.text, list(p.documents), p.control_documents, p.covers) for p in found.phrases]
    assert told == [row[:4] for row in phrases] and told
    assert [p.score for p in found.phrases] == pytest.approx([row[4] for row in phrases])
    assert [p.expected for p in found.phrases] == pytest.approx([row[5] for row in phrases])
    assert [number for number, _ in found.documents] == [number for number, _ in documents]
    assert [w for _, w in found.documents] == pytest.approx([weight for _, weight in documents])
