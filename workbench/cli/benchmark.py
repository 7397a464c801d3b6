"""`workbench benchmark`: batteries over suites of organisms, graded against the sealed truths."""

from __future__ import annotations

from pathlib import Path

import click

from workbench.cli.screen import json_option, print_json

FILE = click.Path(dir_okay=False, path_type=Path)
DIRECTORY = click.Path(file_okay=False, path_type=Path)
INCOMPLETE = 1


@click.group()
def benchmark() -> None:
    """Find out which technique finds what, at what cost."""


@benchmark.command()
@click.argument("suite_directory", metavar="SUITE_DIR", type=DIRECTORY)
@click.option(
    "--vault", "vault_directory", type=DIRECTORY, required=True, help="Where the truths are sealed."
)
@click.option("--out", type=FILE, required=True, help="The results; goes on with what is there.")
@click.option("--battery", "battery_file", type=FILE, help="Default: every technique, as it comes.")
@click.option("--engine", default="local", show_default=True, metavar="local|processes|ray")
@json_option
def run(
    suite_directory: Path,
    vault_directory: Path,
    out: Path,
    battery_file: Path | None,
    engine: str,
    as_json: bool,
) -> int:
    """Run a battery on every suspect of a suite and grade what it finds.

    The evidence goes to a ledger beside the results. Exit 1 when a technique failed somewhere.
    """
    from workbench.battery import Battery
    from workbench.benchmark import markdown
    from workbench.benchmark import run as run_benchmark
    from workbench.config import artifacts_root
    from workbench.seal.vault import Vault

    def progress(done: int, total: int, suspect: str, happened: str) -> None:
        click.echo(f"[{done}/{total}] {suspect}: {happened}", err=True)

    document = run_benchmark(
        suite_directory,
        Vault(vault_directory),
        out,
        Battery.load(battery_file) if battery_file else None,
        artifacts_root=artifacts_root(),
        engine=engine,
        progress=progress,
    )
    if as_json:
        print_json(document)
    else:
        click.echo(markdown(document), nl=False)
        click.echo(f"results: {out}")
    failed = any(summary["failed"] for summary in document["techniques"].values())
    return INCOMPLETE if failed else 0


@benchmark.command()
@click.argument("file", metavar="FILE", type=FILE)
@json_option
def show(file: Path, as_json: bool) -> None:
    """Show results as a Markdown table."""
    from workbench.benchmark import markdown, read

    document = read(file)
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
    from workbench.benchmark import read
    from workbench.benchmark.evaluation import page
    from workbench.report.page import put

    written = put(page([read(file) for file in results], results), out, option="--out")
    click.echo(f"page: {written}")
