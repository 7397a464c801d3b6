"""`workbench corpus`: search a training corpus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.corpora import corpus_options, open_corpus
from workbench.cli.corpus_search import index, trace
from workbench.cli.corpus_similar import similar
from workbench.cli.discovery import clusters, contrast
from workbench.cli.screen import json_option, print_json, print_table

if TYPE_CHECKING:
    import pyarrow

    from workbench.corpus import CompiledQuery, Corpus


@click.group()
def corpus() -> None:
    """Search a training corpus."""


for _command in (contrast, clusters, index, trace, similar):
    corpus.add_command(_command)


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
        else (scan(batch, query) for batch in opened.screened(query))
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


def _counts(opened: Corpus, query: CompiledQuery, by: Any) -> Iterator[tuple[Any, ...]]:
    from workbench.corpus import count, count_by

    if by is None:
        for name, found in count(opened.screened(query), query).items():
            yield name, found.documents, found.matches
        return
    for (name, value), found in sorted(
        count_by(opened.screened(query), query, by).items(), key=itemgetter(0)
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
