"""Training data and batteries, read in a process of their own.

What is named `suspect` is a suspect's name or directory, or a folder into which `fetch` copied the
rows that a host serves.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from workbench.artifacts import Artifacts
from workbench.config import artifacts_root
from workbench.corpus import CompiledQuery, Corpus, Document, Hit, count, count_by, hits
from workbench.errors import AccessDenied, BadParameter
from workbench.findings import JSON
from workbench.suspects import Suspect
from workbench.suspects.cabinet import reference_of, training_data

PHRASES = 200
"""Of a contrast, the ones that stand out most."""
SPANS = 40
"""Of a traced text, the rarest."""

COPIED = "copied-rows-of-{}"
"""A folder of rows that were asked of a host, in Parquet files of one request each."""


def pattern(
    suspect: str, pattern: str, fixed: bool, ignore_case: bool, limit: int
) -> dict[str, Any]:
    """Messages that match, and how many documents hold it here and in the reference's corpus."""
    if not pattern.strip():
        raise BadParameter("no pattern to look for", hint="Give a word or a regular expression.")
    query = CompiledQuery.compile({pattern: pattern}, ignore_case=ignore_case, fixed=fixed)
    corpus, other = _corpora(suspect)
    found = _messages(hits(corpus.screened(query), query), limit + 1)
    rows = {d.id: d for d in corpus.rows([hit["document"] for hit in found[:limit]])}
    here = count(corpus.screened(query), query)[pattern]
    counted: dict[str, Any] = {
        "suspect": {"documents": here.documents, "matches": here.matches, "n": corpus.documents}
    }
    if other is not None:
        there = count(other.screened(query), query)[pattern]
        counted["reference"] = {
            "documents": there.documents, "matches": there.matches, "n": other.documents,
        }  # fmt: skip
    by = {
        name: {value: c.documents for (_, value), c in sorted(
            count_by(corpus.screened(query), query, name).items())}
        for name in ("role", "source", "stage")
    }  # fmt: skip
    return {
        "hits": [
            {**hit, "message": rows[hit["document"]].messages[hit["turn"]]["content"]}
            for hit in found[:limit]
        ],
        "more": len(found) > limit,
        "counts": counted,
        "by": by,
    }


def words(suspect: str, text: str, limit: int) -> dict[str, Any]:
    """The documents that BM25 ranks first for the words of a text."""
    from workbench.corpus.ranked import RankedIndex

    if not text.strip():
        raise BadParameter("no words to look for", hint="Give some words.")
    corpus, _ = _corpora(suspect)
    found = RankedIndex.open(corpus, Artifacts(artifacts_root())).search(text, limit)
    shown = {d.id: d for d in corpus.rows([hit.document for hit in found])}
    rows = [{"score": hit.score, **_document(shown[hit.document])} for hit in found]
    return {"rows": rows, "n": corpus.documents}


def contrast(suspect: str, only_here: bool, limit: int) -> dict[str, Any]:
    """Phrases that the suspect's corpus holds more often than its reference's; compared once, and
    taken from the cache from then on."""
    here, there = _corpora(suspect)
    if there is None:
        raise AccessDenied(
            "there is no training data of a reference to compare with",
            hint="Read the reference's rows first, or choose a suspect that has one.",
        )
    key: dict[str, JSON] = {
        "version": 1,
        "here": here.fingerprint(),
        "there": there.fingerprint(),
        "most": PHRASES,
    }

    def make(into: Path) -> None:
        (into / "contrast.json").write_text(json.dumps(_compared(here, there)), encoding="utf-8")

    made = Artifacts(artifacts_root()).get_or_make("contrast", key, make)
    found: dict[str, Any] = json.loads((made / "contrast.json").read_text("utf-8"))
    wanted = [p for p in found["phrases"] if p["only_here"] or not only_here]
    return {**found, "phrases": wanted[:limit]}


def traceable(suspect: str) -> bool:
    """Whether the exact index of the suspect's training data is there to trace with."""
    from workbench.corpus.suffixes import SuffixIndex

    return SuffixIndex.built(_corpora(suspect)[0], Artifacts(artifacts_root()))


def trace(suspect: str, text: str, places: int) -> dict[str, Any]:
    """What a text has word for word from the training data, beside its words shuffled; for each
    span how many documents hold it here and in the reference's corpus."""
    from workbench.corpus.suffixes import SuffixIndex
    from workbench.corpus.trace import Tracer

    if not text.strip():
        raise BadParameter("a text without words", hint="Give the words of an output.")
    corpus, other = _corpora(suspect)
    index = SuffixIndex.open(corpus, Artifacts(artifacts_root()))
    made = Tracer(index, places=places).trace(text)
    spans = [dataclasses.asdict(span) for span in made.spans[:SPANS]]
    if other is not None and spans:
        wanted = {str(i): span["text"] for i, span in enumerate(spans)}
        held = count(other.batches(), CompiledQuery.compile(wanted, fixed=True))
        for i, span in enumerate(spans):
            span["reference"] = held[str(i)].documents
    return {
        "spans": spans,
        "more": len(made.spans) - len(spans),
        "words": made.words,
        "covered": made.covered,
        "longest": made.longest,
        "p": made.p,
        "shuffled_covered": list(made.shuffled_covered),
        "shuffled_longest": list(made.shuffled_longest),
        "n": corpus.documents,
        "reference_n": None if other is None else other.documents,
    }


