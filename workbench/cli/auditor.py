"""`workbench auditor`: let a program audit a suspect, and write what it would hand in."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from workbench.access import Access, Budget
from workbench.cli.audit import pair
from workbench.cli.budgets import budget_options, given_budget
from workbench.cli.game_team import own_findings, token_option
from workbench.cli.screen import json_option, ledger_option, print_json, print_table
from workbench.report.inert import inert_line

if TYPE_CHECKING:
    from workbench.auditors import Audited, Auditor
    from workbench.game.client import Team

FILE = click.Path(dir_okay=False, path_type=Path)
INCOMPLETE = 1


@click.group()
def auditor() -> None:
    """Automatic auditors: list them, let one work."""


@auditor.command("list")
@json_option
def list_(as_json: bool) -> None:
    """Every installed auditor.

    One that cannot be used is listed with the reason.
    """
    from workbench.auditors import auditors

    rows = [listing.to_json() for listing in auditors()]
    if as_json:
        print_json(rows)
        return
    print_table(
        ["auditor", ">version", "needs", "what it does"],
        (
            [
                row["name"],
                "" if row["version"] is None else row["version"],
                ", ".join(row["needs"]),
                row["summary"] if row["available"] else f"unavailable: {row['reason']}",
            ]
            for row in rows
        ),
    )


@auditor.command()
@click.option(
    "--suspect",
    required=True,
    help="Bundled name, directory, hf:ORG/NAME[@REVISION], a host's URL; with --game a name there.",
)
@click.option("--game", "game_url", metavar="URL", help="A game, with the team's token.")
@token_option
@click.option("--reference", metavar="SUSPECT", help="The suspect's base model.")
@click.option("--adapter", metavar="DIR", help="A PEFT adapter on top of the suspect.")
@click.option("--auditor", "name", default="autopilot", show_default=True, metavar="NAME")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="PARAMETER=VALUE",
    help="Of the auditor; VALUE as in TOML, a bare word is text. May be repeated.",
)
@click.option("--access", metavar="LIST", help="Less than what the suspect grants, as chat,logits.")
@budget_options
@click.option("--budget-seconds", type=click.FloatRange(0), metavar="N", help="Of techniques.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--no-resume", is_flag=True, help="Run again what the ledger already holds.")
@click.option(
    "--out", type=FILE, default=Path("submission.json"), show_default=True, help="The submission."
)
@click.option("--log", "log_file", type=FILE, help="The story of the audit, as Markdown.")
@click.option("--submit", is_flag=True, help="With --game: hand it in as well.")
@ledger_option
@json_option
def run(
    suspect: str,
    game_url: str | None,
    token: str,
    reference: str | None,
    adapter: str | None,
    name: str,
    settings: tuple[str, ...],
    access: str | None,
    seed: int,
    no_resume: bool,
    out: Path,
    log_file: Path | None,
    submit: bool,
    ledger_file: Path,
    budget_seconds: float | None,
    as_json: bool,
    **bounds: int | None,
) -> int:
    """Let an auditor audit a suspect and write its submission.

    Budgets are for the whole audit; the reference counts apart. Techniques that the ledger holds
    are not run again: after an interruption the same command goes on. Exit 1 when a technique
    failed on the way; the submission is written all the same.
    """
    from workbench.auditors import Bench, Story, audit
    from workbench.auditors import auditor as named
    from workbench.auditors.bench import hosted_allowance
    from workbench.battery import SuspectFiles
    from workbench.config import artifacts_root
    from workbench.game.submission import read_submission
    from workbench.ledger import Ledger
    from workbench.suspects.connection import Connection
    from workbench.technique import make

    if submit and game_url is None:
        raise click.UsageError("--submit needs --game")
    made = cast(
        "Auditor", make(cast(Any, named(name)), dict(pair(text, "--set") for text in settings))
    )
    budget = dataclasses.replace(given_budget(bounds), seconds=budget_seconds)
    wanted = None if access is None else Access.parse(access)
    team = None if game_url is None else _joined(game_url, token)
    location = suspect if team is None else team.suspect_url(suspect)
    source = SuspectFiles(location, adapter=adapter, reference=reference, token=token)
    ledger = Ledger(ledger_file)
    story = Story(lambda line: click.echo(inert_line(line), err=True))
    allowance = Budget()
    if location.startswith(("http://", "https://")):
        parts = {n: p for n, p in source.describe().items() if n not in ("id", "access")}
        made_before = ledger.runs() if ledger.path.exists() else []
        left = Connection(location, token).get("/audit/budget")
        allowance = hosted_allowance(left, made_before, parts)
    with Bench(
        source,
        ledger,
        artifacts_root(),
        access=wanted,
        budget=budget,
        seed=seed,
        resume=not no_resume,
        allowance=allowance,
        tell=lambda technique, happened: click.echo(
            f"  [{inert_line(technique)}: {happened}]", err=True
        ),
    ) as bench:
        result = audit(made, bench, story)
        runs = [run.to_json() for run in bench.runs]
        id, granted = bench.id, bench.access.names
    document = result.document()
    read_submission(document)
    _write(out, json.dumps(document, indent=1, ensure_ascii=True) + "\n")
    if log_file is not None:
        _write(log_file, story.markdown())
    receipt = None
    if team is not None and submit:
        receipt = team.submit(suspect, document, own_findings(ledger_file))
    if as_json:
        shown = ("id", "technique", "status", "reason", "seconds", "cached", "parameters")
        print_json(
            {
                "auditor": name,
                "suspect": id,
                "access": granted,
                "status": "incomplete" if result.failed else "ok",
                "submission": document,
                "finding": result.finding,
                "runs": [{key: one[key] for key in shown} for one in runs],
                "usage": dict(result.usage),
                "seconds": result.seconds,
                "story": story.to_json(),
                "receipt": receipt,
            }
        )
    else:
        _print(result, out, log_file, ledger_file, receipt)
    return INCOMPLETE if result.failed else 0


def _joined(url: str, token: str) -> Team:
    from workbench.game.client import Team

    team = Team(url, token)
    team.join()
    return team


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(f".{file.name}.draft")
        draft.write_text(text, encoding="utf-8")
        os.replace(draft, file)
    except OSError as error:
        raise click.FileError(str(file), hint=str(error.strerror)) from None


def _print(
    result: Audited, out: Path, log_file: Path | None, ledger_file: Path, receipt: Any
) -> None:
    document = result.document()
    for field in ("family", "root_cause", "trigger"):
        if document[field]:
            click.echo(inert_line(f"{field.replace('_', ' ')}: {document[field]}"))
    for behaviour in document["behaviours"]:
        click.echo(inert_line(f"behaviour: {behaviour}"))
    click.echo(f"confidence: {document['confidence']:.3f}")
    click.echo(f"evidence: {', '.join(document['evidence']) or 'none cited'}")
    click.echo(inert_line(document["words"]))
    spent = result.usage
    click.echo(
        f"spent: {spent['samples']:.0f} samples, {spent['tokens']:.0f} tokens, "
        f"{spent['seconds']:.0f} s of techniques; {len(result.failed)} failed; "
        f"ledger: {ledger_file}"
    )
    if receipt is not None:
        click.echo(inert_line(f"handed in as revision {receipt['revision']}"))
    if log_file is not None:
        click.echo(f"story: {log_file}")
    click.echo(f"submission: {out}")
