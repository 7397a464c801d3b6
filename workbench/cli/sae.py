"""`workbench sae`: train sparse autoencoders on a suspect, and judge them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workbench.access import Access
from workbench.cli.screen import json_option, print_json, print_table
from workbench.errors import AccessDenied, ConfigError

if TYPE_CHECKING:
    from workbench.suspects import Suspect


@click.group()
def sae() -> None:
    """Train sparse autoencoders and read their cards."""


texts_option = click.option(
    "--texts",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Texts to read, one on each line; without it, rows drawn from the suspect's corpus.",
)
rows_option = click.option(
    "--rows", type=click.IntRange(1), default=3000, show_default=True, help="Corpus rows to draw."
)


@sae.command()
@click.argument("name", metavar="SUSPECT")
@click.option("--hook", required=True, metavar="NAME", help="As blocks.2.hook_out.")
@click.option("--out", required=True, type=Path, metavar="DIR", help="A directory that is new.")
@click.option("--tokens", type=click.IntRange(1), default=200_000, show_default=True)
@click.option("--d-sae", type=click.IntRange(1), default=1024, show_default=True)
@click.option("--k", type=click.FloatRange(1), default=16.0, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@texts_option
@rows_option
def train(
    name: str,
    hook: str,
    out: Path,
    tokens: int,
    d_sae: int,
    k: float,
    seed: int,
    file: Path | None,
    rows: int,
) -> None:
    """Train a BatchTopK SAE at a hook."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out} exists and is not empty", hint="Name a new directory.")
    from saes.train import train_sae
    from workbench.suspects import Suspect

    suspect = Suspect.load(name)
    texts = _texts(suspect, file, rows, seed)
    with _bar() as progress:
        train_sae(
            suspect,
            texts,
            hook_name=hook,
            into=out,
            d_sae=d_sae,
            k=k,
            tokens=tokens,
            seed=seed,
            progress=progress,
        )
    click.echo(f"sae: {out}")


@sae.command()
@click.argument("directory", metavar="DIR", type=Path)
@click.option("--suspect", "name", required=True, metavar="SUSPECT")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@texts_option
@rows_option
@json_option
def card(
    directory: Path, name: str, seed: int, file: Path | None, rows: int, as_json: bool
) -> None:
    """Judge an SAE on texts of the suspect.

    Rows are drawn with another seed than in training.
    """
    from saes.card import card as judge
    from workbench.suspects import Suspect

    suspect = Suspect.load(name)
    judged = judge(directory, suspect, _texts(suspect, file, rows, seed)).to_json()
    if as_json:
        print_json(judged)
        return
    print_table(["", ""], ([key.replace("_", " "), value] for key, value in judged.items()))


def _texts(suspect: Suspect, file: Path | None, rows: int, seed: int) -> list[str]:
    if file is not None:
        return [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    if Access.TRAINING_DATA not in suspect.access:
        raise AccessDenied(
            f"the suspect '{suspect.id}' grants no training data to read", hint="Give --texts FILE."
        )
    from saes.texts import corpus_texts

    return [text.text for text in corpus_texts(suspect, rows, seed)]


@contextmanager
def _bar() -> Iterator[Callable[[str, float], None]]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as shown:
        bars = {stage: shown.add_task(stage, total=1.0) for stage in ("activations", "training")}
        yield lambda stage, share: shown.update(bars[stage], completed=share)
