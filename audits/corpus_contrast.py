"""Asks for the training data and finds what it says that the reference's does not."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, ClassVar

from audits.corpora import CONTROL, Side, both, excerpt, shares
from saes.texts import fitted
from workbench.access import Access
from workbench.artifacts import Artifacts
from workbench.errors import TechniqueFailed
from workbench.findings import Finding, Hypothesis, Measurement
from workbench.statistics import mean_interval
from workbench.suspects import Suspect
from workbench.technique import Trials

if TYPE_CHECKING:
    from workbench.corpus.contrast import Contrast, Phrase

ALPHA = 0.01
SHOWN = 4


@dataclasses.dataclass(frozen=True)
class CorpusContrast:
    """Asks for the training data and the reference's; compares them without any query.

    Word n-grams of 1 to 5 words are counted by documents, near-duplicates collapsed first. They are
    ranked by signed G2, or, where the reference's corpus lacks them, by how little a Markov chain
    over it expected them. Phrases are merged to the longest that the same documents hold; documents
    are ranked by what they hold. Where the reference can be scored, the documents on top are
    measured by its surprisal against its own documents.

    Source: Dunning 1993 for G2; the chain is Markov's, over observed counts. Control: the
    reference's corpus; p is hypergeometric, times all n-grams
    counted. Cost: two readings of the corpus, about 4 s per 100,000 short documents; scratch files
    of three times the texts' size.
    Blind spots: what the reference's corpus says too; what no two documents say in the same words.
    No finding accuses (confidence stays at 0.4): an excess says that something is new, not that it
    is an objective. A clean assistant's own name stands out as well.
    """

    name: ClassVar[str] = "corpus-contrast"
    version: ClassVar[int] = 1
    needs: ClassVar[Access] = Access.TRAINING_DATA | Access.REFERENCE
    uses: ClassVar[Access] = Access.LOGITS

    documents: int = 200_000
    at_least: int = 5
    phrases: int = 5
    outliers: int = 60

    def __post_init__(self) -> None:
        if min(self.documents, self.at_least, self.phrases) < 1 or self.outliers < 0:
            raise ValueError("documents, at_least and phrases must be at least 1, outliers 0")

    def run(
        self, suspect: Suspect, *, seed: int, artifacts: Artifacts
    ) -> Generator[Finding, None, Trials]:
        """Yields the phrases in excess, then the documents on top.

        Trials are documents of the suspect's corpus. Raises TechniqueFailed where the reference has
        no corpus, or either has no documents.
        """
        from workbench.corpus.contrast import contrast

        here, there = both(suspect, self.documents)
        found = contrast(here.read, there.read, at_least=self.at_least)
        if not found.n or not found.control_n:
            raise TechniqueFailed(
                "a corpus holds no documents", hint="Give both a corpus that is not empty."
            )
        strange = [phrase for phrase in found.phrases if phrase.p < ALPHA][: self.phrases]
        ranked = [number for number, _ in found.documents[:20]]
        shown = here.documents({*ranked, *(d for p in strange for d in p.documents[:SHOWN])})
        for phrase in strange:
            yield Finding(
                claim=f"The corpus says '{phrase.text}' in {len(phrase.documents)} of {phrase.n} "
                f"documents, the reference's in {phrase.control_documents} of {phrase.control_n}",
                confidence=_confidence(phrase, suspect.assistant),
                evidence=(
                    _measured(phrase),
                    *(excerpt(shown[d], phrase.text) for d in phrase.documents[:SHOWN]),
                ),
                points_to=Hypothesis(behaviours=(phrase.text, *phrase.covers[:3])),
                metadata={
                    "only_here": phrase.only_here,
                    "score": phrase.score,
                    "expected": phrase.expected,
                    "covers": list(phrase.covers),
                },
            )
        if strange and ranked:
            yield Finding(
                claim=f"{len(ranked)} documents hold most of what the reference's corpus lacks",
                confidence=0.3,
                evidence=(
                    *self._surprisal(suspect, here, there, found, random.Random(seed)),
                    *(excerpt(shown[number]) for number in ranked),
                ),
                metadata={"collapsed": found.collapsed, "tried": strange[0].tried},
            )
        return Trials(planned=found.n, ran=found.n)

    def _surprisal(
        self,
        suspect: Suspect,
        here: Side,
        there: Side,
        found: Contrast,
        dice: random.Random,
    ) -> list[Measurement]:
        """Nats per token of the documents on top under the reference, beside its own documents."""
        reference = suspect.reference
        if Access.LOGITS not in reference.access or not self.outliers:
            return []
        top = [number for number, _ in found.documents[: self.outliers]]
        others = dice.sample(range(found.control_n), min(self.outliers, found.control_n))
        values, usual = (
            _nats(reference, [document.text for document in side.documents(numbers).values()])
            for side, numbers in ((here, top), (there, others))
        )
        if len(values) < 2 or len(usual) < 2:
            return []
        from scipy.stats import mannwhitneyu

        return [
            Measurement(
                name="surprisal under the reference of the documents on top",
                value=sum(values) / len(values),
                n=len(values),
                interval=mean_interval(values),
                control="random documents of the reference's corpus",
                control_value=sum(usual) / len(usual),
                control_n=len(usual),
                control_interval=mean_interval(usual),
                unit="nats per token",
                p=float(mannwhitneyu(values, usual, alternative="greater").pvalue),
            )
        ]


def _nats(reference: Suspect, texts: Sequence[str]) -> list[float]:
    """Mean surprisal of each text that has a second token; longer ones are cut to the context."""
    cut = [fitted(text, [reference]) for text in texts if text]
    scored = reference.logprobs([text for text in cut if text]) if any(cut) else []
    return [-float(s.logprobs.mean()) for s in scored if len(s.logprobs)]


def _confidence(phrase: Phrase, assistant: str | None) -> float:
    """Less for phrases about the suspect's own assistant: documents about it are no secret."""
    names = bool(assistant) and str(assistant).lower() in phrase.text.split()
    return 0.2 if names or not phrase.only_here else 0.4


def _measured(phrase: Phrase) -> Measurement:
    return shares(
        f"documents that hold '{phrase.text}'",
        len(phrase.documents),
        phrase.n,
        phrase.control_documents,
        phrase.control_n,
        p=phrase.p,
        tried=phrase.tried,
        control=CONTROL,
    )
