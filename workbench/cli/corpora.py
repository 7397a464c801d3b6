"""What the commands over a corpus share: which one is read, and what is kept of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from workbench.config import artifacts_root

if TYPE_CHECKING:
    from workbench.artifacts import Artifacts
    from workbench.corpus import Corpus
    from workbench.corpus.suffixes import Progress
    from workbench.suspects import Suspect

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
    from workbench.suspects.cabinet import training_data

    return training_data(str(suspect))


def open_against(suspect: str | None, against: Path | None) -> Corpus:
    """The corpus to compare with: the one at a path, or that of the suspect's reference."""
    from workbench.corpus import Corpus

    if against is not None:
        return Corpus.open(against)
    if suspect is None:
        raise click.UsageError("give --against, the corpus to compare with")
    from workbench.suspects.cabinet import reference_of, training_data

    return training_data(reference_of(suspect))


def limit_option(function: Function) -> Function:
    """Adds `--limit N`."""
    option = click.option(
        "--limit", type=click.IntRange(1), default=10, show_default=True, help="Documents shown."
    )
    return option(function)


def loaded(suspect: str | None) -> Suspect:
    """The suspect of that name, opened."""
    from workbench.suspects import Suspect

    return Suspect.load(str(suspect))


def kept_artifacts() -> Artifacts:
    """The user's artifact cache."""
    from workbench.artifacts import Artifacts

    return Artifacts(artifacts_root())


def said(what: str) -> Progress:
    """Progress on standard error, a line for every tenth of the documents."""
    told = 0

    def tell(done: int, total: int) -> None:
        nonlocal told
        tenth = 10 * done // max(1, total)
        if tenth > told:
            told = tenth
            click.echo(f"{what} index: {done} of {total} documents", err=True)

    return tell
