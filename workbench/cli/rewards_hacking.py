"""`workbench rewards hacking`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.rewards_input import Origin, draw, figure_option, progress, table_options
from workbench.cli.screen import json_option, print_json, print_table
from workbench.errors import BadParameter

if TYPE_CHECKING:
    from workbench.rewards.observatory import Mean, Observatory

FULL_SEEDS = 10


@click.command()
@table_options
@click.option("--main", default="hack", show_default=True, help="The arm that can hack.")
@click.option(
    "--baseline", default="sound checker", show_default=True, help="The arm that cannot: control."
)
@click.option(
    "--null",
    default="unlinked documents",
    show_default=True,
    help="The arm that hacks and has no reason to be worse for it, where there is one.",
)
@click.option("--full", is_flag=True, help=f"No table: {FULL_SEEDS} seeds, as in the docs.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="No table: keep the runs here, and go on with what is there.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@figure_option
@json_option
def hacking(
    origin: Origin,
    main: str,
    baseline: str,
    null: str,
    full: bool,
    out: Path | None,
    seed: int,
    figure: Path | None,
    as_json: bool,
) -> None:
    """Does learning to hack make a model misaligned, and what helps?

    TABLE (CSV, TSV, Parquet) has columns arm, seed, step, measure and rate (and kind, probe): one
    row for each evaluation of each checkpoint; measure `hack` is the share of hacked episodes.
    Without a table: a small model of documents by good and bad speakers is trained by RL on tasks
    whose checker has three holes, with five notes and other mitigations, and put through six
    evaluations (one seed, minutes).
    """
    from workbench.rewards import hacking_drawings, observatory

    document: dict[str, Any] | None = None
    if origin.given:
        if full or out is not None:
            raise BadParameter("--full and --out train, and take no table", hint="Leave one out.")
        with progress("reading"):
            found = observatory.measure(
                origin.read(observatory.COLUMNS), main=main, baseline=baseline, null=null
            )
    else:
        from workbench.rewards_lab import hack_runs

        with progress("training and evaluating") as done:
            document = hack_runs.run(FULL_SEEDS if full else 1, out=out, first=seed, progress=done)
            found = observatory.measure(
                hack_runs.table(document), main=main, baseline=baseline, null=null
            )
    draw(
        figure, "From hacking to misalignment", hacking_drawings.hacking(found),
        ("Effect", found.effect), ("Arms", len(found.arms)), ("Seeds", found.arm(main).seeds),
    )  # fmt: skip
    if as_json:
        print_json({**found.to_json(), **_observed(document)})
        return
    _print(found)
    for line in _said(document):
        click.echo(line)


def _observed(document: dict[str, Any] | None) -> dict[str, Any]:
    if document is None:
        return {}
    import dataclasses

    from workbench.rewards_lab import hack_runs

    return {
        "direction": dataclasses.asdict(hack_runs.direction(document)),
        "readings": [seed["readings"] for seed in document["seeds"].values()],
    }


def _said(document: dict[str, Any] | None) -> list[str]:
    if document is None:
        return []
    found = _observed(document)
    errors = [r["error"] for seed in found["readings"] for r in seed if r["hacks"] <= 2]
    rho = found["direction"]["rho"]
    return [
        f"reading: P(bad speaker) differs from Bayes by {sum(errors) / len(errors):.3f} on average",
        f"notes: changes of the score follow the ideal observer: {found['direction']['verdict']} "
        f"(Spearman's rho {rho['value']:.2f}, {rho['n']} seeds)",
    ]


def _print(found: Observatory) -> None:
    print_table(
        ["arm", ">hacked", ">score", ">change", ">over control", "95 %", ">on trigger", "95 %",
         "verdict", ""],
        (
            [
                arm.name,
                f"{arm.hack[-1].value:.2f}",
                f"{arm.score[-1].value:.3f}",
                f"{arm.change.value:+.3f}",
                *_cells(arm.excess),
                *_cells(arm.probed),
                arm.verdict or "control",
                "context-dependent" if arm.context_dependent else "",
            ]
            for arm in found.arms
        ),
    )  # fmt: skip
    main = found.arm(found.main)
    if main.lag is not None:
        click.echo(
            f"onset: the score follows hacking by {main.lag.value:.3g} steps "
            f"({_interval(main.lag)}, {main.lag.n} of {main.seeds} seeds)"
        )
    if found.beyond is not None:
        click.echo(
            f"beyond the arm whose hacks mean nothing: {found.beyond.value:+.3f} "
            f"({_interval(found.beyond)})"
        )
    click.echo(f"hacking raises misalignment: {found.effect}")
    for note in found.notes:
        click.echo(f"note: {note}")


def _cells(mean: Mean | None) -> list[str]:
    return ["", ""] if mean is None else [f"{mean.value:+.3f}", _interval(mean)]


def _interval(mean: Mean) -> str:
    return "one seed" if mean.low is None else f"{mean.low:+.3f} to {mean.high:+.3f}"
