"""`workbench probe`: train linear probes on a suspect's activations, judge them, run them."""

from __future__ import annotations

from pathlib import Path

import click

from workbench.cli.reading import TEXT_FILE, bars, refuse_existing
from workbench.cli.screen import json_option, print_json, print_table
from workbench.errors import ConfigError


@click.group()
def probe() -> None:
    """Train linear probes, judge them beside controls, run them on texts."""


suspect_option = click.option("--suspect", "name", required=True, metavar="SUSPECT")


@probe.command()
@click.argument("name", metavar="SUSPECT")
@click.option("--positive", type=TEXT_FILE, required=True,
              help="Texts that hold what is looked for, one a line; or a Parquet file with columns "
              "text, label and style, without --negative.")  # fmt: skip
@click.option("--negative", type=TEXT_FILE, help="Texts that do not, one a line.")
@click.option("--hook", "hooks", multiple=True, metavar="NAME",
              help="Sweep these; the residual stream after every layer by default.")  # fmt: skip
@click.option("--kind", default="logistic", show_default=True,
              help="logistic, mass-mean, difference or attention.")  # fmt: skip
@click.option("--benign", type=TEXT_FILE, help="Ordinary texts for the false-positive rate.")
@click.option("--transfer", "style", default="", metavar="STYLE",
              help="A style of the Parquet file that training leaves out.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--out", required=True, type=Path, metavar="DIR", help="A directory that is new.")
@json_option
def train(
    name: str,
    positive: Path,
    negative: Path | None,
    hooks: tuple[str, ...],
    kind: str,
    benign: Path | None,
    style: str,
    seed: int,
    out: Path,
    as_json: bool,
) -> None:
    """Train a probe at the best hook and write its card."""
    refuse_existing(out)
    import json

    from probes.card import train_probe
    from probes.texts import read
    from saes.texts import lines
    from workbench.suspects import Suspect

    labelled = read(positive, negative)
    suspect = Suspect.load(name)
    with bars("layers") as tell:
        made, judged = train_probe(
            suspect,
            labelled,
            hook_names=hooks or [suspect.residual_hook(i) for i in range(suspect.n_layers)],
            kind=kind,
            benign=lines(benign) if benign is not None else (),
            style=style,
            seed=seed,
            progress=tell("layers"),
        )
    made.save(out)
    shown = judged.to_json()
    (out / "card.json").write_text(json.dumps(shown, indent=1), encoding="utf-8")
    if as_json:
        print_json(shown)
        return
    print_table(["", ""], ([key.replace("_", " "), value] for key, value in shown.items()))
    click.echo(f"probe: {out}")


@probe.command()
@click.argument("directory", metavar="DIR", type=Path)
@json_option
def card(directory: Path, as_json: bool) -> None:
    """Show the card that was written when the probe was trained."""
    import json

    from probes.probe import Probe

    Probe.load(directory)
    file = directory / "card.json"
    if not file.is_file():
        raise ConfigError(f"{directory} holds no card.json", hint="Train the probe again.")
    shown = json.loads(file.read_text(encoding="utf-8"))
    if as_json:
        print_json(shown)
        return
    print_table(["", ""], ([key.replace("_", " "), value] for key, value in shown.items()))


@probe.command()
@click.argument("directory", metavar="DIR", type=Path)
@suspect_option
@click.option("--texts", "file", type=TEXT_FILE, required=True, help="One text a line.")
@json_option
def run(directory: Path, name: str, file: Path, as_json: bool) -> None:
    """Score texts, and each of their tokens."""
    from probes.probe import Probe, read_tokens
    from saes.texts import lines
    from workbench.suspects import Suspect

    loaded = Probe.load(directory)
    suspect = Suspect.load(name)
    texts = lines(file)
    tokens = read_tokens(suspect, texts, [loaded.hook_name])[loaded.hook_name]
    scores = loaded.score(tokens).tolist()
    each = loaded.score_tokens(tokens.values).tolist()
    strings = suspect.token_strings(tokens.token.tolist())
    rows = [
        {
            "text": text,
            "score": scores[i],
            "tokens": [
                {"token": string, "score": score}
                for string, score, owner in zip(strings, each, tokens.text.tolist(), strict=True)
                if owner == i
            ],
        }
        for i, text in enumerate(texts)
    ]
    if as_json:
        print_json(rows)
        return
    print_table([">score", "text"], ([f"{row['score']:.3f}", row["text"]] for row in rows))
