"""A user's table, read and checked: which columns an instrument needs, and what is wrong with one.

CSV and Parquet are read here; any other source (a DuckDB query) comes as an Arrow table.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from workbench.errors import BadParameter

if TYPE_CHECKING:
    import numpy

SUFFIXES = (".csv", ".tsv", ".parquet")


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """A column that an instrument reads.

    kind: "number" (finite, none missing) or "text" (an identity or a text; numbers are taken as
    they are written). meaning: one phrase for a person.
    """

    name: str
    kind: Literal["number", "text"]
    meaning: str
    optional: bool = False


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """A text column: `names` in order of first appearance, `codes` [rows] their places."""

    codes: numpy.ndarray
    names: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Table:
    """The columns that were asked for, checked."""

    rows: int
    columns: Mapping[str, Any]

    def __contains__(self, name: str) -> bool:
        return name in self.columns

    def numbers(self, name: str) -> numpy.ndarray:
        """[rows] float64, all finite."""
        values: numpy.ndarray = self.columns[name]
        return values

    def labels(self, name: str) -> Labels:
        """Each row's place among the distinct texts."""
        found: Labels = self.columns[name]
        return found

    def texts(self, name: str) -> list[str]:
        """[rows] the texts themselves."""
        found = self.labels(name)
        return [found.names[code] for code in found.codes]


def read_table(
    path: Path, columns: Sequence[Column], *, called: Mapping[str, str] | None = None
) -> Table:
    """Reads a CSV, TSV or Parquet file.

    called: what the file calls a column, by the name it has in `columns`.
    Raises BadParameter on another kind of file, one that cannot be read, and as `from_arrow` does.
    """
    import pyarrow

    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise BadParameter(
            f"{path}: not a table", hint=f"Give one of {', '.join(SUFFIXES)}, or a DuckDB query."
        )
    try:
        if suffix == ".parquet":
            from pyarrow import parquet

            found = parquet.ParquetFile(path).read()
        else:
            from pyarrow import csv

            found = csv.read_csv(
                path,
                parse_options=csv.ParseOptions(
                    delimiter="\t" if suffix == ".tsv" else ",", newlines_in_values=True
                ),
            )
    except (OSError, pyarrow.ArrowException) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadParameter(f"{path}: {reason}", hint="Check the path and the format.") from None
    return from_arrow(found, columns, called=called, source=str(path))


def from_arrow(
    table: Any,
    columns: Sequence[Column],
    *,
    called: Mapping[str, str] | None = None,
    source: str = "the table",
) -> Table:
    """Takes the wanted columns out of a `pyarrow.Table`.

    Raises BadParameter where one is missing or double, where a value is missing, is no number or
    is not finite (with the first such row, counted from 1), or where there is no row.
    """
    called = dict(called or {})
    known = {column.name for column in columns}
    for name in called:
        if name not in known:
            raise BadParameter(f"no column '{name}' is needed", hint=needs(columns))
    if table.num_rows == 0:
        raise BadParameter(f"{source} has no rows", hint=needs(columns))
    there = list(table.column_names)
    read: dict[str, Any] = {}
    for column in columns:
        name = called.get(column.name, column.name)
        if name not in there:
            if column.optional and column.name not in called:
                continue
            raise BadParameter(
                f"{source} has no column '{name}', only {', '.join(there[:12])}",
                hint=needs(columns),
            )
        if there.count(name) > 1:
            raise BadParameter(f"{source} has two columns '{name}'", hint="Rename one.")
        values = table.column(name)
        if values.null_count:
            raise BadParameter(
                f"{source}: column '{name}' has no value in row {_first(values.is_null())} "
                f"({values.null_count} missing)",
                hint="Drop those rows, or fill them with what they stand for.",
            )
        read[column.name] = (
            _numbers(values, name, source)
            if column.kind == "number"
            else _labels(values, name, source)
        )
    return Table(table.num_rows, read)


def needs(columns: Sequence[Column]) -> str:
    """One sentence that says which columns are needed and what each holds."""
    parts = [f"{c.name} ({c.meaning}{', optional' if c.optional else ''})" for c in columns]
    return f"Needed: {', '.join(parts)}. Rename with --column NAME=YOURS."


def _numbers(values: Any, name: str, source: str) -> numpy.ndarray:
    import numpy as np
    import pyarrow

    try:
        numbers = values.cast(pyarrow.float64(), safe=False).to_numpy()
    except pyarrow.ArrowException as error:
        reason = str(error).splitlines()[0]
        raise BadParameter(
            f"{source}: column '{name}' holds no numbers: {reason}",
            hint="Give numbers, with a point and without units.",
        ) from None
    numbers = np.asarray(numbers, dtype=np.float64)
    odd = ~np.isfinite(numbers)
    if odd.any():
        row = int(np.argmax(odd))
        raise BadParameter(
            f"{source}: column '{name}' is {numbers[row]} in row {row + 1} "
            f"({int(odd.sum())} such values)",
            hint="Rewards must be finite: find out why they are not before you measure them.",
        )
    return numbers


def _labels(values: Any, name: str, source: str) -> Labels:
    import numpy as np
    import pyarrow

    try:
        texts = values.cast(pyarrow.string()).combine_chunks()
    except pyarrow.ArrowException as error:
        raise BadParameter(
            f"{source}: column '{name}' holds no texts: {str(error).splitlines()[0]}",
            hint="Give texts or whole numbers.",
        ) from None
    encoded = texts.dictionary_encode()
    if isinstance(encoded, pyarrow.ChunkedArray):
        encoded = encoded.combine_chunks()
    codes = np.asarray(encoded.indices.to_numpy(), dtype=np.int64)
    return Labels(codes, tuple(encoded.dictionary.to_pylist()))


def _first(flags: Any) -> int:
    import numpy as np

    return int(np.argmax(np.asarray(flags.to_numpy()))) + 1
