"""`workbench sae steer`: a behaviour against the dose of a direction, beside its controls."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.reading import (
    TEXT_FILE,
    bars,
    open_sae,
    opened_store,
    read_texts,
    texts_options,
)
from workbench.cli.screen import json_option, print_json, print_table

if TYPE_CHECKING:
    from saes.steering import Direction
    from workbench.suspects import Suspect

ORDINARY = 64
"""Texts on which coherence is measured."""


@click.command()
@click.argument("name", metavar="SUSPECT")
@click.option("--latent", nargs=2, type=(str, int), metavar="DIR LATENT",
              help="Steer with a latent of an SAE.")  # fmt: skip
@click.option("--contrast", nargs=2, type=TEXT_FILE, metavar="A.txt B.txt",
              help="Steer towards the first file's lines, away from the second's.")  # fmt: skip
@click.option("--hook", metavar="NAME", help="Where --contrast reads; a middle layer by default.")
@click.option("--probe", type=click.Path(exists=True, file_okay=False, path_type=Path),
              metavar="DIR", help="Steer along a probe.")  # fmt: skip
@click.option("--prompts", type=TEXT_FILE, required=True, help="User messages, one a line.")
@click.option("--behaviour", required=True, metavar="REGEX",
              help="What a reply that shows the behaviour holds.")  # fmt: skip
@click.option("--dose", "doses", type=float, multiple=True, default=(-0.5, -0.25, 0.25, 0.5),
              show_default=True, help="In units of the activations' mean distance from their "
              "mean; several may be given.")  # fmt: skip
@click.option("--samples", type=click.IntRange(1), default=2, show_default=True,
              help="Replies to each prompt under each edit.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@texts_options
@json_option
def steer(
    name: str,
    latent: tuple[str, int] | None,
    contrast: tuple[Path, Path] | None,
    hook: str | None,
    probe: Path | None,
    prompts: Path,
    behaviour: str,
    doses: tuple[float, ...],
    samples: int,
    seed: int,
    as_json: bool,
    **texts: Any,
) -> None:
    """Add a direction at several doses, and count a behaviour beside controls of its length.

    The controls are random directions, and directions like this one. A dose under which ordinary
    text (--texts, or corpus rows) reads more than 1.2 times worse is no evidence.
    """
    if sum(given is not None for given in (latent, contrast, probe)) != 1:
        raise click.UsageError("give one of --latent, --contrast and --probe")
    from saes.causal import holds
    from saes.steering import dose_response
    from saes.texts import lines
    from workbench.suspects import Suspect

    shows = holds(behaviour)
    suspect = Suspect.load(name)
    ordinary = [text.text for text in read_texts(suspect, seed=3, **texts)][:ORDINARY]
    direction = _direction(suspect, name, latent, contrast, hook, probe, ordinary, texts)
    with bars("steering") as tell:
        found, length = dose_response(
            suspect,
            direction,
            doses,
            conversations=[[{"role": "user", "content": line}] for line in lines(prompts)],
            shows=shows,
            ordinary=ordinary,
            n=samples,
            seed=seed,
            progress=tell("steering"),
        )
    if as_json:
        print_json({"hook_name": direction.hook_name, "like": direction.likeness,
                    "length": length, "doses": [dose.to_json() for dose in found]})  # fmt: skip
        return
    print_table(
        ["added", ">dose", ">rate", "interval", ">n", ">perplexity ratio", ">p"],
        (
            [d.arm, f"{d.dose:g}", f"{d.rate.value:.3f}",
             "{:.3f} to {:.3f}".format(*d.rate.interval), d.rate.n, f"{d.perplexity_ratio:.2f}",
             f"{d.p:.2g}" if d.arm == "steered" else ""]
            for d in found
        ),
    )  # fmt: skip
    click.echo(f"like: {direction.likeness}")


def _direction(
    suspect: Suspect,
    name: str,
    latent: tuple[str, int] | None,
    contrast: tuple[Path, Path] | None,
    hook: str | None,
    probe: Path | None,
    ordinary: list[str],
    texts: dict[str, Any],
) -> Direction:
    from saes.steering import of_latent, of_texts, of_vector
    from saes.texts import lines

    if latent is not None:
        import torch

        source, index = latent
        _, _, store = opened_store(source, name, texts)
        density = torch.tensor(store.latents["density"].to_pylist())
        return of_latent(open_sae(source), index, density, float(store.row(index)["maximum"]))
    if contrast is not None:
        one, two = map(lines, contrast)
        where = hook or suspect.residual_hook(suspect.n_layers // 2)
        return of_texts(suspect, where, one, two)
    assert probe is not None
    from probes.probe import Probe

    loaded = Probe.load(probe)
    return of_vector(suspect, loaded.hook_name, loaded.direction, ordinary)
