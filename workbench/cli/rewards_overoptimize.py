"""`workbench rewards overoptimize`."""

from __future__ import annotations

from pathlib import Path

import click

from workbench.cli.rewards_input import Origin, draw, figure_option, progress, table_options
from workbench.cli.screen import json_option, print_json, print_table


@click.command()
@table_options
@click.option("--baseline", type=float, help="Gold of the base policy, where no row has KL 0.")
@click.option(
    "--d-min",
    type=click.FloatRange(0),
    default=0.25,
    show_default=True,
    help="Leave nearer points out; d = sqrt(KL).",
)
@click.option("--drop-negative", is_flag=True, help="Leave out rows whose KL estimate is below 0.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@figure_option
@json_option
def overoptimize(
    origin: Origin,
    baseline: float | None,
    d_min: float,
    drop_negative: bool,
    seed: int,
    figure: Path | None,
    as_json: bool,
) -> None:
    """Fit gold against KL and say where to stop.

    TABLE (CSV, TSV, Parquet) has columns kl and gold, and run where there are several: one row a
    policy. Both published forms are fitted, and refused where they do not fit.
    """
    from workbench.rewards import drawings
    from workbench.rewards import overoptimization as instrument

    with progress("reading and fitting"):
        curve = instrument.fit_curve(
            origin.read(instrument.COLUMNS),
            baseline=baseline,
            d_min=d_min,
            drop_negative=drop_negative,
            seed=seed,
        )
    facts = (("Verdict", curve.verdict), ("Advice", curve.advice), ("Points", curve.points))
    draw(figure, "Overoptimization", drawings.overoptimization(curve), *facts)
    if as_json:
        print_json(curve.to_json())
        return
    print_table(
        ["form", ">a", ">b", ">AIC", ">R^2", ">misfit p", "fits", ">peak KL, nats", ">peak gain"],
        (
            [
                fit.form,
                f"{fit.a.value:.4g}",
                f"{fit.b.value:.4g}",
                f"{fit.aic:.1f}",
                f"{fit.r_squared:.3f}",
                f"{fit.misfit_p:.2g}",
                "yes" if fit.fits else "no",
                "" if fit.peak is None or fit.peak.value > 1e6 else f"{fit.peak.value**2:.3g}",
                "" if fit.peak_gain is None or fit.peak_gain > 1e6 else f"{fit.peak_gain:.3g}",
            ]
            for fit in curve.fits
        ),
    )
    click.echo(f"{curve.verdict}: {curve.advice} ({curve.points} points, {curve.interval})")
