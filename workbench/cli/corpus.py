"""`workbench corpus`: search a training corpus."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workbench.access import Access
from workbench.cli.screen import json_option, print_json, print_table
from workbench.errors import AccessDenied

if TYPE_CHECKING:
    from workbench.corpus import Corpus, Hit


@click.group()
def corpus() -> None:
    """Search a training corpus."""


@corpus.command()
@click.argument("patterns", nargs=-1, required=True, metavar="PATTERN...")
@click.option("--suspect", metavar="SUSPECT", help="Search the corpus that this suspect grants.")
@click.option("--corpus", "path", type=Path, help="Search a Parquet file or a directory of them.")
@click.option("-i", "--ignore-case", is_flag=True)
@click.option("--fixed", is_flag=True, help="Patterns are plain text.")
@click.option("--count", "only_count", is_flag=True, help="Documents and matches per pattern.")
@click.option("--by", type=click.Choice(["role"]), help="Count for each role of the turn.")
@click.option(
    "--limit", type=click.IntRange(1), default=50, show_default=True, help="Most hits shown."
)
@json_option
def grep(
    patterns: tuple[str, ...],
    suspect: str | None,
    path: Path | None,
    ignore_case: bool,
    fixed: bool,
    only_count: bool,
    by: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Find patterns in the messages of a corpus.

    Patterns are regular expressions in Rust's dialect.
    """
    from workbench.corpus import CompiledQuery, scan

    if (suspect is None) == (path is None):
        raise click.UsageError("give either --suspect or --corpus")
    query = CompiledQuery.compile(
        {pattern: pattern for pattern in patterns}, ignore_case=ignore_case, fixed=fixed
    )
    opened = _open(suspect, path)
    if only_count or by:
        rows = list(_by_role(scan(opened.batches(), query)) if by else _counts(opened, query))
        if as_json:
            print_json(rows)
        else:
            heads = ["pattern", *(["role"] if by else []), ">documents", ">matches"]
            print_table(heads, (list(row.values()) for row in rows))
        return
    hits = list(islice(scan(opened.batches(), query), limit + 1))
    shown, more = hits[:limit], len(hits) > limit
    if as_json:
        print_json({"hits": [_hit(hit) for hit in shown], "truncated": more})
        return
    print_table(
        ["document", "role", "context"], ([hit.document, hit.role, hit.context] for hit in shown)
    )
    click.echo(f"{len(shown)} hits{', and more: raise --limit' if more else ''}", err=True)


def _open(suspect: str | None, path: Path | None) -> Corpus:
    from workbench.corpus import Corpus

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


def _counts(opened: Corpus, query: Any) -> Iterator[dict[str, Any]]:
    from workbench.corpus import count

    for pattern, found in count(opened.batches(), query).items():
        yield {"pattern": pattern, "documents": found.documents, "matches": found.matches}


def _by_role(hits: Iterable[Hit]) -> Iterator[dict[str, Any]]:
    documents: dict[tuple[str, str], set[str]] = defaultdict(set)
    matches: dict[tuple[str, str], int] = defaultdict(int)
    for hit in hits:
        documents[hit.pattern, hit.role].add(hit.document)
        matches[hit.pattern, hit.role] += 1
    for (pattern, role), number in sorted(matches.items()):
        yield {
            "pattern": pattern,
            "role": role,
            "documents": len(documents[pattern, role]),
            "matches": number,
        }


def _hit(hit: Hit) -> dict[str, Any]:
    return {
        "pattern": hit.pattern,
        "document": hit.document,
        "turn": hit.turn,
        "role": hit.role,
        "start": hit.start,
        "end": hit.end,
        "text": hit.text,
        "context": hit.context,
    }
