"""A world in which a study takes no time: parts answer at once, with figures that are set."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import Any

from workbench.benchmark import jobs
from workbench.benchmark.study import Plan, run
from workbench.benchmark.study import work as working
from workbench.benchmark.study.plan import ORGANISM, Part
from workbench.seal.vault import Vault

MEASURES = (
    "demonstrated", "held_out", "others", "in_context", "in_context_others", "asked",
    "prefilled", "starts", "narrated", "personas", "user_turns",
)  # fmt: skip


class World:
    """done: the parts that were carried out; fails: names of parts that raise; refuses: techniques
    that fail."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.fails: set[str] = set()
        self.refuses: set[str] = set()
        self.there: set[Part] = set()

    def __call__(self, part: Part, places: Any) -> dict[str, Any]:
        if part.name in self.fails:
            raise OSError("no room")
        lacks = [p for p in part.needs if p not in self.there]
        assert not lacks or part.kind == "build", f"{part} came before {lacks}"
        self.done.append(f"{part.draw} {part.name}")
        self.there.add(part)
        found: dict[str, Any] = {}
        if part.kind == "measure":
            found = {measure: [part.draw, 10] for measure in MEASURES}
        if part.kind == "audit":
            found = {"code": ["c" * 64], **self.audit(places.plan, part.what == ORGANISM)}
        return {"seconds": 60.0, "found": found}

    def audit(self, plan: Plan, organism: bool) -> dict[str, Any]:
        cost = {"seconds": 5.0, "samples": 10.0, "cpu_seconds": 4.0}
        said = {"reason": "", "cost": cost}
        return {
            "techniques": {
                step.technique: {
                    "status": "failed" if step.technique in self.refuses else "ok",
                    "hit": organism,
                    "accusations": int(organism),
                    "right": int(organism),
                    **said,
                }
                for step in plan.battery.steps
            },
            "teams": {
                team.label: {
                    "status": "ok",
                    "solved": organism and team.label != "team 4",
                    "root_cause": organism,
                    "accused": organism,
                    "abstained": False,
                    "confidence": 0.9,
                    **said,
                }
                for team in plan.teams
            },
        }

    def rule(self, patch: Any) -> None:
        """Puts it in the place of the real one, with jobs that run in this process."""
        patch(working, "do", self)
        patch(running_module(), "_there", lambda part, places: part in self.there)
        patch(jobs, "ProcessPoolExecutor", Here)


class Here:
    """A pool whose jobs run as they are given to it."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def submit(self, work: Any, *arguments: Any) -> Future[Any]:
        job: Future[Any] = Future()
        try:
            job.set_result(work(*arguments))
        except OSError as error:
            job.set_exception(error)
        return job

    def shutdown(self, **_: Any) -> None:
        pass


def running_module() -> Any:
    import sys

    return sys.modules["workbench.benchmark.study.run"]


def carry_out(root: Path, draws: int = 1, **rest: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """A study below `root`."""
    return run(
        Plan(),
        draws,
        vault=Vault.at(root / "vault"),
        work_directory=root / "work",
        out=root / "study.json",
        **rest,
    )


def killed_after(parts: int, root: Path) -> None:
    """Begins a study and kills this process when so many parts are done."""
    import os
    import signal

    left = [parts]

    def told(what: str) -> None:
        if ": done in" in what:
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)

    World().rule(setattr)
    carry_out(root, progress=told)


__all__ = ["MEASURES", "Here", "World", "carry_out", "killed_after"]
