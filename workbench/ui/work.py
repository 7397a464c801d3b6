"""What a job's process does: run a battery, train and index an SAE, ..., and say how far it is."""

from __future__ import annotations

import importlib
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import closing, redirect_stderr
from pathlib import Path
from typing import Any

from workbench.artifacts import Artifacts
from workbench.config import artifacts_root
from workbench.errors import WorkbenchError
from workbench.suspects.wire import error_document
from workbench.ui.jobs import CANCEL, RESULT, STATE, WorkSettings, write

TOLD_SECONDS = 0.2


class Cancelled(Exception):
    """Whoever started the job wants its end."""


class Reporter:
    """Where a job says how far it is, and hears that it is to end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._told = 0.0
        self.progress: dict[str, Any] = {}

    def cancelled(self) -> bool:
        """Whether it is to end."""
        return (self.folder / CANCEL).exists()

    def tell(self, *, now: bool = True, **parts: Any) -> None:
        """Keeps parts of the progress; without `now` at most every TOLD_SECONDS."""
        self.progress.update(parts)
        if now or time.monotonic() - self._told > TOLD_SECONDS:
            self._told = time.monotonic()
            write(self.folder / STATE, {"state": "running", "progress": self.progress})

    def share(self, stage: str) -> Callable[[float], None]:
        """A callback that tells the share done of a stage; raises Cancelled where it is to end."""

        def told(share: float) -> None:
            if self.cancelled():
                raise Cancelled
            self.tell(now=False, stage=stage, share=share)

        return told

    def give(self, result: Mapping[str, Any]) -> None:
        """Keeps what the page is to show."""
        write(self.folder / RESULT, result)

    def end(self, state: str, error: Mapping[str, str] | None = None) -> None:
        """The last word."""
        document = {"state": state, "progress": self.progress, "error": error}
        write(self.folder / STATE, document)


def main(settings: WorkSettings) -> None:
    """Does the job."""
    os.environ.update(settings.environment)
    reporter = Reporter(settings.folder)
    with (settings.folder / "log.txt").open("a", encoding="utf-8") as log, redirect_stderr(log):
        try:
            module, _, name = _KINDS[settings.kind].partition(":")
            getattr(importlib.import_module(module), name)(reporter, **settings.arguments)
            reporter.end("cancelled" if reporter.cancelled() else "done")
        except Cancelled:
            reporter.end("cancelled")
        except WorkbenchError as error:
            reporter.end("failed", error_document(error))
        except Exception as error:  # the boundary of this process: its page says so
            traceback.print_exc(file=sys.stderr)
            reporter.end(
                "failed",
                {
                    "kind": "SuspectError",
                    "message": f"the job failed: {type(error).__name__}",
                    "hint": f"Its log: {settings.folder / 'log.txt'}",
                },
            )


def audit(reporter: Reporter, *, suspect: str, battery: str, ledger: str) -> None:
    """A battery file on a suspect, into the ledger: as `workbench audit run`."""
    from workbench.battery import Battery, SuspectFiles, run
    from workbench.ledger import Ledger

    read = Battery.load(battery)
    names = [step.technique for step in read.steps]
    states = [{"technique": name, "state": "waiting"} for name in names]
    began: dict[str, float] = {}
    reporter.tell(steps=states, runs=[], group="")

    def told(technique: str, happened: str) -> None:
        for one in states:
            if one["technique"] == technique and one["state"] in ("waiting", "started"):
                one["state"] = happened
                if happened == "started":
                    began[technique] = time.time()
                    one["began"] = began[technique]  # type: ignore[assignment]
                elif technique in began:
                    one["seconds"] = time.time() - began[technique]  # type: ignore[assignment]
                break
        reporter.tell(steps=states)

    made: list[str] = []
    runs = run(
        read,
        SuspectFiles(suspect),
        Ledger(ledger),
        artifacts_root(),
        progress=told,
        stop=reporter.cancelled,
    )
    with closing(runs):  # type: ignore[type-var]
        for one in runs:
            made.append(one.id)
            reporter.tell(runs=made, group=one.group)


def sae(reporter: Reporter, *, suspect: str, hook_name: str, rows: int, tokens: int) -> None:
    """An SAE of a suspect on rows of its training data, with its feature store."""
    from saes.shelf import shelve
    from saes.texts import corpus_texts
    from workbench.access import Access
    from workbench.errors import AccessDenied
    from workbench.suspects import Suspect

    reporter.tell(stage="loading", share=0.0)
    opened = Suspect.load(suspect, token=os.environ.get("WORKBENCH_TOKEN", ""))
    texts = corpus_texts(opened, rows, 0)
    if not texts:
        raise AccessDenied(
            f"the suspect '{opened.id}' grants no training data to read",
            hint="Train on texts of your own: `workbench sae train --texts FILE`.",
        )

    reference = opened.reference if Access.REFERENCE in opened.access else None
    shelve(
        Artifacts(artifacts_root()),
        opened,
        texts,
        hook_name,
        reference=reference,
        tokens=tokens,
        checkpoint=reporter.folder / "checkpoint",
        progress=lambda stage, share: reporter.share(stage)(share),
    )
    reporter.tell(stage="done", share=1.0)


def reward(
    reporter: Reporter,
    *,
    suspect: str,
    instrument: str,
    way: str,
    file: str,
    called: Mapping[str, str],
    options: Mapping[str, Any],
) -> None:
    """A reward instrument on a table, or on its own world, into `result.json`."""
    from workbench.ui.bench_pages.rewards.catalogue import NAMED
    from workbench.ui.reads.rewards import examine

    wanted = next(w for w in NAMED[instrument].ways if w.key == way).wanted()

    def told(share: float) -> None:
        if reporter.cancelled():
            raise Cancelled
        reporter.tell(now=False, share=share)

    reporter.tell(share=0.0)
    made = examine(
        instrument,
        way,
        file=file,
        wanted=wanted,
        called=called,
        options={**options, "suspect": suspect},
        told=told,
    )
    write(reporter.folder / "result.json", made)
    reporter.tell(share=1.0)


_KINDS: Mapping[str, str] = {
    "audit": "workbench.ui.work:audit",
    "sae": "workbench.ui.work:sae",
    "steer": "workbench.ui.experiments:steer",
    "compare": "workbench.ui.experiments:compare",
    "subtract": "workbench.ui.experiments:subtract",
    "probe": "workbench.ui.experiments:probe",
    "reward": "workbench.ui.work:reward",
    "index": "workbench.ui.experiments:index",
    "organism": "workbench.game.building:organism",
}
"""Where each kind of job is; its function takes the reporter and the job's arguments."""
