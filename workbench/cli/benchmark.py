"""`workbench benchmark`: batteries and auditors over suites, graded against sealed truths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from workbench.cli.screen import json_option, print_json, print_table

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


@benchmark.command()
@click.option("--vault", "vault_directory", type=DIRECTORY, help="Where truths are sealed.")
@click.option(
    "--seeds", type=click.IntRange(1), default=3, show_default=True, help="How many draws."
)
@click.option(
    "--out",
    type=FILE,
    default=Path("out/study/study.json"),
    show_default=True,
    help="The results; goes on with what is there.",
)
@click.option(
    "--work",
    type=DIRECTORY,
    default=Path("out/study"),
    show_default=True,
    help="Suspects, ledgers and artifacts; may be removed when the study is done.",
)
@click.option("--base", default="base", show_default=True, metavar="SUSPECT")
@click.option("--processes", type=click.IntRange(1), default=2, show_default=True)
@click.option("--other-code", is_flag=True, help="Keep what another version of the code measured.")
@click.option("--page", "page_file", type=FILE, help="Write the results as a Markdown page.")
@click.option("--no-run", is_flag=True, help="Run nothing: the page from what --out holds.")
@json_option
def study(
    vault_directory: Path | None,
    seeds: int,
    out: Path,
    work: Path,
    base: str,
    processes: int,
    other_code: bool,
    page_file: Path | None,
    no_run: bool,
    as_json: bool,
) -> int:
    """Build the published study of a hidden objective again, and say what is reproduced.

    For each of --seeds draws: an organism, the same without documents and a clean twin are built;
    what it exploits and admits is measured after every stage; four teams with different access and
    eight techniques audit it and its twin. About 75 minutes of one core a draw. Every part is
    written to --out as it comes: interrupted or killed, the same command goes on, and more --seeds
    may be asked for later. Exit 1 when a part failed.
    """
    from workbench.benchmark import study as studies
    from workbench.report.page import put

    failed: dict[str, str] = {}
    if no_run:
        document = studies.read(out)
    else:
        if vault_directory is None:
            raise click.UsageError("--vault is needed, or --no-run for the page alone")
        from workbench.seal.vault import Vault

        document, failed = studies.run(
            studies.Plan(base),
            seeds,
            vault=Vault.at(vault_directory),
            work_directory=work,
            out=out,
            processes=processes,
            other_code=other_code,
            progress=lambda told: click.echo(told, err=True),
        )
    if page_file is not None:
        put(studies.page(document), page_file, option="--page")
        click.echo(f"page: {page_file}", err=True)
    verdicts = studies.verdicts(document)
    if as_json:
        print_json({"results": document, "verdicts": verdicts, "failed": failed})
    else:
        columns = ("what was found", "published", "verdict", "why")
        print_table(
            columns, ([v["claim"], v["published"], v["verdict"], v["why"]] for v in verdicts)
        )
        click.echo(f"results: {out}")
    return INCOMPLETE if failed else 0


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
