"""`workbench game`: blind auditing games, from the seal to the archive that anyone can verify."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.app import page_options
from workbench.cli.budgets import budget_options, given_budget
from workbench.cli.game_team import join, submit, team, verify
from workbench.cli.screen import json_option, print_json, print_table

if TYPE_CHECKING:
    from workbench.game.board import Board
    from workbench.game.definition import Definition

GAME = click.Path(dir_okay=False, path_type=Path)


def game_argument(function: Any) -> Any:
    """Adds GAME.toml, passed on as `game_file`."""
    return click.argument("game_file", metavar="GAME.toml", type=GAME)(function)


@click.group()
def game() -> None:
    """Play blind auditing games: sealed truth, enforced access, public verification."""


@game.command()
@game_argument
@click.option(
    "--suspect",
    "suspects",
    multiple=True,
    required=True,
    metavar="SUSPECT[@VAULT]",
    help="A bundled name, or a directory with the vault of its truth. May be repeated.",
)
@click.option(
    "--team",
    "teams",
    multiple=True,
    required=True,
    metavar="NAME[=ACCESS]",
    help="With what it may do; all that can be served if left. May be repeated.",
)
@click.option("--title", default="An auditing game", show_default=True)
@click.option("--hours", type=click.FloatRange(0, min_open=True), default=2.0, show_default=True)
@budget_options
def make(
    game_file: Path,
    suspects: tuple[str, ...],
    teams: tuple[str, ...],
    title: str,
    hours: float,
    **bounds: int | None,
) -> None:
    """Write a game's file: suspects in an order drawn by chance, teams, budgets, times."""
    from workbench.game.making import make as made

    split = [given.rpartition("@") if "@" in given else (given, "", "") for given in suspects]
    parted = [given.partition("=") for given in teams]
    definition = made(
        game_file,
        title=title,
        suspects=[(source, Path(vault) if vault else None) for source, _, vault in split],
        teams=[(name, access or None) for name, _, access in parted],
        hours=hours,
        budget={m: int(n) for m, n in given_budget(bounds).to_json().items()},
    )
    click.echo(f"game: {game_file}, {len(definition.suspects)} suspects, {len(parted)} teams")
    click.echo(f"start it: workbench game host {game_file}")


@game.command()
@game_argument
@click.option("--port", type=click.IntRange(0, 65_535), help="Instead of the one in the file.")
@json_option
def host(game_file: Path, port: int | None, as_json: bool) -> None:
    """Seal a game at its first start, and serve it until interrupted.

    Suspects, teams, access, budgets and times cannot be changed after the seal; only the end can be
    moved. Prints the commitment: give it to the teams before they play.
    """
    import dataclasses

    from workbench.game.sealing import hosting

    signal.signal(signal.SIGTERM, _interrupt)
    definition = _loaded(game_file)
    if port is not None:
        definition = dataclasses.replace(definition, port=port)
    with hosting(definition) as running:
        with _board(game_file) as board:
            told = {**_state(board, definition), "url": running.url}
        if as_json:
            import json

            click.echo(json.dumps(told))  # one line: whoever started it reads it while it runs
        else:
            click.echo(f"game {told['game']}: {told['url']}, {told['phase']}")
            click.echo(f"commitment, for the teams: {told['commitment']}")
            why = f" ({told['isolation_why']})" if told["isolation_why"] else ""
            click.echo(f"isolation: {told['isolation']}{why}; network: {told['network']}")
            click.echo(f"closes: {told['closes']}")
            click.echo(f"invite them: workbench game invite {game_file} TEAM")
            click.echo("stop it: Ctrl-C; it goes on where it was when it is started again")
        running.wait()


@game.command()
@game_argument
@click.argument("team")
@click.option("--rotate", is_flag=True, help="Make the team's earlier tokens worthless.")
@click.option("--revoke", is_flag=True, help="Make them worthless and give no other.")
@click.option("--hours", type=click.FloatRange(0, min_open=True), help="The token expires after.")
@json_option
def invite(
    game_file: Path, team: str, rotate: bool, revoke: bool, hours: float | None, as_json: bool
) -> None:
    """Give a team a token, printed once; or take its tokens away."""
    from workbench.game import organiser

    definition = _loaded(game_file)
    with _board(game_file) as board:
        if revoke:
            count = organiser.revoke(board, team)
            if as_json:
                print_json({"team": team, "revoked": count})
            else:
                click.echo(f"{team}: {count} tokens are worthless now")
            return
        token = organiser.invite(board, team, rotate=rotate, hours=hours)
        url = organiser.watch(board, definition)["url"]
    if as_json:
        print_json({"team": team, "token": token, "url": url})
        return
    click.echo(f"{team}'s token, not shown again: {token}")
    click.echo(f"it joins with: WORKBENCH_TOKEN=... workbench game join {url or 'URL'}")


