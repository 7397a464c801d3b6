"""Long scans: piece by piece into a folder, resumable, in one process, in several, on a cluster."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.corpus.documents import ROWS_PER_BATCH, Corpus
from workbench.corpus.pieces import Piece
from workbench.corpus.query import CompiledQuery
from workbench.corpus.scan import hits_schema, scan
from workbench.corpus.screening import windows
from workbench.errors import ConfigError

if TYPE_CHECKING:
    import pyarrow


def scan_piece(piece: Piece, query: CompiledQuery, rows: int = ROWS_PER_BATCH) -> pyarrow.Table:
    """All hits of one piece, as `scan` gives them, with `row` counted from the piece's start."""
    import pyarrow

    found = []
    for window in windows([piece], query, rows):
        hits = scan(window.batch, query)
        at = hits.schema.get_field_index("row")
        places = pyarrow.array(window.places).take(hits.column("row"))
        found.append(hits.set_column(at, "row", places))
    return pyarrow.Table.from_batches(found, schema=hits_schema())


def scan_into(
    corpus: Corpus, query: CompiledQuery, folder: Path, *, workers: int = 1
) -> Iterator[tuple[int, int]]:
    """Writes one Parquet file of hits for each piece; yields (pieces done, pieces in all).

    A piece whose file is there is not read again: an interrupted scan goes on. Documents are booked
    piece by piece, before they are read. `read_hits` gives the hits.
    Raises ConfigError where the folder holds another scan.
    """
    _claim(folder, corpus, query)
    total = len(corpus.pieces)
    waiting = [i for i in range(total) if not _part(folder, i).is_file()]
    yield total - len(waiting), total
    done = total - len(waiting)
    for index, table in _scanned(corpus, query, waiting, workers):
        _write(table, _part(folder, index))
        done += 1
        yield done, total


def read_hits(folder: Path) -> Iterator[pyarrow.RecordBatch]:
    """The hits that `scan_into` wrote, in the corpus' order."""
    from pyarrow.parquet import ParquetFile

    for part in sorted(folder.glob("hits-*.parquet")):
        with ParquetFile(part) as file:
            yield from file.iter_batches()


def _scanned(
    corpus: Corpus, query: CompiledQuery, waiting: Sequence[int], workers: int
) -> Iterator[tuple[int, pyarrow.Table]]:
    if workers == 1:
        for index in waiting:
            corpus.usage.spend(documents=corpus.pieces[index].count())
            yield index, scan_piece(corpus.pieces[index], query)
        return
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_one_thread) as pool:
        asked = []
        for index in waiting:
            corpus.usage.spend(documents=corpus.pieces[index].count())
            asked.append((index, pool.submit(scan_piece, corpus.pieces[index], query)))
        for index, answer in asked:
            yield index, answer.result()


def _one_thread() -> None:
    """Each worker process keeps to one thread: the pieces are what runs side by side."""
    os.environ["POLARS_MAX_THREADS"] = "1"


def _part(folder: Path, index: int) -> Path:
    return folder / f"hits-{index:06d}.parquet"


def _write(table: pyarrow.Table, path: Path) -> None:
    from pyarrow.parquet import write_table

    draft = path.with_suffix(".draft")
    write_table(table, draft, compression="zstd")
    draft.replace(path)


def _claim(folder: Path, corpus: Corpus, query: CompiledQuery) -> None:
    """Writes what is scanned for, or raises where the folder is another scan's."""
    told = {"query": _digest(query), "pieces": _digest([_state(p) for p in corpus.pieces])}
    card = folder / "scan.json"
    if not card.is_file():
        if folder.exists() and any(folder.iterdir()):
            raise ConfigError(f"{folder} holds something else", hint="Give a folder of its own.")
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / "scan.draft"
        draft.write_text(json.dumps(told))
        draft.replace(card)
        return
    try:
        known = json.loads(card.read_bytes())
    except ValueError:
        known = {}
    if known != told:
        what = "query" if known.get("query") != told["query"] else "corpus"
        raise ConfigError(
            f"{folder} holds the hits of another {what}", hint="Give a folder of its own."
        )


def _state(piece: Piece) -> list[Any]:
    return [
        piece.name,
        [[str(f.resolve()), f.stat().st_size, f.stat().st_mtime_ns] for f in piece.files],
    ]


def _digest(value: Any) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()
