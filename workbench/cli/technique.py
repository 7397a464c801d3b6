"""`workbench technique`: what is installed and what it asks of a suspect."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import click

from workbench.cli.screen import json_option, print_json, print_table
from workbench.report.inert import inert, inert_line


@click.group()
def technique() -> None:
    """List and show the installed techniques."""


@technique.command("list")
@json_option
def list_(as_json: bool) -> None:
    """Every installed technique.

    One that cannot be used is listed with the reason.
    """
    from workbench import registry

    rows = [listing.to_json() for listing in registry.techniques()]
    if as_json:
        print_json(rows)
        return
    print_table(
        ["technique", ">version", "needs", "what it does"],
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


@technique.command()
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """One technique, its needs and parameters."""
    from workbench import registry

    kind = registry.technique(name)
    text = inspect.getdoc(kind) or ""
    document: dict[str, Any] = {
        "name": kind.name,
        "version": kind.version,
        "needs": kind.needs.names,
        "uses": kind.uses.names,
        "description": text,
        "parameters": [_parameter(field) for field in dataclasses.fields(kind)],  # type: ignore[arg-type]
    }
    if as_json:
        print_json(document)
        return
    click.echo(f"{inert_line(kind.name)} (version {kind.version})\n\n{inert(text)}\n")
    click.echo(f"needs: {', '.join(kind.needs.names) or 'nothing'}")
    click.echo(f"uses where granted: {', '.join(kind.uses.names) or 'nothing more'}")
    print_table(
        ["parameter", "type", "default"],
        ([row["name"], row["type"], row["default"]] for row in document["parameters"]),
    )


def _parameter(field: dataclasses.Field[Any]) -> dict[str, Any]:
    default: Any = None
    if field.default is not dataclasses.MISSING:
        default = field.default
    elif field.default_factory is not dataclasses.MISSING:
        default = field.default_factory()
    return {
        "name": field.name,
        "type": field.type if isinstance(field.type, str) else field.type.__name__,
        "default": list(default) if isinstance(default, tuple) else default,
    }
