"""The scan kernel: a batch of documents and a query in, hits out.

One pure function, `scan`, does it in every tier: in this process, in others, under Ray and under
Spark. What matches is decided in Rust on the decoded texts; Python sees the texts with hits alone.
"""

from __future__ import annotations

import dataclasses
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from workbench.corpus.query import CompiledQuery
from workbench.corpus.rules import Span
from workbench.errors import ConfigError

if TYPE_CHECKING:
    import polars
    import pyarrow

CONTEXT = 60
"""Characters of context on each side of a hit."""

_WORD = re.compile(r"\w+")

By: TypeAlias = Literal["role", "source", "stage"]


@dataclasses.dataclass(frozen=True, slots=True)
class Hit:
    """A match: which pattern or rule, in which document and message, from where to where.

    turn: index of the message in its document. start, end: characters of the message. text: what
    matched. context: the match with up to CONTEXT characters on each side.
    """

    pattern: str
    document: str
    turn: int
    role: str
    source: str
    stage: str
    text: str
    start: int
    end: int
    context: str


@dataclasses.dataclass(frozen=True, slots=True)
class Count:
    """How often a pattern matched, and in how many documents."""

    documents: int = 0
    matches: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(self.documents + other.documents, self.matches + other.matches)


def hits_schema() -> Any:
    """The columns of `scan`: those of `Hit`, and `row`, the document's place in its batch."""
    import pyarrow

    kinds = {"turn": pyarrow.int32(), "start": pyarrow.int64(), "end": pyarrow.int64()}
    names = [field.name for field in dataclasses.fields(Hit)]
    return pyarrow.schema(
        [(name, kinds.get(name, pyarrow.string())) for name in names] + [("row", pyarrow.int64())]
    )


def scan(batch: pyarrow.RecordBatch, query: CompiledQuery) -> pyarrow.RecordBatch:
    """Every hit in a batch of `layouts.schema()`, as a batch of `hits_schema()`.

    Pattern by pattern, then rule by rule, each in order of the documents.
    """
    import pyarrow

    turns = _Turns(batch)
    made: list[tuple[Any, ...]] = []
    found: dict[int, dict[str, list[Span]]] = defaultdict(lambda: defaultdict(list))
    for name, places, texts, opening, closing in _marked(turns.content, query):
        for at, row, text in zip(places, turns.rows(places), texts, strict=True):
            spans = list(_spans(text, opening, closing))
            made += turns.hits(name, at, row, spans)
            if query.rules and spans:
                turn = at - turns.first(row)
                found[row][name] += [(turn, start, end) for start, end in spans]
    for name, rule in query.rules:
        for row in sorted(found):
            held = rule.spans(found[row], turns.words_in(row))
            for turn, spans_of in groupby(held, key=itemgetter(0)):
                spans = [(start, end) for _, start, end in spans_of]
                made += turns.hits(name, turns.first(row) + turn, row, spans)
    columns = zip(*made, strict=True) if made else [() for _ in hits_schema()]
    arrays = [pyarrow.array(c, f.type) for c, f in zip(columns, hits_schema(), strict=True)]
    return pyarrow.RecordBatch.from_arrays(arrays, schema=hits_schema())


def hits(batches: Iterable[pyarrow.RecordBatch], query: CompiledQuery) -> Iterator[Hit]:
    """Every hit, batch by batch, in the order of `scan`."""
    for batch in batches:
        for row in scan(batch, query).drop_columns(["row"]).to_pylist():
            yield Hit(**row)


def count(batches: Iterable[pyarrow.RecordBatch], query: CompiledQuery) -> dict[str, Count]:
    """Per pattern and rule, what `hits` would yield, counted; several times as fast on common
    patterns."""
    totals = {name: Count() for name, _ in (*query.patterns, *query.rules)}
    for (name, _), found in _tally(batches, query, None).items():
        totals[name] += found
    return totals


def count_by(
    batches: Iterable[pyarrow.RecordBatch], query: CompiledQuery, by: By
) -> dict[tuple[str, str], Count]:
    """The same for each role of the turn, source or stage of the document: {(pattern, value)}.

    Values without a match are left out. A document counts once for each role that matches in it.
    """
    return _tally(batches, query, by)


def _tally(
    batches: Iterable[pyarrow.RecordBatch], query: CompiledQuery, by: By | None
) -> dict[tuple[str, str], Count]:
    totals: dict[tuple[str, str], Count] = defaultdict(Count)
    rows: dict[tuple[str, str], set[int]] = defaultdict(set)
    seen: dict[tuple[str, str], int] = defaultdict(int)
    for batch in batches:
        for name, row, value, matches in _counted(batch, query, by):
            rows[name, value].add(row)
            seen[name, value] += matches
        for key, held in rows.items():
            totals[key] += Count(len(held), seen[key])
        rows.clear()
        seen.clear()
    return dict(totals)


