"""Runs a battery: plans, skips, resumes, works off the rest in killable children, records."""

from __future__ import annotations

import dataclasses
import datetime
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

from workbench.access import Access
from workbench.battery.battery import Battery
from workbench.battery.engines import Crew, children
from workbench.battery.key import run_key, technique_seed
from workbench.battery.source import Source, SuspectFiles
from workbench.battery.worker import Job, Outcome
from workbench.errors import AccessDenied
from workbench.findings import JSON
from workbench.ledger import Ledger, Planned, Run
from workbench.ledger.records import COUNTS
from workbench.technique import Technique, parameters

Progress = Callable[[str, str], None]
"""Called with a technique's name and "started", "cached", "ok", "failed" or "skipped"."""

MOST_COUNTED = 2**53


def run(
    battery: Battery,
    source: str | Path | Source,
    ledger: Ledger,
    artifacts_root: Path,
    engine: str = "local",
    resume: bool = True,
    fail_fast: bool = False,
    progress: Progress | None = None,
    stop: Callable[[], bool] = lambda: False,
    crew: Crew | None = None,
) -> Iterator[Run]:
    """Yields one run per technique once it is recorded, with its findings, in the ledger.

    What was run before under the same key comes back `cached` unless `resume` is false. A
    technique that needs more than the view is `skipped`; one that raises, hangs, crashes, yields
    nonsense or exceeds the budget is `failed` with the findings it had, and the rest goes on
    (not with `fail_fast`). Where `stop()` turns true, what is running is killed within a second and
    the rest is left out, unrecorded. The order is that of completion; runs do not depend on it.
    crew: works in place of the engine's own children, and is left to its owner to close.

    Raises at once UnknownTechnique and its kin, SuspectError, ConfigError on an engine, and
    AccessDenied when the battery asks for more than the suspect grants; at the first step
    LedgerBusy when another writer holds the ledger; SuspectError when the suspect fails to load.
    """
    opened = source if not isinstance(source, (str, Path)) else SuspectFiles(str(source))
    techniques = battery.check()
    processes = children(engine)
    description = opened.describe()
    granted = Access.parse(_names(description["access"]))
    access = granted if battery.access is None else battery.access
    if access not in granted:
        beyond = access & ~granted
        raise AccessDenied(
            f"{battery.origin} asks for {', '.join(beyond.names)}, which the suspect "
            f"'{description['id']}' does not grant",
            hint=f"It grants: {', '.join(granted.names) or 'nothing'}.",
        )
    plan = _Plan(battery, techniques, description, access)
    tell = progress or _silent
    hired = crew or Crew(opened, artifacts_root, processes)
    return _steps(plan, ledger, hired, crew is None, resume, fail_fast, tell, stop)


@dataclasses.dataclass(frozen=True, slots=True)
class _Plan:
    battery: Battery
    techniques: Sequence[Technique]
    description: Mapping[str, JSON]
    access: Access

    @property
    def keys(self) -> list[str]:
        battery = self.battery
        return [
            run_key(technique, self.description, self.access, battery.budget, battery.seed)
            for technique in self.techniques
        ]

    def job(self, place: int) -> Job:
        technique, step = self.techniques[place], self.battery.steps[place]
        limit = self.battery.limit_seconds(step)
        seconds = self.battery.budget.seconds
        tighter = seconds is not None and seconds < limit
        return Job(
            place=place,
            technique=technique.name,
            parameters=parameters(technique),
            access=tuple(self.access.names),
            budget=self.battery.budget.to_json(),
            seed=technique_seed(self.battery.seed, technique.name),
            limit_seconds=seconds if seconds is not None and tighter else limit,
            limit_name="budget" if tighter else "time limit",
        )

    def run(self, place: int, group: str, key: str, status: str, **rest: Any) -> Run:
        technique = self.techniques[place]
        fingerprints = {
            name: part for name, part in self.description.items() if name not in ("id", "access")
        }
        return Run(
            id=f"r-{secrets.token_hex(8)}",
            group=group,
            key=key,
            suspect=str(self.description["id"]),
            technique=technique.name,
            version=technique.version,
            parameters=parameters(technique),
            access=tuple(self.access.names),
            budget=self.battery.budget.to_json(),
            seed=self.battery.seed,
            status=status,
            fingerprints=fingerprints | rest.pop("artifacts", {}),
            **rest,
        )


