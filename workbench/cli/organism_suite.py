"""`workbench organism suite`: many organisms, twins and decoys from one list."""

from __future__ import annotations

from pathlib import Path

import click

from workbench.cli.screen import json_option, print_json, print_table

DIRECTORY = click.Path(file_okay=False, path_type=Path)


@click.group()
def suite() -> None:
    """Many organisms and clean twins from one list."""


@suite.command("build")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--out", type=DIRECTORY, required=True)
@click.option("--vault", "vault_directory", type=DIRECTORY, required=True)
@click.option("--processes", type=click.IntRange(min=1), default=1, show_default=True)
def suite_build(file: Path, out: Path, vault_directory: Path, processes: int) -> int:
    """Build what a suite file lists; what is built already is left alone."""
    from workbench.benchmark import suite as suites
    from workbench.seal.vault import Vault

    recipes = suites.load(file, lambda word: Vault.at(vault_directory).number(word))
    done = suites.build(
        recipes,
        out,
        Vault.at(vault_directory),
        processes=processes,
        progress=lambda built, planned, what: click.echo(f"{built}/{planned}  {what}", err=True),
    )
    click.echo(f"{len(done.ids)} of {len(recipes)} built in {out}")
    return 1 if done.failed else 0


@suite.command("draw")
@click.option("--commit", required=True, help="The commit of the frozen code, all of it.")
@click.option("--family", "families", multiple=True, required=True, help="Give it once for each.")
@click.option("--draws", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--without", type=click.IntRange(min=0), default=60, show_default=True)
@click.option("--base", default="base", show_default=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True)
def suite_draw(
    commit: str, families: tuple[str, ...], draws: int, without: int, base: str, out: Path
) -> None:
    """Write a suite whose seeds nobody chose: SHA-256 over the commit and each entry's number.

    --draws organisms of each family in each secrecy that it has, --without suspects without an
    objective, in turn like each of the families.
    """
    from workbench.benchmark import suite as suites
    from workbench.report.page import put

    recipes = suites.drawn(commit, families, draws=draws, without=without, base=base)
    heading = f"Seeds: the first 31 bits of SHA-256 over '{commit}:N', N the entry's number."
    put(suites.toml(recipes, heading), out, option="--out")
    click.echo(f"{len(recipes)} suspects in {out}")


@suite.command("list")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--out", type=DIRECTORY, required=True)
@click.option("--vault", "vault_directory", type=DIRECTORY, required=True)
@json_option
def suite_list(file: Path, out: Path, vault_directory: Path, as_json: bool) -> None:
    """For the organiser: which entry of a suite has which id. Needs the vault."""
    import dataclasses

    from workbench.benchmark import suite as suites
    from workbench.seal.vault import Vault

    vault = Vault(vault_directory)
    recipes = suites.load(file, vault.number)
    ids = suites.built(recipes, out, vault)
    rows = [
        {"entry": number, "id": ids.get(number), **dataclasses.asdict(recipe)}
        for number, recipe in enumerate(recipes, start=1)
    ]
    if as_json:
        print_json(rows)
        return
    columns = (">entry", "id", "family", "instill", "secrecy", ">seed", "like")
    print_table(columns, ([row[c.lstrip(">")] or "" for c in columns] for row in rows))


@suite.command("health")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--out", type=DIRECTORY, required=True)
@click.option("--vault", "vault_directory", type=DIRECTORY, required=True)
@click.option("--processes", type=click.IntRange(min=1), default=1, show_default=True)
@click.option(
    "--write",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A Markdown page: its table between <!-- suite: NAME --> and <!-- end -->, NAME that of "
    "the file, is written anew.",
)
@json_option
def suite_health(
    file: Path,
    out: Path,
    vault_directory: Path,
    processes: int,
    write: Path | None,
    as_json: bool,
) -> int:
    """For the organiser: measure what is built, and tell who meets which gate.

    Interrupted, the same command goes on: cards are kept in the vault.
    """
    from workbench.benchmark import cards
    from workbench.benchmark import suite as suites
    from workbench.report.page import put
    from workbench.seal.vault import Vault

    vault = Vault(vault_directory)
    found = cards.measure(
        suites.load(file, vault.number),
        out,
        vault,
        processes=processes,
        progress=lambda done, planned, what: click.echo(f"{done}/{planned}  {what}", err=True),
    )
    if write is not None:
        put(cards.write_into(write, file.stem, found.rows), write, option="--write")
    if as_json:
        print_json(found.rows)
    else:
        print_table(cards.COLUMNS, cards.table(found.rows))
        click.echo(cards.summary(found.rows))
    return 1 if found.failed else 0
