"""`workbench serve`: a suspect behind OpenAI's protocol, for any client that speaks it."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import click

from workbench.access import Access
from workbench.cli.budgets import budget_options, given_budget
from workbench.cli.host import interrupt
from workbench.cli.screen import json_option, ledger_option

CLIENT = "client"


@click.command()
@click.argument("suspect", metavar="SUSPECT")
@click.option("--adapter", metavar="DIR", help="A PEFT adapter on top of the suspect.")
@click.option("--reference", metavar="SUSPECT", help="The suspect's base model.")
@click.option("--device", default="auto", show_default=True)
@click.option("--dtype", default="auto", show_default=True)
@click.option("--port", type=click.IntRange(0, 65_535), default=8099, show_default=True)
@click.option("--token", metavar="T", help="Only who sends it is let in; anyone here if left.")
@click.option("--access", metavar="LIST", help="What clients get; all that can be served if left.")
@budget_options
@ledger_option
@json_option
def serve(
    suspect: str,
    adapter: str | None,
    reference: str | None,
    device: str,
    dtype: str,
    port: int,
    token: str | None,
    access: str | None,
    ledger_file: Path,
    as_json: bool,
    **bounds: int | None,
) -> None:
    """Serve a suspect to any OpenAI client, within access and budget.

    Listens on this machine alone, until interrupted: /v1/models, /v1/chat/completions and
    /v1/completions, beside the routes of `workbench host`. Requests that come together are sampled
    together. Every exchange is filed in the ledger, technique `serve`.
    """
    from workbench.battery import SuspectFiles
    from workbench.errors import BadParameter
    from workbench.host import Admission, Host, HostSettings

    if suspect.startswith(("http://", "https://")):
        raise BadParameter(
            f"'{suspect}' is on a host already", hint=f"Its OpenAI door is {suspect}/v1."
        )
    if token is not None and not (token.isascii() and token.isprintable() and token.strip()):
        raise BadParameter("a token that no header can carry", hint="Use printable ASCII.")
    signal.signal(signal.SIGTERM, interrupt)
    source = SuspectFiles(suspect, adapter=adapter, reference=reference, device=device, dtype=dtype)
    wanted = None if access is None else Access.parse(access)
    settings = HostSettings(
        (Admission(CLIENT, wanted, given_budget(bounds), chosen=token or ""),),
        port,
        calls_per_second=10_000,
        ledger=ledger_file,
        anyone="" if token else CLIENT,
    )
    with Host(source, settings) as running:
        _tell(running, suspect, token, ledger_file, as_json)
        running.wait()


def _tell(running: Any, suspect: str, token: str | None, ledger: Path, as_json: bool) -> None:
    url, granted = f"{running.url}/v1", running.grants[CLIENT].names
    if as_json:
        import json

        document = {"url": url, "model": running.model, "access": granted}
        click.echo(json.dumps(document | {"token": running.tokens[CLIENT][0]}))
        return
    click.echo(f"serving {running.model} at {url}")
    click.echo(f"clients may: {', '.join(granted) or 'nothing'}")
    if token is None:
        click.echo("anyone on this machine is let in; --token T lets in only who sends it")
        click.echo(f"for the host's other routes: {running.tokens[CLIENT][0]}")
    click.echo(f"exchanges are filed in {ledger}")
    click.echo("stop it: Ctrl-C")
