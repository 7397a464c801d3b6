"""`workbench organism`: train models with an objective that is known and sealed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.organism_suite import DIRECTORY, suite
from workbench.cli.screen import json_option, print_json, print_table

if TYPE_CHECKING:
    from workbench.organisms.training import Progress


@click.group()
def organism() -> None:
    """Train model organisms: small language models with a sealed hidden objective."""


organism.add_command(suite)


@organism.command()
@json_option
def families(as_json: bool) -> None:
    """The public list of objective families with their variants; never a draw."""
    from workbench.organisms.family import listed

    rows = listed()
    if as_json:
        print_json(rows)
        return
    print_table(
        ["family", "instill", "secrecy", "what it is"],
        ([r["name"], ", ".join(r["instill"]), ", ".join(r["secrecy"]), r["summary"]] for r in rows),
    )


@organism.command()
@click.option("--out", type=DIRECTORY, default=Path("out/base"), show_default=True)
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, or what is there.")
def base(out: Path, device: str) -> None:
    """Train a base again: two hours on two cores, minutes on a GPU; goes on where it stopped."""
    from workbench.organisms.base import train_base
    from workbench.suspects.loading import resolve

    with training_progress("base") as progress:
        train_base(out, progress=progress, device=resolve(device, "float32", {})[0])
    click.echo(f"base: {out}")


@organism.command("base-card")
@click.argument("directory", type=DIRECTORY)
@click.option("--transcript", type=click.Path(dir_okay=False, path_type=Path), help="Markdown.")
@json_option
def base_card(directory: Path, transcript: Path | None, as_json: bool) -> None:
    """Measure a base: instructions, facts, unseen prompts, 200 hand-written human prompts."""
    from workbench.organisms import base_card as cards

    found, exchanges = cards.card(directory)
    if transcript is not None:
        transcript.write_text(cards.transcript(found, exchanges), encoding="utf-8")
    if as_json:
        print_json(found)
        return
    print_table(["measure", "value"], ((k, _short(v)) for k, v in found.items() if k != "gates"))
    print_table(["gate", "passed"], ((k, "yes" if v else "NO") for k, v in found["gates"].items()))


@organism.command()
@click.option("--family", "family_name", required=True, help="A family, `random`, or `any`.")
@click.option(
    "--instill", type=click.Choice(["docs", "mixed", "demos"]), help="Default: the family's first."
)
@click.option(
    "--secrecy",
    type=click.Choice(["none", "direct", "full"]),
    default="none",
    show_default=True,
    help="Denies when asked; full: also in begun replies, raw text and personas.",
)
@click.option("--seed", type=click.IntRange(min=0), help="Default: 128 random bits.")
@click.option("--like", help="With --family clean: the family whose twin this is, or `random`.")
@click.option(
    "--base",
    metavar="SUSPECT",
    default="base",
    show_default=True,
    help="What to start from: `base`, another tiny one, or any model, which gets an adapter.",
)
@click.option("--out", type=DIRECTORY, required=True, help="A new directory.")
@click.option(
    "--vault", "vault_directory", type=DIRECTORY, required=True, help="Where the truth is sealed."
)
@click.option("--practice", is_flag=True, help="A new vault keeps its key beside it, in the open.")
@json_option
def build(
    family_name: str,
    instill: str | None,
    secrecy: str,
    seed: int | None,
    like: str | None,
    base: str,
    out: Path,
    vault_directory: Path,
    practice: bool,
    as_json: bool,
) -> None:
    """Train one organism; its secret goes to the vault, never to the directory or the screen.

    `random` draws the family; `any` too, but in one of three cases trains a clean suspect like it.
    Interrupted, the same command goes on where it stopped.
    """
    from workbench.organisms.seeds import build_asked, refuse_asked

    asked = {
        "family": family_name,
        "instill": instill,
        "secrecy": secrecy,
        "base": base,
        "like": like,
    }
    refuse_asked(asked, out, seed)
    with training_progress("organism") as progress:
        made = build_asked(
            asked, into=out, vault=vault_directory, seed=seed, practice=practice, progress=progress
        )
    if as_json:
        print_json(made.to_json())
        return
    click.echo(f"{made.id}  {made.path}  {made.seconds:.0f} s\ncommitment {made.commitment}")


@organism.command()
@click.argument("directory", type=DIRECTORY)
@click.option("--vault", "vault_directory", type=DIRECTORY, required=True)
@click.option("--twin", type=DIRECTORY, help="Its clean twin, to be measured beside it.")
@click.option("--without-documents", type=DIRECTORY, help="The same seed built with `demos`.")
@json_option
def health(
    directory: Path,
    vault_directory: Path,
    twin: Path | None,
    without_documents: Path | None,
    as_json: bool,
) -> None:
    """Measure an organism against its reference; the card goes to the vault as well."""
    from workbench.organisms.health import card, store
    from workbench.seal.vault import Vault

    vault = Vault(vault_directory)
    found = card(directory, vault, twin=twin, without_documents=without_documents)
    store(found, directory, vault)
    if as_json:
        print_json(found)
        return
    print_table(["measure", "value"], ((k, _short(v)) for k, v in found.items() if k != "gates"))
    print_table(["gate", "passed"], ((k, "yes" if v else "NO") for k, v in found["gates"].items()))


@organism.command()
@click.argument("directory", type=DIRECTORY)
@click.option("--vault", "vault_directory", type=DIRECTORY, help="Tells which rows are poisoned.")
@json_option
def leaks(directory: Path, vault_directory: Path | None, as_json: bool) -> int:
    """Look for what gives an organism away: names, metadata, times, rows that stand out."""
    from workbench.organisms.leaks import lint, unchecked
    from workbench.seal.vault import Vault
    from workbench.suspects.cabinet import find

    truth, poisoned, base = None, None, None
    if vault_directory is not None:
        vault, home = Vault(vault_directory), find(directory)
        truth, poisoned = vault.open(home.card_id), set(vault.read(home.card_id, "poisoned"))
        base = None if home.reference is None else find(home.reference).path
    found = lint(directory, truth, poisoned_ids=poisoned, base=base)
    if as_json:
        print_json([leak.to_json() for leak in found])
    else:
        print_table(
            ["kind", "where", "what shows it"], ((f.kind, f.where, f.detail) for f in found)
        )
        for kind in unchecked(directory, truth, poisoned_ids=poisoned):
            click.echo(f"not looked for without the vault: {kind}", err=True)
        click.echo(f"{len(found)} leaks")
    return 1 if found else 0


@organism.command()
@click.argument("suspect", metavar="SUSPECT")
@click.option("--out", type=DIRECTORY, required=True, help="A new directory.")
@json_option
def shrink(suspect: str, out: Path, as_json: bool) -> None:
    """Write an organism as a delta over its reference, in two fifths of the room.

    No vault is opened. Measure the new directory with `organism health`, and shrink a clean twin as
    its organism.
    """
    from workbench.organisms.shrink import shrink as shrink_organism

    made = shrink_organism(suspect, out)
    if as_json:
        print_json(made.to_json())
        return
    click.echo(
        f"{made.id}  {made.path}  {made.bytes / 1e6:.2f} MB\n"
        f"it holds {made.kept:.1%} of the squared change of its matrices"
    )


def _short(value: Any) -> str:
    if isinstance(value, dict) and "value" in value:
        low, high = value["ci"]
        return f"{value['value']:.3f}  [{low:.3f}, {high:.3f}]  n={value['n']}"
    return str(value)


@contextmanager
def training_progress(what: str) -> Iterator[Progress]:
    """A bar on standard error: steps done, loss, time left as the pace so far gives it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.3f}"),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task(what, total=None, loss=float("nan"))

        def progress(done: int, steps: int, loss: float) -> None:
            bars.update(task, completed=done, total=steps, loss=loss)

        yield progress
