"""`workbench report`: the HTML report of a ledger."""

from __future__ import annotations

from pathlib import Path

import click

from workbench.cli.screen import json_option, ledger_option, print_json
from workbench.config import REPORT


@click.command()
@ledger_option
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=REPORT,
    show_default=True,
    help="Where the report goes; an older one is replaced.",
)
@click.option("--group", metavar="ID", help="A run group; the latest by default.")
@json_option
def report(ledger_file: Path, out: Path, group: str | None, as_json: bool) -> None:
    """Write the HTML report of a run group.

    One self-contained file: for each hypothesis what supports it and what speaks against it, then
    findings by confidence, each with its evidence. With --json what it says is printed besides.
    """
    from workbench.ledger import Ledger
    from workbench.report import write
    from workbench.report.page import document

    ledger = Ledger(ledger_file)
    page = write(ledger, out, group=group)
    if as_json:
        print_json({"report": str(page), **document(ledger, group=group)})
    else:
        click.echo(f"report: {page}")