def _counted(
    batch: pyarrow.RecordBatch, query: CompiledQuery, by: By | None
) -> Iterator[tuple[str, int, str, int]]:
    """(pattern or rule, row, what it is counted by, matches) of each turn that has some."""
    if query.rules:
        found = scan(batch, query)
        values = found.column(by).to_pylist() if by else [""] * found.num_rows
        names, rows = found.column("pattern").to_pylist(), found.column("row").to_pylist()
        yield from ((*told, 1) for told in zip(names, rows, values, strict=True))
        return
    turns = _Turns(batch)
    for name, places, texts, opening, closing in _marked(turns.content, query):
        for at, row, text in zip(places, turns.rows(places), texts, strict=True):
            matches = text.count(opening) - text.count(opening + closing)
            if matches:
                yield name, row, turns.told(by, at, row), matches


class _Turns:
    """The messages of a batch, one after the other, and whose they are."""

    def __init__(self, batch: pyarrow.RecordBatch) -> None:
        import numpy
        import polars

        self._batch = batch
        lists = batch.column("messages")
        turns = lists.flatten()
        offsets = lists.offsets.to_numpy()
        self._starts = offsets.astype(numpy.int64) - offsets[0]
        self.role = turns.field("role")
        content = polars.from_arrow(turns.field("content"))
        assert isinstance(content, polars.Series)
        self.content = content.alias("content")

    def rows(self, places: Sequence[int]) -> list[int]:
        """The rows that these messages belong to."""
        import numpy

        rows: list[int] = (numpy.searchsorted(self._starts, places, side="right") - 1).tolist()
        return rows

    def told(self, by: By | None, at: int, row: int) -> str:
        """The role of a message, or the source or stage of its row; nothing is nothing."""
        if by is None:
            return ""
        column, place = (self.role, at) if by == "role" else (self._batch.column(by), row)
        return str(column[place].as_py())

    def first(self, row: int) -> int:
        """The first message of a row."""
        return int(self._starts[row])

    def words_in(self, row: int) -> Any:
        """Counts words between two characters of a turn of this row."""
        first = self.first(row)
        return lambda turn, start, end: len(_WORD.findall(self.content[first + turn], start, end))

    def hits(self, name: str, at: int, row: int, spans: Sequence[tuple[int, int]]) -> Iterator[Any]:
        """The rows of `hits_schema()` for spans of one message."""
        document, source, stage = (
            self._batch.column(key)[row].as_py() for key in ("id", "source", "stage")
        )
        told = (document, at - self.first(row), self.role[at].as_py(), source, stage)
        content = self.content[at]
        for start, end in spans:
            context = content[max(0, start - CONTEXT) : end + CONTEXT]
            yield (name, *told, content[start:end], start, end, context, row)


def _marked(
    content: polars.Series, query: CompiledQuery
) -> Iterator[tuple[str, list[int], list[str], str, str]]:
    """For each pattern: its name, the place of each message that matches (or, where there are
    several patterns, that some pattern matches), its text with every match in brackets, and the two
    brackets."""
    screened = content.str.contains(query.screens[0])
    for screen in query.screens[1:]:
        screened |= content.str.contains(screen)
    at = screened.arg_true()
    if not len(at):
        return
    kept, places = content.gather(at), at.to_list()
    opening, closing = _absent_pair(kept.to_list())
    for name, regex in query.patterns:
        if len(query.patterns) == 1:
            mine, texts = places, kept
        else:
            hit = kept.str.contains(regex).arg_true()
            mine, texts = [places[i] for i in hit.to_list()], kept.gather(hit)
        if len(mine):
            marked = texts.str.replace_all(regex, f"{opening}${{0}}{closing}")
            yield name, mine, marked.to_list(), opening, closing


def _absent_pair(texts: Sequence[str]) -> tuple[str, str]:
    """Two private-use characters that occur in no text: they bracket matches."""
    for code in range(0xE000, 0xF8FF, 2):
        opening, closing = chr(code), chr(code + 1)
        if not any(opening in text or closing in text for text in texts):
            return opening, closing
    raise ConfigError("a document batch uses every private-use character", hint="Clean the corpus.")


def _spans(marked: str, opening: str, closing: str) -> Iterator[tuple[int, int]]:
    """(start, end) of every match that is not empty, in characters of the text without marks."""
    head, *rest = marked.split(opening)
    at = len(head)
    for piece in rest:
        text, _, between = piece.partition(closing)
        if text:
            yield at, at + len(text)
        at += len(text) + len(between)
