"""The scan kernel: many named patterns over a stream of documents, in one regex dialect.

The dialect is that of Rust's regex crate, which runs in linear time and has no look-around and no
back-references. Matches are non-overlapping, leftmost first; empty ones are not hits.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from workbench.errors import ConfigError

if TYPE_CHECKING:
    import polars
    import pyarrow

CONTEXT = 60
"""Characters of context on each side of a hit."""


@dataclasses.dataclass(frozen=True, slots=True)
class Hit:
    """A match: which pattern, in which document and message, from which to which character.

    turn: index of the message in its document. text: what matched. context: the match with up to
    CONTEXT characters on each side.
    """

    pattern: str
    document: str
    turn: int
    role: str
    text: str
    start: int
    end: int
    context: str


@dataclasses.dataclass(frozen=True, slots=True)
class Count:
    """How often a pattern matched, and in how many documents."""

    documents: int = 0
    matches: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class CompiledQuery:
    """Named patterns, each as (name, Rust regex), checked by the engine that will run them."""

    patterns: tuple[tuple[str, str], ...]

    @classmethod
    def compile(
        cls, patterns: Mapping[str, str], *, ignore_case: bool = False, fixed: bool = False
    ) -> CompiledQuery:
        """fixed: patterns are plain text. Raises ConfigError on a pattern that the dialect lacks
        (look-around, back-references), that is malformed, or that matches the empty text."""
        import polars

        if not patterns:
            raise ConfigError("no pattern to look for", hint="Give at least one.")
        made = []
        for name, pattern in patterns.items():
            regex = polars.escape_regex(pattern) if fixed else pattern
            regex = f"(?i){regex}" if ignore_case else regex
            try:
                empty = polars.Series([""]).str.contains(regex).item()
            except polars.exceptions.ComputeError as error:
                raise ConfigError(
                    f"pattern '{pattern}': {_reason(error)}",
                    hint="The dialect is Rust's regex: no look-around, no back-references; "
                    "--fixed takes plain text.",
                ) from None
            if empty:
                raise ConfigError(
                    f"pattern '{pattern}' matches the empty text",
                    hint="Write one that needs at least a character, like + in place of *.",
                )
            made.append((name, regex))
        return cls(tuple(made))


def scan(batches: Iterable[pyarrow.RecordBatch], query: CompiledQuery) -> Iterator[Hit]:
    """Every hit, batch by batch; within a batch pattern by pattern, in order of the documents."""
    for messages in map(_messages, batches):
        opening, closing = _absent_pair(messages)
        for name, regex in query.patterns:
            for row in _marked(messages, regex, opening, closing).iter_rows(named=True):
                yield from _hits(name, row, opening, closing)


def count(batches: Iterable[pyarrow.RecordBatch], query: CompiledQuery) -> dict[str, Count]:
    """Per pattern, what `scan` would yield, counted; several times as fast on common patterns."""
    import polars

    totals = {name: Count() for name, _ in query.patterns}
    for messages in map(_messages, batches):
        opening, closing = _absent_pair(messages)
        for name, regex in query.patterns:
            marked = polars.col("marked").str
            hits = _marked(messages, regex, opening, closing).with_columns(
                matches=marked.count_matches(opening, literal=True).cast(polars.Int64)
                - marked.count_matches(opening + closing, literal=True).cast(polars.Int64)
            )
            hits = hits.filter(polars.col("matches") > 0)
            before = totals[name]
            totals[name] = Count(
                before.documents + hits["row"].n_unique(),
                before.matches + int(hits["matches"].sum()),
            )
    return totals


def _reason(error: Exception) -> str:
    text = str(error).partition("This error occurred")[0].rpartition("error: ")[2]
    return " ".join(text.split())


def _messages(batch: pyarrow.RecordBatch) -> polars.DataFrame:
    import polars

    frame = polars.from_arrow(batch)
    assert isinstance(frame, polars.DataFrame)
    return (
        frame.with_row_index("row")
        .filter(polars.col("messages").list.len() > 0)
        .with_columns(turn=polars.int_ranges(polars.col("messages").list.len()))
        .explode("messages", "turn")
        .unnest("messages")
    )


def _absent_pair(messages: polars.DataFrame) -> tuple[str, str]:
    """Two private-use characters that occur in no content: they bracket matches."""
    for code in range(0xE000, 0xF8FF, 2):
        pair = chr(code), chr(code + 1)
        if not messages["content"].str.contains_any(list(pair)).any():
            return pair
    raise ConfigError("a document batch uses every private-use character", hint="Clean the corpus.")


def _marked(messages: polars.DataFrame, regex: str, opening: str, closing: str) -> polars.DataFrame:
    """The messages that match, with a column `marked`: the content with every match bracketed."""
    import polars

    content = polars.col("content").str
    return messages.filter(content.contains(regex)).with_columns(
        marked=content.replace_all(regex, f"{opening}${{0}}{closing}")
    )


def _hits(name: str, row: Mapping[str, Any], opening: str, closing: str) -> Iterator[Hit]:
    content = row["content"]
    head, *rest = row["marked"].split(opening)
    at = len(head)
    for piece in rest:
        text, _, between = piece.partition(closing)
        if text:
            yield Hit(
                pattern=name,
                document=row["id"],
                turn=row["turn"],
                role=row["role"],
                text=text,
                start=at,
                end=at + len(text),
                context=content[max(0, at - CONTEXT) : at + len(text) + CONTEXT],
            )
        at += len(text) + len(between)
