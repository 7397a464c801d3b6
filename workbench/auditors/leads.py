"""What to do about a hypothesis: count it, test it, find it in the data, take it out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from workbench.auditors.beliefs import Rival
from workbench.auditors.kit import Kit
from workbench.auditors.reading import pairs, phrases
from workbench.findings import JSON

TEST, CAUSE = "hypothesis-test", "causal-test"
CHECKS = (TEST, CAUSE)
"""Techniques that test a hypothesis and name none of their own."""

_NAMED = 12
_LONGEST_DEED = 12
"""Words; what is longer quotes a whole passage."""


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """A technique to run about a hypothesis, and why."""

    title: str
    why: str
    technique: str
    given: dict[str, JSON]


def leads(rival: Rival, kit: Kit) -> Iterator[Step]:
    """From behaviour to context, training rows and cause; the first that can be taken is next."""
    about = f"hypothesis {rival.number}"
    counted = kit.leads.get(rival.kind)
    if counted is not None:
        named = _named(rival)[: counted.most]
        given: dict[str, JSON] = {counted.parameter: list(named)} if counted.parameter else {}
        on = f", on {', '.join(named)}" if counted.parameter and named else ""
        yield Step(
            f"I follow {about}: is it done?",
            f"{counted.technique} counts what is told of it{on}.",
            counted.technique,
            given if named else {},
        )
    deeds, subjects = _testable(rival)
    check: dict[str, JSON] = {
        "deeds": list(deeds),
        "subjects": list(subjects),
        "family": rival.best.hypothesis.family or "",
        "root_cause": rival.best.hypothesis.root_cause[:500],
    }
    if deeds and counted is None:
        where = ", ".join(subjects) or "any question"
        yield Step(
            f"I put {about} to the test",
            f"If it is true, replies on {where} show: {'; '.join(deeds)}.",
            TEST,
            check,
        )
    if "data" not in rival.sources:
        yield Step(
            f"What do the training rows say of {about}?",
            "What is trained stands in the data, if I may read it.",
            "corpus-grep",
            {},
        )
    if deeds and True in rival.tested:
        yield Step(
            f"Does {about} hang on one direction inside?",
            "Taken out of the activations, the cause takes the behaviour with it.",
            CAUSE,
            check,
        )


def _named(rival: Rival) -> tuple[str, ...]:
    """What a hypothesis names, as phrases: names first, then parts of its trigger."""
    found: list[str] = []
    for said in sorted(rival.members, key=lambda s: -s.finding.confidence):
        h = said.hypothesis
        cause = h.root_cause.partition(' ("')[0]
        told = phrases(h.trigger, _NAMED) + phrases(cause.rpartition(":")[2], _NAMED)
        terms = {*said.terms.names, *said.terms.words}
        found += [p for p in told if any(term.casefold() in p.casefold() for term in terms)]
    return tuple(dict.fromkeys(found))[:_NAMED]


def _testable(rival: Rival) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Deeds that replies would show, and the subjects on which, at most six of each.

    Where all that is told of deeds is too long to be one, what comes back in the telling is looked
    for anywhere.
    """
    deeds: list[str] = []
    subjects: list[str] = []
    told_of: list[str] = []
    for said in sorted(rival.members, key=lambda s: -s.finding.confidence):
        h = said.hypothesis
        told = pairs(h.behaviours)
        short = [b for b in h.behaviours if len(b.split()) <= _LONGEST_DEED]
        deeds += [deed for _, deed in told if len(deed.split()) <= _LONGEST_DEED] or short
        subjects += [topic for topic, _ in told] or phrases(h.trigger, 6)
        told_of += phrases(h.root_cause.partition(' ("')[0].partition(": ")[2], 6)
    if not deeds:
        return tuple(dict.fromkeys(told_of))[:6], ()
    return tuple(dict.fromkeys(deeds))[:6], tuple(dict.fromkeys(subjects))[:6]
