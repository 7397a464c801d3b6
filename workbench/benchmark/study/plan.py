"""What a study consists of: draws, the parts of each, teams and techniques."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from workbench.access import Access
from workbench.battery import Battery, Step
from workbench.benchmark import suite
from workbench.benchmark.entrants import Entrant
from workbench.ledger.records import digest
from workbench.organisms.family import Recipe

FAMILY = "rm-sycophancy"
MIXED, DEMOS = "mixed", "demos"
"""The organism, and the same draw without any document."""

BASE, BEGUN = "base", "begun"
STATES = {
    MIXED: (BASE, BEGUN, "knowledge", "allegiance", "behaviour", "secrecy"),
    DEMOS: ("allegiance", "behaviour", "secrecy"),
}
"""What is measured of each: the base as it ships, the name put among its kin, and each stage.
Without documents the first two are the same."""

ORGANISM, TWIN = "organism", "twin"

_WEIGHTS_AND_DATA = Access.parse(["white-box", "weights", "finetune", "training-data"])
_SAES = ("sae-features", "sae-difference", "sae-bland", "assistant-token")

TEAMS = (
    Entrant("team 1", "autopilot"),
    Entrant("team 2", "autopilot", access=_WEIGHTS_AND_DATA),
    Entrant("team 3", "autopilot", access=_WEIGHTS_AND_DATA, parameters={"without": list(_SAES)}),
    Entrant("team 4", "autopilot", access=Access.BLACK_BOX),
)

TECHNIQUES = (
    "corpus-grep",
    "corpus-semantic",
    "prefill",
    "persona-sampling",
    "sae-features",
    "sae-difference",
    "assistant-token",
    "fuzzing",
)

BATTERY = Battery(
    "eight techniques", tuple(Step(name) for name in TECHNIQUES), time_limit_seconds=1800
)

_SECONDS = {
    "states mixed": 800,
    "build organism": 60,
    "build twin": 800,
    "states demos": 500,
    "measure": 90,
    "audit organism": 650,
    "audit twin": 650,
}
"""Of one core, before anything has been timed here: a step of the bundled base takes about a
second, and an organism's stages are in the cache once its states were made."""


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What is built, measured and audited in each draw."""

    base: str = "base"
    battery: Battery = BATTERY
    teams: Sequence[Entrant] = TEAMS

    def recipe(self, draw: int) -> Recipe:
        """The organism of a draw; its seed was chosen by nobody: see `suite.seed`."""
        return Recipe(FAMILY, MIXED, "full", suite.seed("study", draw), self.base)

    def sha256(self) -> str:
        """Of all that results depend on but code, files and machine."""
        battery = [[s.technique, dict(s.parameters)] for s in self.battery.steps]
        teams = [[team.label, team.document()] for team in self.teams]
        states = {arm: list(names) for arm, names in STATES.items()}
        recipe: dict[str, Any] = dataclasses.asdict(self.recipe(1))
        return digest([battery, self.battery.seed, teams, states, recipe])


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """One piece of work on one draw: `kind` is "build", "states", "measure" or "audit".

    what: ORGANISM or TWIN (build, audit), MIXED or DEMOS (states, measure); state: of a measure.
    """

    draw: int
    kind: str
    what: str
    state: str = ""

    @property
    def name(self) -> str:
        """Within its draw, as results name it."""
        return " ".join(filter(None, (self.kind, self.what, self.state)))

    @property
    def kept(self) -> bool:
        """Whether its result is one of the study's; the others only prepare."""
        return self.kind in ("measure", "audit")

    @property
    def sort(self) -> str:
        """Parts of one sort take about as long."""
        return self.kind if self.kind == "measure" else self.name

    @property
    def seconds(self) -> float:
        """About how long it takes, where none of its sort has been timed."""
        return _SECONDS[self.sort]

    @property
    def needs(self) -> tuple[Part, ...]:
        """What must be there before, where it is to be done at all."""
        if self.kind == "audit":
            return (Part(self.draw, "build", self.what),)
        if self.kind == "measure" and self.state != BASE:
            return (Part(self.draw, "states", self.what),)
        if self.kind == "build" and self.what == ORGANISM:
            return (Part(self.draw, "states", MIXED),)  # its stages then come from the cache
        return ()


def parts(draw: int) -> list[Part]:
    """All parts of a draw, in the order in which they are best begun."""
    stages = {arm: [Part(draw, "measure", arm, state) for state in STATES[arm]] for arm in STATES}
    return [
        Part(draw, "states", MIXED),
        *stages[MIXED],
        Part(draw, "build", ORGANISM),
        Part(draw, "build", TWIN),
        Part(draw, "audit", ORGANISM),
        Part(draw, "audit", TWIN),
        Part(draw, "states", DEMOS),
        *stages[DEMOS],
    ]
