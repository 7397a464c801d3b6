"""`workbench suspect`: which suspects there are, what they are, whether their files are safe."""

from __future__ import annotations

from pathlib import Path

import click

from workbench.cli.screen import json_option, print_json, print_table
from workbench.errors import NotASuspect


@click.group()
def suspect() -> None:
    """List, show and check suspects."""


@suspect.command("list")
@json_option
def list_(as_json: bool) -> None:
    """The bundled suspects."""
    from workbench.suspects.cabinet import bundled, find

    homes = [find(name) for name in bundled()]
    rows = [
        {"id": home.id, "kind": home.kind, "access": home.access.names, "summary": home.summary}
        for home in homes
    ]
    if as_json:
        print_json(rows)
        return
    print_table(
        ["suspect", "kind", "access", "summary"],
        ([row["id"], row["kind"], ", ".join(row["access"]), row["summary"]] for row in rows),
    )


@suspect.command()
@click.argument("name", metavar="SUSPECT")
@json_option
def show(name: str, as_json: bool) -> None:
    """One suspect: size, access, corpus."""
    from workbench.suspects.cabinet import describe

    document = describe(name)
    if as_json:
        print_json(document)
        return
    print_table(
        ["", ""],
        ([key.replace("_", " "), _words(value)] for key, value in document.items()),
    )


@suspect.command()
@click.argument("directory", type=Path)
@json_option
def check(directory: Path, as_json: bool) -> None:
    """Refuse an unsafe model directory.

    Nothing of it is run. Exit 2 where it is refused.
    """
    from workbench.suspects.cabinet import find

    if not directory.is_dir():
        raise NotASuspect(f"{directory} is no directory", hint="Give a model directory.")
    home = find(directory.resolve())
    tensors = home.tensors
    document = {
        "id": home.id,
        "status": "ok",
        "tensors": len(tensors),
        "parameters": sum(tensor.size for tensor in tensors),
        "access": home.access.names,
    }
    if as_json:
        print_json(document)
        return
    click.echo(
        f"{directory}: ok, {document['parameters']:,} parameters in {len(tensors)} tensors; "
        f"grants {', '.join(home.access.names)}"
    )


def _words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{amount:,} {key}" for key, amount in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "none" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
