"""Writes docs/reference from the code: commands, techniques, errors. `make docs` calls it."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator
from pathlib import Path

import click

from workbench import cli, errors, registry

FOLDER = Path(__file__).parent / "reference"


def pages() -> dict[str, str]:
    """File name to content, as the code is now."""
    return {
        "commands.md": "\n".join(_commands()),
        "techniques.md": "\n".join(_techniques()),
        "errors.md": "\n".join(_errors()),
    }


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command with its full name, groups before what is in them."""

    def walk(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
        yield name, command
        if isinstance(command, click.Group):
            context = click.Context(command, info_name=name)
            for sub in command.list_commands(context):
                found = command.get_command(context, sub)
                if found is not None:
                    yield from walk(f"{name} {sub}", found)

    yield from walk("workbench", cli.workbench)


def error_kinds() -> Iterator[tuple[int, type[errors.WorkbenchError]]]:
    """Every error with its depth in the tree."""

    def walk(depth: int, kind: type[errors.WorkbenchError]) -> Iterator[tuple[int, type]]:
        yield depth, kind
        for child in kind.__subclasses__():
            if child.__module__ == errors.__name__:
                yield from walk(depth + 1, child)

    yield from walk(0, errors.WorkbenchError)


def _commands() -> Iterator[str]:
    yield "# Commands\n\nWritten by `make docs` from `workbench --help`.\n"
    for name, command in commands():
        context = click.Context(command, info_name=name)
        yield f"## `{name}`\n"
        yield f"{inspect.cleandoc(command.help or '')}\n"
        yield f"    {name} {' '.join(command.collect_usage_pieces(context))}\n"
        records = [p.get_help_record(context) for p in command.get_params(context)]
        rows = [record for record in records if record and not record[0].endswith("--help")]
        for option, text in rows:
            yield f"- `{option}` {text}".rstrip()
        if rows:
            yield ""


def _techniques() -> Iterator[str]:
    yield "# Techniques\n\nWritten by `make docs` from what is installed with the workbench.\n"
    for listing in registry.techniques():
        kind = listing.kind
        if kind is None or not kind.__module__.startswith("audits."):
            continue
        yield f"## `{kind.name}`\n"
        yield f"{inspect.getdoc(kind)}\n"
        yield f"Needs: {', '.join(kind.needs.names) or 'nothing'}. "
        yield f"Uses where granted: {', '.join(kind.uses.names) or 'nothing more'}.\n"
        for field in dataclasses.fields(kind):  # type: ignore[arg-type]
            yield f"- `{field.name}`: {field.type}, {field.default!r} by default"
        yield ""


def _errors() -> Iterator[str]:
    yield "# Errors\n"
    yield "Written by `make docs`. Each prints what happened and what to do; exit code 2.\n"
    for depth, kind in error_kinds():
        yield f"{'  ' * depth}- `{kind.__name__}` {inspect.getdoc(kind)}"
    yield ""


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
