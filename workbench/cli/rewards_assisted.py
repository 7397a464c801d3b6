"""`workbench rewards assisted`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from workbench.cli.rewards_input import Origin, draw, figure_option, progress, table_options
from workbench.cli.screen import json_option, print_json, print_table

if TYPE_CHECKING:
    from workbench.rewards.assisted import Condition


@click.command()
@table_options
@click.option("--alone", default="alone", show_default=True, help="The condition without a critic.")
@click.option("--trust", type=click.FloatRange(0, 1), default=0.5, show_default=True)
@click.option("--labelled", type=click.IntRange(1), default=8, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@figure_option
@json_option
def assisted(
    origin: Origin,
    alone: str,
    trust: float,
    labelled: int,
    seed: int,
    figure: Path | None,
    as_json: bool,
) -> None:
    """Does a critic make an evaluator better, and what does a bad one cost?

    TABLE (CSV, TSV, Parquet) has columns item, condition, verdict and flawed (0 or 1), one verdict
    a row. Without a table: an evaluator that sees 3 of 8 features, alone and with critics, once
    checking what they say and once repeating it with chance --trust; one critic is trained on
    --labelled responses.
    """
    from workbench.rewards import world_drawings
    from workbench.rewards.assisted import COLUMNS, Evaluator, measure

    found: dict[str, tuple[Condition, ...]] = {}
    closed: dict[str, dict[str, float]] = {}
    with progress("judging") as done:
        if origin.given:
            found["table"] = measure(origin.read(COLUMNS), alone=alone)
        else:
            from workbench.rewards_lab import weak_evaluator

            for share in dict.fromkeys((0.0, trust)):
                name = f"trust {share:g}"
                evaluator = Evaluator(trust=share)
                table, closed[name] = weak_evaluator.run(evaluator, labelled=labelled, seed=seed)
                found[name] = measure(table)
                done(0.5)
    draw(figure, "Assisted evaluation", world_drawings.assisted(found))
    if as_json:
        document = {name: [c.to_json() for c in conditions] for name, conditions in found.items()}
        print_json(
            document["table"] if origin.given else {"measured": document, "closed_form": closed}
        )
        return
    for name, conditions in found.items():
        if name in closed:
            click.echo(f"{name}:")
        _print(conditions, closed.get(name, {}))


def _print(conditions: tuple[Condition, ...], closed: dict[str, float]) -> None:
    print_table(
        ["condition", ">n", ">accuracy", *([">closed form"] * bool(closed)), ">hits", ">alarms",
         ">uplift", "95 %", ">p", "reading"],
        (
            [
                c.name,
                c.accuracy.n,
                f"{c.accuracy.value:.3f}",
                *(f"{closed[c.name]:.3f}" for _ in range(bool(closed))),
                "" if c.hits is None else f"{c.hits.value:.3f}",
                "" if c.alarms is None else f"{c.alarms.value:.3f}",
                "" if c.uplift is None else f"{c.uplift:+.3f}",
                "" if c.interval is None else f"{c.interval[0]:+.3f} to {c.interval[1]:+.3f}",
                "" if c.p is None else f"{c.p:.2g}",
                c.verdict,
            ]
            for c in conditions
        ),
    )  # fmt: skip
