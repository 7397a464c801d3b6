"""What the reward instruments share: where a table comes from, and where a figure goes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from workbench.errors import BadParameter

if TYPE_CHECKING:
    from workbench.rewards.charts import Drawing
    from workbench.rewards.tables import Column, Table

DATABASES = (".duckdb", ".db", ".ddb")
Function = TypeVar("Function", bound=Callable[..., Any])


@dataclasses.dataclass(frozen=True, slots=True)
class Origin:
    """Where the rows are: a file, a query on a DuckDB file, or a query on files it names."""

    file: Path | None
    query: str | None
    called: dict[str, str]

    def read(self, columns: Sequence[Column]) -> Table:
        """The table, checked; raises BadParameter on anything that is wrong with it."""
        from workbench.rewards.tables import from_arrow, needs, read_table

        if self.query is not None:
            arrow = _queried(self.query, self.file)
            return from_arrow(arrow, columns, called=self.called, source="the query's answer")
        if self.file is None:
            raise BadParameter("no table is given", hint=needs(columns))
        if self.file.suffix.lower() in DATABASES:
            raise BadParameter(
                f"{self.file} is a database without a query", hint="Give --query 'SELECT ...'."
            )
        return read_table(self.file, columns, called=self.called)

    @property
    def given(self) -> bool:
        """Whether any table was named at all."""
        return self.file is not None or self.query is not None


def table_options(function: Function) -> Function:
    """Adds `[TABLE]`, `--query` and `--column`; they arrive as one `origin`."""
    import functools

    @click.argument("file", metavar="[TABLE]", required=False, type=Path)
    @click.option(
        "--query", metavar="SQL", help="Take the answer of a DuckDB SELECT, on TABLE if given."
    )
    @click.option(
        "--column",
        "renamed",
        multiple=True,
        metavar="NAME=YOURS",
        help="What your table calls a column. May be repeated.",
    )
    @functools.wraps(function)
    def wrapped(
        *args: Any, file: Path | None, query: str | None, renamed: tuple[str, ...], **kwargs: Any
    ) -> Any:
        called = {}
        for pair in renamed:
            name, sign, yours = pair.partition("=")
            if not (name and sign and yours):
                raise BadParameter(
                    f"--column {pair}", hint="Write NAME=YOURS, like proxy=reward_model_score."
                )
            called[name] = yours
        return function(*args, origin=Origin(file, query, called), **kwargs)

    return wrapped  # type: ignore[return-value]


def figure_option(function: Function) -> Function:
    """Adds `--figure FILE.html`, passed on as `figure`."""
    option = click.option(
        "--figure",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE.html",
        help="Also draw it: one page with the numbers behind each plot.",
    )
    return option(function)


def draw(
    figure: Path | None,
    heading: str,
    charts: Sequence[Drawing],
    *facts: tuple[str, object],
) -> None:
    """Writes the page where one was asked for, and says so on standard error."""
    if figure is None:
        return
    from workbench.report.charts import write_charts

    write_charts(figure, heading, charts, facts=[(name, str(value)) for name, value in facts])
    click.echo(f"figure: {figure}", err=True)


@contextmanager
def progress(what: str) -> Iterator[Callable[[float], None]]:
    """A bar on standard error; the yielded function takes the share that is done."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as shown:
        bar = shown.add_task(what, total=1.0)
        yield lambda share: shown.update(bar, completed=share)


def _queried(query: str, database: Path | None) -> Any:
    import duckdb

    if database is not None and not database.is_file():
        raise BadParameter(f"{database} is no file", hint="Give a DuckDB database.")
    try:
        where = ":memory:" if database is None else str(database)
        with duckdb.connect(where, read_only=database is not None) as connection:
            answer = connection.sql(query)
            if answer is None:
                raise BadParameter(f"no rows come from: {query[:80]}", hint="Give one SELECT.")
            return answer.to_arrow_table()
    except duckdb.Error as error:
        raise BadParameter(
            f"DuckDB: {str(error).splitlines()[0]}", hint="Give one SELECT that it can run."
        ) from None
