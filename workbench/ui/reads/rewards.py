"""The reward instruments as a job asks them: a table or a training in, what a page shows out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from workbench.errors import BadParameter
from workbench.findings import JSON

if TYPE_CHECKING:
    from workbench.rewards.charts import Drawing

Options: TypeAlias = Mapping[str, Any]
Told: TypeAlias = Callable[[float], None]
Shown: TypeAlias = dict[str, Any]
LARGEST_PARQUET = 4_000_000_000
"""Bytes that a Parquet file may say it unpacks to."""
SHOWN_NOTES = 20


def columns(path: str) -> dict[str, JSON]:
    """{"names": [...], "rows": n} of a table file, by reading no more of it than is needed.

    Raises BadParameter on a file that is no table.
    """
    import pyarrow

    file = Path(path)
    try:
        if file.suffix == ".parquet":
            from pyarrow import parquet

            read = parquet.ParquetFile(file)
            return {"names": list(read.schema_arrow.names), "rows": read.metadata.num_rows}
        from pyarrow import csv

        options = csv.ParseOptions(
            delimiter="\t" if file.suffix == ".tsv" else ",", newlines_in_values=True
        )
        with csv.open_csv(file, parse_options=options) as stream:
            return {"names": list(stream.schema.names), "rows": None}
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadParameter(
            f"that is no table: {reason}", hint="Give CSV, TSV or Parquet with a row of names."
        ) from None


ANSWERS: Mapping[str, Callable[..., Any]] = {"columns": columns}


def examine(
    instrument: str,
    way: str,
    *,
    file: str,
    wanted: Sequence[Any],
    called: Mapping[str, str],
    options: Options,
    told: Told,
) -> Shown:
    """What an instrument makes of a table (or, without `file`, of its own world).

    wanted: the columns. Raises BadParameter on a table or options that it refuses.
    """
    from workbench.rewards.tables import read_table

    table = None
    if file:
        _bounded(Path(file))
        table = read_table(Path(file), wanted, called=called)
    told(0.1)
    return handler(instrument, way)(table, options, lambda share: told(0.1 + 0.9 * share))


def handler(instrument: str, way: str) -> Callable[..., Shown]:
    """What does the work of one way into an instrument."""
    from workbench.ui.reads import reward_labs, reward_tables

    found: Callable[..., Shown] = {**reward_tables.WAYS, **reward_labs.WAYS}[instrument, way]
    return found


def shown(
    verdict: str,
    facts: Sequence[tuple[str, object]],
    charts: Sequence[Drawing],
    document: Any,
    notes: Sequence[str] = (),
) -> Shown:
    """What a page shows, as plain JSON; charts as `charts_of` reads them."""
    return {
        "verdict": verdict,
        "facts": [[name, str(value)] for name, value in facts],
        "notes": list(notes)[:SHOWN_NOTES],
        "charts": [{"type": type(c).__name__, **dataclasses.asdict(c)} for c in charts],
        "document": document,
    }


def charts_of(found: Shown) -> list[Drawing]:
    """The drawings in what `shown` made."""
    from workbench.rewards.charts import Chart, HeatMap, Mark, Series

    made: list[Drawing] = []
    for stored in found["charts"]:
        parts: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in stored.items()
        }
        if parts.pop("type") == "HeatMap":
            parts["values"] = tuple(map(tuple, parts["values"]))
            made.append(HeatMap(**parts))
            continue
        series: list[dict[str, Any]] = [
            {k: tuple(v) if isinstance(v, list) else v for k, v in one.items()}
            for one in parts["series"]
        ]
        parts["series"] = tuple(Series(**one) for one in series)
        parts["marks"] = tuple(Mark(**one) for one in parts["marks"])
        made.append(Chart(**parts))
    return made


def _bounded(file: Path) -> None:
    if file.suffix != ".parquet":
        return
    import pyarrow
    from pyarrow import parquet

    try:
        read = parquet.ParquetFile(file).metadata
        whole = sum(read.row_group(i).total_byte_size for i in range(read.num_row_groups))
    except (OSError, pyarrow.ArrowException):
        return  # `read_table` says what is wrong with it
    if whole > LARGEST_PARQUET:
        raise BadParameter(
            f"the table unpacks to {whole / 1e9:,.0f} GB", hint="Give the columns that are needed."
        )
