"""`workbench rewards personas`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.reading import TEXT_FILE
from workbench.cli.rewards_input import Origin, draw, figure_option, progress, table_options
from workbench.cli.screen import json_option, print_json, print_table
from workbench.errors import BadParameter

if TYPE_CHECKING:
    from workbench.rewards.persona_held_out import HeldOut
    from workbench.rewards.persona_paths import Paths
    from workbench.rewards.personas import Filtered, Personas

FULL_SEEDS = 5


@click.command()
@table_options
@click.option("--suspect", metavar="SUSPECT", help="The tuned model.")
@click.option("--reference", metavar="SUSPECT", help="What it was tuned from, if it names none.")
@click.option("--questions", type=TEXT_FILE, metavar="TABLE",
              help="Columns prompt, and bad or good: what a reply with the behaviour holds or "
              "lacks (regular expressions).")  # fmt: skip
@click.option("--sae", "source", metavar="DIR",
              help="An SAE of the reference; without one it is trained, once.")  # fmt: skip
@click.option("--hook", metavar="NAME", help="Where it is trained; the middle layer by default.")
@click.option("--tokens", type=click.IntRange(1), default=200_000, show_default=True,
              help="Activations that it is trained on.")  # fmt: skip
@click.option("--d-sae", type=click.IntRange(1), default=1024, show_default=True)
@click.option("--k", type=click.FloatRange(1), default=32.0, show_default=True)
@click.option("--control", "controls", multiple=True, metavar="SUSPECT",
              help="A tune that has no reason to show the behaviour. May be repeated.")  # fmt: skip
@click.option("--tune", "tunes", multiple=True, metavar="SUSPECT",
              help="Another tune of the suspect's kind: each is left out once.")  # fmt: skip
@click.option("--checkpoint", "path", multiple=True, metavar="STEPS=SUSPECT",
              help="The suspect after benign tuning; several make a path.")  # fmt: skip
@click.option("--top", type=click.IntRange(1), default=5, show_default=True,
              help="Latents of each tail.")  # fmt: skip
@click.option("--dose", type=click.FloatRange(0, min_open=True), default=1.0, show_default=True,
              help="Length of what is added, in units of the activations' spread.")  # fmt: skip
@click.option("--samples", type=click.IntRange(1), default=1, show_default=True,
              help="Replies to each question.")  # fmt: skip
@click.option("--max-new-tokens", type=click.IntRange(1), default=32, show_default=True)
@click.option("--train", is_flag=True,
              help="No table, no suspect: train persona-shift organisms (minutes).")  # fmt: skip
@click.option("--full", is_flag=True, help=f"With --train: {FULL_SEEDS} seeds, as in the docs.")
@click.option("--base", default="base", show_default=True, metavar="SUSPECT",
              help="With --train: what is tuned.")  # fmt: skip
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path),
              help="With --train: keep the runs here, and go on with what is there.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--texts", type=TEXT_FILE,
              help="Texts to compare on, one a line; else rows of the corpus.")  # fmt: skip
@click.option("--rows", type=click.IntRange(1), default=3000, show_default=True,
              help="Corpus rows to draw.")  # fmt: skip
@figure_option
@json_option
def personas(
    origin: Origin,
    suspect: str | None,
    train: bool,
    full: bool,
    base: str,
    out: Path | None,
    seed: int,
    figure: Path | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Which latents did a tuning move, and do they move what the model does?

    With --suspect and --questions: both tails of the latent difference to its reference, a causal
    filter by steering, dose curves, control tunes, checkpoints of benign tuning. TABLE (CSV, TSV,
    Parquet) instead: kind, arm, seed, at, latent and behaviour, for how benign tuning brings both
    back and which warns first. Neither: a planted persona and its null version.
    """
    if sum((origin.given, suspect is not None, train)) > 1:
        raise BadParameter("a table, a suspect and --train at once", hint="Give one of them.")
    if (full or out is not None) and not train:
        raise BadParameter("--full and --out go with --train", hint="Add --train, or leave it out.")
    if origin.given:
        from workbench.rewards import persona_paths

        with progress("reading"):
            table = origin.read(persona_paths.COLUMNS)
        _paths(persona_paths.measure(table, seed=seed), figure, as_json)
    elif train:
        from workbench.rewards import persona_paths
        from workbench.rewards_lab import persona_runs

        with progress("training and measuring") as done:
            document = persona_runs.run(
                FULL_SEEDS if full else 1, base, out=out, first=seed, progress=done
            )
        found = persona_runs.summary(document)
        if not as_json:
            _told(found)
        _paths(
            persona_paths.measure(persona_runs.table(document), seed=seed), figure, as_json,
            {"organisms": found},
        )  # fmt: skip
    elif suspect is not None:
        _suspect(suspect, seed, figure, as_json, **given)
    else:
        _worlds(seed, figure, as_json)


