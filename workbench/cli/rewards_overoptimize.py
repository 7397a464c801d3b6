"""`workbench rewards overoptimize`."""

from __future__ import annotations

from pathlib import Path

import click

from workbench.cli.rewards_input import Origin, draw, figure_option, progress, table_options
from workbench.cli.screen import json_option, print_json, print_table
from workbench.errors import BadParameter


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
@click.option(
    "--train", is_flag=True, help="No table: train proxies in an exact world and measure them."
)
@click.option("--full", is_flag=True, help="With --train: the grid of the docs, 5 seeds.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="With --train: keep the results here, and go on with what is there.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@figure_option
@json_option
def overoptimize(
    origin: Origin,
    baseline: float | None,
    d_min: float,
    drop_negative: bool,
    train: bool,
    full: bool,
    out: Path | None,
    seed: int,
    figure: Path | None,
    as_json: bool,
) -> None:
    """Fit gold against KL and say where to stop.

    TABLE (CSV, TSV, Parquet) has columns kl and gold, and run where there are several: one row a
    policy. Both published forms are fitted, and refused where they do not fit. With --train,
    proxies of several sizes are trained on several amounts of noisy comparisons in a world of
    4,096 responses a prompt, and optimised by best-of-n, by the exact tilt and by RL.
    """
    if train:
        if origin.given:
            raise BadParameter("--train takes no table", hint="Leave out one of them.")
        _train(full, out, seed, figure, as_json)
        return
    if full or out is not None:
        raise BadParameter("--full and --out need --train", hint="Add --train.")
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


def _train(full: bool, out: Path | None, seed: int, figure: Path | None, as_json: bool) -> None:
    from workbench.rewards_lab.results import courses, run_sweep, summary
    from workbench.rewards_lab.sweep import FULL, Grid
    from workbench.rewards_lab.sweep_drawings import sweep

    with progress("training proxies and policies") as done:
        document = run_sweep(
            5 if full else 1, FULL if full else Grid(), out=out, first=seed, progress=done
        )
    found = summary(document)
    effect = found["size_effect"]
    facts = (("Seeds", effect["seeds"]), ("Effect of proxy size", effect["verdict"]))
    draw(figure, "Overoptimization lab", sweep(courses(document)), *facts)
    if as_json:
        print_json(found)
        return
    heads = [">hidden", ">comparisons", ">wrong labels", "optimiser", ">accuracy", ">peak gold"]
    print_table(
        [*heads, ">at KL, nats", ">gold at the end", ">at KL, nats", ">below the frontier"],
        (
            [
                row["hidden"],
                row["comparisons"],
                f"{row['noise']:.0%}",
                row["optimiser"],
                f"{row['accuracy']:.3f}",
                *(f"{row[k]:.2f}" for k in ("peak_gold", "peak_kl", "last_gold", "last_kl")),
                f"{row['below_frontier']:.3f}",
            ]
            for row in found["rows"]
        ),
    )
    interval = (
        "" if effect["ci"] is None else f" (95 % {effect['ci'][0]:.2f} to {effect['ci'][1]:.2f})"
    )
    click.echo(
        f"a larger proxy reaches more gold: {effect['verdict']}, Spearman's rho "
        f"{effect['rho']:.2f}{interval}, {effect['seeds']} seeds (5 are needed)"
    )