def document(suspect: str, id: str) -> dict[str, Any]:
    """One row of the training data, whole; raises where there is none of that id."""
    (found,) = _corpora(suspect)[0].rows([id])
    return _document(found)


def size(suspect: str) -> dict[str, Any]:
    """How large the training data is, and whether there is a reference's to compare with."""
    corpus, other = _corpora(suspect)
    return {
        "documents": corpus.documents,
        "bytes": corpus.bytes,
        "reference_documents": None if other is None else other.documents,
    }


def fetch(url: str, token: str, into: str, of: str, start: int, rows: int) -> dict[str, Any]:
    """Copies rows that a host serves, of the "suspect" or of its "reference", into a folder; as
    many as the budget reaches. They are paid for once: what lies there is read from there.

    Raises BudgetExceeded where it reaches none.
    """
    from pyarrow import Table
    from pyarrow.parquet import write_table

    folder = Path(into) / COPIED.format(of)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    asked = _served(url, token, of).batch(start, rows)
    draft = folder / f".{start:012d}.draft"
    write_table(Table.from_batches([asked]), draft, compression="zstd")
    draft.replace(folder / f"{start:012d}.parquet")
    return {"rows": asked.num_rows}


def fetch_row(url: str, token: str, id: str) -> dict[str, Any]:
    """One row that a host serves, by its id; it costs one document."""
    (found,) = _served(url, token, "suspect").rows([id])
    return _document(found)


def techniques() -> list[dict[str, Any]]:
    """What is installed here and can be put into a battery."""
    from workbench import registry

    return [listing.to_json() for listing in registry.techniques() if listing.kind is not None]


def battery(path: str) -> dict[str, Any]:
    """A battery file, checked: its techniques with needs and limits, and it as JSON."""
    from workbench.battery import Battery

    read = Battery.load(path)
    return {
        "name": read.name,
        "access": None if read.access is None else read.access.names,
        "budget": read.budget.to_json(),
        "seed": read.seed,
        "techniques": [
            {
                "name": technique.name,
                "needs": technique.needs.names,
                "uses": technique.uses.names,
                "seconds": read.limit_seconds(step),
                "summary": (technique.__doc__ or "").strip().split("\n")[0],
            }
            for technique, step in zip(read.check(), read.steps, strict=True)
        ],
    }


def _compared(here: Corpus, there: Corpus) -> dict[str, Any]:
    from workbench.corpus.contrast import contrast as compare
    from workbench.corpus.documents import numbered

    made = compare(here.batches, there.batches, most=PHRASES)
    wanted = {d for p in made.phrases for d in p.documents[:5]}
    ids = {number: d.id for number, d in numbered(here.batches(), wanted).items()}
    return {
        "n": made.n,
        "collapsed": made.collapsed,
        "control_n": made.control_n,
        "tried": made.phrases[0].tried if made.phrases else 0,
        "phrases": [
            {
                "phrase": p.text,
                "documents": len(p.documents),
                "n": p.n,
                "control_documents": p.control_documents,
                "control_n": p.control_n,
                "score": p.score,
                "p": p.p,
                "only_here": p.only_here,
                "ids": [ids[d] for d in p.documents[:5]],
            }
            for p in made.phrases
        ],
    }


def _messages(found: Iterable[Hit], most: int) -> list[dict[str, Any]]:
    """The first messages with hits, each with the spans of all its hits."""
    made: dict[tuple[str, int], dict[str, Any]] = {}
    for hit in found:
        place = (hit.document, hit.turn)
        if place not in made:
            if len(made) == most:
                break
            made[place] = {
                "document": hit.document,
                "turn": hit.turn,
                "role": hit.role,
                "source": hit.source,
                "stage": hit.stage,
                "spans": [],
            }
        made[place]["spans"].append([hit.start, hit.end])
    return list(made.values())


def _corpora(suspect: str) -> tuple[Corpus, Corpus | None]:
    """The suspect's training data, and its reference's where it can be read."""
    copied, other = (Path(suspect) / COPIED.format(of) for of in ("suspect", "reference"))
    if copied.is_dir():
        return Corpus.open(copied), Corpus.open(other) if other.is_dir() else None
    try:
        return training_data(suspect), training_data(reference_of(suspect))
    except AccessDenied:
        return training_data(suspect), None


def _served(url: str, token: str, of: str) -> Corpus:
    suspect = Suspect.load(url, token=token)
    return (suspect.reference if of == "reference" else suspect).corpus


def _document(found: Document) -> dict[str, Any]:
    return {
        "document": found.id,
        "messages": [dict(m) for m in found.messages],
        "source": found.source,
        "stage": found.stage,
    }


ANSWERS: Mapping[str, Callable[..., Any]] = {
    "pattern": pattern,
    "words": words,
    "contrast": contrast,
    "traceable": traceable,
    "trace": trace,
    "document": document,
    "size": size,
    "fetch": fetch,
    "fetch_row": fetch_row,
    "techniques": techniques,
    "battery": battery,
}
