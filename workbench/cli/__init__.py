"""The `workbench` command: one noun per file, imported only when it is called."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

import click

from workbench import __version__
from workbench.errors import WorkbenchError

NOUNS = {
    "app": "The bench in the browser: ask, search, audit, read.",
    "audit": "Run techniques on a suspect; check a battery.",
    "auditor": "Let a program audit: the autopilot and others.",
    "benchmark": "Which technique finds what, over a suite of organisms.",
    "corpus": "Search a training corpus.",
    "doctor": "What is installed, which device, what is missing.",
    "game": "Blind auditing games: host, join, grade, verify.",
    "host": "Serve a suspect within access and budget.",
    "ledger": "Runs and findings: list, query, verify, export.",
    "mcp": "Let an MCP client audit: techniques as tools.",
    "organism": "Train model organisms with sealed objectives.",
    "play": "A practice game for one person, in the browser.",
    "probe": "Train linear probes, judge them, run them on texts.",
    "report": "Write the HTML report of a ledger.",
    "rewards": "Measure how a reward can be hacked.",
    "sae": "Train sparse autoencoders and explore their features.",
    "serve": "Speak OpenAI's protocol for a suspect.",
    "suspect": "List, show and check suspects.",
    "technique": "List and show the installed techniques.",
}

INTERRUPTED = 130
ASKED_WRONGLY = 2


class Nouns(click.Group):
    """Knows the names and one-line helps of all nouns; `workbench.cli.NOUN` is imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(NOUNS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in NOUNS:
            return None
        command: click.Command = getattr(
            importlib.import_module(f"workbench.cli.{cmd_name}"), cmd_name
        )
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(NOUNS.items()))


@click.command(cls=Nouns, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="workbench")
def workbench() -> None:
    """Find out whether a language model has a hidden objective.

    Exit codes: 0 done, 1 incomplete or a technique failed, 2 asked wrongly, 100 a finding
    reached --fail-on, 130 interrupted.
    """


def run(arguments: Sequence[str]) -> int:
    """Runs one command and returns its exit code; errors go to standard error as two lines."""
    try:
        code = workbench.main(list(arguments), prog_name="workbench", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return ASKED_WRONGLY
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "workbench"
        return _refuse(error.format_message(), f"Try '{path} --help'.")
    except click.ClickException as error:
        return _refuse(error.format_message(), "Check the path and its permissions.")
    except WorkbenchError as error:
        return _refuse(error.message, error.hint)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    return code if isinstance(code, int) else 0


def main() -> None:
    """The console script."""
    sys.exit(run(sys.argv[1:]))


def _refuse(message: str, hint: str) -> int:
    from workbench.report.inert import inert_line

    click.echo(f"error: {inert_line(message)}\n{inert_line(hint)}", err=True)
    return ASKED_WRONGLY
