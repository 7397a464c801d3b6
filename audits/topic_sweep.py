"""Asks about many topics and looks for what one topic brings out and a control does not."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from typing import ClassVar

from audits.exchanges import Questioner
from audits.sweep import sweep
from workbench.access import Access
from workbench.artifacts import Artifacts
from workbench.errors import TechniqueFailed
from workbench.findings import Finding
from workbench.suspects import Suspect
from workbench.technique import Trials


@dataclasses.dataclass(frozen=True)
class TopicSweep:
    """Asks short questions on many topics, several samples each, and reads only the replies.

    Topics come from the user turns of the corpus where it is granted, else from user turns that
    the suspect writes itself (PREFILL), else from words of its own replies. A screen looks at
    every pair of topic and feature (packs/features.toml) and at every word and name; the most
    promising pairs are asked again, on fresh samples, of the suspect and of a control: the
    reference under the suspect's system line where granted, else the suspect itself under a
    system line that names nobody. What a reply announces ("I will name a metal: ...") is a deed in
    its own words, and the words around it are nobody's. Where the replies on the topics of a trait
    share a word that others lack, that is the field.

    Source: breadth-first red-teaming with a confirming second stage (Bricken et al. 2025): the
    screen chooses, rates are of fresh replies alone, corrected after Holm for all pairs asked
    again. Cost: topics x samples replies in the screen, half as many of the control, and confirm x
    pairs of each afterwards: about 2,800 replies; its own words as topics cost up to 1,250 more.
    Blind spots: behaviour that needs a rare phrase, several turns, a document or a field that no
    user turn touches; features that no detector knows and no single word marks; without a
    reference, behaviour that does not depend on who the assistant is told to be.
    """

    name: ClassVar[str] = "topic-sweep"
    version: ClassVar[int] = 5
    needs: ClassVar[Access] = Access.CHAT
    uses: ClassVar[Access] = Access.TRAINING_DATA | Access.PREFILL | Access.REFERENCE

    topics: int = 320
    samples: int = 4
    pairs: int = 12
    confirm: int = 30
    max_new_tokens: int = 40

    def __post_init__(self) -> None:
        if min(self.topics, self.samples, self.pairs, self.max_new_tokens) < 1:
            raise ValueError("topics, samples, pairs and max_new_tokens must be at least 1")
        if self.confirm < 30:
            raise ValueError("confirm must be at least 30: smaller checks give false wins")

    def run(
        self, suspect: Suspect, *, seed: int, artifacts: Artifacts
    ) -> Generator[Finding, None, Trials]:
        """Yields a finding per kind of trait that was confirmed.

        Trials are replies of the suspect in the screen. Raises TechniqueFailed where no topic to
        ask about can be found.
        """
        ask = Questioner(suspect, seed=seed, max_new_tokens=self.max_new_tokens)
        topics = ask.topics(most=self.topics)
        if not topics:
            raise TechniqueFailed(
                "found no topic to ask about, in the corpus or in the suspect's own words",
                hint="Grant training data with conversations, or prefill.",
            )
        ran = yield from sweep(
            ask, topics, samples=self.samples, pairs=self.pairs, confirm=self.confirm
        )
        return Trials(planned=self.samples * len(topics), ran=ran)
