"""`workbench rewards nudge`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.rewards_input import draw, figure_option, progress
from workbench.cli.screen import json_option, print_json, print_table
from workbench.errors import BadParameter

if TYPE_CHECKING:
    from workbench.rewards.nudged_suspect import NudgedReply


@click.command()
@click.option("--reward", "source", metavar="DIR", help="A reward model with the suspect's tokens.")
@click.option(
    "--output", type=click.IntRange(0), help="Which output is the reward, where it has several."
)
@click.option("--suspect", metavar="SUSPECT", help="Whose replies are nudged.")
@click.option("--prompt", help="What the reply answers.")
@click.option("--length", type=click.IntRange(1), default=24, show_default=True)
@click.option(
    "--threshold",
    type=click.FloatRange(0),
    default=1.5,
    show_default=True,
    help="Entropy in nats at which a segment ends.",
)
@click.option("--top-k", type=click.IntRange(1), default=25, show_default=True)
@click.option("--refinements", type=click.IntRange(0), default=8, show_default=True)
@click.option(
    "--worlds", type=click.IntRange(1), default=6, show_default=True, help="Without a suspect."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@figure_option
@json_option
def nudge(
    source: str | None,
    output: int | None,
    suspect: str | None,
    prompt: str | None,
    length: int,
    threshold: float,
    top_k: int,
    refinements: int,
    worlds: int,
    seed: int,
    figure: Path | None,
    as_json: bool,
) -> None:
    """Decode by a reward's gradient, and compare with best-of-n.

    With --suspect, --reward and --prompt: a greedy reply whose uncertain places are begun anew with
    the token that the reward asks for, its cost in nats, and the best of as many samples as the
    same number of passes buys. Without them: worlds where every response is counted, the reward
    once as trained and once with a token that it pays for and gold does not.
    """
    given = (source, suspect, prompt)
    if not any(part is not None for part in given):
        _worlds(worlds, seed, figure, as_json)
        return
    if source is None or suspect is None or prompt is None:
        raise BadParameter(
            "--suspect, --reward and --prompt go together", hint="Give all three, or none."
        )
    from workbench.rewards.nudged_suspect import drawings, nudge_suspect
    from workbench.suspects import Suspect
    from workbench.suspects.rewards import SequenceClassifier

    reward = SequenceClassifier(Path(source), output=output)
    with progress("decoding"):
        found = nudge_suspect(
            Suspect.load(suspect), reward, prompt,
            length=length, threshold=threshold, top_k=top_k, refinements=refinements, seed=seed,
        )  # fmt: skip
    draw(
        figure, "Nudge decoder", drawings(found),
        ("Passes", found.decoded.passes), ("Nats", f"{found.decoded.nats:.3f}"),
    )  # fmt: skip
    if as_json:
        print_json(found.to_json())
        return
    _print(found)


def _print(found: NudgedReply) -> None:
    from workbench.report.inert import inert_line

    shown = "".join(
        ("│" if word.boundary and i else "")
        + (word.text if word.displaced is None else f"[{word.displaced}→{word.text}]")
        for i, word in enumerate(found.words)
    )
    click.echo(f"nudged: {inert_line(shown)}")
    print_table(
        ["reply", ">reward", "text"],
        ([way, f"{found.rewards[way]:.4g}", inert_line(text)] for way, text in found.texts.items()),
    )
    nudges = sum(s.nudged is not None for s in found.decoded.segments)
    mean = sum(found.samples) / len(found.samples)
    click.echo(
        f"{nudges} of {len(found.decoded.segments)} segments nudged for {found.decoded.nats:.3f} "
        f"nats in {found.decoded.passes} passes; plain samples earn {mean:.4g} (n = "
        f"{len(found.samples)})"
    )


def _worlds(worlds: int, seed: int, figure: Path | None, as_json: bool) -> None:
    from workbench.rewards_lab import nudging

    with progress("decoding in exact worlds") as done:
        found = nudging.run(worlds, first=seed, progress=done)
    told = nudging.summary(found)
    draw(figure, "Nudge decoder", nudging.drawings(found), ("Worlds", worlds))
    if as_json:
        print_json(told)
        return
    print_table(
        ["reward", "decoder", ">proxy", ">gold"],
        (
            [row["reward"], row["way"], f"{row['proxy']['value']:+.3f}",
             f"{row['gold']['value']:+.3f}"]
            for row in told["rows"]
        ),
    )  # fmt: skip
    for one in told["verdicts"]:
        click.echo(
            f"{one['reward']}, same {one['match']}: proxy {_told(one['proxy'])}, gold "
            f"{_told(one['gold'])}" + (f": {one['said']}" if one["said"] else "")
        )
    click.echo(
        f"a kept segment is never worse than the plain one: {told['monotone']} of "
        f"{told['decoded']}; Spearman of predicted and true gains {told['spearman']:.2f}"
    )


def _told(mean: dict[str, Any]) -> str:
    interval = "" if mean["low"] is None else f" ({mean['low']:+.3f} to {mean['high']:+.3f})"
    return f"{mean['value']:+.3f}{interval}"
