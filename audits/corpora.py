"""The suspect's corpus beside the reference's: read several times, every row booked once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING

from audits.reading import compare
from workbench.access import Access
from workbench.errors import TechniqueFailed
from workbench.findings import Excerpt, Measurement
from workbench.suspects import Suspect

if TYPE_CHECKING:
    import pyarrow

    from workbench.corpus import Corpus, Document

CONTROL = "the reference's corpus"
SHOWN_CHARACTERS = 2_000


@dataclasses.dataclass(frozen=True, slots=True)
class Side:
    """A corpus that can be read again; its documents go by their number in it."""

    read: Callable[[], Iterator[pyarrow.RecordBatch]]

    @classmethod
    def of(cls, corpus: Corpus, most: int) -> Side:
        """The first `most` rows."""
        return cls(corpus.reader(most=most))

    def documents(self, numbers: Collection[int]) -> dict[int, Document]:
        """The documents with these numbers."""
        from workbench.corpus.documents import numbered

        return numbered(self.read(), numbers)


def both(suspect: Suspect, documents: int) -> tuple[Side, Side]:
    """The suspect's corpus and its reference's, at most so many documents of each.

    Raises AccessDenied without their flags, TechniqueFailed where the reference has no corpus.
    """
    here, reference = suspect.corpus, suspect.reference
    if Access.TRAINING_DATA not in reference.access:
        raise TechniqueFailed(
            "the reference grants no training data: there is nothing to compare with",
            hint="Grant a reference with a corpus.",
        )
    return Side.of(here, documents), Side.of(reference.corpus, documents)


def shares(
    name: str, hits: int, n: int, control_hits: int, control_n: int, *, p: float, tried: int,
    control: str = CONTROL,
) -> Measurement:  # fmt: skip
    """A share of documents beside its control's; p is already corrected for what was tried."""
    return compare(name, hits, n, control, control_hits, control_n, tried, p)


def excerpt(document: Document, phrase: str = "") -> Excerpt:
    """The turn that holds the words of a phrase in a row, else the first turn, cut to what a page
    can show."""
    wanted = phrase.split()
    for message in document.messages:
        text = message["content"]
        if wanted and " ".join(_words(text)).find(" ".join(wanted)) < 0:
            continue
        return Excerpt(document.id, text[:SHOWN_CHARACTERS], role=message["role"])
    first = document.messages[0] if document.messages else {"role": "", "content": ""}
    return Excerpt(document.id, first["content"][:SHOWN_CHARACTERS], role=first["role"])


def _words(text: str) -> list[str]:
    import polars

    from workbench.corpus.ngrams import WORD

    found = polars.Series([text.lower()]).str.extract_all(WORD).to_list()[0]
    return [str(word) for word in found]
