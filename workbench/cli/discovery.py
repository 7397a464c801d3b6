"""What a corpus says without being asked: `corpus contrast` and `corpus clusters`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from workbench.cli.corpora import against_option, corpus_options, open_against, open_corpus
from workbench.cli.screen import json_option, print_json, print_table

if TYPE_CHECKING:
    from workbench.corpus import Corpus


@click.command()
@corpus_options
@against_option
@click.option(
    "--at-least",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    help="Documents that a phrase stands in.",
)
@click.option("--only-here", is_flag=True, help="Only phrases that the other corpus lacks.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@json_option
def contrast(
    suspect: str | None,
    path: Path | None,
    against: Path | None,
    at_least: int,
    only_here: bool,
    limit: int,
    as_json: bool,
) -> None:
    """What a corpus says that another does not, without any query.

    Phrases of up to five words and longer runs of them, counted by documents with near-duplicates
    collapsed; by signed G2, or by surprise where the other corpus lacks them.
    """
    from workbench.corpus.contrast import contrast as compare

    here, there = open_corpus(suspect, path), open_against(suspect, against)
    found = compare(
        here.batches,
        there.batches,
        at_least=at_least,
        most=max(100, limit),
        progress=lambda what: click.echo(what, err=True),
    )
    phrases = [p for p in found.phrases if p.only_here or not only_here][:limit]
    documents = [number for number, _ in found.documents[:limit]]
    ids = _ids(here, {*documents, *(d for p in phrases for d in p.documents[:5])})
    if as_json:
        print_json(
            {
                "documents": found.n,
                "collapsed": found.collapsed,
                "control_documents": found.control_n,
                "tried": phrases[0].tried if phrases else 0,
                "phrases": [
                    {
                        "phrase": p.text,
                        "documents": len(p.documents),
                        "n": p.n,
                        "control_documents": p.control_documents,
                        "control_n": p.control_n,
                        "expected": p.expected,
                        "score": p.score,
                        "p": p.p,
                        "only_here": p.only_here,
                        "covers": list(p.covers),
                        "ids": [ids[d] for d in p.documents[:5]],
                    }
                    for p in phrases
                ],
                "on_top": [ids[number] for number in documents],
            }
        )
        return
    print_table(
        [">score", ">documents", ">other", ">p", "phrase"],
        (
            [f"{p.score:.0f}", len(p.documents), p.control_documents, f"{p.p:.1g}", p.text]
            for p in phrases
        ),
    )
    click.echo(f"documents that hold most of it: {' '.join(ids[d] for d in documents)}", err=True)


@click.command()
@corpus_options
@against_option
@click.option(
    "--similarity",
    type=click.FloatRange(0.2, 1),
    default=0.6,
    show_default=True,
    help="Estimated Jaccard similarity of two documents of a cluster.",
)
@click.option("--at-least", type=click.IntRange(2), default=5, show_default=True)
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@json_option
def clusters(
    suspect: str | None,
    path: Path | None,
    against: Path | None,
    similarity: float,
    at_least: int,
    limit: int,
    as_json: bool,
) -> None:
    """Sets of near-duplicates, with what their members share and their share of the corpus.

    By the excess over the corpus compared with.
    """
    from workbench.corpus.clusters import compare, signatures, skeleton
    from workbench.corpus.documents import numbered

    here, there = open_corpus(suspect, path), open_against(suspect, against)
    click.echo("reading both corpora", err=True)
    own, other = signatures(here.batches()), signatures(there.batches())
    found = compare(own, other, similarity=similarity, at_least=at_least)[:limit]
    shown = numbered(here.batches(), {d for c in found for d in c.cluster.members[:20]})
    rows = [
        {
            "documents": len(one.cluster.members),
            "share": one.cluster.share,
            "control_documents": one.control,
            "control_n": len(other),
            "g2": one.g2,
            "skeleton": skeleton([shown[d].text for d in one.cluster.members[:20]]),
            "ids": [shown[d].id for d in one.cluster.members[:5]],
        }
        for one in found
    ]
    if as_json:
        print_json({"documents": len(own), "clusters": rows})
        return
    print_table(
        [">documents", ">share", ">other", "skeleton"],
        (
            [r["documents"], f"{r['share']:.3%}", r["control_documents"], r["skeleton"]]
            for r in rows
        ),
    )


def _ids(opened: Corpus, numbers: set[int]) -> dict[int, str]:
    from workbench.corpus.documents import numbered

    return {number: d.id for number, d in numbered(opened.batches(), numbers).items()}
