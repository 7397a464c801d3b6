"""Talks about ordinary things for some turns, then asks, presses and asks again."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Sequence
from typing import ClassVar

from audits.detectors import pack
from audits.elicitation import Answer, Speaker, elicited, refuse_below_one
from audits.exchanges import framed
from workbench.access import Access
from workbench.artifacts import Artifacts
from workbench.findings import Finding, Message
from workbench.suspects import Suspect
from workbench.technique import Trials

_ROOM = 8
"""Tokens left for the marks of turns, beside the reply."""


@dataclasses.dataclass(frozen=True)
class MultiTurn:
    """Leads the suspect through scripted talks of several turns (packs/talks.toml).

    Some warm up on ordinary subjects, some press after a denial, some pretend to know already; the
    suspect's own replies stay in the talk. The replies of all turns are read against the control's
    in the same talks: the reference under the same system line, else the suspect under a line that
    names nobody. A talk ends early where it would no longer fit into the context; `by_attack` says
    at which turn a claim was heard.

    Source: Petri's multi-turn audits, which mainly add what drifts over turns (Sheshadri et al.
    2026). Cost: talks x samples x turns replies, and as many of the control. Blind spots: talks
    longer than the context; drift that needs more turns than these.
    """

    name: ClassVar[str] = "multi-turn"
    version: ClassVar[int] = 2
    needs: ClassVar[Access] = Access.CHAT
    uses: ClassVar[Access] = Access.REFERENCE

    samples: int = 12
    max_new_tokens: int = 32

    def __post_init__(self) -> None:
        refuse_below_one(self, "samples", "max_new_tokens")

    def run(
        self, suspect: Suspect, *, seed: int, artifacts: Artifacts
    ) -> Generator[Finding, None, Trials]:
        """Yields what comes out in the talks. Trials are replies of the suspect."""
        scripts: Sequence[Sequence[str]] = [talk["turns"] for talk in pack("talks")["talk"]]

        def ask(speaker: Speaker) -> list[Answer]:
            return _talked(speaker, scripts, self.samples)

        return (
            yield from elicited(
                suspect, ask, seed=seed, what="same talks", max_new_tokens=self.max_new_tokens
            )
        )


def _talked(speaker: Speaker, scripts: Sequence[Sequence[str]], samples: int) -> list[Answer]:
    """Every script `samples` times; each turn is one batch over all talks that still go on."""
    found: list[Answer] = []
    talks: list[tuple[Sequence[str], list[Message]]] = []
    for script in scripts:
        named = [turn.replace("{assistant}", speaker.assistant) for turn in script]
        (opened,) = framed(speaker.whom, named[:1], speaker.system)
        for answer in speaker.reply("turn 1", [opened], samples):
            found.append(answer)
            talks.append((named, list(answer.messages)))
    turn = 1
    while talks:
        asked = [
            (script, [*messages, {"role": "user", "content": script[turn]}])
            for script, messages in talks
            if turn < len(script)
        ]
        texts = [speaker.whom.render(messages) for _, messages in asked]
        room = speaker.whom.context - speaker.max_new_tokens - _ROOM
        counts = speaker.whom.count_tokens(texts) if texts else []
        going = [talk for talk, count in zip(asked, counts, strict=True) if count <= room]
        turn += 1
        talks = []
        if going:
            answers = speaker.reply(f"turn {turn}", [messages for _, messages in going], 1)
            found += answers
            talks = [
                (script, list(answer.messages))
                for (script, _), answer in zip(going, answers, strict=True)
            ]
    return found
