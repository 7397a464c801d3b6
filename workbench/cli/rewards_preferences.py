"""`workbench rewards preferences`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.rewards_input import Origin, draw, figure_option, progress, table_options
from workbench.cli.screen import json_option, print_json, print_table
from workbench.errors import BadParameter

if TYPE_CHECKING:
    from workbench.rewards_lab.planted_weights import Recovery
    from workbench.rewards_lab.preference_loop import Course
    from workbench.rewards_lab.query_race import QueryRace

SHOWN = 20


@click.command()
@table_options
@click.option(
    "--items",
    "items_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A table of the items with a column item; without it each item has its own reward.",
)
@click.option("--feature", "features", multiple=True, help="A number column of it; repeatable.")
@click.option("--noise", type=click.FloatRange(0, 0.99), default=0.1, show_default=True)
@click.option("--l2", type=click.FloatRange(0), default=1.0, show_default=True)
@click.option("--seeds", type=click.IntRange(1), default=5, show_default=True, help="Of the loop.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@figure_option
@json_option
def preferences(
    origin: Origin,
    items_file: Path | None,
    features: tuple[str, ...],
    noise: float,
    l2: float,
    seeds: int,
    seed: int,
    figure: Path | None,
    as_json: bool,
) -> None:
    """What comparisons teach a reward model, and what it does with that.

    TABLE (CSV, TSV, Parquet) has columns a, b and choice (a, b, tie or incomparable), one answer a
    row; the next pair to ask is named. Without a table: planted weights are recovered, asking by
    disagreement runs against asking at random, and drivers are trained on a reward that is learned
    once or refreshed.
    """
    if origin.given:
        _learn(origin, items_file, features, noise, l2, seed, figure, as_json)
    elif items_file or features:
        raise BadParameter("--items and --feature belong to a table", hint="Name the answers.")
    else:
        _demonstrate(seeds, seed, figure, as_json)


def _learn(
    origin: Origin,
    items_file: Path | None,
    features: tuple[str, ...],
    noise: float,
    l2: float,
    seed: int,
    figure: Path | None,
    as_json: bool,
) -> None:
    from workbench.rewards import world_drawings
    from workbench.rewards.ratings import COLUMNS, ITEM, from_table
    from workbench.rewards.tables import Column, read_table

    if (items_file is None) != (not features):
        raise BadParameter(
            "--items and --feature go together", hint="Name the file and its number columns."
        )
    with progress("fitting") as done:
        table = origin.read(COLUMNS)
        described = None
        if items_file is not None:
            wanted = (ITEM, *(Column(name, "number", "a feature") for name in features))
            described = read_table(items_file, wanted)
        bench, names = from_table(table, described, features, noise=noise, l2=l2, seed=seed)
        done(0.2)
        ensemble = bench.fit()
        bins = bench.calibration()
        query = bench.next_query()
    draw(figure, "Preference bench", world_drawings.calibration(bins), ("Answers", table.rows))
    order = sorted(range(len(names)), key=lambda i: -float(ensemble.rewards[i]))
    document: dict[str, Any] = {
        "answers": table.rows,
        "train_loss": ensemble.train_loss,
        "held_out_loss": None
        if ensemble.held_out_loss != ensemble.held_out_loss
        else ensemble.held_out_loss,
        "rewards": {names[i]: float(ensemble.rewards[i]) for i in order},
        "weights": dict(
            zip(features, ensemble.weights.mean(axis=0).tolist(), strict=True) if features else ()
        ),
        "calibration": [{"predicted": b.predicted, **b.observed.to_json()} for b in bins],
        "next": {
            "a": names[query.a], "b": names[query.b], "why": query.why,
            "chance": query.chance, "disagreement": query.disagreement,
        },
        "notices": bench.notices(),
    }  # fmt: skip
    if as_json:
        print_json(document)
        return
    print_table(
        ["item", ">reward (0 mean, unit spread)"],
        ([names[i], f"{ensemble.rewards[i]:+.3f}"] for i in order[:SHOWN]),
    )
    for name, weight in document["weights"].items():
        click.echo(f"weight of {name}: {weight:+.4g}")
    click.echo(
        f"loss of an answer: {ensemble.train_loss:.3f} nats in training, "
        f"{ensemble.held_out_loss:.3f} held out"
    )
    click.echo(f"ask next: {names[query.a]} or {names[query.b]}? ({query.why})")
    for notice in document["notices"]:
        click.echo(f"note: {notice}")


def _demonstrate(seeds: int, seed: int, figure: Path | None, as_json: bool) -> None:
    from workbench.rewards_lab import drawings, planted_weights, preference_loop, query_race

    with progress("rating and training") as done:
        recovered = planted_weights.recover(seed=seed)
        done(0.1)
        queried = query_race.run(progress=lambda share: done(0.1 + 0.5 * share))
        found = preference_loop.run(
            seeds=seeds, first_seed=seed, progress=lambda share: done(0.6 + 0.4 * share)
        )
    charts = (drawings.recovery(recovered), drawings.queries(queried), drawings.courses(found))
    draw(figure, "Preference bench", charts, ("Seeds", seeds))
    if as_json:
        print_json(
            {
                "recovery": recovered.to_json(),
                "queries": queried.to_json(),
                "loop": [course.to_json() for course in found],
            }
        )
        return
    _print(recovered, queried, found)


def _print(recovered: Recovery, queried: QueryRace, found: list[Course]) -> None:
    estimates = zip(recovered.planted, recovered.aware, recovered.blind, strict=True)
    print_table(
        [">planted", ">noise modelled", "95 %", ">noise ignored", "95 %"],
        (
            [planted, f"{a:.3f}", f"{al:.3f} to {ah:.3f}", f"{b:.3f}", f"{bl:.3f} to {bh:.3f}"]
            for planted, (a, (al, ah)), (b, (bl, bh)) in estimates
        ),
    )
    ratio, interval = queried.ratio, queried.interval
    if ratio is None or interval is None:
        click.echo("queries: too few seeds arrived for a ratio")
    else:
        click.echo(
            f"queries: disagreement needs {ratio:.2f} times the labels of random pairs "
            f"(95 % {interval[0]:.2f} to {interval[1]:.2f}, {len(queried.random)} seeds)"
        )
    print_table(
        ["seed", ">untrained", *(f">{arm}" for arm in found[0].gold), ">proxy gain offline",
         "exploited", ">gap closed online"],
        (
            [
                course.seed,
                f"{course.untrained:.1f}",
                *(f"{gold:.1f}" for gold in course.gold.values()),
                f"{course.proxy_gain['offline']:+.1f}",
                "yes" if course.exploited else "no",
                f"{course.closed:.0%}",
            ]
            for course in found
        ),
    )  # fmt: skip
