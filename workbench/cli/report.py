"""`workbench report`: the HTML report of a ledger."""

from __future__ import annotations

from pathlib import Path

import click

from workbench.cli.screen import ledger_option
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
def report(ledger_file: Path, out: Path, group: str | None) -> None:
    """Write the HTML report of a run group.

    One self-contained file: findings by confidence, each with its evidence.
    """
    from workbench.ledger import Ledger
    from workbench.report import write

    click.echo(f"report: {write(Ledger(ledger_file), out, group=group)}")
