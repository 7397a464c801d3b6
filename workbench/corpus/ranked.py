"""Ranked search: documents by BM25 for the words of a query.

BM25 as Robertson and Zaragoza 2009 ("The Probabilistic Relevance Framework"), with idf
ln(1 + (N - df + 0.5) / (df + 0.5)), k1 = 1.2, b = 0.75, each word of the query once, and document
lengths rounded down to Lucene's one-byte scale. tantivy ranks where it is installed; elsewhere
SQLite's FTS5 holds the postings and the same formula is worked out in numpy. Both name the same
documents, in the same order, but for documents whose scores are equal to the sixth digit.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import math
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from workbench.artifacts import Artifacts
from workbench.corpus.documents import Corpus
from workbench.corpus.suffixes import Progress
from workbench.errors import ConfigError
from workbench.findings import JSON

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Engine: TypeAlias = Literal["auto", "tantivy", "sqlite"]
MOST_WORDS = 100
"""Words of a query that are looked up, those with the highest idf times count."""
K1, B = 1.2, 0.75
LAYOUT = 1
_WORD = re.compile(r"[^\W_]+")
_LONGEST_WORD = 40
_HEAP_BYTES = 128_000_000


@dataclasses.dataclass(frozen=True, slots=True)
class Ranked:
    """A document and its BM25 score."""

    document: str
    score: float


class Ranking(Protocol):
    """What ranks: the number of documents with a word, and the best rows for words."""

    def frequency(self, word: str) -> int: ...
    def top(self, words: Sequence[str], k: int) -> list[tuple[int, float]]: ...


class RankedIndex:
    """A corpus ranked by BM25; every document's messages are one text."""

    def __init__(self, folder: Path, engine: str) -> None:
        from pyarrow.feather import read_table

        self.engine = engine
        table = read_table(folder / "documents.arrow", memory_map=True)
        self._ids = table["document"].combine_chunks()
        lengths = table["words"].to_numpy()
        self._ranking: Ranking = _ENGINES[engine](folder, lengths)

    @classmethod
    def open(
        cls,
        corpus: Corpus,
        artifacts: Artifacts,
        *,
        engine: Engine = "auto",
        progress: Progress | None = None,
    ) -> RankedIndex:
        """Opens the corpus's index out of the cache, or builds it there.

        engine: "auto" is tantivy where it is installed, else SQLite. Every document is booked,
        whether the index was there or not. Raises BudgetExceeded, and ConfigError on an engine
        that is unknown or not installed.
        """
        there = importlib.util.find_spec("tantivy") is not None
        name = ("tantivy" if there else "sqlite") if engine == "auto" else engine
        if name not in _ENGINES or (name == "tantivy" and not there):
            raise ConfigError(
                f"no engine '{name}'" + (" is installed" if name in _ENGINES else ""),
                hint=f"Choose from: auto, {', '.join(_ENGINES)}; "
                "pip install 'alignment-workbench[search]' brings tantivy.",
            )
        read = False

        def make(into: Path) -> None:
            nonlocal read
            read = True
            _build(corpus, into, name, progress)

        key: dict[str, JSON] = {
            "corpus": corpus.fingerprint(),
            "engine": name,
            "layout": LAYOUT,
        }
        folder = artifacts.get_or_make("ranked-index", key, make)
        if not read:
            corpus.usage.spend(documents=corpus.documents)
        return cls(folder, name)

    @property
    def documents(self) -> int:
        """How many documents are ranked."""
        return len(self._ids)

    def search(self, text: str, k: int = 10) -> list[Ranked]:
        """The k best documents for the words of a text, at most MOST_WORDS of them.

        Documents of equal score come in the order of the corpus, as far as the engine sees them.
        """
        if k < 1:
            raise ConfigError(f"the {k} best documents", hint="Ask for at least 1.")
        counted = Counter(words(text))
        weights = {w: n * self.idf(w) for w, n in counted.items() if self.frequency(w)}
        chosen = sorted(weights, key=lambda w: (-weights[w], w))[:MOST_WORDS]
        if not chosen:
            return []
        found = self._ranking.top(chosen, min(k, self.documents))
        return [Ranked(self._ids[row].as_py(), score) for row, score in found]

    def frequency(self, word: str) -> int:
        """How many documents hold the word."""
        return self._ranking.frequency(word)

    def idf(self, word: str) -> float:
        """The word's inverse document frequency."""
        return _idf(self.documents, self.frequency(word))


def words(text: str) -> list[str]:
    """The text's words: runs of letters and digits in lower case, those of at most 40 bytes."""
    found = _WORD.findall(text.lower())
    if text.isascii():
        return [word for word in found if len(word) <= _LONGEST_WORD]
    return [word for word in found if len(word.encode("utf-8", "surrogatepass")) <= _LONGEST_WORD]


