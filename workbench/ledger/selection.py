"""A person's own SQL: one SELECT, on a connection that can reach nothing else."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from workbench.errors import ConfigError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """Column names and rows, as the database gave them."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


def select(
    connection: DuckDBPyConnection, sql: str, parameters: Sequence[Any], most: int | None = None
) -> Table:
    """Runs exactly one SELECT; raises ConfigError otherwise. The connection is read-only.

    most: rows that are taken of the answer; all where None.
    """
    import duckdb

    try:
        statements = connection.extract_statements(sql)
        if [s.type for s in statements] != [duckdb.StatementType.SELECT]:
            raise ConfigError(
                "the query is not exactly one SELECT",
                hint="Tables: groups, runs, findings, amendments, events.",
            )
        answer = connection.execute(statements[0], list(parameters))
        columns = tuple(column[0] for column in answer.description)
        rows = answer.fetchall() if most is None else answer.fetchmany(most)
        return Table(columns, tuple(rows))
    except duckdb.Error as error:
        first = str(error).strip().splitlines()[0]
        raise ConfigError(
            f"the query failed: {first}",
            hint="Tables: groups, runs, findings, amendments, events.",
        ) from None
