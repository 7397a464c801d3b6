"""`workbench rewards loops`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from workbench.cli.rewards_input import Origin, draw, figure_option, progress, table_options
from workbench.cli.screen import json_option, print_json, print_table
from workbench.errors import BadParameter

if TYPE_CHECKING:
    from workbench.rewards.linter import Lint, Way


@click.command()
@table_options
@click.option("--start", metavar="STATE", help="Where an episode begins.")
@click.option(
    "--goal", "goals", metavar="STATE", multiple=True, help="Where the task is done; repeatable."
)
@click.option("--discount", type=float, default=0.97, show_default=True, help="Per step.")
@click.option("--horizon", type=click.IntRange(1), help="Steps after which an episode is cut.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@figure_option
@json_option
def loops(
    origin: Origin,
    start: str | None,
    goals: tuple[str, ...],
    discount: float,
    horizon: int | None,
    seed: int,
    figure: Path | None,
    as_json: bool,
) -> None:
    """Does a reward pay more for circling than for finishing?

    TABLE (CSV, TSV, Parquet) has columns state, action, next_state and reward, one transition a
    row. Without a table, a driver is trained on the score of the Lagoon, a course beside a ring
    where targets respawn, and on the same course with targets worth half (the null version).
    """
    if origin.given:
        _lint(origin, start, goals, discount, horizon, figure, as_json)
    elif start or goals or horizon:
        raise BadParameter(
            "--start, --goal and --horizon belong to a table", hint="Name a table of transitions."
        )
    else:
        _race(discount, seed, figure, as_json)


def _lint(
    origin: Origin,
    start: str | None,
    goals: tuple[str, ...],
    discount: float,
    horizon: int | None,
    figure: Path | None,
    as_json: bool,
) -> None:
    from workbench.rewards import world_drawings
    from workbench.rewards.linter import LARGEST_SEARCHED, lint
    from workbench.rewards.specification import COLUMNS, RewardSpec

    if start is None or not goals:
        raise BadParameter(
            "the linter must know where the task begins and where it is done",
            hint="Give --start STATE and --goal STATE.",
        )
    with progress("reading and walking") as done:
        spec = RewardSpec.from_table(origin.read(COLUMNS), start=start, goals=goals)
        done(0.5)
        found = lint(spec, discount=discount, horizon=horizon)
    facts = (("Verdict", found.verdict), ("Discount", discount), ("States", found.states))
    draw(figure, "Reward linter", world_drawings.loops(found), *facts)
    if as_json:
        print_json(found.to_json())
        return
    ways = [*(found.exploits or ([found.worst] if found.worst else [])), found.finish]
    _print_ways([way for way in ways if way is not None])
    click.echo(f"verdict: {found.verdict} ({_why(found)})")
    for crossover in found.crossovers:
        click.echo(f"above discount {crossover.discount:.6f} the {crossover.above} pays more")
    if found.delays:
        click.echo("note: within the horizon, circling first and finishing last pays most")
    if not found.enumerated:
        click.echo("note: too many ways to list them all; the verdict is by value iteration")
        if found.transitions > LARGEST_SEARCHED:
            click.echo(f"note: no crossovers are looked for above {LARGEST_SEARCHED} transitions")


def _print_ways(ways: list[Way]) -> None:
    from workbench.rewards.world_drawings import label

    print_table(
        ["way", ">steps", ">after", ">reward of it", ">rate", ">return"],
        (
            [
                label(way),
                way.steps,
                way.prefix,
                f"{way.lap_reward:.6g}",
                f"{way.rate:.4g}",
                _return(way),
            ]
            for way in ways
        ),
    )


def _return(way: Way) -> str:
    if way.paid is not None:
        return f"{way.paid:.6g}"
    return "without bound" if way.lap_reward > 0 else "no lasting pay"


def _why(found: Lint) -> str:
    end = f"within {found.horizon} steps" if found.horizon else f"at discount {found.discount:g}"
    return {
        "exploit": f"never finishing pays more than finishing {end}",
        "sound": f"finishing pays more than every way never to finish {end}",
        "indifferent": f"finishing pays no more than never finishing {end}",
        "unreachable": "no way leads from the start to a goal",
    }[found.verdict]


def _race(discount: float, seed: int, figure: Path | None, as_json: bool) -> None:
    from workbench.rewards_lab import drawings
    from workbench.rewards_lab.circling import PLANTED, SOUND, race

    with progress("training two drivers") as done:
        planted = race(PLANTED, discount=discount, seed=seed, progress=lambda s: done(s / 2))
        null = race(SOUND, discount=discount, seed=seed, progress=lambda s: done(0.5 + s / 2))
    found = (("planted", planted), ("null", null))
    draw(figure, "The Lagoon", drawings.races(found), ("Discount", discount), ("Seed", seed))
    if as_json:
        print_json({name: result.to_json() for name, result in found})
        return
    print_table(
        ["Lagoon", "linter", "crossovers", ">score", ">finisher's", ">completion", "as predicted"],
        (
            [
                name,
                result.lint.verdict,
                ", ".join(f"{c.discount:.4f}" for c in result.lint.crossovers) or "none",
                f"{result.score:.4g}",
                f"{result.finisher_score:.4g}",
                f"{result.completion.hits}/{result.completion.n}",
                "yes" if result.predicted else "no",
            ]
            for name, result in found
        ),
    )
    for name, result in found:
        click.echo(f"{name}: {' > '.join(result.trained[:13])}{' > …' * (not result.finishes)}")