class _Tantivy:
    def __init__(self, folder: Path, lengths: NDArray[np.int64]) -> None:
        import tantivy

        self._tantivy = tantivy
        self._schema = _tantivy_schema(tantivy)
        index = tantivy.Index.open(str(folder / "tantivy"))
        self._searcher = index.searcher()

    def frequency(self, word: str) -> int:
        return int(self._searcher.doc_freq("text", word))

    def top(self, words: Sequence[str], k: int) -> list[tuple[int, float]]:
        query, occur = self._tantivy.Query, self._tantivy.Occur.Should
        any_of = query.boolean_query(
            [(occur, query.term_query(self._schema, "text", word)) for word in words]
        )
        hits = self._searcher.search(any_of, k, count=False).hits
        rows = self._searcher.fast_field_values("row", [address for _, address in hits])
        found = [(int(row), float(score)) for row, (score, _) in zip(rows, hits, strict=True)]
        return sorted(found, key=lambda hit: (-hit[1], hit[0]))


class _Sqlite:
    def __init__(self, folder: Path, lengths: NDArray[np.int64]) -> None:
        import numpy as np

        address = f"file:{(folder / 'words.sqlite').resolve().as_posix()}?mode=ro&immutable=1"
        self._database = sqlite3.connect(address, uri=True, check_same_thread=False)
        scale = np.array(length_scale())
        rounded = scale[np.searchsorted(scale, lengths, side="right") - 1]
        mean = max(float(lengths.mean()), 1e-9) if len(lengths) else 1.0
        self._norms = K1 * (1 - B + B * rounded / mean)

    def frequency(self, word: str) -> int:
        row = self._database.execute("SELECT doc FROM by_word WHERE term = ?", [word]).fetchone()
        return 0 if row is None else int(row[0])

    def top(self, words: Sequence[str], k: int) -> list[tuple[int, float]]:
        import numpy as np

        n = len(self._norms)
        scores = np.zeros(n)
        for word in words:
            found = self._database.execute(
                "SELECT doc, count(*) FROM places WHERE term = ? GROUP BY doc", [word]
            ).fetchall()
            if found:
                rows, counts = np.array(found, dtype=np.int64).T
                scores[rows] += (
                    _idf(n, len(found)) * counts * (K1 + 1) / (counts + self._norms[rows])
                )
        best = np.argsort(-scores, kind="stable")[:k].tolist()
        return [(row, float(scores[row])) for row in best if scores[row] > 0]


_ENGINES: dict[str, Any] = {"tantivy": _Tantivy, "sqlite": _Sqlite}


def length_scale() -> list[int]:
    """The 256 document lengths of Lucene's one-byte scale: exact to 40, then 4 bits of mantissa."""
    scale = list(range(40))
    for code in range(16, 232):
        low, shift = code & 7, (code >> 3) - 1
        scale.append(24 + ((low | 8) << shift))
    return scale


def _idf(documents: int, frequency: int) -> float:
    return math.log1p((documents - frequency + 0.5) / (frequency + 0.5))


def _build(corpus: Corpus, into: Path, engine: str, progress: Progress | None) -> None:
    import pyarrow
    from pyarrow.feather import write_feather

    writer = _write_tantivy if engine == "tantivy" else _write_sqlite
    ids: list[str] = []
    lengths: list[int] = []
    total = corpus.documents
    with writer(into) as add:
        for batch in corpus.batches():
            for row in batch.to_pylist():
                text = words("\n".join(m["content"] for m in row["messages"]))
                add(len(ids), " ".join(text))
                ids.append(row["id"])
                lengths.append(len(text))
            if progress is not None:
                progress(len(ids), total)
    table = pyarrow.table(
        {"document": pyarrow.array(ids, pyarrow.string()),
         "words": pyarrow.array(lengths, pyarrow.int64())}
    )  # fmt: skip
    write_feather(table, into / "documents.arrow", "uncompressed")


@contextlib.contextmanager
def _write_tantivy(into: Path) -> Iterator[Any]:
    import tantivy

    (into / "tantivy").mkdir()
    index = tantivy.Index(_tantivy_schema(tantivy), str(into / "tantivy"))
    writer = index.writer(_HEAP_BYTES, 1)
    yield lambda row, text: writer.add_document(tantivy.Document(text=text, row=row))
    writer.commit()
    writer.wait_merging_threads()


@contextlib.contextmanager
def _write_sqlite(into: Path) -> Iterator[Any]:
    database = sqlite3.connect(into / "words.sqlite")
    try:
        database.execute("PRAGMA journal_mode = OFF")
        database.execute(
            "CREATE VIRTUAL TABLE words USING fts5(text, content='', "
            'tokenize="unicode61 remove_diacritics 0")'
        )
        database.execute("CREATE VIRTUAL TABLE by_word USING fts5vocab(words, row)")
        database.execute("CREATE VIRTUAL TABLE places USING fts5vocab(words, instance)")
        insert = "INSERT INTO words(rowid, text) VALUES (?, ?)"
        yield lambda row, text: database.execute(insert, [row, text])
        database.execute("INSERT INTO words(words) VALUES ('optimize')")
        database.commit()
    finally:
        database.close()


def _tantivy_schema(tantivy: Any) -> Any:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("text", tokenizer_name="whitespace", index_option="freq")
    builder.add_integer_field("row", fast=True)
    return builder.build()
