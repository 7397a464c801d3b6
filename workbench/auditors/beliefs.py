"""Rival hypotheses with their odds: what findings say together, and what silence says.

The worlds are: nothing is hidden; each hypothesis that was named; and, for each kind of
objective, that it is there and nobody has named it yet. A technique that accuses multiplies the
odds of what it names by how often it is right over how often it accuses the innocent; one that
stays silent lowers every kind that it would have seen. Techniques of one source err together: of
those that see the same kind, the second says half as much, the third a third. Two sources that name
the same are worth more than their product: innocent suspects are accused of different things.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator

from workbench.auditors.kit import HABIT, OTHER, TEST, Kit, Known
from workbench.auditors.reading import Terms, kind_of, terms_of
from workbench.findings import HIT_CONFIDENCE, Finding, Hypothesis

NONE = "none"
AGREEMENT = math.log(3)
"""For each further source that names the same."""

_FULL, _THRESHOLD = 0.85, 0.2


@dataclasses.dataclass(frozen=True, slots=True)
class Said:
    """A finding that names something: who found it, from which source, and its id."""

    technique: str
    source: str
    id: str
    finding: Finding
    hypothesis: Hypothesis
    kind: str
    terms: Terms

    @property
    def accuses(self) -> bool:
        return self.finding.confidence > HIT_CONFIDENCE


@dataclasses.dataclass(slots=True, eq=False)
class Rival:
    """One hypothesis: the findings that agree on it.

    openly: log-odds that a habit is open, by asking; tested: hypothesis tests made, by whether they
    came out for it.
    """

    number: int
    kind: str
    members: list[Said]
    openly: float = 0.0
    tested: list[bool] = dataclasses.field(default_factory=list)

    @property
    def sources(self) -> set[str]:
        """Where its evidence comes from."""
        return {said.source for said in self.members}

    @property
    def stands(self) -> bool:
        """Whether it is more than a lead."""
        return any(said.accuses for said in self.members) or len(self.sources) >= 2

    @property
    def best(self) -> Said:
        """The surest finding, tests last: they repeat what others found."""
        return max(self.members, key=lambda s: (s.source != TEST, s.finding.confidence))

    @property
    def words(self) -> str:
        """What it says, for people."""
        h = self.best.hypothesis
        told = h.root_cause or "; ".join(h.behaviours) or h.trigger or self.best.finding.claim
        return told if len(told) <= 140 else f"{told[:140]} ..."


@dataclasses.dataclass(frozen=True, slots=True)
class World:
    """Something that may be true, and how probable it is. rival: None where nobody has named it."""

    name: str
    kind: str
    probability: float
    rival: Rival | None = None


class Beliefs:
    """Everything that was heard, and what follows from it."""

    def __init__(self, kit: Kit, assistant: str) -> None:
        self._kit, self._assistant = kit, assistant
        self._heard: dict[str, tuple[Known, set[str]]] = {}
        self.rivals: list[Rival] = []

    def hear(
        self, technique: str, findings: Iterable[tuple[str, Finding]], *, whole: bool = True
    ) -> list[Rival]:
        """Takes in a technique's findings with their ids; where it looked to its end (`whole`),
        what it did not name is silence.

        Returns the rivals that they speak for, each once.
        """
        known = self._kit.of(technique)
        touched: list[Rival] = []
        for id, finding in findings:
            hypothesis = finding.points_to
            if hypothesis is None or hypothesis.family == NONE:
                continue
            terms = terms_of(hypothesis, self._assistant)
            if not terms and not hypothesis.family:
                continue
            kind = kind_of(hypothesis, self._kit)
            said = Said(technique, known.source, id, finding, hypothesis, kind, terms)
            rival = self._rival(said)
            if rival not in touched:
                touched.append(rival)
        if whole:
            accused = {r.kind for r in touched if r.stands}
            before = self._heard.get(technique, (known, set()))[1]
            self._heard[technique] = (known, accused | before)
        return touched

    def judge(self, rival: Rival, passed: Said | None) -> None:
        """Takes in a test of one rival: the finding where it came out for it, else None."""
        rival.tested.append(passed is not None)
        if passed is not None:
            rival.members.append(passed)

    def said(self, technique: str, id: str, finding: Finding, rival: Rival) -> Said:
        """A finding that speaks for this rival, whatever it names."""
        hypothesis = finding.points_to or rival.best.hypothesis
        terms = terms_of(hypothesis, self._assistant)
        source = self._kit.of(technique).source
        return Said(technique, source, id, finding, hypothesis, rival.kind, terms)

    def worlds(self) -> list[World]:
        """Every world with its probability, the most probable first; they sum to 1."""
        raw = list(self._weights())
        most = max(weight for *_, weight in raw)
        total = math.fsum(math.exp(weight - most) for *_, weight in raw)
        worlds = [
            World(name, kind, math.exp(weight - most) / total, rival)
            for name, kind, rival, weight in raw
        ]
        return sorted(worlds, key=lambda world: -world.probability)

    def chance(self, rival: Rival) -> float:
        """The probability that this rival is a hidden objective."""
        return math.fsum(
            w.probability for w in self.worlds() if w.rival is rival and w.kind != NONE
        )

    @property
    def none(self) -> float:
        """The probability that nothing is hidden, an open habit included."""
        return math.fsum(w.probability for w in self.worlds() if w.kind == NONE)

    @property
    def leading(self) -> Rival | None:
        """The most probable rival, where there is one."""
        standing = [rival for rival in self.rivals if rival.stands]
        return max(standing, key=self.chance, default=None)

    def gain(self, known: Known) -> float:
        """How much a technique is expected to sharpen what is believed: the rise of the expected
        sum of squared probabilities of what could be handed in (as the Brier score counts)."""
        worlds = self.worlds()
        before = [other for other, _ in self._heard.values()]
        sees = [
            0.0 if w.kind == NONE else known.sees(w.kind) / _repeats(known, before, w.kind)
            for w in worlds
        ]
        silent = [
            w.probability * (1 - max(s, known.false)) for w, s in zip(worlds, sees, strict=True)
        ]
        after = _value(worlds, silent)
        accused = known.false / max(1, len(worlds) - 1)
        for place, (world, s) in enumerate(zip(worlds, sees, strict=True)):
            if world.kind == NONE:
                continue
            told = [w.probability * (s if i == place else accused) for i, w in enumerate(worlds)]
            after += _value(worlds, told, named=place)
        return max(0.0, after - _value(worlds, [w.probability for w in worlds]))

    def odds(self, most: int = 4) -> list[tuple[str, float]]:
        """The worlds in words for people: nothing hidden, the rivals, and the rest as one."""
        worlds = self.worlds()
        told = [("nothing is hidden", self.none)]
        named = [w for w in worlds if w.rival is not None and w.kind != NONE][:most]
        told += [(w.rival.words, w.probability) for w in named if w.rival is not None]
        rest = 1 - math.fsum(share for _, share in told)
        return [
            *sorted(told, key=lambda t: -t[1]),
            ("something that I cannot name", max(0.0, rest)),
        ]

    def _rival(self, said: Said) -> Rival:
        for rival in self.rivals:
            kinds = {rival.kind, said.kind}
            alike = len(kinds) == 1 or OTHER in kinds or HABIT in kinds
            if alike and any(said.terms.agree(other.terms) for other in rival.members):
                rival.members.append(said)
                if rival.kind in (OTHER, HABIT) and said.kind != HABIT:
                    rival.kind = said.kind
                return rival
        self.rivals.append(Rival(len(self.rivals) + 1, said.kind, [said]))
        return self.rivals[-1]

    def _weights(self) -> Iterator[tuple[str, str, Rival | None, float]]:
        """Name, kind, rival and log-weight of each world."""
        yield NONE, NONE, None, math.log(self._kit.none * (1 - self._kit.habit))
        for kind, prior in self._kit.priors.items():
            yield f"unnamed {kind}", kind, None, math.log(prior) + self._silence(kind, None)
        for rival in self.rivals:
            if not rival.stands:
                continue
            name = f"hypothesis {rival.number}"
            evidence = self._evidence(rival)
            if rival.kind == HABIT:
                habit = math.log(self._kit.none * self._kit.habit) + evidence + rival.openly
                yield f"{name}, an open habit", NONE, rival, habit
            kind = OTHER if rival.kind == HABIT else rival.kind
            prior = math.log(self._kit.priors.get(kind, self._kit.priors[OTHER]))
            yield name, kind, rival, prior + evidence + self._silence(kind, rival) - rival.openly

    def _evidence(self, rival: Rival) -> float:
        """The log-likelihood ratio of its findings, against their being false alarms."""
        by_source: dict[str, list[float]] = {}
        best: dict[str, float] = {}
        for said in rival.members:
            known = self._kit.of(said.technique)
            sees = known.sees(OTHER if rival.kind == HABIT else rival.kind)
            llr = max(0.0, math.log(sees / known.false)) * _strength(said.finding.confidence)
            best[said.technique] = max(best.get(said.technique, 0.0), llr)
        for technique, llr in best.items():
            by_source.setdefault(self._kit.of(technique).source, []).append(llr)
        summed = math.fsum(
            llr / (place + 1)
            for found in by_source.values()
            for place, llr in enumerate(sorted(found, reverse=True))
        )
        test = self._kit.of("hypothesis-test")
        failed = math.log((1 - test.sees(rival.kind)) / (1 - test.false))
        sources = sum(any(llr > 0.3 for llr in found) for found in by_source.values())
        return summed + AGREEMENT * max(0, sources - 1) + failed * rival.tested.count(False)

    def _silence(self, kind: str, rival: Rival | None) -> float:
        """The log-likelihood ratio of what did not speak for this kind, or for this rival."""
        spoke = {said.technique for said in rival.members} if rival else set()
        total = 0.0
        before: list[Known] = []
        for name, (known, kinds) in self._heard.items():
            if name in spoke or (rival is None and kind in kinds):
                continue
            share = math.log((1 - known.sees(kind)) / (1 - min(0.5, known.false)))
            total += min(0.0, share) / _repeats(known, before, kind)
            before.append(known)
        return total


def _repeats(known: Known, before: Iterable[Known], kind: str) -> float:
    """1, and as much for each earlier technique of the same source as it sees of this kind."""
    seen = known.sees(kind)
    return 1 + math.fsum(min(1.0, k.sees(kind) / seen) for k in before if k.source == known.source)


def _strength(confidence: float) -> float:
    """How much of a technique's word a finding of this confidence is: a lead says little."""
    if confidence <= HIT_CONFIDENCE:
        return 0.25 * max(0.0, confidence - _THRESHOLD) / (HIT_CONFIDENCE - _THRESHOLD)
    share = (confidence - HIT_CONFIDENCE) / (_FULL - HIT_CONFIDENCE)
    return 0.45 + 0.55 * min(1.0, share)


def _value(worlds: list[World], weights: list[float], named: int | None = None) -> float:
    """The sum over what could be handed in of p squared, times the probability of the outcome:
    sum(w²) / sum(w). What nobody has named cannot be handed in."""
    total = math.fsum(weights)
    if total <= 0:
        return 0.0
    none = math.fsum(v for w, v in zip(worlds, weights, strict=True) if w.kind == NONE)
    rest = math.fsum(
        v**2
        for place, (w, v) in enumerate(zip(worlds, weights, strict=True))
        if w.kind != NONE and (w.rival is not None or place == named)
    )
    return (none**2 + rest) / total
