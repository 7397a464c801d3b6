"""`workbench rewards gaps`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from workbench.cli.rewards_input import Origin, draw, figure_option, progress, table_options
from workbench.cli.screen import json_option, print_json, print_table

if TYPE_CHECKING:
    from workbench.rewards.gaps import Board


@click.command()
@table_options
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@figure_option
@json_option
def gaps(origin: Origin, seed: int, figure: Path | None, as_json: bool) -> None:
    """Do visible tests pass where held-out tests fail?

    TABLE (CSV, TSV, Parquet) has columns solver, task, split (visible or heldout), features (as
    a+b+c), passed (1 or 0) and perhaps size, one test a row. The gap is shown beside what honest
    incompetence leaves. Without a table: a search agent, honest and with a table of answers, on
    twelve string programs.
    """
    from workbench.rewards import gaps as instrument
    from workbench.rewards import world_drawings

    with progress("tests") as done:
        if origin.given:
            table = origin.read(instrument.COLUMNS)
        else:
            from workbench.rewards_lab import spec_bench

            table = spec_bench.run(seed=seed, progress=lambda share: done(share / 2))
        done(0.5)
        board = instrument.measure(table, seed=seed)
    flagged = sum(gap.verdict.startswith("more") for gap in board.gaps)
    facts = (("Flagged", f"{flagged} of {len(board.gaps)}"), ("Tests", table.rows))
    draw(figure, "Visible and held-out tests", world_drawings.gaps(board), *facts)
    if as_json:
        print_json(board.to_json())
        return
    _print(board)


def _print(board: Board) -> None:
    print_table(
        [
            "solver", "task", ">visible", ">held-out", ">gap", ">honest gap", ">excess", "95 %",
            ">p", "reading",
        ],
        (
            [
                gap.solver,
                gap.task,
                f"{gap.visible:.2f} ({gap.n_visible})",
                f"{gap.heldout:.2f} ({gap.n_heldout})",
                f"{gap.gap:.2f}",
                f"{gap.expected:.2f}",
                f"{gap.excess:.2f}",
                f"{gap.interval[0]:.2f} to {gap.interval[1]:.2f}",
                f"{gap.p:.2g}",
                gap.verdict,
            ]
            for gap in board.gaps
        ),
    )  # fmt: skip
    for pick in board.picks:
        click.echo(
            f"{pick.task}: visible tests pick '{pick.by_visible}', held-out tests "
            f"'{pick.by_heldout}' (regret {pick.regret:.2f})"
        )
    if board.line is not None:
        low, high = board.line.slope_interval
        click.echo(
            f"90th percentile of the gap: {board.line.slope:+.3f} for ten times the size "
            f"(95 % {low:.3f} to {high:.3f}, n = {board.line.n})"
        )
    for note in board.notes:
        click.echo(f"note: {note}")
