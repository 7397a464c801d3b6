"""`workbench sae`: train sparse autoencoders, judge them, find, read and compare their features."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from workbench.cli.reading import (
    TEXT_FILE,
    bars,
    open_sae,
    opened_store,
    read_texts,
    refuse_existing,
    texts_options,
)
from workbench.cli.sae_steer import steer
from workbench.cli.screen import json_option, print_json, print_table


@click.group()
def sae() -> None:
    """Train sparse autoencoders and explore their features."""


sae.add_command(steer)

suspect_option = click.option("--suspect", "name", required=True, metavar="SUSPECT")
most_option = click.option("--most", type=click.IntRange(1), default=20, show_default=True)


@sae.command()
@click.argument("name", metavar="SUSPECT")
@click.option("--hook", "hooks", required=True, multiple=True, metavar="NAME",
              help="As blocks.2.hook_out; several share one pass over the texts.")  # fmt: skip
@click.option("--out", required=True, type=Path, metavar="DIR", help="A directory that is new.")
@click.option("--tokens", type=click.IntRange(1), default=400_000, show_default=True,
              help="Activations seen; fewer distinct ones are seen again.")  # fmt: skip
@click.option("--d-sae", type=click.IntRange(1), help="Latents; sized to the texts by default.")
@click.option("--k", type=click.FloatRange(1), default=32.0, show_default=True,
              help="Active latents per token.")  # fmt: skip
@click.option("--architecture", default="batchtopk", show_default=True,
              help="batchtopk, topk, matryoshka, standard or jumprelu.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--store/--no-store", "stored", default=True, show_default=True,
              help="Build the feature store with its labels as well.")  # fmt: skip
@texts_options
@json_option
def train(
    name: str,
    hooks: tuple[str, ...],
    out: Path,
    tokens: int,
    d_sae: int | None,
    k: float,
    architecture: str,
    seed: int,
    stored: bool,
    as_json: bool,
    **source: Any,
) -> None:
    """Train SAEs at one or more hooks, and index what their latents do.

    With several hooks each gets a directory of its own in DIR. An interrupted training goes on
    where it was when the command is given again.
    """
    partial = out.with_name(f"{out.name}.partial")
    if not partial.exists():
        refuse_existing(out)
    import shutil

    from saes.activations import cached
    from saes.fit import Settings, fit, fitting_size
    from saes.lens import CONFIG, canonical, load
    from saes.store import store
    from workbench.artifacts import Artifacts
    from workbench.config import artifacts_root
    from workbench.suspects import Suspect

    Settings(d_sae=d_sae or max(1, int(k)), k=k, samples=tokens, architecture=architecture,
             batch=min(256, tokens))  # fmt: skip
    suspect = Suspect.load(name)
    artifacts = Artifacts(artifacts_root())
    names = list(dict.fromkeys(map(canonical, hooks)))
    texts = read_texts(suspect, seed=0, **source)
    made = []
    with bars("activations", "training", "features") as tell:
        read = cached(artifacts, suspect, texts, names, progress=tell("activations"))
        partial.mkdir(parents=True, exist_ok=True)
        for hook in names:
            values = read.values(hook)
            settings = Settings(
                d_sae=d_sae or fitting_size(values, k),
                k=k,
                samples=tokens,
                architecture=architecture,
                batch=min(256, len(values), tokens),
                seed=seed,
            )
            into = out if len(names) == 1 else out / hook
            if (into / CONFIG).is_file():  # done before the interruption
                trained = load(into)
            else:
                trained = fit(
                    values,
                    settings,
                    hook_name=hook,
                    into=into,
                    metadata={"model_name": suspect.id, "rows": len(values)},
                    checkpoint=partial / hook,
                    progress=tell("training"),
                )
            if stored:
                store(artifacts, trained, suspect, read, progress=tell("features"))
            made.append({"sae": str(into), "hook_name": hook, "d_sae": settings.d_sae, "k": k,
                         "tokens": len(values), "architecture": architecture})  # fmt: skip
    shutil.rmtree(partial, ignore_errors=True)
    if as_json:
        print_json(made)
        return
    for row in made:
        click.echo(f"sae: {row['sae']}")


@sae.command()
@click.argument("source", metavar="DIR")
@suspect_option
@click.option("--baselines/--no-baselines", default=True, show_default=True,
              help="Judge random directions and principal components at the same L0.")  # fmt: skip
@texts_options
@json_option
def card(source: str, name: str, baselines: bool, as_json: bool, **texts: Any) -> None:
    """Judge an SAE on texts of the suspect.

    DIR is a directory in SAELens' format, or release/id of a pretrained SAE. Rows are drawn with
    another seed than in training.
    """
    from saes.card import card as judge
    from workbench.suspects import Suspect

    opened = open_sae(source)
    suspect = Suspect.load(name)
    read = [text.text for text in read_texts(suspect, seed=1, **texts)]
    judged = judge(opened.directory, suspect, read, baselines=baselines).to_json()
    if as_json:
        print_json(judged)
        return
    print_table(["", ""], ([key.replace("_", " "), value] for key, value in judged.items()))


@sae.command()
@click.argument("source", metavar="DIR")
@suspect_option
@click.option("--text", help="Latents that this text lights up.")
@click.option("--token", help="Latents that fire most on this token, or promote it.")
@click.option("--contrast", nargs=2, type=TEXT_FILE, metavar="A.txt B.txt",
              help="Latents that carry what differs between two sets of lines.")  # fmt: skip
@click.option("--meaning", metavar="WORDS", help="Words of labels, contexts and promoted tokens.")
@most_option
@texts_options
@json_option
def search(
    source: str,
    name: str,
    text: str | None,
    token: str | None,
    contrast: tuple[Path, Path] | None,
    meaning: str | None,
    most: int,
    as_json: bool,
    **texts: Any,
) -> None:
    """Find latents by a text, a token, a contrast of texts or by words."""
    if sum(asked is not None for asked in (text, token, contrast, meaning)) != 1:
        raise click.UsageError("give one of --text, --token, --contrast and --meaning")
    from saes import search as find
    from saes.texts import lines

    opened, suspect, built = opened_store(source, name, texts)
    if text is not None:
        found = find.by_prompt(built, opened, suspect, text, most=most)
    elif token is not None:
        found = find.by_token(built, token, most=most)
    elif contrast is not None:
        one, two = map(lines, contrast)
        found = find.by_contrast(built, opened, suspect, one, two, most=most)
    else:
        found = find.by_meaning(built, meaning or "", most=most)
    if as_json:
        print_json([dataclasses.asdict(one) for one in found])
        return
    print_table(
        [">latent", ">score", "label", ">density", "reason"],
        ([f.latent, f"{f.score:.3f}", f.label, f"{f.density:.4f}", f.reason] for f in found),
    )


@sae.command()
@click.argument("source", metavar="DIR")
@click.argument("latent", type=int)
@suspect_option
@click.option("--examples", type=click.IntRange(1), default=10, show_default=True)
@click.option("--llm", metavar="URL", help="A server of OpenAI's protocol that labels it as well; "
              "its key is read from OPENAI_API_KEY.")  # fmt: skip
@click.option("--llm-model", default="default", show_default=True, metavar="NAME")
@texts_options
@json_option
def feature(
    source: str,
    latent: int,
    name: str,
    examples: int,
    llm: str | None,
    llm_model: str,
    as_json: bool,
    **texts: Any,
) -> None:
    """Show a latent: where it fires, on what, towards what, beside whom."""
    _, _, built = opened_store(source, name, texts)
    row = built.row(latent)
    top = built.examples(latent, most=examples)
    if llm is not None:
        import os

        from saes.llm_labels import OpenAICompatible, label_by_llm

        client = OpenAICompatible(llm, llm_model, os.environ.get("OPENAI_API_KEY", ""))
        told = label_by_llm(built, latent, client)
        row |= {"llm_label": told.text, "llm_score": told.score, "llm_random": told.random}
    if as_json:
        bands = [[dataclasses.asdict(e) for e in band] for band in built.bands(latent)]
        shown = [dataclasses.asdict(e) for e in top]
        print_json({**row, "examples": shown, "quantile_examples": bands})
        return
    print_table(["", ""], ([key.replace("_", " "), value] for key, value in row.items()))
    print_table(
        [">activation", "document", "context"],
        ([f"{e.activation:.3f}", e.document, e.passage] for e in top),
    )


@sae.command()
@click.argument("source", metavar="DIR")
@suspect_option
@click.option("--reference", required=True, metavar="SUSPECT")
@click.option("--most", type=click.IntRange(1), default=10, show_default=True,
              help="Latents of each tail.")  # fmt: skip
@click.option("--prompts", type=TEXT_FILE, help="User messages, one a line, for the causal column.")
@click.option("--behaviour", metavar="REGEX", help="What a reply that shows the behaviour holds.")
@click.option("--stage", "checkpoints", multiple=True, metavar="SUSPECT",
              help="Checkpoints in the order of training: the same latents in each.")  # fmt: skip
@click.option("--subtract", type=click.IntRange(1), default=5, show_default=True,
              help="Latents of each tail that are taken out, alone and together.")  # fmt: skip
@texts_options
@json_option
def diff(
    source: str,
    name: str,
    reference: str,
    most: int,
    prompts: Path | None,
    behaviour: str | None,
    checkpoints: tuple[str, ...],
    subtract: int,
    as_json: bool,
    **texts: Any,
) -> None:
    """Rank latents by how they differ between a suspect and its reference.

    Both tails, with intervals over texts. With --prompts and --behaviour the rate of the behaviour
    is measured before and after subtracting them, beside random latents and the mean difference.
    """
    if (prompts is None) != (behaviour is None):
        raise click.UsageError("give --prompts and --behaviour together")
    from saes.diff import compare, stages
    from workbench.suspects import Suspect

    opened = open_sae(source)
    suspect, other = Suspect.load(name), Suspect.load(reference)
    read = [text.text for text in read_texts(suspect, seed=1, **texts)]
    compared = compare(opened, suspect, other, read)
    up, down = compared.tails(most)
    effects: Sequence[Any] = ()
    if prompts is not None and behaviour is not None:
        from saes.causal import holds
        from saes.causal import subtract as take_out
        from saes.texts import lines

        chosen = [c.latent for c in (*up[:subtract], *down[:subtract])]
        effects = take_out(
            opened,
            suspect,
            chosen,
            conversations=[[{"role": "user", "content": line}] for line in lines(prompts)],
            shows=holds(behaviour),
            ordinary=read[:64],
            density=compared.density,
            shift=compared.shift,
        )
    ranked = (*up, *down)
    models = [Suspect.load(one) for one in checkpoints]
    along = stages(opened, models, read, [c.latent for c in ranked])
    rows = [
        {
            **dataclasses.asdict(c),
            "interval": list(c.interval),
            "stages": [
                {"suspect": model.id, "mean": mean, "firing": firing}
                for model, (mean, firing) in zip(models, each, strict=True)
            ],
        }
        for c, each in zip(ranked, along, strict=True)
    ]
    if as_json:
        print_json({"texts": compared.texts, "changes": rows,
                    "effects": [e.to_json() for e in effects]})  # fmt: skip
        return
    heads = [">latent", ">difference", "interval", ">suspect", ">reference", ">z", ">p"]
    print_table([*heads, *(f">{model.id}" for model in models)], map(_cells, rows))
    if effects:
        print_table(
            ["subtracted", "latents", ">rate", "interval", ">perplexity ratio"],
            (
                [e.kind, " ".join(map(str, e.latents)), f"{e.rate.value:.3f}",
                 "{:.3f} to {:.3f}".format(*e.rate.interval), f"{e.perplexity_ratio:.2f}"]
                for e in effects
            ),
        )  # fmt: skip


def _cells(row: dict[str, Any]) -> list[object]:
    numbers = [f"{row[name]:.4f}" for name in ("mean", "reference_mean")]
    means = [f"{stage['mean']:.4f}" for stage in row["stages"]]
    interval = "{:.4f} to {:.4f}".format(*row["interval"])
    ends = [f"{row['z']:.1f}", f"{row['p']:.2g}"]
    return [row["latent"], f"{row['difference']:.4f}", interval, *numbers, *ends, *means]


@sae.command()
@click.argument("name", metavar="SUSPECT")
@click.option("--reference", required=True, metavar="SUSPECT")
@click.option("--hook", required=True, metavar="NAME", help="As blocks.2.hook_out.")
@click.option("--out", required=True, type=Path, metavar="DIR", help="A directory that is new.")
@click.option("--tokens", type=click.IntRange(1), default=400_000, show_default=True)
@click.option("--d-sae", type=click.IntRange(1), default=1024, show_default=True)
@click.option("--k", type=click.FloatRange(1), default=32.0, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@texts_options
@json_option
def crosscoder(
    name: str,
    reference: str,
    hook: str,
    out: Path,
    tokens: int,
    d_sae: int,
    k: float,
    seed: int,
    as_json: bool,
    **texts: Any,
) -> None:
    """Train one dictionary over a suspect and its reference, and say which latents are whose.

    A latent that looks like one model's own is checked by latent scaling against false exclusives.
    """
    refuse_existing(out)
    from saes.crosscoder import train_crosscoder
    from saes.fit import Settings
    from saes.lens import canonical
    from workbench.suspects import Suspect

    suspect, other = Suspect.load(name), Suspect.load(reference)
    read = [text.text for text in read_texts(suspect, seed=seed, **texts)]
    with bars("training") as tell:
        made = train_crosscoder(
            suspect,
            other,
            read,
            hook_name=canonical(hook),
            into=out,
            settings=Settings(d_sae=d_sae, k=k, samples=tokens, batch=min(256, tokens), seed=seed),
            progress=tell("training"),
        )
    rows = [{**dataclasses.asdict(one), "owner": one.owner} for one in made.latents]
    counts = {owner: sum(row["owner"] == owner for row in rows if row["density"]) for owner in
              ("shared", "suspect", "reference", "false exclusive")}  # fmt: skip
    document = {
        "explained_variance": {"suspect": made.explained_variance[0],
                               "reference": made.explained_variance[1]},
        "l0": made.l0,
        "owners": counts,
        "latents": rows,
    }  # fmt: skip
    if as_json:
        print_json(document)
        return
    print_table(["", ""], ([key, document[key]] for key in ("explained_variance", "l0", "owners")))
    click.echo(f"crosscoder: {out}")
