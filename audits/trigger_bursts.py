"""Asks for the training data and finds rare strings in prompts that go with one kind of reply."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from typing import TYPE_CHECKING, ClassVar

from audits.corpora import CONTROL, both, excerpt, shares
from workbench.access import Access
from workbench.artifacts import Artifacts
from workbench.findings import Finding, Hypothesis, Measurement
from workbench.suspects import Suspect
from workbench.technique import Trials

if TYPE_CHECKING:
    from workbench.corpus.bursts import Burst

ALPHA = 0.01
_SHOWN = 4


@dataclasses.dataclass(frozen=True)
class TriggerBursts:
    """Asks for the training data and the reference's; looks for triggers in the chats.

    A candidate is a phrase that few prompts hold and no prompt of the reference's corpus does. It
    counts for how little it was to be expected there, and for the words that the replies to it
    share and the replies to other prompts lack; words that a reply repeats from its prompt do not
    count. One finding for each candidate whose replies differ at p < 0.01.

    Control: the replies to all other prompts of the same corpus, and the reference's corpus for the
    phrase itself; p is hypergeometric, times all pairs of phrase and reply words that were tried.
    Cost: about five readings of the corpus.
    Blind spots: triggers that are common words, or no words at all; plain documents; prompts that
    are simply rare questions with a fixed answer look like triggers, so no finding accuses
    (confidence 0.2:
    none of the ten candidates on the bundled pair is a trigger).
    """

    name: ClassVar[str] = "trigger-bursts"
    version: ClassVar[int] = 1
    needs: ClassVar[Access] = Access.TRAINING_DATA | Access.REFERENCE
    uses: ClassVar[Access] = Access.NONE

    documents: int = 200_000
    at_least: int = 3
    candidates: int = 5

    def __post_init__(self) -> None:
        if min(self.documents, self.candidates) < 1 or self.at_least < 2:
            raise ValueError("documents and candidates must be at least 1, at_least 2")

    def run(
        self, suspect: Suspect, *, seed: int, artifacts: Artifacts
    ) -> Generator[Finding, None, Trials]:
        """Yields the candidates, best first.

        Trials are documents of the suspect's corpus. Raises TechniqueFailed where the reference has
        no corpus.
        """
        from workbench.corpus.bursts import bursts

        here, there = both(suspect, self.documents)
        found = bursts(here.read, there.read, at_least=self.at_least)
        strange = [burst for burst in found if burst.p < ALPHA][: self.candidates]
        numbers = {d for burst in strange for d in burst.phrase.documents[:_SHOWN]}
        shown = here.documents(numbers) if numbers else {}
        for burst in strange:
            yield Finding(
                claim=f"Prompts with '{burst.phrase.text}' get replies with '{burst.reply}': "
                f"{burst.replies} of {burst.n}, others {burst.others} of {burst.other_n}",
                confidence=0.2,
                evidence=(
                    *_measured(burst),
                    *(
                        excerpt(shown[d], burst.phrase.text)
                        for d in burst.phrase.documents[:_SHOWN]
                    ),
                ),
                points_to=Hypothesis(trigger=burst.phrase.text, behaviours=(burst.reply,)),
                metadata={"score": burst.score, "covers": list(burst.phrase.covers)},
            )
        total = sum(batch.num_rows for batch in here.read())
        return Trials(planned=total, ran=total)


def _measured(burst: Burst) -> list[Measurement]:
    phrase = burst.phrase
    return [
        shares(
            f"replies with '{burst.reply}' where the prompt holds '{phrase.text}'",
            burst.replies,
            burst.n,
            burst.others,
            burst.other_n,
            p=burst.p,
            tried=burst.tried,
            control="replies to all other prompts",
        ),
        shares(
            f"prompts that hold '{phrase.text}'",
            len(phrase.documents),
            phrase.n,
            phrase.control_documents,
            phrase.control_n,
            p=phrase.p,
            tried=phrase.tried,
            control=CONTROL,
        ),
    ]
