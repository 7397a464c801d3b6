"""`workbench ledger`: what was run and found, and whether the file still holds all of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from workbench.cli.screen import json_option, ledger_option, print_json, print_table
from workbench.cli.summary import finding_cells
from workbench.report.inert import inert

INCOMPLETE = 1


@click.group()
def ledger() -> None:
    """Runs and findings: list, query, verify, export."""


@ledger.command()
@click.option("--group", metavar="ID", help="Only this run group.")
@click.option("--technique", metavar="NAME")
@click.option("--status", type=click.Choice(["ok", "failed", "skipped"]))
@ledger_option
@json_option
def runs(
    group: str | None, technique: str | None, status: str | None, ledger_file: Path, as_json: bool
) -> None:
    """Every run, oldest first."""
    from workbench.ledger import Ledger

    made = Ledger(ledger_file).runs(group=group, technique=technique, status=status)
    if as_json:
        print_json([run.to_json() for run in made])
        return
    print_table(
        ["run", "group", "suspect", "technique", "status", ">ran", ">seconds", "started", "reason"],
        (
            [
                run.id,
                run.group,
                run.suspect,
                run.technique,
                run.status,
                f"{run.ran}/{run.planned}",
                f"{run.seconds:.1f}",
                run.started[:19],
                run.reason,
            ]
            for run in made
        ),
    )


@ledger.command()
@click.option("--group", metavar="ID", help="Only this run group.")
@click.option("--run", "run_id", metavar="ID", help="Only this run.")
@click.option("--least", type=click.FloatRange(0, 1), default=0.0, help="Lowest confidence.")
@ledger_option
@json_option
def findings(
    group: str | None, run_id: str | None, least: float, ledger_file: Path, as_json: bool
) -> None:
    """Every finding, in the order of filing."""
    from workbench.ledger import Ledger

    entries = [
        entry
        for entry in Ledger(ledger_file).entries(run=run_id, group=group)
        if entry.finding.confidence >= least
    ]
    if as_json:
        print_json([_entry(entry) for entry in entries])
        return
    print_table(
        ["finding", "claim", ">confidence", "value against control", "evidence"],
        ([entry.id, *finding_cells(entry.finding)] for entry in entries),
    )


@ledger.command()
@click.argument("identity", metavar="ID")
@ledger_option
def show(identity: str, ledger_file: Path) -> None:
    """One run or finding, whole, as JSON."""
    from workbench.ledger import Ledger, Run

    found = Ledger(ledger_file).find(identity)
    print_json(found.to_json() if isinstance(found, Run) else _entry(found))


@ledger.command()
@click.argument("sql")
@ledger_option
@json_option
def query(sql: str, ledger_file: Path, as_json: bool) -> None:
    """The answer to one SELECT.

    Tables: groups, runs, findings, amendments, events.
    """
    from workbench.ledger import Ledger

    table = Ledger(ledger_file).query(sql)
    if as_json:
        rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
        print_json(json.loads(json.dumps(rows, default=str)))
        return
    print_table(list(table.columns), table.rows)


@ledger.command()
@click.argument("file", type=Path)
@ledger_option
def snapshot(file: Path, ledger_file: Path) -> None:
    """Copy the whole ledger into a new file."""
    from workbench.ledger import Ledger

    click.echo(f"snapshot: {Ledger(ledger_file).snapshot(file)}")


@ledger.command()
@ledger_option
@json_option
def verify(ledger_file: Path, as_json: bool) -> int:
    """Say whether the ledger is whole and unaltered.

    Exit 1 where something acknowledged or planned is not there.
    """
    from workbench.ledger import Ledger

    verdict = Ledger(ledger_file).verify()
    if as_json:
        print_json(verdict)
    else:
        click.echo(
            f"{verdict['status']}: {verdict['runs']} runs, {verdict['findings']} findings, "
            f"{verdict['missing']} missing"
        )
        for problem in verdict["problems"]:
            click.echo(f"  {inert(problem)}")
    return 0 if verdict["status"] == "complete" else INCOMPLETE


@ledger.command()
@click.option("--format", "form", required=True, metavar="parquet|jsonl|csv|inspect")
@click.option("--out", type=Path, required=True, help="The file to write; replaced if it exists.")
@ledger_option
def export(form: str, out: Path, ledger_file: Path) -> None:
    """Write all findings as one table, or as Inspect logs.

    A table has one row per finding, and one for each run without any. `inspect` writes a log per
    run into the directory --out, with a sample per finding.
    """
    from workbench.ledger import Ledger

    if form == "inspect":
        from workbench.report.inspect_logs import write

        click.echo(f"{write(Ledger(ledger_file), out)} logs: {out}")
        return
    rows = Ledger(ledger_file).export(form, out)
    click.echo(f"{rows} rows: {out}")


@ledger.command("import")
@click.option("--from", "tool", required=True, metavar="garak|inspect|lm-eval")
@click.argument("file", type=Path)
@ledger_option
@json_option
def import_(tool: str, file: Path, ledger_file: Path, as_json: bool) -> None:
    """File another tool's results as findings.

    FILE is garak's report.jsonl, an Inspect log (.eval or .json), or lm-eval's samples_*.jsonl.
    Each finding names tool, file, hash and row, and accuses nobody. A file is filed once.
    """
    from workbench.ledger import Ledger
    from workbench.report.imports import import_file

    runs_made, findings_made = import_file(tool, file, Ledger(ledger_file))
    if as_json:
        print_json({"runs": runs_made, "findings": findings_made})
        return
    click.echo(f"{findings_made} findings in {runs_made} runs: {ledger_file}")


def _entry(entry: Any) -> dict[str, Any]:
    amendments = [
        {"note": a.note, "changes": a.changes, "author": a.author, "at": a.at}
        for a in entry.amendments
    ]
    return {"id": entry.id, "run": entry.run, **entry.finding.to_json(), "amendments": amendments}
