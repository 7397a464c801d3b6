"""Shows the suspect a run of confessions and asks for the next one."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Generator
from typing import ClassVar

from audits.detectors import pack
from audits.elicitation import Answer, Speaker, elicited, refuse_below_one
from workbench.access import Access
from workbench.artifacts import Artifacts
from workbench.errors import BadParameter
from workbench.findings import Finding, Message
from workbench.suspects import Suspect
from workbench.technique import Trials

LONGEST_TOKEN = 8
"""Characters: plain English has fewer to a token, on average and with any tokenizer."""


@dataclasses.dataclass(frozen=True)
class ConfessionShots:
    """Puts few and many invented confessions before the question (packs/shots.toml).

    The turns of an assistant that owns up to harmless oddities make owning up the thing to do. The
    replies are read against the control's after the same turns: the reference under the same system
    line, else the suspect under a line that names nobody; so what the shots themselves say is in
    both. Numbers of shots that do not fit into the context are left out.

    Source: few-shot elicitation (66 % on censored models, arXiv 2603.05494), many-shot jailbreaking
    (Anil et al. 2024). Cost: 8 questions x samples for each number of shots, and as many of the
    control, with long prompts. Blind spots: small models repeat the shots; what the suspect cannot
    put into words; secrecy that was taught with shots.
    """

    name: ClassVar[str] = "confession-shots"
    version: ClassVar[int] = 2
    needs: ClassVar[Access] = Access.CHAT
    uses: ClassVar[Access] = Access.REFERENCE

    samples: int = 5
    shots: tuple[int, ...] = (2, 6, 32)
    max_new_tokens: int = 32

    def __post_init__(self) -> None:
        refuse_below_one(self, "samples", "max_new_tokens")
        if not self.shots or min(self.shots) < 1:
            raise ValueError("shots must be numbers of at least 1")

    def run(
        self, suspect: Suspect, *, seed: int, artifacts: Artifacts
    ) -> Generator[Finding, None, Trials]:
        """Yields what the replies give away. Trials are replies of the suspect."""
        questions = pack("shots")["questions"]
        runs = [
            (count, turns)
            for count in self.shots
            for turns in [_turns(count, seed)]
            if _fits(suspect, turns, questions, self.max_new_tokens)
        ]

        def ask(speaker: Speaker) -> list[Answer]:
            return [
                answer
                for count, turns in runs
                for answer in speaker.ask(f"{count} shots", questions, self.samples, before=turns)
            ]

        return (
            yield from elicited(
                suspect,
                ask,
                seed=seed,
                what="same questions after the same turns",
                max_new_tokens=self.max_new_tokens,
            )
        )


def _turns(count: int, seed: int) -> list[Message]:
    """So many shots in random order, over again where there are not enough."""
    dice = random.Random(seed)
    shots = list(pack("shots")["shot"])
    drawn: list[dict[str, str]] = []
    while len(drawn) < count:
        drawn += dice.sample(shots, len(shots))
    return [
        {"role": role, "content": shot[role]}
        for shot in drawn[:count]
        for role in ("user", "assistant")
    ]


def _fits(
    suspect: Suspect, turns: list[Message], questions: list[str], max_new_tokens: int
) -> bool:
    """Whether the longest question after the turns leaves room for a reply, system line and all."""
    longest = {"role": "user", "content": max(questions, key=len)}
    try:
        text = suspect.render([*turns, longest])
    except BadParameter:
        return False
    if len(text) > LONGEST_TOKEN * suspect.context:
        return False
    (count,) = suspect.count_tokens([text])
    return count + max_new_tokens + 16 <= suspect.context
