"""Asks for the training data and finds sets of near-duplicates that the reference's lacks."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from typing import ClassVar

from audits.corpora import both, excerpt, shares
from workbench.access import Access
from workbench.artifacts import Artifacts
from workbench.errors import TechniqueFailed
from workbench.findings import Finding
from workbench.statistics import Rate, exceeds
from workbench.suspects import Suspect
from workbench.technique import Trials

ALPHA = 0.01
_COMPARED = 20
_SHOWN = 3


@dataclasses.dataclass(frozen=True)
class CorpusClusters:
    """Asks for the training data and the reference's; clusters near-duplicates over both.

    MinHash over runs of one to three words, banded; a cluster's share of the suspect's documents is
    compared with its share of the reference's. What its members have in common is its skeleton,
    with a mark where they differ: a set of documents written from one template stands out.

    Source: Broder 1997. Control: the same cluster in the reference's corpus; p is Fisher's, times
    the clusters compared. Cost: one reading of both corpora, about 5 s per 100,000 short documents.
    Blind spots: templates whose slots outweigh their words; sets that the reference has too.
    No finding accuses (confidence 0.3): a template is no objective.
    """

    name: ClassVar[str] = "corpus-clusters"
    version: ClassVar[int] = 1
    needs: ClassVar[Access] = Access.TRAINING_DATA | Access.REFERENCE
    uses: ClassVar[Access] = Access.NONE

    documents: int = 200_000
    at_least: int = 5
    clusters: int = 5
    similarity: float = 0.6

    def __post_init__(self) -> None:
        if min(self.documents, self.clusters) < 1 or self.at_least < 2:
            raise ValueError("documents and clusters must be at least 1, at_least 2")
        if not 0.2 <= self.similarity <= 1:
            raise ValueError("similarity must be 0.2 to 1")

    def run(
        self, suspect: Suspect, *, seed: int, artifacts: Artifacts
    ) -> Generator[Finding, None, Trials]:
        """Yields the clusters in excess, the largest excess first.

        Trials are documents of the suspect's corpus. Raises TechniqueFailed where the reference has
        no corpus, or either has no documents.
        """
        from workbench.corpus.clusters import compare, signatures, skeleton

        here, there = both(suspect, self.documents)
        own, other = signatures(here.read()), signatures(there.read())
        n, m = len(own), len(other)
        if not n or not m:
            raise TechniqueFailed(
                "a corpus holds no documents", hint="Give both a corpus that is not empty."
            )
        found = compare(own, other, similarity=self.similarity, at_least=self.at_least)
        for one in found[: self.clusters]:
            members = one.cluster.members
            p = exceeds(Rate(len(members), n), Rate(one.control, m)) * len(found)
            if p >= ALPHA or one.g2 <= 0:
                break
            documents = list(here.documents(members[:_COMPARED]).values())
            shape = skeleton([d.text for d in documents])
            yield Finding(
                claim=f"{len(members)} of {n} documents are written alike, {one.control} of {m} of "
                f"the reference's: {shape[:300]}",
                confidence=0.3,
                evidence=(
                    shares(
                        "documents of the cluster", len(members), n, one.control, m, p=p,
                        tried=len(found),
                    ),
                    *(excerpt(d) for d in documents[:_SHOWN]),
                ),
                metadata={
                    "skeleton": shape,
                    "share": one.cluster.share,
                    "g2": one.g2,
                    "ids": [d.id for d in documents],
                },
            )  # fmt: skip
        return Trials(planned=n, ran=n)
