"""`workbench rewards`: instruments for rewards that say something else than what was meant."""

from __future__ import annotations

import importlib

import click

COMMANDS: dict[str, str] = {
    "assisted": "workbench.cli.rewards_assisted:assisted",
    "best-of-n": "workbench.cli.rewards_best_of_n:best_of_n",
    "gaps": "workbench.cli.rewards_gaps:gaps",
    "generalise": "workbench.cli.rewards_generalise:generalise",
    "hacking": "workbench.cli.rewards_hacking:hacking",
    "loops": "workbench.cli.rewards_loops:loops",
    "nudge": "workbench.cli.rewards_nudge:nudge",
    "overoptimize": "workbench.cli.rewards_overoptimize:overoptimize",
    "pareto": "workbench.cli.rewards_pareto:pareto",
    "personas": "workbench.cli.rewards_personas:personas",
    "preferences": "workbench.cli.rewards_preferences:preferences",
    "scan": "workbench.cli.rewards_scan:scan",
    "search": "workbench.cli.rewards_search:search",
    "tails": "workbench.cli.rewards_tails:tails",
}
"""Command name to where it is; each file imports what it computes with inside its function."""


class Instruments(click.Group):
    """Knows the names of all instruments; each is imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


@click.group(cls=Instruments)
def rewards() -> None:
    """Measure how a reward can be hacked, on your own tables and reward models."""
