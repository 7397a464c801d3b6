"""The autopilot: no language model; cheap and strong first, then wherever the leads go."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

from workbench.access import Access
from workbench.auditors.beliefs import Beliefs, Rival
from workbench.auditors.bench import Bench, Ran
from workbench.auditors.kit import Kit, kit, kit_measured
from workbench.auditors.leads import CHECKS, TEST, Step, leads
from workbench.auditors.purse import Purse
from workbench.auditors.story import Story
from workbench.auditors.writing import submission
from workbench.errors import BadParameter, BudgetExceeded
from workbench.findings import JSON, Submission
from workbench.technique import PathText

WORTH_A_TEST = 0.1
"""The odds at which a hypothesis is followed up."""


@dataclasses.dataclass(frozen=True)
class Autopilot:
    """Runs techniques by what each is expected to tell, follows leads, weighs rival hypotheses.

    Before each step it asks of every technique that the view allows how much it would sharpen what
    is believed, for its cost in time and samples, and takes the best (packs/kit.toml; the rates of
    a benchmark's file with `measured`). What a technique names is followed up at once: counted by
    the technique for its kind, put to a test on fresh questions, looked for in the training data,
    and taken out of the activations, as far as the view allows. It stops where one hypothesis, or
    that nothing is hidden, is `settled`, where no step is worth its cost, or after techniques worth
    `seconds` (as packs/kit.toml has it: no result depends on how busy the machine is). `without`
    names techniques that are not to be used.

    Source: the investigator's failures in Bricken et al. 2025 (fixating early, not paging) and in
    AuditBench (evidence seen and not turned into a hypothesis), answered by odds for rivals. Blind
    spots: what no technique names; kinds of objective that only a test with the right trigger
    shows; its rates are judgements until a benchmark measured them.
    """

    name: ClassVar[str] = "autopilot"
    version: ClassVar[int] = 1
    needs: ClassVar[Access] = Access.NONE

    settled: float = 0.96
    least_gain: float = 0.02
    seconds: float = 240.0
    without: tuple[str, ...] = ()
    measured: PathText = ""

    def __post_init__(self) -> None:
        if not 0.5 < self.settled < 1:
            raise ValueError("settled must lie between 0.5 and 1")
        if self.least_gain < 0 or self.seconds <= 0:
            raise ValueError("least_gain must be at least 0 and seconds above 0")

    def audit(self, bench: Bench, story: Story, *, seed: int) -> Submission:
        """Works until it is settled, and hands in what it believes."""
        known = kit_measured(self.measured) if self.measured else kit()
        beliefs = Beliefs(known, bench.assistant)
        flight = _Flight(self, bench, story, known, beliefs, Purse(bench))
        flight.begin()
        while flight.step():
            pass
        return flight.end()


@dataclasses.dataclass(slots=True)
class _Flight:
    """One audit on its way. tried: techniques by name with the parameters they were run with;
    followed: rivals by number, and what they were taken to; worked: nominal seconds."""

    pilot: Autopilot
    bench: Bench
    story: Story
    kit: Kit
    beliefs: Beliefs
    purse: Purse
    tried: dict[str, list[Mapping[str, JSON]]] = dataclasses.field(default_factory=dict)
    followed: set[tuple[int, str]] = dataclasses.field(default_factory=set)
    looked: int = 0
    worked: float = 0.0

    def begin(self) -> None:
        """Says who is audited, and with what."""
        bench = self.bench
        self.story.chapter(f"Who is it, and what may I do? {bench.id}")
        name = bench.assistant
        self.story.tell(f"It goes by the name {name}." if name else "It tells no name.")
        self.story.tell(f"I may use: {', '.join(bench.access.names) or 'nothing'}.")
        bounds = [
            f"{left:,.0f} {meter.replace('_', ' ')}"
            for meter in ("samples", "tokens", "forward_passes", "documents", "seconds")
            if (left := bench.left(meter)) is not None
        ]
        self.story.tell(f"I may spend: {', '.join(bounds) or 'what it takes'}.")
        usable = [n for n in bench.techniques() if n not in self.pilot.without]
        self.story.tell(f"{len(usable)} techniques can be used within that access.")
        self.story.odds(self.beliefs.odds())

    def step(self) -> bool:
        """Does the next thing; False where nothing is left that is worth it."""
        if self.worked >= self.pilot.seconds:
            self.story.chapter("Time is up")
            self.story.tell(f"Techniques were worth {self.worked:.0f} s, all that I was given.")
            return False
        rival = self.beliefs.leading
        if rival is not None and self.beliefs.chance(rival) >= WORTH_A_TEST:
            for lead in leads(rival, self.kit):
                if self._follow(rival, lead):
                    return True
        best = max((self.beliefs.none, *(self.beliefs.chance(r) for r in self.beliefs.rivals)))
        if best >= self.pilot.settled:
            self.story.chapter("Settled")
            self.story.tell(f"The leading belief stands at {best:.2f}: more would change little.")
            return False
        return self._explore()

    def end(self) -> Submission:
        """Writes down what is believed, and why."""
        made = submission(self.beliefs, self.looked)
        self.story.chapter("What I hand in")
        self.story.odds(self.beliefs.odds())
        h = made.hypothesis
        if h.family == "none":
            self.story.tell(f"Nothing is hidden, I say, at {made.confidence:.2f}.")
        elif made.confidence == 0:
            self.story.tell("I abstain.")
        else:
            self.story.tell(f"Root cause: {h.root_cause or 'I cannot name it'}.")
            self.story.tell(f"Trigger: {h.trigger or 'unknown'}.")
            self.story.tell(f"Behaviours: {'; '.join(h.behaviours) or 'unknown'}.")
            self.story.tell(
                f"Confidence {made.confidence:.2f}; {len(made.evidence)} findings cited."
            )
        self.story.tell(made.words)
        return made

    def _explore(self) -> bool:
        """Runs the technique that is expected to tell most for its cost."""
        choices = []
        for name in self.bench.techniques():
            known = self.kit.of(name)
            if name in self.tried or name in self.pilot.without or name in CHECKS:
                continue
            if (given := self.purse.fitting(name, known)) is None:
                continue
            gain = self.beliefs.gain(known)
            choices.append((gain / self.purse.cost(known), gain, name, given))
        if not choices:
            self.story.chapter("Nothing is left to try")
            self.story.tell("No technique that I have not used fits the access and the budget.")
            return False
        worth, gain, name, given = max(choices, key=lambda c: (c[0], c[2]))
        if worth < self.pilot.least_gain:
            self.story.chapter("Enough")
            self.story.tell(
                f"The best of {len(choices)} techniques left, {name}, would tell too little "
                f"({gain:.3f}) for its cost."
            )
            return False
        others = sorted((c for c in choices if c[2] != name), key=lambda c: -c[0])[:2]
        beside = ", ".join(f"{c[2]} {c[1]:.3f}" for c in others) or "nothing else"
        why = f"It should tell most for its cost ({gain:.3f}; next: {beside})."
        ran = self._run(f"I try {name}", why, name, given)
        if ran is not None:
            self._hear(name, ran)
        return True

    def _follow(self, rival: Rival, lead: Step) -> bool:
        """Takes a step for a rival, once; False where it cannot be taken."""
        name, given = lead.technique, lead.given
        if (rival.number, name) in self.followed or name in self.pilot.without:
            return False
        self.followed.add((rival.number, name))
        kind = self.bench.techniques().get(name)
        if kind is None:
            return False
        fields = {f.name for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
        given = {key: value for key, value in given.items() if key in fields}
        if given in self.tried.get(name, []) or (name in self.tried and not given):
            return False
        fitting = self.purse.fitting(name, self.kit.of(name), given)
        if fitting is None:
            return False
        ran = self._run(lead.title, lead.why, name, fitting)
        if ran is None or name not in CHECKS:
            if ran is not None:
                self._hear(name, ran)
            return True
        self._judge(rival, name, ran)
        return True

    def _judge(self, rival: Rival, name: str, ran: Ran) -> None:
        """What a test says about the rival that it was made for."""
        if not ran.ok or not ran.entries:
            self.story.tell("It could not be tested.")
            return
        entry = ran.entries[0]
        finding = entry.finding
        passed = finding.accuses
        self.story.tell(f"{finding.claim}.")
        if name == TEST:
            said = self.beliefs.said(name, entry.id, finding, rival) if passed else None
            self.beliefs.judge(rival, said)
            admitted = finding.metadata.get("admitted")
            if passed and isinstance(admitted, (int, float)):
                rival.openly = 1.5 if admitted >= 0.2 else -1.0
                self.story.tell(
                    f"Asked about itself, it admits it in {admitted:+.2f} more replies than the "
                    "control."
                )
        elif passed:
            rival.members.append(self.beliefs.said(name, entry.id, finding, rival))
        self.story.odds(self.beliefs.odds())

    def _hear(self, name: str, ran: Ran) -> None:
        """What a technique's findings say."""
        touched = self.beliefs.hear(name, [(e.id, e.finding) for e in ran.entries], whole=ran.ok)
        accusing = [entry for entry in ran.entries if entry.finding.accuses]
        for entry in accusing[:3]:
            self.story.tell(f"It says ({entry.finding.confidence:.2f}): {entry.finding.claim}.")
        if ran.ok and not accusing:
            leads = [entry for entry in ran.entries if entry.finding.points_to is not None]
            told = f"; {len(leads)} leads: {leads[0].finding.claim}" if leads else ""
            counted = f"{ran.run.ran} of {ran.run.planned}"
            self.story.tell(f"It looked ({counted}) and accuses nobody{told}.")
        for rival in touched:
            if rival.stands:
                sources = ", ".join(sorted(rival.sources))
                about = f"Hypothesis {rival.number} ({rival.kind}; {sources})"
                self.story.tell(f"{about}: {rival.words}.")
        self.story.odds(self.beliefs.odds())

    def _run(self, title: str, why: str, name: str, given: Mapping[str, JSON]) -> Ran | None:
        """Runs it and books it; None where it could not be run at all."""
        self.story.chapter(title, technique=name, parameters=dict(given))
        self.story.tell(why)
        self.tried.setdefault(name, []).append(dict(given))
        try:
            ran = self.bench.run(name, given)
        except (BadParameter, BudgetExceeded) as error:
            self.story.tell(f"It cannot be run: {error.message}.")
            return None
        self.worked += self.kit.of(name).seconds
        self.looked += ran.ok
        if not ran.ok:
            self.story.tell(f"It {ran.run.status}: {ran.run.reason or 'no reason given'}.")
        return ran
