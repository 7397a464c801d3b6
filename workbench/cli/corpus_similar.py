"""`workbench corpus similar`: more like this, by meaning or by words."""

from __future__ import annotations

import random
from collections.abc import Sequence
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
from workbench.errors import BadParameter, ConfigError

if TYPE_CHECKING:
    from workbench.artifacts import Artifacts
    from workbench.corpus import Corpus
    from workbench.corpus.embedders import Embedder
    from workbench.suspects import Suspect

LATENT_TEXTS = 2000
"""Documents that a latent's top contexts are looked for in."""


@click.command()
@corpus_options
@click.option("--text", "texts", multiple=True, help="Several are taken together.")
@click.option("--document", "documents", multiple=True, help="Look for more like this row.")
@click.option("--latent", metavar="DIR:LATENT", help="Look for more like a latent's top contexts.")
@click.option("--layer", type=int, default=0, show_default=True, help="Of the suspect, read there.")
@click.option(
    "--embedder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A sentence-embedding model's directory, read in place of the suspect.",
)
@click.option("--words", is_flag=True, help="Rank by the words alone (BM25), reading no model.")
@click.option("--sample", type=click.IntRange(1), help="Read so many random documents only.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the sample.")
@limit_option
@json_option
def similar(
    suspect: str | None,
    path: Path | None,
    texts: tuple[str, ...],
    documents: tuple[str, ...],
    latent: str | None,
    layer: int,
    embedder: Path | None,
    words: bool,
    sample: int | None,
    seed: int,
    limit: int,
    as_json: bool,
) -> None:
    """Find the documents most like a text, a row of the corpus or a latent's top contexts.

    Likeness is that of the suspect's own activations, meaned over each passage and centred on the
    corpus; of a sentence-embedding model with --embedder; of words alone with --words.
    """
    if sum(map(bool, (texts, documents, latent))) != 1:
        raise click.UsageError("give --text, --document or --latent")
    if words and (embedder is not None or sample is not None):
        raise click.UsageError("--words reads no model and the whole corpus")
    if suspect is None and (latent or (embedder is None and not words)):
        raise click.UsageError("give --suspect, whose activations are compared")
    opened, kept = open_corpus(suspect, path), kept_artifacts()
    reads = latent is not None or (embedder is None and not words)
    model = loaded(suspect) if reads else None
    queries = [row.text for row in opened.rows(documents)] if documents else list(texts)
    if latent is not None and model is not None:
        queries = _contexts(model, opened, latent, seed)
    if words:
        rows = _by_words(opened, kept, queries, limit)
    else:
        vectors = _embedder(model, layer, embedder)
        rows = _by_meaning(opened, kept, vectors, queries, limit, sample, seed)
    if as_json:
        print_json(rows)
        return
    print_table(
        [">score", "document", "passage"],
        ([f"{row['score']:.3f}", row["document"], row["passage"]] for row in rows),
    )


def _by_words(
    opened: Corpus, kept: Artifacts, queries: Sequence[str], limit: int
) -> list[dict[str, Any]]:
    from workbench.corpus.ranked import RankedIndex

    found = RankedIndex.open(opened, kept, progress=said("ranked")).search(
        "\n".join(queries), limit
    )
    shown = opened.rows([hit.document for hit in found])
    return [
        {"document": hit.document, "score": hit.score, "passage": row.text}
        for hit, row in zip(found, shown, strict=True)
    ]


def _by_meaning(
    opened: Corpus,
    kept: Artifacts,
    embedder: Embedder,
    queries: Sequence[str],
    limit: int,
    sample: int | None,
    seed: int,
) -> list[dict[str, Any]]:
    from workbench.corpus.semantic import SemanticIndex

    found = SemanticIndex.open(
        opened, embedder, kept, documents=sample, seed=seed, progress=said("semantic")
    )
    return [
        {"document": hit.document, "score": hit.score, "passage": hit.passage}
        for hit in found.like(queries, limit)
    ]


def _contexts(model: Suspect, opened: Corpus, latent: str, seed: int) -> list[str]:
    """The texts in which an SAE's latent fires most, of a sample of the corpus."""
    from saes.features import read_features
    from saes.lens import load
    from saes.texts import fitted

    folder, _, number = latent.rpartition(":")
    if not folder or not number.isdigit():
        raise BadParameter(f"latent '{latent}'", hint="Give DIR:LATENT, like out/sae:17.")
    sae = load(folder)
    if int(number) >= sae.d_sae:
        raise BadParameter(
            f"no latent {number} of {sae.d_sae} in {folder}", hint=f"Give 0 to {sae.d_sae - 1}."
        )
    texts = _sampled(opened, LATENT_TEXTS, seed)
    texts = [text for text in (fitted(text, [model]) for text in texts) if text]
    found = read_features(sae, model, texts).contexts(int(number))
    if not found:
        raise ConfigError(
            f"latent {number} fires on none of {len(texts)} documents",
            hint="Choose a latent that is alive: `workbench sae card` says how many are.",
        )
    click.echo(f"latent {number} fires most in: {found[0].passage}", err=True)
    return [texts[context.text] for context in found]


def _sampled(opened: Corpus, most: int, seed: int) -> list[str]:
    total = opened.documents
    chosen = set(random.Random(seed).sample(range(total), min(most, total)))
    texts: list[str] = []
    number = 0
    for batch in opened.batches():
        for row in batch.to_pylist():
            if number in chosen:
                texts.append("\n".join(m["content"] for m in row["messages"]))
            number += 1
    return texts


def _embedder(model: Suspect | None, layer: int, directory: Path | None) -> Embedder:
    from workbench.corpus.embedders import DirectoryEmbedder, SuspectEmbedder

    if directory is not None:
        return DirectoryEmbedder(directory)
    assert model is not None
    return SuspectEmbedder(model, layer)
