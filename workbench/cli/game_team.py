"""`workbench game team`, `join`, `submit` and `verify`: a team's side, and anyone's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.app import page_options
from workbench.cli.screen import json_option, print_json, print_table
from workbench.report.inert import inert_line

if TYPE_CHECKING:
    from workbench.findings import Finding

FILE = click.Path(dir_okay=False, path_type=Path)
INCOMPLETE = 1


def token_option(function: Any) -> Any:
    """Adds `--token`, which may also come from the environment."""
    return click.option(
        "--token", envvar="WORKBENCH_TOKEN", default="", metavar="T", help="Or WORKBENCH_TOKEN."
    )(function)


@click.command()
@click.argument("url")
@token_option
@click.option(
    "--receipt",
    type=FILE,
    default=Path("receipt.json"),
    show_default=True,
    help="Where the receipt is kept; one that is there is checked against the game.",
)
@click.option(
    "--buy", "bought", multiple=True, metavar="SUSPECT:N",
    help="Pay for hint N on a suspect and show it. May be repeated.",
)  # fmt: skip
@json_option
def join(url: str, token: str, receipt: Path, bought: tuple[str, ...], as_json: bool) -> None:
    """Join a game: keep its receipt, and see what may be done until when.

    The receipt names the seal and the chain before the first question. With it, `game verify` finds
    out whether anything was changed later.
    """
    from workbench.errors import SealBroken
    from workbench.game.client import PLAYED, Team

    team = Team(url, token)
    shown, brief = team.join(), team.brief()
    if receipt.exists():
        kept = _document(receipt)
        if {k: kept.get(k) for k in ("game", "commitment")} != {
            k: shown[k] for k in ("game", "commitment")
        }:
            raise SealBroken(
                f"{receipt} is of another game or another seal",
                hint="Name another --receipt; if this is the same game, distrust it.",
            )
        shown = kept
    else:
        _write(receipt, shown)
    if brief["phase"] in PLAYED:
        team.check(shown)
    for given in bought:
        suspect, number = _hint(given)
        team.buy(suspect, number)
    brief = team.brief() if bought else brief
    hints = {s: team.hints(s) for s, seat in brief["suspects"].items() if seat["hints"]}
    if as_json:
        print_json({**brief, "receipt": shown, "hints": hints})
        return
    for line in (
        f"game {brief['game']}: {brief['title']}",
        f"{brief['team']}, {brief['phase']}, closes {brief['closes']}",
        f"isolation: {brief['isolation']}, network of the suspects: {brief['network']}",
    ):
        click.echo(inert_line(line))  # a server's words
    click.echo(f"receipt: {receipt}")
    rows = [
        [name, team.suspect_url(name), ", ".join(seat["access"]), _bounds(seat["spent"])]
        for name, seat in brief["suspects"].items()
    ]
    print_table(["suspect", "address", "access", "left"], rows)
    if hints:
        listed = [
            [
                f"{suspect}:{one['hint']}",
                one["about"],
                ", ".join(f"{n:,} {m.replace('_', ' ')}" for m, n in one["price"].items()),
                inert_line(one["text"] or ("on its way" if one["bought"] else "not bought")),
            ]
            for suspect, several in hints.items()
            for one in several
        ]
        print_table(["hint", "about", "price", "says"], listed)


@click.command()
@click.argument("url")
@page_options(8501)
def team(url: str, port: int, browser: bool) -> None:
    """Play a game in the browser: brief, chat, training data, techniques, board, submission.

    Listens on this machine alone, until interrupted. Its pages ask each visitor for the team's
    token, which goes to the game's server and nowhere else.
    """
    from workbench.ui.serve import Served, ServedTeam, serve_team
    from workbench.ui.visit import VisitSettings

    serve_team(ServedTeam(Served("team", port, browser), VisitSettings(url.rstrip("/"))))


@click.command()
@click.argument("submission_file", metavar="FILE", type=FILE)
@click.option("--game", "url", required=True, metavar="URL", help="What `game join` was given.")
@click.option("--suspect", required=True, metavar="NAME", help="Which one it is about.")
@token_option
@click.option(
    "--ledger", "ledger_file", type=FILE, help="Where findings lie that the submission cites."
)
@click.option("--explain", is_flag=True, help="It names the cause of the behaviour that is asked.")
@json_option
def submit(
    submission_file: Path,
    url: str,
    suspect: str,
    token: str,
    ledger_file: Path | None,
    explain: bool,
    as_json: bool,
) -> None:
    """Hand in what a team believes of one suspect; the last of 3 revisions counts.

    With --explain it is an answer to the second phase: cause (or nothing: true), confidence,
    evidence, words.

    FILE is JSON: family, trigger, behaviours, root_cause, confidence, evidence (ids of findings),
    words. The answer says nothing about its worth.
    """
    from workbench.game.client import Team
    from workbench.game.submission import read_explanation, read_submission

    document = _document(submission_file)
    (read_explanation if explain else read_submission)(document)
    team = Team(url, token)
    hand_in = team.explain if explain else team.submit
    made = hand_in(suspect, document, own_findings(ledger_file))
    if as_json:
        print_json(made)
        return
    click.echo(inert_line(f"revision {made['revision']} of '{suspect}', {made['left']} left"))
    click.echo(inert_line(f"digest: {made['digest']}"))


@click.command()
@click.argument("archive", metavar="ARCHIVE", type=FILE, required=False)
@click.option("--receipt", "receipts", multiple=True, type=FILE, help="One that `join` kept.")
@click.option(
    "--suspect", "suspects", multiple=True, metavar="NAME=DIR", help="Hash these weights again."
)
@click.option(
    "--script", type=FILE, help="Write all that verifies as one file for any Python, and leave."
)
@json_option
def verify(
    archive: Path | None,
    receipts: tuple[Path, ...],
    suspects: tuple[str, ...],
    script: Path | None,
    as_json: bool,
) -> int:
    """Check an exported game: seal, log, budgets, submissions, scores. Exit 1 where one fails."""
    from workbench.game import grader
    from workbench.game.verify import files_of, problems, summary

    if script is not None:
        try:
            script.write_bytes(grader.script())
        except OSError as error:
            raise click.FileError(str(script), hint=str(error.strerror)) from None
        click.echo(f"script: {script}; run it: python3 {script} ARCHIVE")
        return 0
    if archive is None:
        raise click.UsageError("Missing argument 'ARCHIVE'.")
    try:
        content = archive.read_bytes()
    except OSError as error:
        raise click.FileError(str(archive), hint=str(error.strerror)) from None
    found = problems(content, [_document(file) for file in receipts])
    for given in suspects:
        name, _, folder = given.partition("=")
        found += [] if found else files_of(content, name, folder)
    if as_json:
        print_json({"verified": not found, "problems": found})
    elif found:
        for line in found:
            click.echo(f"FAILED {inert_line(line)}")
    else:
        click.echo(f"verified: {summary(content)}")
    return INCOMPLETE if found else 0


def _hint(given: str) -> tuple[str, int]:
    suspect, _, number = given.rpartition(":")
    if not suspect or not number.isdecimal():
        raise click.BadParameter(f"{given!r} names no hint: write SUSPECT:N")
    return suspect, int(number)


def own_findings(ledger_file: Path | None) -> Any:
    """Findings of one's own ledger by id; none where there is no ledger."""

    def find(id: str) -> Finding | None:
        from workbench.errors import LedgerError
        from workbench.ledger import Entry, Ledger

        if ledger_file is None:
            return None
        try:
            entry = Ledger(ledger_file).find(id)
        except LedgerError:
            return None
        return entry.finding if isinstance(entry, Entry) else None

    return find


def _bounds(spent: Any) -> str:
    left = {
        meter: amounts["bound"] - amounts["used"]
        for meter, amounts in spent["suspect"].items()
        if amounts["bound"] is not None
    }
    listed = [f"{n:,} {meter.replace('_', ' ')}" for meter, n in left.items()]
    return ", ".join(listed) or "not bounded"


def _document(file: Path) -> Any:
    from workbench.errors import BadParameter

    try:
        return json.loads(file.read_bytes())
    except OSError as error:
        raise BadParameter(f"{file}: {error.strerror}", hint="Name a JSON file.") from None
    except (ValueError, RecursionError):
        raise BadParameter(f"{file} is no JSON document", hint="See docs/game.md.") from None


def _write(file: Path, document: Any) -> None:
    from workbench.errors import BadParameter

    try:
        file.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise BadParameter(f"{file}: {error.strerror}", hint="Give another --receipt.") from None
