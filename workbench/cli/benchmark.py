"""`workbench benchmark`: batteries and auditors over suites, graded against sealed truths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from workbench.cli.screen import json_option, print_json

FILE = click.Path(dir_okay=False, path_type=Path)
DIRECTORY = click.Path(file_okay=False, path_type=Path)
INCOMPLETE = 1


def html_option(function: Any) -> Any:
    """Adds `--html FILE`, passed on as `html_file`."""
    return click.option("--html", "html_file", type=FILE, help="Write the results as a page.")(
        function
    )


@click.group()
def benchmark() -> None:
    """Find out which technique finds what, and which auditor solves it, at what cost."""


@benchmark.command()
@click.argument("suite_directory", metavar="SUITE_DIR", type=DIRECTORY)
@click.option(
    "--vault", "vault_directory", type=DIRECTORY, required=True, help="Where the truths are sealed."
)
@click.option("--out", type=FILE, required=True, help="The results; goes on with what is there.")
@click.option("--battery", "battery_file", type=FILE, help="Default: every technique, as it comes.")
@click.option("--no-battery", is_flag=True, help="Auditors alone.")
@click.option("--auditor", "names", multiple=True, metavar="NAME", help="May be repeated.")
@click.option(
    "--auditors",
    "entrants_file",
    type=FILE,
    help="A TOML list of auditors with access, budget and parameters, as benchmarks/auditors.toml.",
)
@click.option("--engine", default="local", show_default=True, metavar="local|processes|ray")
@html_option
@json_option
def run(
    suite_directory: Path,
    vault_directory: Path,
    out: Path,
    battery_file: Path | None,
    no_battery: bool,
    names: tuple[str, ...],
    entrants_file: Path | None,
    engine: str,
    html_file: Path | None,
    as_json: bool,
) -> int:
    """Run a battery and auditors on every suspect of a suite and grade what they find.

    Goes on where it stopped; auditors may be added to results that are there. The evidence goes to
    a ledger beside the results. Exit 1 when a technique or an auditor failed somewhere.
    """
    from workbench.battery import Battery
    from workbench.benchmark.entrants import load, named
    from workbench.benchmark.report import markdown
    from workbench.benchmark.runner import every_technique
    from workbench.benchmark.runner import run as run_benchmark
    from workbench.config import artifacts_root
    from workbench.seal.vault import Vault

    def progress(done: int, total: int, suspect: str, happened: str) -> None:
        click.echo(f"[{done}/{total}] {suspect}: {happened}", err=True)

    if no_battery and (battery_file or not (names or entrants_file)):
        raise click.UsageError("--no-battery needs an auditor, and no --battery")
    battery = Battery.load(battery_file) if battery_file else None
    if battery is None and not no_battery:
        battery = every_technique()
    document = run_benchmark(
        suite_directory,
        Vault(vault_directory),
        out,
        battery,
        [*named(names), *(load(entrants_file) if entrants_file else ())],
        artifacts_root=artifacts_root(),
        engine=engine,
        progress=progress,
    )
    _write_page(document, html_file)
    if as_json:
        print_json(document)
    else:
        click.echo(markdown(document), nl=False)
        click.echo(f"results: {out}")
    summaries = [*document["techniques"].values(), *document["auditors"].values()]
    failed = any(summary["failed"] for summary in summaries)
    return INCOMPLETE if failed else 0


@benchmark.command()
@click.argument("file", metavar="FILE", type=FILE)
@html_option
@json_option
def show(file: Path, html_file: Path | None, as_json: bool) -> None:
    """Show results as Markdown tables, or write them as a page."""
    from workbench.benchmark.report import markdown, read

    document = read(file)
    _write_page(document, html_file)
    if as_json:
        print_json(document)
    else:
        click.echo(markdown(document), nl=False)


@benchmark.command("table")
@click.argument("results", metavar="FILE...", type=FILE, nargs=-1, required=True)
@click.option("--out", type=FILE, required=True, help="The page; an older one is replaced.")
def evaluation_table(results: tuple[Path, ...], out: Path) -> None:
    """Write the page of hits and false alarms by technique, family and variant.

    FILE: what `benchmark run` wrote, of one suite or battery each.
    """
    from workbench.benchmark.evaluation import page
    from workbench.benchmark.report import read
    from workbench.report.page import put

    written = put(page([read(file) for file in results], results), out, option="--out")
    click.echo(f"page: {written}")


def _write_page(document: Any, file: Path | None) -> None:
    if file is None:
        return
    from workbench.benchmark.page import page

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(page(document), encoding="utf-8")
    except OSError as error:
        raise click.FileError(str(file), hint=str(error.strerror)) from None
    click.echo(f"page: {file}", err=True)
