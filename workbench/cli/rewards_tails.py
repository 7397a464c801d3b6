"""`workbench rewards tails`."""

from __future__ import annotations

from pathlib import Path

import click

from workbench.cli.rewards_input import Origin, draw, figure_option, progress, table_options
from workbench.cli.screen import json_option, print_json, print_table


@click.command()
@table_options
@figure_option
@json_option
def tails(origin: Origin, figure: Path | None, as_json: bool) -> None:
    """Say whether rewards have a heavy upper tail.

    TABLE (CSV, TSV, Parquet) has a column reward, and prompt where there are several (rewards are
    centred on each prompt's median); with gold, the tail of the error and what gold does at the
    reward's tip are shown as well.
    """
    from workbench.rewards import drawings
    from workbench.rewards import tails as instrument

    with progress("reading and fitting"):
        report = instrument.examine(origin.read(instrument.COLUMNS))
    facts = (("Verdict", report.label), ("Prompts", report.prompts), ("Samples", report.rows))
    draw(figure, "Tail lab", drawings.tails(report), *facts)
    if as_json:
        print_json(report.to_json())
        return
    print_table(
        ["of", ">largest", ">k", ">xi", "95 % interval", ">Hill", ">its error"],
        (
            [
                tail.name,
                f"{threshold.share:.0%}",
                threshold.k,
                f"{threshold.pareto.xi:.3f}",
                f"{threshold.pareto.low:.3f} to {threshold.pareto.high:.3f}",
                "undefined" if threshold.hill is None else f"{threshold.hill[0]:.3f}",
                "" if threshold.hill is None else f"{threshold.hill[1]:.3f}",
            ]
            for tail in report.tails
            for threshold in tail.thresholds
        ),
    )
    for tail in report.tails:
        click.echo(f"{tail.name}: {tail.verdict} ({tail.reason})")
    click.echo(f"verdict: {report.label} ({report.prompts} prompts, {report.rows} samples)")
    for note in report.notes:
        click.echo(f"note: {note}")
