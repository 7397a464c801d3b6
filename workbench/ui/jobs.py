"""Slow work in processes of its own: it goes on when its page is left, and can be taken up again.

A job is a folder: `job.json` says what was asked, `state.json` how far it is, `log.txt` what it
printed. A job whose process is gone before it ended is `interrupted`; resumed, it takes from ledger
and cache what it had made.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import secrets
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.errors import BadParameter
from workbench.findings import JSON
from workbench.host.processes import start

ENDED = ("done", "failed", "cancelled", "interrupted")
CANCEL = "cancel"
STATE = "state.json"
RESULT = "result.json"


@dataclasses.dataclass(frozen=True, slots=True)
class Job:
    """kind: one of `workbench.ui.work`'s. state: running, or one of ENDED. progress: of the kind's
    own shape. error: (message, hint) of a failed one."""

    id: str
    kind: str
    title: str
    suspect: str
    arguments: Mapping[str, Any]
    made: str
    state: str
    progress: Mapping[str, Any]
    error: tuple[str, str] | None

    @property
    def over(self) -> bool:
        """Whether it will not move by itself."""
        return self.state in ENDED


@dataclasses.dataclass(frozen=True, slots=True)
class WorkSettings:
    """What a job's process is given; environment: as a desk's, never written down."""

    folder: Path
    kind: str
    arguments: Mapping[str, Any]
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)


class Jobs:
    """The jobs of one app, in a folder that outlives it."""

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self._folder = folder
        self._environment = dict(environment or {})
        self._lock = threading.Lock()
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(
        self,
        kind: str,
        title: str,
        suspect: str,
        *,
        files: Mapping[str, bytes] | None = None,
        **arguments: JSON,
    ) -> Job:
        """Files a job, with `files` in its folder, and starts its process."""
        id = f"j-{secrets.token_hex(6)}"
        folder = self._folder / id
        folder.mkdir(parents=True)
        for name, content in (files or {}).items():
            (folder / name).write_bytes(content)
        given = {"suspect": suspect, **arguments}
        asked = {"kind": kind, "title": title, "suspect": suspect, "arguments": given}
        made = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        write(folder / "job.json", {**asked, "made": made})
        self._launch(id)
        return self.get(id)

    def resume(self, id: str) -> Job:
        """Starts a job again that was cancelled, interrupted or failed."""
        if self.get(id).over:
            self._launch(id)
        return self.get(id)

    def cancel(self, id: str) -> None:
        """Asks a job to end, which it does at its next step; what it made stays."""
        self.get(id)
        (self._folder / id / CANCEL).touch()

    def get(self, id: str) -> Job:
        """Raises BadParameter where there is none."""
        file = self._folder / id / "job.json"
        if not id.startswith("j-") or not id[2:].isalnum() or not file.is_file():
            raise BadParameter(f"there is no job '{id}'", hint="Choose one that is listed.")
        asked = json.loads(file.read_text("utf-8"))
        state = _read(self._folder / id / STATE)
        name = state.get("state", "running")
        with self._lock:
            process = self._running.get(id)
            alive = process is not None and process.poll() is None
        if name == "running" and not alive:
            late = _read(self._folder / id / STATE)  # it may have ended between the two looks
            state, name = late, late.get("state", "running")
            name = "interrupted" if name == "running" else name
        error = state.get("error")
        return Job(
            id=id,
            state=name,
            progress=state.get("progress", {}),
            error=None if error is None else (error["message"], error["hint"]),
            **asked,
        )

    def result(self, id: str) -> dict[str, Any]:
        """What a finished job gave to be shown; empty where it gave nothing."""
        self.get(id)
        return _read(self._folder / id / RESULT)

    def file(self, id: str, name: str) -> Path:
        """A file that a job made, or would make; raises BadParameter where there is no job."""
        self.get(id)
        return self._folder / id / name

    def listed(self, kind: str, suspect: str) -> list[Job]:
        """The suspect's jobs of a kind, the newest first."""
        if not self._folder.is_dir():
            return []
        jobs = [self.get(f.parent.name) for f in self._folder.glob("j-*/job.json")]
        mine = [job for job in jobs if job.kind == kind and job.suspect == suspect]
        return sorted(mine, key=lambda job: (job.made, job.id), reverse=True)

    def close(self) -> None:
        """Ends what runs; it can be resumed."""
        with self._lock:
            for process in self._running.values():
                _end(process)
            self._running.clear()

    def _launch(self, id: str) -> None:
        folder = self._folder / id
        asked = json.loads((folder / "job.json").read_text("utf-8"))
        (folder / CANCEL).unlink(missing_ok=True)
        (folder / STATE).unlink(missing_ok=True)
        settings = WorkSettings(
            folder.resolve(), asked["kind"], asked["arguments"], self._environment
        )
        with self._lock:
            if id in self._running:  # it has said its last word, and may be about to leave
                _end(self._running[id])
            self._running[id] = start("workbench.ui.work:main", settings, ())


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    if process.stdin is not None:
        process.stdin.close()


def write(file: Path, document: Mapping[str, Any]) -> None:
    """Writes JSON at once or not at all."""
    draft = file.with_suffix(".draft")
    draft.write_text(json.dumps(document), encoding="utf-8")
    os.replace(draft, file)


def _read(file: Path) -> dict[str, Any]:
    try:
        made: dict[str, Any] = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    return made
