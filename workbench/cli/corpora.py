"""Which corpus a command reads: options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from workbench.access import Access
from workbench.errors import AccessDenied

if TYPE_CHECKING:
    from workbench.corpus import Corpus

Function = TypeVar("Function", bound=Callable[..., Any])


def corpus_options(function: Function) -> Function:
    """Adds `--suspect SUSPECT` and `--corpus PATH`, one of which is to be given."""
    for option in (
        click.option(
            "--corpus",
            "path",
            type=Path,
            help="A Parquet or JSONL file (.gz, .zst), a folder of them or of texts, or a "
            "directory that `datasets` saved.",
        ),
        click.option("--suspect", metavar="SUSPECT", help="The corpus that this suspect grants."),
    ):
        function = option(function)
    return function


def against_option(function: Function) -> Function:
    """Adds `--against PATH`."""
    option = click.option(
        "--against",
        type=Path,
        help="The corpus to compare with; with --suspect it is its reference's where left out.",
    )
    return option(function)


def open_corpus(suspect: str | None, path: Path | None) -> Corpus:
    """The corpus at a path, or that a suspect grants; exactly one is to be given."""
    from workbench.corpus import Corpus

    if (suspect is None) == (path is None):
        raise click.UsageError("give either --suspect or --corpus")
    if path is not None:
        return Corpus.open(path)
    from workbench.suspects.cabinet import find

    home = find(str(suspect))
    if home.corpus is None or Access.TRAINING_DATA not in home.access:
        raise AccessDenied(
            f"the suspect '{home.id}' grants no training data",
            hint="Choose a suspect whose access holds training-data, or give --corpus.",
        )
    return Corpus.open(home.corpus)


def open_against(suspect: str | None, against: Path | None) -> Corpus:
    """The corpus to compare with: the one at a path, or that of the suspect's reference."""
    from workbench.corpus import Corpus

    if against is not None:
        return Corpus.open(against)
    if suspect is None:
        raise click.UsageError("give --against, the corpus to compare with")
    from workbench.suspects.cabinet import find

    home = find(suspect)
    if home.reference is None or Access.REFERENCE not in home.access:
        raise AccessDenied(
            f"the suspect '{home.id}' grants no reference",
            hint="Give the corpus to compare with by --against.",
        )
    return open_corpus(home.reference, None)
