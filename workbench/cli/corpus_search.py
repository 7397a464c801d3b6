"""`workbench corpus index` and `trace`: indexes that are built once, and verbatim spans."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.corpora import (
    corpus_options,
    kept_artifacts,
    limit_option,
    loaded,
    open_corpus,
    said,
)
from workbench.cli.screen import json_option, print_json, print_table
from workbench.errors import BadParameter

if TYPE_CHECKING:
    pass


@click.command()
@corpus_options
@click.option(
    "--kind",
    "kinds",
    type=click.Choice(["exact", "ranked", "semantic"]),
    multiple=True,
    help="Build this one; several times for several. Exact and ranked by default.",
)
@click.option("--layer", type=int, default=0, show_default=True, help="Of the suspect, semantic.")
@json_option
def index(
    suspect: str | None,
    path: Path | None,
    kinds: Sequence[str],
    layer: int,
    as_json: bool,
) -> None:
    """Build the indexes that trace, similar and the techniques use.

    Exact: suffix arrays, for counts and verbatim spans. Ranked: BM25. Semantic: activations of the
    suspect over every passage, which takes a forward pass each. A build that was interrupted goes
    on where it was.
    """
    from workbench.corpus.embedders import SuspectEmbedder
    from workbench.corpus.ranked import RankedIndex
    from workbench.corpus.semantic import SemanticIndex
    from workbench.corpus.suffixes import SuffixIndex

    if "semantic" in kinds and suspect is None:
        raise click.UsageError("the semantic index reads a suspect: give --suspect")
    opened, kept = open_corpus(suspect, path), kept_artifacts()
    rows: list[dict[str, Any]] = []
    for kind in dict.fromkeys(kinds or ("exact", "ranked")):
        began = time.monotonic()
        told: dict[str, Any]
        if kind == "exact":
            exact = SuffixIndex.open(opened, kept, progress=said("exact"))
            told = {"shards": len(exact.shards), "text_bytes": exact.size}
        elif kind == "ranked":
            ranked = RankedIndex.open(opened, kept, progress=said("ranked"))
            told = {"engine": ranked.engine}
        else:
            embedder = SuspectEmbedder(loaded(suspect), layer)
            SemanticIndex.open(opened, embedder, kept, progress=said("semantic"))
            told = {"hook_name": embedder.hook_name}
        seconds = round(time.monotonic() - began, 3)
        rows.append({"kind": kind, "documents": opened.documents, "seconds": seconds, **told})
    if as_json:
        print_json(rows)
        return
    print_table(
        ["kind", ">documents", ">seconds", "made of"],
        ([r["kind"], r["documents"], r["seconds"], _rest(r)] for r in rows),
    )


@click.command()
@click.argument("text")
@corpus_options
@click.option(
    "--least-words", type=click.IntRange(1), default=4, show_default=True, help="Words of a span."
)
@click.option(
    "--shuffles", type=click.IntRange(0), default=19, show_default=True, help="Shuffled controls."
)
@click.option("--seed", type=int, default=0, show_default=True)
@limit_option
@json_option
def trace(
    text: str,
    suspect: str | None,
    path: Path | None,
    least_words: int,
    shuffles: int,
    seed: int,
    limit: int,
    as_json: bool,
) -> None:
    """Find what TEXT has word for word from a corpus, and the documents it stands in.

    Spans come rarest first. The longest match is shown beside that of the same words shuffled.
    `-` reads the text from standard input.
    """
    from workbench.corpus.suffixes import SuffixIndex
    from workbench.corpus.trace import Tracer

    text = sys.stdin.read() if text == "-" else text
    if not text.strip():
        raise BadParameter("a text without words", hint="Give the words of an output.")
    found = SuffixIndex.open(open_corpus(suspect, path), kept_artifacts(), progress=said("exact"))
    traced = Tracer(found, least_words=least_words, places=limit, shuffles=shuffles).trace(
        text, seed=seed
    )
    if as_json:
        print_json(
            {
                "words": traced.words,
                "covered": traced.covered,
                "longest": traced.longest,
                "p": traced.p,
                "shuffled": {
                    "covered": list(traced.shuffled_covered),
                    "longest": list(traced.shuffled_longest),
                },
                "spans": [dataclasses.asdict(span) for span in traced.spans],
            }
        )
        return
    print_table(
        [">bits", ">words", ">documents", "span", "first places"],
        (
            [
                f"{span.rarity:.0f}",
                span.words,
                span.documents,
                span.text,
                ", ".join(place.document for place in span.places[:3]),
            ]
            for span in traced.spans
        ),
    )
    control = ""
    if traced.shuffled_longest:
        mean = sum(traced.shuffled_longest) / len(traced.shuffled_longest)
        control = f"; {mean:.1f} with its words shuffled, p = {traced.p:.3g}"
    click.echo(
        f"{traced.covered:.0%} of {traced.words} words in spans; longest match "
        f"{traced.longest} words{control}",
        err=True,
    )


def _rest(row: Mapping[str, Any]) -> str:
    known = {"kind", "documents", "seconds"}
    return ", ".join(f"{name} {value}" for name, value in row.items() if name not in known)
