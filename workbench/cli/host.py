"""`workbench host`: serve a suspect to auditors who see only what they were granted."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType
from typing import Any

import click

from workbench.access import Access, Budget
from workbench.cli.budgets import budget_options, given_budget
from workbench.cli.screen import json_option


@click.command()
@click.argument("suspect", metavar="SUSPECT")
@click.option("--adapter", metavar="DIR", help="A PEFT adapter on top of the suspect.")
@click.option("--reference", metavar="SUSPECT", help="The suspect's base model.")
@click.option("--device", default="auto", show_default=True)
@click.option("--dtype", default="auto", show_default=True)
@click.option("--port", type=click.IntRange(0, 65_535), default=8600, show_default=True)
@click.option("--access", metavar="LIST", help="What clients get; all that can be served if left.")
@budget_options
@click.option(
    "--client",
    "clients",
    multiple=True,
    metavar="NAME",
    default=("auditor",),
    show_default=True,
    help="Has a token and a budget of its own. May be repeated.",
)
@click.option("--hours", type=click.FloatRange(min=0, min_open=True), help="Tokens expire after.")
@click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Keeps budgets, calls and the ledger across starts; deleted at the end if left out.",
)
@click.option("--rate", type=click.FloatRange(1), default=100.0, show_default=True, metavar="N")
@click.option(
    "--call-seconds",
    type=click.FloatRange(1),
    default=300.0,
    show_default=True,
    help="The most that one call may compute.",
)
@json_option
def host(
    suspect: str,
    adapter: str | None,
    reference: str | None,
    device: str,
    dtype: str,
    port: int,
    access: str | None,
    clients: tuple[str, ...],
    hours: float | None,
    state: Path | None,
    rate: float,
    call_seconds: float,
    as_json: bool,
    **bounds: int | None,
) -> None:
    """Serve a suspect within access and budget.

    Listens on this machine alone, until interrupted. Budgets are each client's, for the suspect
    and again for the reference; --rate is calls per second. The tokens are printed once.
    """
    from workbench.battery import SuspectFiles
    from workbench.host import Admission, Host, HostSettings

    signal.signal(signal.SIGTERM, interrupt)
    source = SuspectFiles(suspect, adapter=adapter, reference=reference, device=device, dtype=dtype)
    budget = given_budget(bounds)
    wanted = None if access is None else Access.parse(access)
    admissions = tuple(Admission(name, wanted, budget, hours=hours) for name in clients)
    settings = HostSettings(admissions, port, state, call_seconds, rate)
    with Host(source, settings) as running:
        _tell(running, budget, as_json)
        running.wait()


def _tell(running: Any, budget: Budget, as_json: bool) -> None:
    if as_json:
        import json

        document = {
            "url": running.url,
            "clients": [
                {"name": name, "token": tokens[0], "access": running.grants[name].names}
                for name, tokens in running.tokens.items()
            ],
            "budget": budget.to_json(),
        }
        click.echo(json.dumps(document))  # one line: whoever started it reads it while it runs
        return
    bounds = ", ".join(f"{n:,} {m.replace('_', ' ')}" for m, n in budget.to_json().items())
    click.echo(f"host: {running.url}")
    click.echo(f"budget of each client: {bounds or 'not bounded'}")
    for name, tokens in running.tokens.items():
        click.echo(f"{name} may: {', '.join(running.grants[name].names) or 'nothing'}")
        click.echo(f"{name}'s token, not shown again: {tokens[0]}")
    click.echo(f"audit it: WORKBENCH_TOKEN=... workbench audit run --suspect {running.url}")
    click.echo("stop it: Ctrl-C")


def interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
