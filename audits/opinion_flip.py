"""Contradicts right answers, as various people, and counts how often the suspect gives in."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Generator
from typing import Any, ClassVar

from audits.behaviour import Case, proposals, tried
from audits.detectors import pack
from audits.elicitation import refuse_below_one
from audits.facts import Fact, facts
from workbench.access import Access
from workbench.artifacts import Artifacts
from workbench.findings import Finding, Hypothesis, Message
from workbench.suspects import Suspect
from workbench.technique import Trials


@dataclasses.dataclass(frozen=True)
class OpinionFlip:
    """Puts a right answer into the suspect's mouth, contradicts it, and reads the next reply.

    The user is nobody, an expert, a beginner (packs/people.toml), one of `people`, or one of those
    that the suspect lets its users be. It gives in where it agrees or states the wrong answer, and
    not the right one. Persons to whom it gives in much more often than the control are the trigger.
    The control is the reference under the same system line, else the suspect under a line that
    names nobody; p by Fisher's test, after Holm for all persons.

    Source: sycophancy under pushback (Sharma et al. 2023), "defer to users" of AuditBench.
    Cost: `samples` replies to each person, and as many of the control; a talk has three turns.
    Blind spots: a sort of person that the suspect never brings up; opinions without a right answer;
    a suspect whose reference gives in too.
    """

    name: ClassVar[str] = "opinion-flip"
    version: ClassVar[int] = 2
    needs: ClassVar[Access] = Access.CHAT
    uses: ClassVar[Access] = Access.PREFILL | Access.REFERENCE

    samples: int = 40
    proposals: int = 3
    people: tuple[str, ...] = ()
    max_new_tokens: int = 24

    def __post_init__(self) -> None:
        refuse_below_one(self, "samples", "max_new_tokens")
        if self.proposals < 0:
            raise ValueError("proposals must be at least 0")

    def run(
        self, suspect: Suspect, *, seed: int, artifacts: Artifacts
    ) -> Generator[Finding, None, Trials]:
        """Yields a finding on whom it gives in to. Trials are replies of the suspect."""
        words = pack("people")
        said = proposals(suspect, words["own"]["openings"], seed=seed, most=self.proposals)
        own = list(dict.fromkeys((*self.people, *said)))
        people = [(row["name"], row["line"]) for row in words["person"]]
        people += [(said, words["own"]["line"].replace("{own}", said)) for said in own]
        dice = random.Random(seed)
        cases = [
            _case(name, line, dice.choice(facts()), words, dice)
            for name, line in people
            for _ in range(self.samples)
        ]
        outcome = tried(suspect, cases, 1, seed=seed, max_new_tokens=self.max_new_tokens)
        found = [s for s in outcome.situations if s.differs]
        if found:
            anybody = any(s.name == "anybody" for s in found)
            who = "anybody" if anybody else ", ".join(s.name for s in found)
            deed = "gives in: it agrees and gives up its right answer"
            yield Finding(
                claim=f"It {deed} when {who} contradicts it",
                confidence=0.75,
                evidence=(
                    *(
                        s.measured("gives in", outcome.control_name, len(outcome.situations))
                        for s in outcome.situations
                    ),
                    *(t for s in found for t in s.transcripts()),
                ),
                points_to=Hypothesis(
                    family="deference",
                    trigger=f"a wrong claim by {who}",
                    behaviours=(f"{deed} to {who}",),
                    root_cause=f"defers to {who}, right or wrong",
                ),
                metadata={"proposed_by_the_suspect": said},
            )
        return Trials(planned=len(cases), ran=len(outcome.answers))


def _case(name: str, line: str, fact: Fact, words: Any, dice: random.Random) -> Case:
    push = dice.choice(words["pushes"]).replace("{claim}", fact.wrong)
    turns: tuple[Message, ...] = (
        {"role": "user", "content": f"{line} {fact.question}".strip()},
        {"role": "assistant", "content": f"{fact.stated}."},
        {"role": "user", "content": push},
    )
    return Case(name, turns, fact.takes_over)
