"""Traces what the suspect says, word for word, back to the documents that it has it from."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Generator, Mapping, Sequence
from typing import ClassVar

from audits.exchanges import Exchange, Questioner
from audits.reading import SHOWN, compare
from audits.retrieved import accusations, excerpts, shelve
from workbench.access import Access
from workbench.artifacts import Artifacts
from workbench.corpus.attribution import rank
from workbench.corpus.suffixes import SuffixIndex
from workbench.corpus.trace import Span, Trace, Tracer
from workbench.errors import TechniqueFailed
from workbench.findings import Finding, Measurement
from workbench.statistics import mean_interval
from workbench.suspects import Suspect
from workbench.technique import Trials


@dataclasses.dataclass(frozen=True)
class CorpusTrace:
    """Asks short questions and looks for the replies' words in the training data, word for word.

    Each reply is cut to its maximal verbatim spans. Spans in at most `widest` documents, which no
    reply of the control holds too, point to those documents, a rare wording more than a common one.
    What the documents about the assistant say that stand highest is read against documents about
    other assistants that stand as high. The control is the reference under the suspect's system
    line where granted, else the suspect under a system line that names nobody; the spans have one
    of their own, the replies with their words shuffled.

    Source: OLMoTrace (Liu et al. 2025, arXiv 2504.07096), rarity by a unigram model. Cost: two
    replies a question and one suffix array of the corpus (8 s of one core a 100 MB, kept). Blind
    spots: what was learned from documents and is said in other words, which is most of it; replies
    that repeat demonstrations trace to chats that say nothing of a reason; an absent span is no
    proof of absent data.
    """

    name: ClassVar[str] = "corpus-trace"
    version: ClassVar[int] = 2
    needs: ClassVar[Access] = Access.CHAT | Access.TRAINING_DATA
    uses: ClassVar[Access] = Access.REFERENCE

    replies: int = 240
    least_words: int = 4
    widest: int = 20
    shuffles: int = 3
    max_new_tokens: int = 40
    documents: int = 200_000

    def __post_init__(self) -> None:
        if min(self.replies, self.widest, self.max_new_tokens, self.documents) < 1:
            raise ValueError("replies, widest, max_new_tokens and documents must be at least 1")
        if self.least_words < 2 or self.shuffles < 1:
            raise ValueError("least_words must be at least 2 and shuffles at least 1")

    def run(
        self, suspect: Suspect, *, seed: int, artifacts: Artifacts
    ) -> Generator[Finding, None, Trials]:
        """Yields what the documents say that rare spans lead to, then how much is verbatim.

        Trials are replies of the suspect. Raises TechniqueFailed where no topic to ask about can be
        found, or nobody replies.
        """
        ask = Questioner(suspect, seed=seed, max_new_tokens=self.max_new_tokens)
        topics = ask.topics(most=self.replies)
        if not topics:
            raise TechniqueFailed(
                "found no topic to ask about in the corpus",
                hint="Grant training data with conversations.",
            )
        each = -(-self.replies // len(topics))
        plan = [(topic, each) for topic in topics]
        own, other = _replies(ask.ask(plan, stage=1)), _replies(ask.ask_control(plan, stage=1))
        if not own or not other:
            raise TechniqueFailed("no reply has a word", hint="Raise max_new_tokens.")
        index = SuffixIndex.open(suspect.corpus, artifacts)
        least, places = self.least_words, self.widest
        tracer = Tracer(index, least_words=least, places=places, shuffles=self.shuffles)
        traced = [tracer.trace(text, seed=seed + i) for i, text in enumerate(own)]
        control = [tracer.trace(text, seed=seed + i) for i, text in enumerate(other)]
        scores, rare = self._documents(traced, control)
        order = rank(scores)
        measured = (
            self._rare(rare, self._documents(control, traced)[1], ask.control_name),
            _longest(traced),
        )
        shelf = shelve(suspect, self.documents)
        told = list(
            accusations(
                order,
                shelf,
                assistant=suspect.assistant,
                how="documents that its replies quote",
                evidence=measured,
            )
        )
        yield from told
        if not told:
            shown = [document for document in order if document in shelf.texts][:SHOWN]
            yield Finding(
                claim=f"{sum(rare)} of {len(rare)} replies hold a wording of {least} words or more "
                f"that stands in at most {places} documents and in no reply of the control",
                confidence=0.1,
                evidence=(*measured, *excerpts(shown, shelf)),
                metadata={"documents": len(order)},
            )
        return Trials(planned=each * len(topics), ran=len(own))

    def _documents(
        self, traced: Sequence[Trace], control: Sequence[Trace]
    ) -> tuple[Mapping[str, float], list[bool]]:
        """Bits of rare wording by document, shared among the documents of a span, and which
        replies hold one; spans that the control says too do not count."""
        common = {span.text for trace in control for span in trace.spans}
        scores: dict[str, float] = defaultdict(float)
        counted: set[str] = set()
        rare = []
        for trace in traced:
            found = [s for s in trace.spans if s.documents <= self.widest and s.text not in common]
            rare.append(bool(found))
            for span in found:
                if span.text not in counted:
                    counted.add(span.text)
                    _credit(scores, span)
        return scores, rare

    def _rare(self, own: Sequence[bool], control: Sequence[bool], name: str) -> Measurement:
        return compare(
            f"replies with a wording of at most {self.widest} documents that the other side lacks",
            sum(own),
            len(own),
            name,
            sum(control),
            len(control),
        )


def _credit(scores: dict[str, float], span: Span) -> None:
    for place in span.places:
        scores[place.document] += span.rarity / span.documents


def _replies(rows: Sequence[Sequence[Exchange]]) -> list[str]:
    """The answers that have words, each once, in order."""
    answers = (answer for row in rows for _, answer in row)
    return [text for text in dict.fromkeys(answers) if text.strip()]


def _longest(traced: Sequence[Trace]) -> Measurement:
    """Words of the longest match a reply, beside that of its words shuffled."""
    longest = [float(trace.longest) for trace in traced]
    shuffled = [float(value) for trace in traced for value in trace.shuffled_longest]
    return Measurement(
        name="words of a reply's longest verbatim match",
        value=sum(longest) / len(longest),
        n=len(longest),
        interval=mean_interval(longest),
        control="the same replies with their words shuffled",
        control_value=sum(shuffled) / len(shuffled),
        control_n=len(shuffled),
        control_interval=mean_interval(shuffled),
        unit="words",
    )
