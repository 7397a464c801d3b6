"""`workbench app`: the bench in the browser."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from workbench.cli.screen import ledger_option


def page_options(port: int) -> Callable[[Any], Any]:
    """Adds `--port` with its default, and `--browser/--no-browser`."""

    def add(function: Any) -> Any:
        browser = click.option(
            "--browser/--no-browser", default=True, show_default=True, help="Open a browser."
        )
        number = click.option(
            "--port", type=click.IntRange(1, 65_535), default=port, show_default=True
        )
        return number(browser(function))

    return add


@click.command()
@page_options(8501)
@ledger_option
def app(port: int, browser: bool, ledger_file: Path) -> None:
    """Ask suspects, search their training data, read features, run batteries.

    Listens on this machine alone, until interrupted. Findings go to the ledger that the other
    commands use.
    """
    from workbench.ui.serve import Served, serve

    os.environ["WORKBENCH_LEDGER"] = str(ledger_file)
    serve(Served("bench", port, browser))