def _steps(
    plan: _Plan,
    ledger: Ledger,
    crew: Crew,
    dismiss: bool,
    resume: bool,
    fail_fast: bool,
    tell: Progress,
    stop: Callable[[], bool],
) -> Iterator[Run]:
    keys = plan.keys
    names = [technique.name for technique in plan.techniques]
    with ledger.exclusive():
        planned = [Planned(name, key) for name, key in zip(names, keys, strict=True)]
        group = ledger.plan(plan.battery.name, str(plan.description["id"]), planned).id
        made = ledger.finished(keys) if resume else {}
        jobs = []
        for place, technique in enumerate(plan.techniques):
            if keys[place] in made:
                tell(names[place], "cached")
                yield dataclasses.replace(made[keys[place]], group=group, cached=True)
            elif technique.needs not in plan.access:
                skipped = _skipped(plan, place, group, keys[place])
                ledger.record(skipped)
                tell(names[place], "skipped")
                yield skipped
            else:
                jobs.append(plan.job(place))
        if not jobs:
            return
        with (
            closing(crew) if dismiss else nullcontext(),
            closing(crew.work_off(jobs, stop)) as events,
        ):
            for event in events:
                if isinstance(event, Job):
                    tell(event.technique, "started")
                    continue
                ended = _ended(plan, event, group, keys[event.job.place])
                ledger.record(ended, event.findings)
                tell(ended.technique, ended.status)
                yield ended
                if fail_fast and ended.status == "failed":
                    return


def _skipped(plan: _Plan, place: int, group: str, key: str) -> Run:
    lacking = plan.techniques[place].needs & ~plan.access
    at = _iso(datetime.datetime.now(datetime.UTC).timestamp())
    reason = f"needs {', '.join(lacking.names)}, which the view lacks"
    return plan.run(place, group, key, "skipped", reason=reason, ran=0, started=at, finished=at)


def _ended(plan: _Plan, outcome: Outcome, group: str, key: str) -> Run:
    return plan.run(
        outcome.job.place,
        group,
        key,
        "failed" if outcome.failure else "ok",
        reason=outcome.failure,
        traceback=outcome.traceback,
        seconds=outcome.seconds,
        usage=outcome.usage,
        started=_iso(outcome.started),
        finished=_iso(outcome.started + outcome.seconds),
        artifacts={"artifacts": outcome.artifacts},
        **_counts(outcome),
    )


def _counts(outcome: Outcome) -> dict[str, int]:
    """The Trials that the run returned, else the sums of `metadata["counts"]` of its findings; a
    technique that counts nothing made one trial.

    A run that broke off has one more trial, refused by the budget or errored.
    """
    by_finding = [f.metadata.get("counts") for f in outcome.findings]
    told = [
        c for c in ([outcome.counts] if outcome.counts else by_finding) if isinstance(c, Mapping)
    ]
    counts = {n: min(MOST_COUNTED, sum(_whole(c.get(n)) for c in told)) for n in COUNTS}
    if not told:
        counts["ran"] = 0 if outcome.failure else 1
    if outcome.failure:
        counts["refused" if outcome.over_budget else "errored"] += 1
    counts["planned"] = max(
        counts["planned"], counts["ran"] + counts["errored"] + counts["refused"]
    )
    return counts


def _whole(value: object) -> int:
    return value if type(value) is int and value > 0 else 0


def _names(listed: JSON) -> list[str]:
    if isinstance(listed, str) or not isinstance(listed, Sequence):
        raise TypeError(f"a description's access is a list of names, not {listed!r}")
    return [str(name) for name in listed]


def _iso(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(timespec="microseconds")


def _silent(technique: str, happened: str) -> None:
    """Nobody wants to know."""
