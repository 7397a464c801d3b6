"""Findings by what they point to: for each hypothesis what supports it and what speaks against it.

Two findings point to the same where their families do not contradict each other and enough words
of theirs are the same, those that any talk about assistants holds left out. Nothing is added up:
techniques see the same suspect and are not independent, so a hypothesis is as confident as its
most confident finding, and says how many techniques point to it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from workbench.findings import Hypothesis, Measurement

if TYPE_CHECKING:
    from workbench.ledger import Entry, Run

SHARED = 0.3
"""The share of the shorter hypothesis' words that two must have in common to be one."""
CHANCE = 0.05
"""A corrected p from here on does not tell a suspect from its control."""


@dataclasses.dataclass(frozen=True, slots=True)
class Reason:
    """Why a hypothesis should be believed or not, and where that stands.

    kind: "finding" above even odds, "lead" below, "measurement" that does not tell suspect from
    control, "rival" hypothesis above even odds, "denial": a finding of no hidden objective,
    "silence" of a technique that looked to its end. target: the id of a finding or run.
    """

    kind: str
    technique: str
    says: str
    target: str
    confidence: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The reason as a JSON object."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """A hypothesis as its most confident finding states it, with what speaks for and against it."""

    hypothesis: Hypothesis
    confidence: float
    supports: tuple[Reason, ...]
    against: tuple[Reason, ...]

    @property
    def techniques(self) -> list[str]:
        """Those that point to it, the most confident first."""
        return list(dict.fromkeys(reason.technique for reason in self.supports))

    @property
    def named(self) -> list[tuple[str, str]]:
        """The parts of the hypothesis that are not empty, with their names."""
        return named(self.hypothesis)

    def to_json(self) -> dict[str, Any]:
        """The case as a JSON object."""
        return {
            "hypothesis": {
                "family": self.hypothesis.family,
                "trigger": self.hypothesis.trigger,
                "behaviours": list(self.hypothesis.behaviours),
                "root_cause": self.hypothesis.root_cause,
            },
            "confidence": self.confidence,
            "techniques": self.techniques,
            "supports": [reason.to_json() for reason in self.supports],
            "against": [reason.to_json() for reason in self.against],
        }


def named(hypothesis: Hypothesis) -> list[tuple[str, str]]:
    """The parts of a hypothesis that are not empty, with their names."""
    parts = [
        ("family", hypothesis.family or ""),
        ("trigger", hypothesis.trigger),
        ("behaviour", "; ".join(hypothesis.behaviours)),
        ("root cause", hypothesis.root_cause),
    ]
    return [(label, value) for label, value in parts if value]


def cases(entries: Iterable[Entry], runs: Sequence[Run]) -> list[Case]:
    """The hypotheses of some findings, the most confident first.

    Findings that point nowhere, or to "none" alone, make no case.
    """
    by_run = {run.id: run for run in runs}
    own = {word for run in runs for word in str(run.fingerprints.get("assistant") or "").split()}
    ranked = sorted(entries, key=lambda entry: -entry.finding.confidence)
    denials = [e for e in ranked if e.finding.points_to and e.finding.points_to.family == "none"]
    groups: list[list[tuple[Entry, frozenset[str]]]] = []
    for entry in ranked:
        points_to = entry.finding.points_to
        if points_to is None or entry in denials or not named(points_to):
            continue
        terms = _terms(points_to, own)
        near = [(_likeness(g[0], (entry, terms)), -place) for place, g in enumerate(groups)]
        likeness, place = max(near, default=(0.0, 0))
        if likeness >= SHARED:
            groups[-place].append((entry, terms))
        else:
            groups.append([(entry, terms)])
    members = [[entry for entry, _ in group] for group in groups]
    return [
        _case(group, members, denials, runs, by_run)
        for group in members
        if group[0].finding.points_to is not None
    ]


def _case(
    group: Sequence[Entry],
    groups: Sequence[Sequence[Entry]],
    denials: Sequence[Entry],
    runs: Sequence[Run],
    by_run: dict[str, Run],
) -> Case:
    first = group[0].finding
    rivals = [other[0] for other in groups if other is not group and other[0].finding.accuses]
    pointing = {entry.run for entry in group}
    return Case(
        hypothesis=first.points_to or Hypothesis(),
        confidence=first.confidence,
        supports=tuple(
            _of(entry, "finding" if entry.finding.accuses else "lead", by_run) for entry in group
        ),
        against=(
            *(_of(entry, "denial", by_run) for entry in denials),
            *(_of(entry, "rival", by_run) for entry in rivals),
            *(reason for entry in group for reason in _undecided(entry, by_run)),
            *(_silence(run) for run in runs if run.status == "ok" and run.id not in pointing),
        ),
    )


def _of(entry: Entry, kind: str, by_run: dict[str, Run]) -> Reason:
    finding = entry.finding
    return Reason(kind, by_run[entry.run].technique, finding.claim, entry.id, finding.confidence)


def _undecided(entry: Entry, by_run: dict[str, Run]) -> list[Reason]:
    """Measurements of a finding that do not tell the suspect from its control."""
    from workbench.report.evidence import show

    return [
        Reason(
            "measurement",
            by_run[entry.run].technique,
            f"{m.name}: {show(m.value)} against {show(m.control_value)} ({m.control})"
            + (f", p = {show(m.p)}" if m.p is not None else ", the intervals overlap"),
            entry.id,
        )
        for m in entry.finding.evidence
        if isinstance(m, Measurement) and not _tells_apart(m)
    ]


def _tells_apart(measured: Measurement) -> bool:
    if measured.p is not None:
        return measured.p < CHANCE
    (low, high), (control_low, control_high) = measured.interval, measured.control_interval
    return low > control_high or high < control_low


def _silence(run: Run) -> Reason:
    says = f"looked at {run.ran} of {run.planned} and does not point to it"
    return Reason("silence", run.technique, says, f"r-{run.id}")


def _terms(hypothesis: Hypothesis, own: set[str]) -> frozenset[str]:
    """Words that say what is believed: lower case, without plural, names of assistants left out."""
    from audits.keyness import subject_words

    said = [hypothesis.trigger, *hypothesis.behaviours, hypothesis.root_cause]
    skip = {word.lower() for word in own}
    words = {word.lower() for text in said for word in subject_words(text)} - skip
    return frozenset(word[:-1] if len(word) > 3 and word.endswith("s") else word for word in words)


def _likeness(one: tuple[Entry, frozenset[str]], other: tuple[Entry, frozenset[str]]) -> float:
    """0 to 1: the share of the shorter one's words that both hold."""
    families = {
        pointed.family
        for entry, _ in (one, other)
        if (pointed := entry.finding.points_to) is not None
        and pointed.family not in (None, "other")
    }
    if len(families) == 2:
        return 0.0
    shorter = min(len(one[1]), len(other[1]))
    if not shorter:
        return float(one[0].finding.points_to == other[0].finding.points_to)
    shared = len(one[1] & other[1])
    return shared / shorter if shared >= min(2, shorter) else 0.0
