"""`workbench rewards scan`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from workbench.cli.rewards_input import Origin, draw, figure_option, progress, table_options
from workbench.cli.screen import json_option, print_json, print_table
from workbench.errors import BadParameter

if TYPE_CHECKING:
    from workbench.rewards.biases import Scan


@click.command()
@table_options
@click.option(
    "--reward", "source", metavar="DIR|FILE.py:FUNCTION", help="The reward model to be scanned."
)
@click.option(
    "--output", type=click.IntRange(0), help="Which output is the reward, where it has several."
)
@click.option(
    "--edits",
    "edits_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Edits in TOML: [[edit]] with name and append, prepend, or replace and with.",
)
@click.option(
    "--gold", metavar="FILE.py:FUNCTION", help="Of (prompt, response): keeps pairs of equal gold."
)
@click.option("--rows", type=click.IntRange(1), default=400, show_default=True)
@click.option("--fdr", type=float, default=0.05, show_default=True, help="False-discovery rate.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@figure_option
@json_option
def scan(
    origin: Origin,
    source: str | None,
    output: int | None,
    edits_file: Path | None,
    gold: str | None,
    rows: int,
    fdr: float,
    seed: int,
    figure: Path | None,
    as_json: bool,
) -> None:
    """Find what a reward model pays for and should not.

    With --reward, TABLE (CSV, TSV, Parquet) has columns prompt and response (and context); up to
    --rows responses are drawn, edited in ways that should not matter, and scored. Without it,
    TABLE holds pairs that were scored elsewhere: edit, before and after (and prompt, context).
    """
    from workbench.rewards import drawings
    from workbench.rewards.biases import SCORED, scan_table

    if source is None:
        if edits_file is not None or gold is not None or output is not None:
            raise BadParameter(
                "--edits, --gold and --output need --reward", hint="Name the reward model."
            )
        found = scan_table(origin.read(SCORED), fdr=fdr)
    else:
        found = _scan(origin, source, output, edits_file, gold, rows, fdr, seed)
    facts = (("Flagged", f"{len(found.flagged)} of {found.tried}"), ("Responses", found.responses))
    draw(figure, "Reward-model bias scan", drawings.scan(found), *facts)
    if as_json:
        print_json(found.to_json())
        return
    print_table(
        ["edit", "context", ">pairs", ">prompts", ">effect", "95 % interval", ">placebo", ">q", ""],
        (
            [
                effect.edit,
                effect.context,
                effect.pairs,
                effect.prompts,
                f"{effect.effect:+.4g}",
                f"{effect.low:+.4g} to {effect.high:+.4g}",
                "" if effect.placebo is None else f"{effect.placebo:+.4g}",
                f"{effect.q:.2g}",
                "flagged" if effect.flagged else "",
            ]
            for effect in found.effects
        ),
    )
    click.echo(
        f"{len(found.flagged)} of {found.tried} effects flagged at a false-discovery rate of "
        f"{found.fdr:.0%} ({found.responses} responses, {found.untested} not tested: fewer than "
        "5 prompts)"
    )


def _scan(
    origin: Origin,
    source: str,
    output: int | None,
    edits_file: Path | None,
    gold: str | None,
    rows: int,
    fdr: float,
    seed: int,
) -> Scan:
    import random

    from workbench.rewards.biases import RESPONSES
    from workbench.rewards.biases import scan as scan_responses
    from workbench.rewards.edits import read_edits, standard
    from workbench.suspects.rewards import function_of, load_reward

    edits = standard() if edits_file is None else read_edits(edits_file)
    equal = None if gold is None else function_of(gold)
    reward = load_reward(source, output=output)
    table = origin.read(RESPONSES)
    prompts, responses = table.texts("prompt"), table.texts("response")
    kinds = table.texts("context") if "context" in table else None
    chosen = sorted(random.Random(seed).sample(range(table.rows), min(rows, table.rows)))
    with progress("scoring pairs") as done:
        return scan_responses(
            reward.score,
            [prompts[i] for i in chosen],
            [responses[i] for i in chosen],
            edits,
            contexts=None if kinds is None else [kinds[i] for i in chosen],
            gold=equal,
            fdr=fdr,
            progress=done,
        )
