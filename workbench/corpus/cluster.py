"""The scan kernel on a cluster: Ray Data `map_batches` and Spark `mapInArrow`, both optional.

What travels is the names of pieces; each worker opens its own, so all must see the same files.
Hits are those of this process, bit for bit.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from workbench.corpus.documents import Corpus
from workbench.corpus.jobs import scan_piece
from workbench.corpus.query import CompiledQuery
from workbench.corpus.scan import hits_schema
from workbench.errors import ConfigError

if TYPE_CHECKING:
    import pyarrow


class PieceScan:
    """A table of pickled pieces in, a table of their hits out; can be sent to a worker."""

    def __init__(self, query: CompiledQuery) -> None:
        self._query = query

    def __call__(self, pieces: pyarrow.Table) -> pyarrow.Table:
        import pyarrow

        found = [
            scan_piece(pickle.loads(piece), self._query)
            for piece in pieces.column("piece").to_pylist()
        ]
        return pyarrow.concat_tables([hits_schema().empty_table(), *found])

    def batches(self, batches: Iterable[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
        """The same, batch by batch, as Spark calls it."""
        import pyarrow

        for batch in batches:
            yield from self(pyarrow.Table.from_batches([batch])).to_batches()


def scan_ray(corpus: Corpus, query: CompiledQuery, *, workers: int) -> pyarrow.Table:
    """All hits in the corpus' order, by `workers` workers of a Ray cluster (extra `cluster`).

    The cluster is the one that Ray is connected to, or else a local one.
    Raises ConfigError where Ray is not installed.
    """
    try:
        import ray
        import ray.data
    except ImportError:
        raise _missing("ray") from None
    import pyarrow

    corpus.usage.spend(documents=corpus.documents)
    data = ray.data.from_arrow(_pieces(corpus)).repartition(len(corpus.pieces))
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    mapped = data.map_batches(
        PieceScan(query),
        batch_size=1,
        batch_format="pyarrow",
        concurrency=workers,
        runtime_env={"env_vars": {"POLARS_MAX_THREADS": "1"}},
    )
    tables = [ray.get(reference) for reference in mapped.to_arrow_refs()]
    return pyarrow.concat_tables([hits_schema().empty_table(), *tables])


def scan_spark(session: Any, corpus: Corpus, query: CompiledQuery) -> pyarrow.Table:
    """All hits in the corpus' order, by the workers of a Spark session (extra `cluster`)."""
    corpus.usage.spend(documents=corpus.documents)
    pieces = session.createDataFrame(_pieces(corpus)).repartition(len(corpus.pieces), "piece")
    kernel = PieceScan(query)
    found = pieces.mapInArrow(kernel.batches, _spark_schema()).toArrow()
    return found.cast(hits_schema())


def _pieces(corpus: Corpus) -> pyarrow.Table:
    import pyarrow

    pickled = [pickle.dumps(piece) for piece in corpus.pieces]
    return pyarrow.table({"piece": pyarrow.array(pickled, pyarrow.binary())})


def _spark_schema() -> str:
    kinds = {"int32": "int", "int64": "bigint", "string": "string"}
    return ", ".join(f"`{f.name}` {kinds[str(f.type)]}" for f in hits_schema())


def _missing(package: str) -> ConfigError:
    return ConfigError(
        f"{package} is not installed",
        hint=f"Install it: pip install {package}, or the extra cluster.",
    )
