"""`workbench rewards pareto`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from workbench.cli.rewards_input import Origin, draw, figure_option, progress, table_options
from workbench.cli.screen import json_option, print_json, print_table

if TYPE_CHECKING:
    from workbench.rewards.pareto import Board


@click.command()
@table_options
@click.option("--summary", is_flag=True, help="The table has one row a technique: see above.")
@click.option("--reach", type=float, multiple=True, help="A value to reach; default 0.8 and 0.9.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@figure_option
@json_option
def pareto(
    origin: Origin,
    summary: bool,
    reach: tuple[float, ...],
    seed: int,
    figure: Path | None,
    as_json: bool,
) -> None:
    """What techniques detect, against what they cost.

    TABLE (CSV, TSV, Parquet) has columns technique, suspect, score, hidden (0 or 1) and cost, one
    audit a row; with --summary technique, cost, value and perhaps cost_se and value_se, one
    technique a row. Without a table: four made-up techniques, one of them dominated, and four that
    detect nothing (the null version).
    """
    from workbench.rewards import pareto as instrument
    from workbench.rewards import world_drawings

    targets = reach or (0.8, 0.9)
    boards: dict[str, Board] = {}
    with progress("resampling suspects") as done:
        if origin.given and summary:
            table = origin.read(instrument.SUMMARY)
            boards["table"] = instrument.summarise(table, targets=targets, seed=seed)
        elif origin.given:
            table = origin.read(instrument.COLUMNS)
            done(0.2)
            boards["table"] = instrument.measure(table, targets=targets, seed=seed)
        else:
            for name in ("planted", "null"):
                table = instrument.example(planted=name == "planted", seed=seed)
                boards[name] = instrument.measure(table, targets=targets, seed=seed)
                done(0.5)
    charts = [chart for board in boards.values() for chart in world_drawings.frontier(board)]
    draw(figure, "Audit Pareto", charts, *(("Board", name) for name in boards))
    if as_json:
        document = {name: board.to_json() for name, board in boards.items()}
        print_json(document["table"] if origin.given else document)
        return
    for name, board in boards.items():
        if not origin.given:
            click.echo(f"{name}:")
        _print(board)


def _print(board: Board) -> None:
    print_table(
        ["technique", ">cost", "95 %", ">value", "95 %", ">on hull in", "where it lies"],
        (
            [
                point.name,
                f"{point.cost:.4g}",
                f"{point.cost_interval[0]:.4g} to {point.cost_interval[1]:.4g}",
                f"{point.value:.3f}",
                f"{point.value_interval[0]:.3f} to {point.value_interval[1]:.3f}",
                f"{point.membership:.0%}",
                point.verdict,
            ]
            for point in sorted(board.points, key=lambda p: p.cost)
        ),
    )
    for reach in board.reach:
        if reach.cost is None or reach.interval is None:
            click.echo(f"value {reach.value:g}: reached by no mixture")
            continue
        low, high = reach.interval
        click.echo(
            f"value {reach.value:g}: cost {reach.cost:.4g} (95 % {low:.4g} to {high:.4g}, "
            f"reached in {reach.reached:.0%} of {board.resamples} resamples)"
        )
    order = "; ".join(f"{name} {value:.3f} ({verdict})" for name, value, verdict in board.ranking())
    click.echo(f"by value alone: {order}")
    for note in board.notes:
        click.echo(f"note: {note}")
