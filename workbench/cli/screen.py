"""What commands print: tables for people, one JSON document for programs, notes on stderr."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import click

from workbench.config import LEDGER
from workbench.report.inert import inert_line

WIDTH_OF_PIPES = 160
Function = TypeVar("Function", bound=Callable[..., Any])


def json_option(function: Function) -> Function:
    """Adds `--json`, passed on as `as_json`."""
    option = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
    return option(function)


def ledger_option(function: Function) -> Function:
    """Adds `--ledger FILE`, passed on as `ledger_file`."""
    option = click.option(
        "--ledger",
        "ledger_file",
        type=click.Path(dir_okay=False, path_type=Path),
        default=LEDGER,
        show_default=True,
        help="The findings database.",
    )
    return option(function)


def print_json(document: Any) -> None:
    """One document, ASCII only, so that no text in it can act on a terminal."""
    click.echo(json.dumps(document, indent=2, allow_nan=False))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table as wide as its terminal (WIDTH_OF_PIPES elsewhere); long cells are folded, not cut.

    Columns whose name starts with `>` are right-aligned. Cell texts are made inert.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for column in columns:
        justify: Literal["left", "right"] = "right" if column.startswith(">") else "left"
        table.add_column(column.lstrip(">"), justify=justify, overflow="fold")
    for row in rows:
        table.add_row(*(Text(inert_line(str(cell))) for cell in row))
    console = Console()
    Console(width=console.width if console.is_terminal else WIDTH_OF_PIPES).print(table)
