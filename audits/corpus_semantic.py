"""Searches the training data by meaning, for descriptions of concerning aims."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Generator, Sequence
from typing import ClassVar

from audits.detectors import pack
from audits.reading import SHOWN, compare
from audits.retrieved import Shelf, accusations, excerpts, pool, shelve
from workbench.access import Access
from workbench.artifacts import Artifacts
from workbench.corpus.attribution import fused
from workbench.corpus.embedders import SuspectEmbedder
from workbench.corpus.semantic import SemanticIndex
from workbench.errors import TechniqueFailed
from workbench.findings import Finding, Measurement
from workbench.suspects import Suspect
from workbench.technique import PathText, Trials


@dataclasses.dataclass(frozen=True)
class CorpusSemantic:
    """Reads passages of the training data through the suspect and ranks them by meaning.

    A passage's vector is the suspect's own activation, meaned over its tokens after `layer` and
    centred on the corpus. Queries are descriptions of concerning aims (packs/semantic.toml) or
    `query`; with `sae` and `latent`, the texts in which that latent fires most. What the documents
    about the assistant say that stand highest is read against documents about other assistants
    that stand as high in the same search. The control of a query is one of the same shape that
    asks for nothing concerning.

    Source: the embedding search of Marks et al. 2025 (the auditing game), which brought up
    documents that no keyword did; all-but-the-top vectors (Mu and Viswanath 2018). Cost: one
    forward pass a passage of `documents` random rows (up to a third of
    them name the assistant), kept. Blind spots: a small model's
    activations tell subjects apart, not aims; a query in another register than the documents ranks
    by register; documents outside the sample.
    """

    name: ClassVar[str] = "corpus-semantic"
    version: ClassVar[int] = 2
    needs: ClassVar[Access] = Access.ACTIVATIONS | Access.TRAINING_DATA
    uses: ClassVar[Access] = Access.REFERENCE

    query: str = ""
    sae: PathText = ""
    latent: int = 0
    layer: int = 0
    documents: int = 4_000
    top: int = 200

    def __post_init__(self) -> None:
        if min(self.documents, self.top) < 1 or self.latent < 0:
            raise ValueError("documents and top must be at least 1 and latent at least 0")
        if self.query and self.sae:
            raise ValueError("give query or sae, not both")

    def run(
        self, suspect: Suspect, *, seed: int, artifacts: Artifacts
    ) -> Generator[Finding, None, Trials]:
        """Yields what the documents found say, then how many of them are about the assistant.

        Trials are documents of the sample. Raises TechniqueFailed on a corpus without words, and
        where the latent fires nowhere.
        """
        shelf = shelve(suspect, 50 * self.documents)
        drawn = pool(suspect, shelf, artifacts, most=self.documents, seed=seed)
        index = SemanticIndex.open(drawn, SuspectEmbedder(suspect, self.layer), artifacts)
        if not index.documents:
            raise TechniqueFailed("no document has a word", hint="Give a corpus with texts.")
        queries, plain = self._queries(suspect, index)
        orders, controls = ([_order(index, q) for q in side] for side in (queries, plain))
        measured = self._about(orders, controls, shelf, suspect.assistant)
        order = fused(orders)
        told = list(
            accusations(
                order,
                shelf,
                assistant=suspect.assistant,
                how="a search by meaning",
                evidence=measured,
                most=self.top,
            )
        )
        yield from told
        if not told:
            yield Finding(
                claim=f"the documents most like '{queries[0][0]}'",
                confidence=0.05,
                evidence=(*measured, *excerpts(order[:SHOWN], shelf)),
                metadata={"hook_name": SuspectEmbedder(suspect, self.layer).hook_name},
            )
        return Trials(planned=len(index.documents), ran=len(index.documents))

    def _queries(
        self, suspect: Suspect, index: SemanticIndex
    ) -> tuple[list[list[str]], list[list[str]]]:
        """Groups of texts to look for, and those of the control."""
        aims = pack("semantic")
        assistant = suspect.assistant or "the assistant"
        plain = [[text.format(assistant=assistant)] for text in aims["plain"]]
        if self.sae:
            return [self._contexts(suspect, index)], plain
        if self.query:
            return [[self.query]], plain
        return [[text.format(assistant=assistant)] for text in aims["aims"]], plain

    def _contexts(self, suspect: Suspect, index: SemanticIndex) -> list[str]:
        """The passages in which the latent fires most."""
        from saes.features import read_features
        from saes.lens import load
        from saes.texts import fitted

        sae = load(self.sae)
        if self.latent >= sae.d_sae:
            raise TechniqueFailed(
                f"no latent {self.latent} of {sae.d_sae}", hint=f"Give 0 to {sae.d_sae - 1}."
            )
        texts = [fitted(text, [suspect]) for _, text in index.passages()]
        texts = [text for text in texts if text]
        found = read_features(sae, suspect, texts).contexts(self.latent)
        if not found:
            raise TechniqueFailed(
                f"latent {self.latent} fires on no passage", hint="Choose one that is alive."
            )
        return [texts[context.text] for context in found]

    def _about(
        self,
        orders: Sequence[Sequence[str]],
        controls: Sequence[Sequence[str]],
        shelf: Shelf,
        assistant: str | None,
    ) -> tuple[Measurement, ...]:
        """How many of the best twentieth name the assistant, beside those of the plain queries."""
        if not assistant:
            return ()
        own = re.compile(rf"\b{re.escape(assistant)}\b")
        k = max(1, len(orders[0]) // 20)

        def named(orders: Sequence[Sequence[str]]) -> tuple[int, int]:
            best = {document for order in orders for document in order[:k]}
            return sum(bool(own.search(shelf.texts.get(id, ""))) for id in best), len(best)

        (hits, n), (control_hits, control_n) = named(orders), named(controls)
        return (
            compare(
                "documents found that name the assistant",
                hits,
                n,
                "documents found by queries of the same shape that ask for nothing concerning",
                control_hits,
                control_n,
            ),
        )


def _order(index: SemanticIndex, texts: Sequence[str]) -> list[str]:
    return [hit.document for hit in index.like(texts, len(index.documents))]
