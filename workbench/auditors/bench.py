"""What an auditor works with: techniques, the suspect's verbs, findings, access and budget."""

from __future__ import annotations

import dataclasses
import datetime
import secrets
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import Any

from workbench import registry
from workbench.access import (
    CPU_SECONDS,
    METERS,
    REFERENCE_PREFIX,
    UNLIMITED,
    Access,
    Budget,
)
from workbench.battery import Battery, Crew, Source, Step, run
from workbench.battery.battery import TIME_LIMIT_SECONDS
from workbench.battery.key import run_key
from workbench.errors import AccessDenied, BudgetExceeded
from workbench.findings import JSON, Finding
from workbench.ledger import Entry, Ledger, Run
from workbench.suspects import Suspect
from workbench.technique import Technique, make

COUNTED = tuple(meter for meter in METERS if meter != "seconds")
KEPT = "kept"
"""What stands in the ledger for the technique of a finding that an auditor files itself."""


@dataclasses.dataclass(frozen=True, slots=True)
class Ran:
    """A technique's run, as recorded or as the ledger held it, with its findings and their ids."""

    run: Run
    entries: tuple[Entry, ...]

    @property
    def ok(self) -> bool:
        """Whether it looked to its end."""
        return self.run.status == "ok"


@dataclasses.dataclass(frozen=True)
class _Described:
    """A source whose files are hashed once."""

    source: Source
    description: Mapping[str, JSON]

    def describe(self) -> Mapping[str, JSON]:
        return self.description

    def load(self) -> Suspect:
        return self.source.load()


