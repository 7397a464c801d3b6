"""Reading for a scan: rows in which no pattern of the query matches never reach Python.

Where the files allow it the query's screens run inside Polars' streaming Parquet reader; what they
let through goes to the one kernel, `scan`. Other files hand over every row.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from functools import reduce
from itertools import groupby
from operator import or_
from typing import TYPE_CHECKING, Any

from workbench.corpus.layouts import columns_of, schema, table_batch
from workbench.corpus.pieces import Piece, open_parquet
from workbench.corpus.query import CompiledQuery

if TYPE_CHECKING:
    import numpy as np
    import polars
    import pyarrow
    from numpy.typing import NDArray

GROUP_BYTES = 64 << 20
"""Row groups of more decoded bytes are not screened while read: Polars takes in a group whole."""


@dataclasses.dataclass(frozen=True, slots=True)
class Window:
    """Some rows of a piece that follow each other: how many there are; those that may hold a hit,
    in `layouts.schema()`; and the places of these in the piece."""

    rows: int
    batch: pyarrow.RecordBatch
    places: NDArray[np.int64]


def windows(pieces: Sequence[Piece], query: CompiledQuery, rows: int) -> Iterator[Window]:
    """All rows of the pieces in order, at most `rows` of one piece at a time.

    Raises ConfigError as `Piece.batches` does.
    """
    for run in _runs(pieces):
        if run[0].layout is None:
            yield from _unscreened([known.piece for known in run], rows)
        else:
            yield from _screened(run, query, rows)


@dataclasses.dataclass(frozen=True, slots=True)
class _Known:
    """A piece; the Arrow schema of its file, None where it cannot be screened while it is read; its
    rows, and the rows of its file."""

    piece: Piece
    layout: Any = None
    rows: int = 0
    of_file: int = 0

    def goes_on(self, before: _Known) -> bool:
        """Whether one reader can read both, one after the other."""
        if self.layout != before.layout:
            return False
        end = before.piece.first_row + before.rows
        if self.piece.files == before.piece.files:
            return self.piece.first_row == end
        return end == before.of_file and not self.piece.first_row


def _runs(pieces: Sequence[Piece]) -> Iterator[list[_Known]]:
    run: list[_Known] = []
    for files, same in groupby(pieces, lambda piece: (piece.kind, piece.files)):
        for known in _known(list(same)) if files[0] == "parquet" else map(_Known, same):
            if run and not known.goes_on(run[-1]):
                yield run
                run = []
            run.append(known)
    if run:
        yield run


def _unscreened(pieces: Sequence[Piece], rows: int, start: int = 0) -> Iterator[Window]:
    import numpy as np

    for piece in pieces:
        at = start
        for batch in piece.batches(rows, start):
            yield Window(batch.num_rows, batch, np.arange(at, at + batch.num_rows))
            at += batch.num_rows
        start = 0


def _known(pieces: Sequence[Piece]) -> Iterator[_Known]:
    """Of one Parquet file. A piece can be screened where rows are turns or one text, statistics say
    that no cell that must be there is null, and row groups are small."""
    with open_parquet(pieces[0].files[0]) as file:
        layout, metadata = file.schema_arrow, file.metadata
        main, *told = columns_of(layout.names, pieces[0].name)
        fit = _is_plain(layout, main, told)
        needed = [
            i
            for i in range(metadata.num_columns)
            if metadata.schema.column(i).path.partition(".")[0] in (main, "id")
        ]
        for piece in pieces:
            groups = [metadata.row_group(part) for part in piece.parts]
            whole = fit and all(
                group.total_byte_size <= GROUP_BYTES
                and all(_is_full(group.column(i).statistics) for i in needed)
                for group in groups
            )
            rows = sum(group.num_rows for group in groups)
            yield _Known(piece, layout if whole else None, rows, metadata.num_rows)


def _is_full(statistics: Any) -> bool:
    return bool(statistics is not None and statistics.has_null_count and not statistics.null_count)


def _is_plain(layout: Any, main: str, told: Sequence[str]) -> bool:
    import pyarrow

    text = pyarrow.string()
    kind = layout.field(main).type
    if main == "messages":
        turn = kind.value_type if pyarrow.types.is_list(kind) else None
        fit = turn == pyarrow.struct([("role", text), ("content", text)])
    else:
        fit = main in ("text", "content") and kind == text
    return fit and all(layout.field(name).type == text for name in told)


def _screened(run: Sequence[_Known], query: CompiledQuery, rows: int) -> Iterator[Window]:
    """The windows of one run. From where Polars refuses to go on they are read as `Piece.batches`
    reads them, which says what is wrong."""
    import polars

    cut = [
        (known.piece, start, min(rows, known.rows - start))
        for known in run
        for start in range(0, known.rows, rows)
    ]
    done = 0
    try:
        for window in _read(run, cut, query):
            yield window
            done += 1
    except (polars.exceptions.PolarsError, polars.exceptions.PanicException, OSError):
        piece, start, _ = cut[done]
        pieces = [known.piece for known in run]
        yield from _unscreened(pieces[pieces.index(piece) :], rows, start)


def _read(
    run: Sequence[_Known], cut: Sequence[tuple[Piece, int, int]], query: CompiledQuery
) -> Iterator[Window]:
    import numpy as np

    edges = np.cumsum([0, *(size for _, _, size in cut)])
    waiting: list[polars.DataFrame] = []
    done = 0
    for frame in _frames(run, query):
        rows = frame["row"].to_numpy()
        start = 0
        while start < len(rows) and rows[-1] >= edges[done + 1]:
            end = int(np.searchsorted(rows, edges[done + 1]))
            yield _window([*waiting, frame[start:end]], cut[done], int(edges[done]))
            waiting, start = [], end
            done += 1
        waiting.append(frame[start:])
    for i in range(done, len(cut)):
        yield _window(waiting, cut[i], int(edges[i]))
        waiting = []


def _frames(run: Sequence[_Known], query: CompiledQuery) -> Iterator[polars.DataFrame]:
    """The rows that the screens let through, with `row`, their place in the run."""
    import polars

    main, *told = columns_of(run[0].layout.names, run[0].piece.name)
    if main == "messages":
        turn = polars.element().struct.field("content")
        matching = polars.col(main).list.eval(_matching(turn, query)).list.any()
    else:
        matching = _matching(polars.col(main), query)
    files = list(dict.fromkeys(known.piece.files[0] for known in run))
    frame = polars.scan_parquet(files, glob=False).select(main, *told)
    first, rows = run[0].piece.first_row, sum(known.rows for known in run)
    if first or run[-1].piece.first_row + run[-1].rows < run[-1].of_file:
        frame = frame.slice(first, rows)
    kept = frame.with_row_index("row").filter(matching)
    yield from kept.collect_batches(maintain_order=True, engine="streaming")


def _matching(content: polars.Expr, query: CompiledQuery) -> polars.Expr:
    return reduce(or_, [content.str.contains(screen) for screen in query.screens])


def _window(frames: Sequence[polars.DataFrame], cut: tuple[Piece, int, int], before: int) -> Window:
    """before: rows of the run before the window."""
    import numpy as np
    import polars
    import pyarrow

    piece, start, rows = cut
    held = [frame for frame in frames if frame.height]
    if not held:
        return Window(rows, pyarrow.RecordBatch.from_pylist([], schema=schema()), np.arange(0))
    whole = polars.concat(held, rechunk=True)
    places = whole["row"].to_numpy().astype(np.int64) - before + start
    (batch,) = (
        whole.drop("row").to_arrow(compat_level=polars.CompatLevel.oldest()).combine_chunks()
    ).to_batches()
    name = piece.named[0]
    if "id" not in batch.schema.names:
        ids = [f"{name}:{piece.first_row + place}" for place in places.tolist()]
        batch = batch.append_column("id", pyarrow.array(ids))
    return Window(rows, table_batch(batch, name, piece.first_row + start, piece.source), places)
