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
    for name, marked, opening, closing in _marked(turns.content, query):
        for at, text in zip(marked["at"].to_list(), marked["marked"].to_list(), strict=True):
            spans = list(_spans(text, opening, closing))
            made += turns.hits(name, at, spans)
            if query.rules and spans:
                row, turn = turns.place(at)
                found[row][name] += [(turn, start, end) for start, end in spans]
    for name, rule in query.rules:
        for row in sorted(found):
            held = rule.spans(found[row], turns.words_in(row))
            for turn, spans_of in groupby(held, key=itemgetter(0)):
                spans = [(start, end) for _, start, end in spans_of]
                made += turns.hits(name, turns.first(row) + turn, spans)
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
    import polars

    totals: dict[tuple[str, str], Count] = defaultdict(Count)
    for batch in batches:
        for name, rows in _counted(batch, query):
            value = polars.lit("") if by is None else polars.col(by)
            for group, documents, matches in (
                rows.group_by(value.alias("value"))
                .agg(polars.col("row").n_unique(), polars.col("matches").sum())
                .sort("value")
                .iter_rows()
            ):
                totals[name, group] += Count(documents, int(matches))
    return dict(totals)


def _counted(
    batch: pyarrow.RecordBatch, query: CompiledQuery
) -> Iterator[tuple[str, polars.DataFrame]]:
    """Name and a frame of row, matches, role, source and stage, with a row for each turn."""
    import polars

    if query.rules:
        found = polars.from_arrow(scan(batch, query))
        assert isinstance(found, polars.DataFrame)
        found = found.with_columns(matches=1)
        for (name,), rows in found.group_by("pattern", maintain_order=True):
            yield str(name), rows
        return
    turns = _Turns(batch)
    for name, marked, opening, closing in _marked(turns.content, query):
        text = polars.col("marked").str
        counted = marked.with_columns(
            matches=text.count_matches(opening, literal=True).cast(polars.Int64)
            - text.count_matches(opening + closing, literal=True).cast(polars.Int64)
        ).filter(polars.col("matches") > 0)
        at = counted["at"].to_numpy()
        rows = turns.rows(at)
        told = {
            key: polars.Series(batch.column(key).take(_array(rows)).to_pylist(), dtype=polars.Utf8)
            for key in ("source", "stage")
        }
        yield (
            name,
            counted.select("matches").with_columns(
                row=polars.Series(rows, dtype=polars.Int64),
                role=polars.Series(turns.role.take(_array(at)).to_pylist(), dtype=polars.Utf8),
                **told,
            ),
        )


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

    def rows(self, at: Any) -> Any:
        """The rows of messages, both as int64 [n]."""
        import numpy

        return numpy.searchsorted(self._starts, at, side="right") - 1

    def place(self, at: int) -> tuple[int, int]:
        """(row, turn) of a message."""
        row = int(self.rows(at))
        return row, at - self.first(row)

    def first(self, row: int) -> int:
        """The first message of a row."""
        return int(self._starts[row])

    def words_in(self, row: int) -> Any:
        """Counts words between two characters of a turn of this row."""
        first = self.first(row)
        return lambda turn, start, end: len(_WORD.findall(self.content[first + turn], start, end))

    def hits(self, name: str, at: int, spans: Sequence[tuple[int, int]]) -> Iterator[Any]:
        """The rows of `hits_schema()` for spans of one message."""
        row, turn = self.place(at)
        document, source, stage = (
            self._batch.column(key)[row].as_py() for key in ("id", "source", "stage")
        )
        told = (document, turn, self.role[at].as_py(), source, stage)
        content = self.content[at]
        for start, end in spans:
            context = content[max(0, start - CONTEXT) : end + CONTEXT]
            yield (name, *told, content[start:end], start, end, context, row)


def _marked(
    content: polars.Series, query: CompiledQuery
) -> Iterator[tuple[str, polars.DataFrame, str, str]]:
    """For each pattern: its name, a frame of `at`, the place of each message that matches, and
    `marked`, its text with every match in brackets; and the two brackets."""
    import polars

    screened = content.str.contains(query.screens[0])
    for screen in query.screens[1:]:
        screened |= content.str.contains(screen)
    at = screened.arg_true()
    if not len(at):
        return
    kept = polars.DataFrame({"at": at, "content": content.gather(at)})
    opening, closing = _absent_pair(kept["content"])
    text = polars.col("content").str
    for name, regex in query.patterns:
        matching = kept if len(query.patterns) == 1 else kept.filter(text.contains(regex))
        marked = text.replace_all(regex, f"{opening}${{0}}{closing}").alias("marked")
        yield name, matching.select("at", marked), opening, closing


def _absent_pair(content: polars.Series) -> tuple[str, str]:
    """Two private-use characters that occur in no content: they bracket matches."""
    for code in range(0xE000, 0xF8FF, 2):
        pair = chr(code), chr(code + 1)
        if not content.str.contains_any(list(pair)).any():
            return pair
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


def _array(numbers: Any) -> Any:
    import pyarrow

    return pyarrow.array(numbers, pyarrow.int64())