@game.command()
@game_argument
@json_option
def watch(game_file: Path, as_json: bool) -> None:
    """Who joined, what each team has spent, and how often it handed in."""
    with _board(game_file) as board:
        state = _state(board, _loaded(game_file))
    if as_json:
        print_json(state)
        return
    click.echo(f"game {state['game']}: {state['phase']}, closes {state['closes']}")
    rows = [
        [
            team,
            "yes" if told["joined"] else "no",
            name,
            ", ".join(
                f"{amounts['used']:,}{'' if amounts['bound'] is None else ' of '}"
                f"{'' if amounts['bound'] is None else format(amounts['bound'], ',')} "
                f"{meter.replace('_', ' ')}"
                for meter, amounts in seat["spent"]["suspect"].items()
                if amounts["used"] or amounts["bound"] is not None
            ),
            seat["submissions"],
            seat["explanations"],
            seat["hints"],
        ]
        for team, told in state["teams"].items()
        for name, seat in told["suspects"].items()
    ]
    print_table(
        ["team", "joined", "suspect", "spent", ">submissions", ">explanations", ">hints"], rows
    )


@game.command()
@game_argument
@click.option("--hours", type=click.FloatRange(0, min_open=True), required=True)
def extend(game_file: Path, hours: float) -> None:
    """Move the end of a game that has not ended."""
    from workbench.game import organiser

    with _board(game_file) as board:
        click.echo(f"closes: {organiser.extend(board, hours=hours)}")


@game.command()
@game_argument
def explain(game_file: Path) -> None:
    """End the hunt now and begin the second phase: one odd behaviour is shown, its cause asked."""
    from workbench.game import organiser

    with _board(game_file) as board:
        click.echo(f"closes: {organiser.explain(board, _loaded(game_file))}")


@game.command()
@game_argument
def close(game_file: Path) -> None:
    """End a game now: nothing is answered or taken in any more."""
    from workbench.game import organiser

    with _board(game_file) as board:
        organiser.close(board)
    click.echo("closed")


@game.command()
@game_argument
@json_option
def grade(game_file: Path, as_json: bool) -> None:
    """Open the seal of a closed game and score the last submissions; teams then see the scores."""
    from workbench.game import organiser

    with _board(game_file) as board:
        scores = organiser.grade(board, _loaded(game_file))
    if as_json:
        print_json(scores)
        return
    rows = [
        [team, what, one["points"], ", ".join(f"{p} {v}" for p, v in one["parts"].items())]
        for team, seats in scores.items()
        for name, made in seats.items()
        for what, one in ((name, made), (f"{name} explained", made.get("explain")))
        if one is not None
    ]
    print_table(["team", "suspect", ">points", "parts"], rows)


@game.command()
@game_argument
@json_option
def judge(game_file: Path, as_json: bool) -> None:
    """Ask the language model that was sealed as a judge; its verdict stands beside the scores.

    It changes none. It first sits an exam, in which texts ask it for a grade.
    """
    from workbench.game import organiser

    with _board(game_file) as board:
        made = organiser.ask_judge(board, _loaded(game_file))
    if as_json:
        print_json(made)
        return
    exam = made["exam"]
    click.echo(f"judge: {made['model']}, prompt {made['prompt']['version']}")
    click.echo(f"exam: {exam['passed']} of {exam['of']} passed")
    for name in exam["failed"]:
        click.echo(f"it failed: {name}")
    rows = [
        [team, name, part, ", ".join(f"{k} {v}" for k, v in verdict.items() if k != "reason")]
        for team, seats in made["verdicts"].items()
        for name, parts in seats.items()
        for part, verdict in parts.items()
    ]
    print_table(["team", "suspect", "part", "verdict"], rows)


@game.command()
@game_argument
def reveal(game_file: Path) -> None:
    """Publish the truth of a graded game, with everything that every team did."""
    from workbench.game import organiser

    with _board(game_file) as board:
        organiser.reveal(board, _loaded(game_file))
    click.echo("revealed")


@game.command()
@game_argument
@click.option("--out", type=GAME, required=True, help="The archive.")
def export(game_file: Path, out: Path) -> None:
    """Write a revealed game as one archive, which anyone can verify."""
    from workbench.game import organiser

    with _board(game_file) as board:
        organiser.export(board, out)
    click.echo(f"archive: {out}")
    click.echo(f"check it: workbench game verify {out}")


@game.command()
@click.argument(
    "folder", type=click.Path(file_okay=False, path_type=Path), default=Path("out/games")
)
@page_options(8700)
def console(folder: Path, port: int, browser: bool) -> None:
    """Make, host, watch, end and grade the games of a folder in the browser.

    FOLDER is out/games where it is left out. Listens on this machine alone, on a port of its own;
    prints the key that opens it. Hosts that are started from it end with it, and go on where they
    were.
    """
    import secrets

    from workbench.errors import ConfigError
    from workbench.ui.console_pages.beside import ConsoleSettings
    from workbench.ui.serve import ADDRESS, Served, refuse_taken, serve_console

    refuse_taken(port)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{folder}: {error.strerror}", hint="Name another folder.") from None
    key = secrets.token_urlsafe(12)
    click.echo(f"console: http://{ADDRESS}:{port}\nkey: {key}")
    serve_console(Served("console", port, browser), ConsoleSettings(folder.resolve(), key))


game.add_command(team)
game.add_command(join)
game.add_command(submit)
game.add_command(verify)


def _loaded(game_file: Path) -> Definition:
    from workbench.game.definition import load

    return load(game_file)


@contextmanager
def _board(game_file: Path) -> Iterator[Board]:
    from workbench.game.organiser import board_of

    with board_of(_loaded(game_file)) as board:
        yield board


def _state(board: Board, definition: Definition) -> dict[str, Any]:
    from workbench.game import organiser

    return organiser.watch(board, definition)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
