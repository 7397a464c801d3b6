"""`workbench mcp`: an audit as tools for an MCP client, over standard input and output."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workbench.access import Access
from workbench.cli.budgets import budget_options, given_budget
from workbench.cli.game_team import token_option
from workbench.cli.screen import ledger_option

if TYPE_CHECKING:
    from workbench.host.mcp import HostSeat
    from workbench.host.tools import Tools


@click.command()
@click.option("--suspect", metavar="SUSPECT", help="One's own: hosted while this runs.")
@click.option("--game", metavar="URL", help="A game, or a host, under a token.")
@token_option
@click.option("--access", metavar="LIST", help="With --suspect: what the client gets.")
@budget_options
@click.option(
    "--sae",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Whose latents `features` tells.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("submission.json"),
    show_default=True,
    help="With --suspect: where `submit` writes.",
)
@ledger_option
def mcp(
    suspect: str | None,
    game: str | None,
    token: str,
    access: str | None,
    sae: Path | None,
    out: Path,
    ledger_file: Path,
    **bounds: int | None,
) -> None:
    """Let an MCP client audit a suspect, within access and budget.

    Give either a suspect of one's own or a game with the team's token. Speaks MCP on standard
    input and output: techniques, chat, data search, features, findings and submission as tools.
    """
    if (suspect is None) == (game is None):
        raise click.UsageError("give either --suspect or --game")
    _require_mcp()
    from workbench.host.mcp import server

    with _wire():
        if game is not None:
            server(_play(game, token, sae)).run()
            return
        from workbench.battery import SuspectFiles
        from workbench.host import Admission, Host, HostSettings

        wanted = None if access is None else Access.parse(access)
        clients = (Admission("client", wanted, given_budget(bounds)),)
        assert suspect is not None
        settings = HostSettings(clients, calls_per_second=10_000, ledger=ledger_file)
        with Host(SuspectFiles(suspect), settings) as host:
            server(_audit(host, sae, out)).run()


def _require_mcp() -> None:
    from importlib.util import find_spec

    from workbench.errors import ConfigError

    if find_spec("mcp") is None:
        raise ConfigError(
            "the package 'mcp' is not installed",
            hint="Install it: pip install 'alignment-workbench[mcp]'.",
        )


@contextmanager
def _wire() -> Iterator[None]:
    """Keeps standard output for MCP: whatever else is printed, here or by processes that are
    started, goes to standard error."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    before, sys.stdout = sys.stdout, os.fdopen(kept, "w")
    try:
        yield
    finally:
        sys.stdout = before


def _audit(host: Any, sae: Path | None, out: Path) -> Tools:
    """On one's own host; a submission is written to a file."""
    from workbench.game.submission import read_submission
    from workbench.host.mcp import HostSeat
    from workbench.host.tools import Tools

    def submit(name: str, document: Mapping[str, Any]) -> Mapping[str, Any]:
        read_submission(document)
        out.parent.mkdir(parents=True, exist_ok=True)
        draft = out.with_name(f".{out.name}.draft")
        draft.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        os.replace(draft, out)
        return {"written": str(out)}

    seat = HostSeat(host.url, host.tokens["client"][0])
    return Tools({host.model: seat}, submit, lambda: {"game": None}, sae)


def _play(url: str, token: str, sae: Path | None) -> Tools:
    """In a game, at each suspect that the team may audit; or on a host without one."""
    from workbench.errors import BadParameter
    from workbench.game.client import Team
    from workbench.host.mcp import HostSeat
    from workbench.host.tools import Tools

    team = Team(url, token)
    try:
        brief = team.brief()
    except BadParameter:  # a host without a game has no brief
        seats: dict[str, HostSeat] = {"": HostSeat(url, token)}
        named = {one.suspect.id: one for one in seats.values()}

        def refuse(name: str, document: Mapping[str, Any]) -> Mapping[str, Any]:
            raise BadParameter(
                "this host plays no game", hint="Keep findings; there is nobody to hand in to."
            )

        return Tools(named, refuse, lambda: {"game": None}, sae)
    team.join()

    def told() -> Mapping[str, Any]:
        made = team.brief()
        return {name: part for name, part in made.items() if name != "suspects"}

    at = {name: HostSeat(team.suspect_url(name), token) for name in brief["suspects"]}
    return Tools(at, lambda name, document: team.submit(name, document), told, sae)
