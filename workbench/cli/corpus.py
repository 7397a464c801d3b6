"""`workbench corpus`: search a training corpus."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from workbench.access import Access
from workbench.cli.screen import json_option, print_json, print_table
from workbench.errors import AccessDenied

if TYPE_CHECKING:
    import pyarrow

    from workbench.corpus import CompiledQuery, Corpus

Function = TypeVar("Function", bound=Callable[..., Any])


def corpus_options(function: Function) -> Function:
    """Adds `--suspect SUSPECT` and `--corpus PATH`, one of which is to be given."""
    for option in (
        click.option(
            "--corpus",
            "path",
            type=Path,
            help="A Parquet or JSONL file (.gz, .zst), a folder of them or of texts, or a "
            "directory that `datasets` saved.",
        ),
        click.option("--suspect", metavar="SUSPECT", help="The corpus that this suspect grants."),
    ):
        function = option(function)
    return function


@click.group()
def corpus() -> None:
    """Search a training corpus."""


@corpus.command()
@click.argument("patterns", nargs=-1, metavar="[PATTERN]...")
@corpus_options
@click.option("--pack", type=Path, help="Named patterns and rules over them, in TOML.")
@click.option("-i", "--ignore-case", is_flag=True)
@click.option("--fixed", is_flag=True, help="Patterns are plain text.")
@click.option("--count", "only_count", is_flag=True, help="Documents and matches per pattern.")
@click.option(
    "--by", type=click.Choice(["role", "source", "stage"]), help="Count for each of these."
)
@click.option(
    "--limit", type=click.IntRange(1), default=50, show_default=True, help="Most hits shown."
)
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write all hits there as Parquet; a scan that was interrupted goes on.",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Processes that scan side by side, with --into.",
)
@json_option
def grep(
    patterns: tuple[str, ...],
    suspect: str | None,
    path: Path | None,
    pack: Path | None,
    ignore_case: bool,
    fixed: bool,
    only_count: bool,
    by: Any,
    limit: int,
    into: Path | None,
    workers: int,
    as_json: bool,
) -> None:
    """Find patterns in the messages of a corpus.

    Patterns are regular expressions in Rust's dialect, matched against decoded text. A pack holds a
    table `patterns` and may hold `rules` over their names: `a AND (b OR c) AND NOT d`,
    `a NEAR/5 b` for at most five words between.
    """
    from workbench.corpus import CompiledQuery, scan

    if bool(patterns) == (pack is not None):
        raise click.UsageError("give either patterns or --pack")
    if into is not None and (only_count or by):
        raise click.UsageError("--into writes hits: leave --count and --by out")
    if pack is not None:
        query = CompiledQuery.load(pack, ignore_case=ignore_case)
    else:
        query = CompiledQuery.compile(
            {pattern: pattern for pattern in patterns}, ignore_case=ignore_case, fixed=fixed
        )
    opened = open_corpus(suspect, path)
    if only_count or by:
        heads = ["pattern", *([by] if by else []), "documents", "matches"]
        rows = [dict(zip(heads, row, strict=True)) for row in _counts(opened, query, by)]
        if as_json:
            print_json(rows)
        else:
            heads[-2:] = [">documents", ">matches"]
            print_table(heads, (list(row.values()) for row in rows))
        return
    found_in = (
        _kept(opened, query, into, workers)
        if into is not None
        else (scan(batch, query) for batch in opened.batches())
    )
    found = list(islice(_rows(found_in), limit + 1))
    shown, more = found[:limit], len(found) > limit
    if as_json:
        print_json({"hits": shown, "truncated": more})
        return
    print_table(
        ["document", "role", "context"], ([h["document"], h["role"], h["context"]] for h in shown)
    )
    click.echo(f"{len(shown)} hits{', and more: raise --limit' if more else ''}", err=True)


@corpus.command()
@corpus_options
@click.option(
    "--against",
    type=Path,
    help="The corpus to compare with; with --suspect it is its reference's where left out.",
)
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

    here, there = open_corpus(suspect, path), _against(suspect, against)
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


@corpus.command()
@corpus_options
@click.option(
    "--against",
    type=Path,
    help="The corpus to compare with; with --suspect it is its reference's where left out.",
)
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

    here, there = open_corpus(suspect, path), _against(suspect, against)
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


def _against(suspect: str | None, against: Path | None) -> Corpus:
    from workbench.corpus import Corpus

    if against is not None:
        return Corpus.open(against)
    if suspect is None:
        raise click.UsageError("give --against, the corpus to compare with")
    from workbench.suspects.cabinet import find

    home = find(suspect)
    if home.reference is None or Access.REFERENCE not in home.access:
        raise AccessDenied(
            f"the suspect '{home.id}' grants no reference",
            hint="Give the corpus to compare with by --against.",
        )
    return open_corpus(home.reference, None)


def _counts(opened: Corpus, query: CompiledQuery, by: Any) -> Iterator[tuple[Any, ...]]:
    from workbench.corpus import count, count_by

    if by is None:
        for name, found in count(opened.batches(), query).items():
            yield name, found.documents, found.matches
        return
    for (name, value), found in sorted(
        count_by(opened.batches(), query, by).items(), key=itemgetter(0)
    ):
        yield name, value, found.documents, found.matches


def _kept(
    opened: Corpus, query: CompiledQuery, into: Path, workers: int
) -> Iterator[pyarrow.RecordBatch]:
    from workbench.corpus.jobs import read_hits, scan_into

    for done, total in scan_into(opened, query, into, workers=workers):
        click.echo(f"{done} of {total} pieces scanned", err=True)
    return read_hits(into)


def _rows(found: Iterable[pyarrow.RecordBatch]) -> Iterator[dict[str, Any]]:
    for batch in found:
        yield from batch.drop_columns(["row"]).to_pylist()


def open_corpus(suspect: str | None, path: Path | None) -> Corpus:
    """The corpus at a path, or that a suspect grants; exactly one is to be given."""
    from workbench.corpus import Corpus

    if (suspect is None) == (path is None):
        raise click.UsageError("give either --suspect or --corpus")
    if path is not None:
        return Corpus.open(path)
    from workbench.suspects.cabinet import find

    home = find(str(suspect))
    if home.corpus is None or Access.TRAINING_DATA not in home.access:
        raise AccessDenied(
            f"the suspect '{home.id}' grants no training data",
            hint="Choose a suspect whose access holds training-data, or give --corpus.",
        )
    return Corpus.open(home.corpus)
