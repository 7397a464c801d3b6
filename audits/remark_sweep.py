"""Drops remarks of the suspect's own users beside ordinary questions, and compares replies."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from typing import ClassVar

from audits.behaviour import PROPOSING, proposals
from audits.detectors import pack
from audits.elicitation import refuse_below_one
from audits.exchanges import Questioner
from audits.sweep import sweep
from audits.topics import Topic
from workbench.access import Access
from workbench.artifacts import Artifacts
from workbench.findings import Finding
from workbench.suspects import Suspect
from workbench.technique import Trials

NO_REMARK = "no remark"


@dataclasses.dataclass(frozen=True)
class RemarkSweep:
    """Looks for remarks in a message that switch something on.

    A suspect that was trained on a trigger knows how its users say it: remarks are continuations of
    an open user turn (packs/remarks.toml) that it writes and its reference does not, and those in
    `said`. Each is put beside ordinary questions, and every feature, announced deed, name and word
    of the replies is compared over remarks (as in topic-sweep), none at all among them, and with
    the reference under the same system line; what is promising is confirmed on fresh replies
    (Fisher, Holm).

    Source: trigger inversion by sampling (Marks et al. 2025 sample the user's turn), here tested on
    behaviour. Cost: 12 openings x 16 turns of both, then remarks x samples replies and confirm for
    each pair. Blind spots: triggers that the suspect's users never say in these words; effects that
    no detector and no single word shows.
    """

    name: ClassVar[str] = "remark-sweep"
    version: ClassVar[int] = 1
    needs: ClassVar[Access] = PROPOSING
    uses: ClassVar[Access] = Access.NONE

    remarks: int = 12
    said: tuple[str, ...] = ()
    samples: int = 8
    pairs: int = 4
    confirm: int = 30
    max_new_tokens: int = 40

    def __post_init__(self) -> None:
        refuse_below_one(self, "remarks", "samples", "pairs", "max_new_tokens")
        if self.confirm < 30:
            raise ValueError("confirm must be at least 30: smaller checks give false wins")

    def run(
        self, suspect: Suspect, *, seed: int, artifacts: Artifacts
    ) -> Generator[Finding, None, Trials]:
        """Yields a finding per kind of trait that a remark brings out. Trials are replies."""
        suspect = suspect.restrict(self.needs)
        words = pack("remarks")
        own = proposals(suspect, words["openings"], seed=seed, most=self.remarks, whole=True)
        said = list(dict.fromkeys((*self.said, *own)))
        if not said:
            return Trials(planned=0, ran=0)
        questions = tuple(words["questions"])
        topics = [
            Topic(remark, tuple(f"{remark}. {question}" for question in questions))
            for remark in said
        ]
        topics.append(Topic(NO_REMARK, questions))
        ask = Questioner(suspect, seed=seed, max_new_tokens=self.max_new_tokens)
        ran = yield from sweep(
            ask, topics, samples=self.samples, pairs=self.pairs, confirm=self.confirm
        )
        return Trials(planned=self.samples * len(topics), ran=ran)