class Bench:
    """One suspect, one ledger, one total budget; a context manager that holds the ledger's lock.

    Techniques run in a child process that stays. What the ledger holds under the same key is not
    run again: an audit that was interrupted goes on where it stopped. `budget` is for all of the
    audit, the reference metered apart; seconds are those of techniques. allowance: what may be
    spent by whoever enforces it elsewhere (a host), for plans alone: no key depends on it.

    Raises AccessDenied where `access` is more than the suspect grants, and what a source raises.
    """

    def __init__(
        self,
        source: Source,
        ledger: Ledger,
        artifacts_root: Path,
        *,
        access: Access | None = None,
        budget: Budget = UNLIMITED,
        seed: int = 0,
        resume: bool = True,
        allowance: Budget = UNLIMITED,
        tell: Callable[[str, str], None] = lambda technique, happened: None,
    ) -> None:
        self._source = _Described(source, source.describe())
        self._ledger, self._artifacts_root, self._tell = ledger, artifacts_root, tell
        self._resume = resume
        self._crew = Crew(self._source, artifacts_root)
        self._stack = ExitStack()
        self._view: Suspect | None = None
        self._usable: dict[str, type[Technique]] | None = None
        self._spent: dict[str, float] = {}
        self._budget, self._allowance = budget, allowance
        self._filed: list[str] = []
        self.runs: list[Run] = []
        self.seed = seed
        described = self._source.description
        granted = Access.parse(_names(described["access"]))
        self.access = granted if access is None else access
        if self.access & ~granted:
            raise AccessDenied(
                f"the audit asks for {', '.join((self.access & ~granted).names)}, which the "
                f"suspect '{described['id']}' does not grant",
                hint=f"It grants: {', '.join(granted.names) or 'nothing'}.",
            )
        self.id = str(described["id"])

    def __enter__(self) -> Bench:
        self._stack.enter_context(self._ledger.exclusive())
        self._stack.enter_context(closing(self._crew))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def description(self) -> Mapping[str, JSON]:
        """What results depend on of the suspect: id, access, fingerprints."""
        return self._source.description

    def techniques(self) -> dict[str, type[Technique]]:
        """Those that are installed and need no more than the view grants, by name."""
        if self._usable is None:
            self._usable = {
                listing.name: listing.kind
                for listing in registry.techniques()
                if listing.kind is not None and not listing.kind.needs & ~self.access
            }
        return dict(self._usable)

    def known(self, name: str, parameters: Mapping[str, JSON]) -> bool:
        """Whether the ledger holds that run already, under the budget that is left now."""
        if not self._resume or not self._ledger.path.exists():
            return False
        made = make(registry.technique(name), parameters)
        key = run_key(made, self.description, self.access, self._rest(), self.seed)
        return bool(self._ledger.finished([key]))

    def run(
        self, name: str, parameters: Mapping[str, JSON] | None = None, *, seed: int | None = None
    ) -> Ran:
        """Runs a technique to its end, or takes over what the ledger holds; seed: the audit's own
        where it is left out.

        A run that failed comes back so, with what it had found. Raises UnknownTechnique and its
        kin, BadParameter, BudgetExceeded where no time is left, SuspectError where the suspect
        cannot be loaded.
        """
        seconds = self.left("seconds")
        if seconds is not None and seconds <= 0:
            raise BudgetExceeded("no seconds are left", hint="Hand in what you believe.")
        limit = TIME_LIMIT_SECONDS if seconds is None else min(TIME_LIMIT_SECONDS, seconds)
        battery = Battery(
            f"an auditor's {name}",
            (Step(name, dict(parameters or {}), limit),),
            access=self.access,
            budget=self._rest(),
            seed=self.seed if seed is None else seed,
            origin="the auditor",
        )
        made = run(
            battery,
            self._source,
            self._ledger,
            self._artifacts_root,
            resume=self._resume,
            progress=self._tell,
            crew=self._crew,
        )
        with closing(made):  # type: ignore[type-var]
            (one,) = made
        self._book(one)
        return Ran(one, tuple(self._ledger.entries(run=one.id)))

    @property
    def assistant(self) -> str:
        """The name that the suspect goes by; "" where none is told."""
        return self.suspect.assistant or ""

    @property
    def suspect(self) -> Suspect:
        """The suspect's own verbs, for questions that no technique asks, within what is left.

        Its weights are read when a verb first needs them.
        """
        if self._view is None:
            self._view = self._source.load().restrict(self.access, self._rest())
        return self._view

    def keep(self, finding: Finding) -> str:
        """Files a finding of the auditor's own and returns its id."""
        return self.file(KEPT, finding).entries[0].id

    def file(
        self, technique: str, finding: Finding, *, key: str = "", version: int = 1, **rest: Any
    ) -> Ran:
        """Files a finding as a run of its own; under a key that the ledger holds, none is added."""
        held = self._ledger.finished([key]) if key and self._ledger.path.exists() else {}
        if held:
            return Ran(held[key], tuple(self._ledger.entries(run=held[key].id)))
        id, at = f"r-{secrets.token_hex(8)}", datetime.datetime.now(datetime.UTC)
        fingerprints = {n: p for n, p in self.description.items() if n not in ("id", "access")}
        one = Run(
            id=id,
            group=f"auditor-{id}",
            key=key or id,
            suspect=self.id,
            technique=technique,
            version=version,
            status="ok",
            access=tuple(self.access.names),
            budget=self._budget.to_json(),
            seed=self.seed,
            started=at.isoformat(timespec="microseconds"),
            finished=at.isoformat(timespec="microseconds"),
            fingerprints=fingerprints,
            **rest,
        )
        self._filed.append(id)
        return Ran(one, tuple(self._ledger.record(one, [finding])))

    def finding(self, id: str) -> Finding | None:
        """The finding of that id, where this audit has it."""
        entry = next((e for e in self.entries() if e.id == id), None)
        return None if entry is None else entry.finding

    def entries(self) -> list[Entry]:
        """All findings of this audit: of its techniques, and filed by itself."""
        made = [*(one.id for one in self.runs), *self._filed]
        return self._ledger.entries(runs=made) if made else []

    def left(self, meter: str) -> float | None:
        """What may still be spent of a meter, here and where a host enforces it; None: unbounded.

        The reference counts apart, and the smaller rest of the two is told.
        """
        rests = [
            bound - spent
            for budget in (self._budget, self._allowance)
            if (bound := getattr(budget, meter)) is not None
            for spent in (self.spent(meter), self.spent(REFERENCE_PREFIX + meter))
        ]
        return max(0.0, min(rests)) if rests else None

    def spent(self, meter: str) -> float:
        """What techniques (cached ones too) and the auditor's own calls have cost so far."""
        own = 0.0
        if self._view is not None and meter in COUNTED:
            own = float(self._view.usage.to_json()[meter])
        reference = None if self._view is None else self._view._reference
        if reference is not None and meter.startswith(REFERENCE_PREFIX):
            own = float(reference.usage.to_json()[meter.removeprefix(REFERENCE_PREFIX)])
        return self._spent.get(meter, 0.0) + own

    def usage(self) -> dict[str, float]:
        """Every meter with what was spent."""
        meters = (*METERS, CPU_SECONDS, *(REFERENCE_PREFIX + meter for meter in COUNTED))
        return {meter: self.spent(meter) for meter in meters}

    def _rest(self) -> Budget:
        """What of the audit's own budget is left for one run; part of its key."""
        rest = {}
        for meter in COUNTED:
            bound = getattr(self._budget, meter)
            if bound is not None:
                used = max(self.spent(meter), self.spent(REFERENCE_PREFIX + meter))
                rest[meter] = max(0, int(bound - used))
        return Budget(**rest)

    def _book(self, one: Run) -> None:
        self.runs.append(one)
        for meter, amount in {**one.usage, "seconds": one.seconds}.items():
            if isinstance(amount, (int, float)):
                self._spent[meter] = self._spent.get(meter, 0.0) + amount
        if self._view is not None:  # the view's own bounds shrink with what techniques spend
            self._view.usage.budget = self._bounds("")
            if self._view._reference is not None:
                self._view._reference.usage.budget = self._bounds(REFERENCE_PREFIX)

    def _bounds(self, prefix: str) -> Budget:
        """The audit's budget less what techniques have spent, for calls of the auditor's own."""
        return Budget(
            **{
                meter: max(0, int(bound - self._spent.get(prefix + meter, 0.0)))
                for meter in COUNTED
                if (bound := getattr(self._budget, meter)) is not None
            }
        )


def hosted_allowance(left: Mapping[str, Any], runs: Iterable[Run], fingerprints: Any) -> Budget:
    """What a host lets its client spend, as of the beginning: what it says is left, and what the
    ledger's runs on this suspect have spent already.

    left: the answer of a host's /audit/budget.
    """
    made = [run for run in runs if dict(run.fingerprints).items() >= dict(fingerprints).items()]
    bounds: dict[str, int] = {}
    for whose, prefix in (("suspect", ""), ("reference", REFERENCE_PREFIX)):
        for meter, amounts in left["budget"][whose].items():
            if meter in COUNTED and amounts["bound"] is not None:
                spent = sum(_amount(run.usage.get(prefix + meter)) for run in made)
                rest = max(0, int(amounts["bound"] - amounts["used"] + spent))
                bounds[meter] = min(rest, bounds.get(meter, rest))
    return Budget(**bounds)


def _amount(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0


def _names(listed: JSON) -> list[str]:
    return [str(name) for name in listed] if isinstance(listed, (list, tuple)) else []
