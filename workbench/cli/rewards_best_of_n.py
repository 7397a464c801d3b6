"""`workbench rewards best-of-n`."""

from __future__ import annotations

from pathlib import Path

import click

from workbench.cli.rewards_input import Origin, draw, figure_option, progress, table_options
from workbench.cli.screen import json_option, print_json, print_table


@click.command("best-of-n")
@table_options
@click.option("--n", "ns", type=click.IntRange(1), multiple=True, help="May be repeated.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@figure_option
@json_option
def best_of_n(
    origin: Origin, ns: tuple[int, ...], seed: int, figure: Path | None, as_json: bool
) -> None:
    """What choosing the best of n by a proxy does to gold.

    TABLE (CSV, TSV, Parquet) has columns prompt, proxy and gold, one row a sample. With a column
    base (probabilities of all responses of each prompt) the figures are exact. By default n
    goes in powers of 2 up to the smallest number of samples of a prompt.
    """
    from workbench.rewards import best_of_n as instrument
    from workbench.rewards import drawings

    with progress("reading and resampling") as done:
        table = origin.read(instrument.COLUMNS)
        done(0.2)
        meter = instrument.measure(table, ns=ns, seed=seed)
    draw(
        figure,
        "Best-of-n Goodhart meter",
        drawings.best_of_n(meter),
        ("Verdict", meter.verdict),
        ("Prompts", meter.prompts),
        ("Samples", meter.rows),
    )
    if as_json:
        print_json(meter.to_json())
        return
    print_table(
        [">n", ">KL, nats", ">textbook KL", ">proxy", ">gold", "95 % interval", ">shuffled proxy"],
        (
            [
                point.n,
                f"{point.kl:.3f}",
                f"{point.textbook_kl:.3f}",
                f"{point.proxy.value:.4g}",
                f"{point.gold.value:.4g}",
                f"{point.gold.low:.4g} to {point.gold.high:.4g}",
                f"{point.control.value:.4g}",
            ]
            for point in meter.points
        ),
    )
    fell = f" from n = {meter.decline_from} on" if meter.verdict == "declines" else ""
    p = "" if meter.p is None else f", p = {meter.p:.2g}"
    click.echo(f"gold: {meter.verdict}{fell}{p} ({meter.prompts} prompts, {meter.rows} samples)")
    for note in meter.notes:
        click.echo(f"note: {note}")
