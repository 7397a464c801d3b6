"""What `sae` and `probe` share: texts to read a suspect on, opened SAEs, bars of progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from workbench.access import Access
from workbench.errors import AccessDenied, BadParameter, ConfigError

if TYPE_CHECKING:
    from saes.lens import SAE
    from saes.store import Store
    from saes.texts import Text
    from workbench.suspects import Suspect

Function = TypeVar("Function", bound=Callable[..., Any])
TEXT_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def texts_options(function: Function) -> Function:
    """Adds `--texts`, `--chats` and `--rows`, passed on as `file`, `chats` and `rows`."""
    for option in (
        click.option("--rows", type=click.IntRange(1), default=3000, show_default=True,
                     help="Corpus rows to draw."),
        click.option("--chats", type=TEXT_FILE,
                     help="Read the suspect's own replies to these user messages, one a line."),
        click.option("--texts", "file", type=TEXT_FILE,
                     help="Texts to read, one a line; rows of the suspect's corpus by default."),
    ):  # fmt: skip
        function = option(function)
    return function


def read_texts(
    suspect: Suspect, *, file: Path | None, chats: Path | None, rows: int, seed: int
) -> list[Text]:
    """Lines of a file, chats sampled now, or corpus rows; raises BadParameter where there are none,
    AccessDenied where the corpus is not granted."""
    from saes.texts import Text, all_fitted, corpus_texts, lines

    if file is not None and chats is not None:
        raise click.UsageError("give --texts or --chats, not both")
    if chats is not None:
        turns = [[{"role": "user", "content": line}] for line in lines(chats)]
        replies = suspect.chat(turns, seed=seed)
        texts = [
            Text(suspect.render([*turn, {"role": "assistant", "content": reply.text}], False))
            for turn, (reply,) in zip(turns, replies, strict=True)
        ]
    elif file is not None:
        texts = [Text(line) for line in lines(file)]
    elif Access.TRAINING_DATA not in suspect.access:
        raise AccessDenied(
            f"the suspect '{suspect.id}' grants no training data to read",
            hint="Give --texts FILE or --chats FILE.",
        )
    else:
        return corpus_texts(suspect, rows, seed)
    found = [text for text in all_fitted(texts, [suspect]) if text.text]
    if not found:
        raise BadParameter(f"no text to read in {file or chats}", hint="Give one text a line.")
    return found


def open_sae(source: str) -> SAE:
    """A directory, or release/id through the artifact cache."""
    from saes.lens import fetch, load

    if Path(source).exists() or "/" not in source:
        return load(source)
    from workbench.artifacts import Artifacts
    from workbench.config import artifacts_root

    def make(into: Path) -> None:
        fetch(source, into)

    return load(Artifacts(artifacts_root()).get_or_make("pretrained", {"name": source}, make))


def opened_store(source: str, name: str, texts: dict[str, Any]) -> tuple[SAE, Suspect, Store]:
    """SAE, suspect and feature store, which is built where there is none yet."""
    from saes.activations import cached
    from saes.card import check_fits
    from saes.store import store
    from workbench.artifacts import Artifacts
    from workbench.config import artifacts_root
    from workbench.suspects import Suspect

    opened = open_sae(source)
    suspect = Suspect.load(name)
    check_fits(opened, suspect)
    artifacts = Artifacts(artifacts_root())
    read = read_texts(suspect, seed=0, **texts)
    with bars("activations", "features") as tell:
        held = cached(artifacts, suspect, read, [opened.hook_name], progress=tell("activations"))
        built = store(artifacts, opened, suspect, held, progress=tell("features"))
    return opened, suspect, built


def refuse_existing(out: Path) -> None:
    """Raises ConfigError where something is already there."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out} exists and is not empty", hint="Name a new directory.")


@contextmanager
def bars(*stages: str) -> Iterator[Callable[[str], Callable[[float], None]]]:
    """Progress on standard error: yields stage → callback for the share done."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as shown:
        tasks = {stage: shown.add_task(stage, total=1.0) for stage in stages}
        yield lambda stage: lambda share: shown.update(tasks[stage], completed=share)