def _suspect(
    name: str,
    seed: int,
    figure: Path | None,
    as_json: bool,
    *,
    reference: str | None,
    questions: Path | None,
    source: str | None,
    hook: str | None,
    tokens: int,
    d_sae: int,
    k: float,
    controls: Sequence[str],
    tunes: Sequence[str],
    path: Sequence[str],
    top: int,
    dose: float,
    samples: int,
    max_new_tokens: int,
    texts: Path | None,
    rows: int,
) -> None:
    from saes.lens import canonical
    from saes.train import cached_sae
    from workbench.artifacts import Artifacts
    from workbench.cli.reading import open_sae, read_texts
    from workbench.config import artifacts_root
    from workbench.rewards import persona_bench, persona_drawings
    from workbench.rewards.persona_held_out import held_out
    from workbench.rewards.personas import checkpoints, measure
    from workbench.rewards.tables import needs, read_table
    from workbench.suspects import Suspect

    if questions is None:
        raise BadParameter("no questions", hint=needs(persona_bench.QUESTIONS))
    if len(tunes) == 1 or (tunes and not controls):
        raise BadParameter(
            f"{len(tunes)} other tunes and {len(controls)} controls",
            hint="Give two tunes besides the suspect, and a control, to leave one out.",
        )
    asked = persona_bench.questions(read_table(questions, persona_bench.QUESTIONS))
    places = checkpoints(path)
    model = Suspect.load(name)
    other = model.reference if reference is None else Suspect.load(reference)
    others = [Suspect.load(one) for one in controls]
    read = [text.text for text in read_texts(model, file=texts, chats=None, rows=rows, seed=1)]
    if source is not None:
        sae = open_sae(source)
    else:
        place = other.residual_hook(other.n_layers // 2) if hook is None else canonical(hook)
        learned = [
            text.text for text in read_texts(other, file=texts, chats=None, rows=rows, seed=0)
        ]
        with progress("training an SAE") as done:
            sae = cached_sae(
                Artifacts(artifacts_root()), other, learned, hook_name=place, d_sae=d_sae, k=k,
                tokens=tokens, seed=seed, progress=lambda _, share: done(share),
            )  # fmt: skip
    with progress("steering") as done:
        found = measure(
            model, other, sae, read, asked, ordinary=read[:64], controls=others,
            path=[(steps, Suspect.load(one)) for steps, one in places], top=top, dose=dose,
            n=samples, max_new_tokens=max_new_tokens, seed=seed, progress=done,
        )  # fmt: skip
    charts = list(persona_drawings.personas(found))
    apart: tuple[HeldOut, ...] = ()
    if tunes:
        apart = held_out(sae, [model, *map(Suspect.load, tunes)], others, other, read, seed=seed)
        charts.append(persona_drawings.held_out(apart))
    draw(figure, "Persona difference", charts, ("Verdict", persona_drawings.SAID[found.verdict]))
    if as_json:
        import dataclasses

        held = [dataclasses.asdict(one) for one in apart]
        print_json({**found.to_json(), "held_out": held})
        return
    _print(found)
    if apart:
        better = sum(one.better for one in apart)
        click.echo(f"left out: the latent beats both baselines on {better} of {len(apart)} tunes")


def _print(found: Personas) -> None:
    from workbench.rewards.persona_drawings import SAID

    suspect, reference = found.plain
    click.echo(
        f"behaviour: {suspect.rate.value:.3f} in {found.suspect}, {reference.rate.value:.3f} in "
        f"{found.reference} (n = {reference.rate.n}); {found.moved} latents differ"
    )
    print_table(
        ["direction", ">difference", ">reference, added", ">suspect, taken away", ">p", ""],
        (_cells(one) for one in (*found.latents, *found.baselines)),
    )
    for curve in found.curves:
        if curve.trend is not None:
            word = "rises" if curve.trend.monotone else "does not rise monotonically"
            click.echo(f"dose: in {curve.who} the behaviour {word} (p = {curve.trend.p_rise:.2g})")
    alarms = found.alarms
    if alarms is not None:
        low, high = alarms.interval
        click.echo(
            f"controls: {alarms.hits} of {alarms.n} raise the alarm ({low:.0%} to {high:.0%})"
        )
    for one in found.path:
        click.echo(
            f"after {one.steps:g} benign steps: latent {one.latent:.4g}, behaviour "
            f"{one.rate.value:.3f}"
        )
    click.echo(SAID[found.verdict])
    for note in found.notes:
        click.echo(f"note: {note}")


def _cells(one: Filtered) -> list[str]:
    name = one.kind if one.latent < 0 else f"{one.kind} {one.latent}"
    moved = "" if one.change is None else f"{one.change.difference:+.4f}"
    rates = [
        f"{trial.rate.value:.3f}{'' if trial.coherent else ' (incoherent)'}"
        for trial in (one.raised, one.lowered)
    ]
    p = "" if one.change is None else f"{one.p:.2g}"
    return [name, moved, *rates, p, "kept" if one.kept else ""]


def _paths(
    found: Paths, figure: Path | None, as_json: bool, more: dict[str, Any] | None = None
) -> None:
    from workbench.rewards import persona_drawings

    draw(
        figure, "Persona paths", persona_drawings.paths(found), ("Verdict", found.verdict)
    )  # fmt: skip
    if as_json:
        print_json({**found.to_json(), "verdict": found.verdict, **(more or {})})
        return
    print_table(
        ["benign data", ">latent back", ">behaviour back", ">seeds", ">Spearman's rho"],
        (
            [
                one.course.arm,
                "" if one.latent_back is None else f"{one.latent_back.value:.3g}",
                "" if one.behaviour_back is None else f"{one.behaviour_back.value:.3g}",
                one.course.seeds,
                "" if one.rho is None else f"{one.rho.value:+.2f}",
            ]
            for one in found.returns
        ),
    )
    warning = found.warning
    if warning is not None:
        parts = [
            f"{what} {'at no share' if one.share is None else f'from {one.share:g} on'}"
            for what, one in (("latent", warning.latent), ("behaviour", warning.behaviour))
        ]
        click.echo(f"bad tunes exceed controls: {', '.join(parts)}: {warning.claim}")
    for note in found.notes:
        click.echo(f"note: {note}")


def _told(found: dict[str, Any]) -> None:
    for seed, one in found["seeds"].items():
        click.echo(f"seed {seed}: {one['said']}")


def _worlds(seed: int, figure: Path | None, as_json: bool) -> None:
    from workbench.rewards import persona_drawings
    from workbench.rewards_lab import persona_world

    with progress("measuring planted worlds") as done:
        worlds = persona_world.both(seed, progress=done)
    planted = worlds["planted"]
    draw(
        figure, "Persona difference, planted", persona_world.drawings(worlds),
        *((name, persona_drawings.SAID[one.found.verdict]) for name, one in worlds.items()),
    )  # fmt: skip
    if as_json:
        print_json({name: one.to_json() for name, one in worlds.items()})
        return
    _print(planted.found)
    for name, one in worlds.items():
        click.echo(
            f"{name}: {persona_drawings.SAID[one.found.verdict].lower()}; cosine with the planted "
            f"direction {one.cosine:+.2f} (99 % of latents below {one.chance:.2f}); "
            f"{one.paths.verdict}"
        )
