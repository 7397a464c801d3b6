"""The runner's end of a child process: start it, give it a job, read what it says, kill it.

What comes back is hostile: lines are bounded before they are parsed, findings are validated, and
a child that breaks a rule is killed.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from workbench import errors
from workbench.access import CPU_SECONDS, METERS, REFERENCE_PREFIX
from workbench.battery.source import Source
from workbench.errors import BadParameter, SuspectError, WorkbenchError
from workbench.findings import JSON, Finding, clean_text

LOAD_LIMIT_SECONDS = 900.0
MOST_FINDINGS = 1_000
MOST_LINE_BYTES = 8 << 20
MOST_RUN_BYTES = 64 << 20
"""Bounds on one run: findings, bytes of one finding, bytes of all of them."""

_SPENT = (*METERS, CPU_SECONDS, *(REFERENCE_PREFIX + meter for meter in METERS))
_KEPT_CHATTER_BYTES = 16 << 10
_BLOCK = 1 << 16
_BOOT = (
    "import os, pickle; n = int.from_bytes(os.read(0, 8), 'big'); b = b''\n"
    "while len(b) < n: b += os.read(0, n - len(b)) or exit(1)\n"
    "import sys; sys.path[:] = pickle.loads(b)\n"
    "from workbench.battery.child import main; main()"
)


@dataclasses.dataclass(frozen=True, slots=True)
class Job:
    """A technique to run: what the child is told, and when it is killed.

    limit_seconds: wall time; limit_name: what set it ("time limit" or "budget").
    """

    place: int
    technique: str
    parameters: Mapping[str, JSON]
    access: tuple[str, ...]
    budget: Mapping[str, JSON]
    seed: int
    limit_seconds: float
    limit_name: str


@dataclasses.dataclass(slots=True)
class Outcome:
    """What came of a job so far; `failure` is empty while nothing went wrong."""

    job: Job
    started: float
    findings: list[Finding] = dataclasses.field(default_factory=list)
    failure: str = ""
    over_budget: bool = False
    traceback: str = ""
    usage: dict[str, JSON] = dataclasses.field(default_factory=dict)
    artifacts: dict[str, JSON] = dataclasses.field(default_factory=dict)
    counts: dict[str, JSON] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0
    bytes_read: int = 0


class Worker:
    """One child process with the suspect in it."""

    def __init__(self, source: Source, artifacts_root: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _BOOT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        self.answers = _descriptor(self._process.stdout)
        self.chatter = _descriptor(self._process.stderr)
        for descriptor in (self.answers, self.chatter):
            os.set_blocking(descriptor, False)
        self.ready = False
        self.outcome: Outcome | None = None
        self.deadline = time.monotonic() + LOAD_LIMIT_SECONDS
        self._held = bytearray()
        self._said = b""
        self._send(list(sys.path))
        self._send(
            {
                "source": source,
                "artifacts": str(artifacts_root),
                "parent": os.getpid(),
                # the signal comes when the starting *thread* ends
                "by_signal": threading.current_thread() is threading.main_thread(),
            }
        )

    def give(self, job: Job) -> None:
        """Starts a job; the worker must be ready and without one."""
        self.outcome = Outcome(job, started=time.time())
        self.deadline = time.monotonic() + job.limit_seconds
        self._held.clear()
        self._said = b""
        self._send(
            {
                "job": job.place,
                "technique": job.technique,
                "parameters": dict(job.parameters),
                "access": list(job.access),
                "budget": dict(job.budget),
                "seed": job.seed,
            }
        )

    def hear_chatter(self) -> bool:
        """Keeps the end of what the child printed, for the traceback of a crash.

        False once nothing more can come.
        """
        block = _read(self.chatter)
        self._keep(block or b"")
        return block != b""

    def hear(self) -> Outcome | None:
        """Takes in what the child answered; the outcome once its job ended.

        A worker whose child ended or broke a rule is dead afterwards. Raises SuspectError, or the
        kind of WorkbenchError that the child met, when the suspect cannot be loaded.
        """
        block = _read(self.answers)
        if block is None:
            return None
        if not block:
            return self._ended()
        self._held += block
        while (end := self._held.find(b"\n")) >= 0:
            line = bytes(self._held[:end])
            del self._held[: end + 1]
            finished = self._take(line)
            if finished is not None:
                return finished
        if len(self._held) > MOST_LINE_BYTES:
            return self.stop(f"a finding has more than {MOST_LINE_BYTES >> 20} MB")
        return None

    def overdue(self) -> Outcome | None:
        """Kills a child that ran past its deadline; raises SuspectError when it was loading."""
        if not self.alive or time.monotonic() < self.deadline:
            return None
        if self.outcome is None:
            self.kill()
            raise SuspectError(
                f"the suspect did not load within {LOAD_LIMIT_SECONDS:.0f} s",
                hint="Use a smaller suspect or a faster machine.",
            )
        job = self.outcome.job
        self.outcome.over_budget = job.limit_name == "budget"
        return self.stop(f"{job.limit_name}: still running after {job.limit_seconds:g} s, killed")

    @property
    def alive(self) -> bool:
        """Whether the child can still be given work."""
        return self._process.stdin is not None and not self._process.stdin.closed

    @property
    def busy(self) -> bool:
        """Whether it loads the suspect or works on a job."""
        return self.alive and (not self.ready or self.outcome is not None)

    def stop(self, failure: str) -> Outcome:
        """Kills the child and gives back its job as failed."""
        self.kill()
        return self._close(failure)

    def kill(self) -> None:
        """Kills the child and all that it started, and waits for its end. Once dead: nothing."""
        if not self.alive:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        while block := _read(self.chatter):
            self._keep(block)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def _keep(self, block: bytes) -> None:
        self._said = (self._said + block)[-_KEPT_CHATTER_BYTES:]

    def _take(self, line: bytes) -> Outcome | None:
        if self.outcome is None:
            if self.ready:  # it speaks without a job
                self.kill()
            else:
                self._take_readiness(line)
            return None
        try:
            return self._take_answer(self.outcome, json.loads(line), len(line))
        except WorkbenchError as error:
            return self.stop(f"yielded nonsense: {error.message}")
        except Exception as error:  # whatever a hostile child made of its answer
            return self.stop(f"yielded nonsense: {type(error).__name__}: {error}")

    def _take_answer(self, outcome: Outcome, answer: dict[str, Any], size: int) -> Outcome | None:
        if answer["job"] != outcome.job.place:
            return self.stop("answered for another job")
        if "finding" in answer:
            outcome.bytes_read += size
            if len(outcome.findings) == MOST_FINDINGS:
                return self.stop(f"yielded more than {MOST_FINDINGS} findings, cut there")
            if outcome.bytes_read > MOST_RUN_BYTES:
                return self.stop(f"yielded more than {MOST_RUN_BYTES >> 20} MB, cut there")
            outcome.findings.append(Finding.from_json(answer["finding"]))
            return None
        usage, artifacts = answer["usage"], answer["artifacts"]
        outcome.usage = {meter: _amount(usage[meter]) for meter in _SPENT if meter in usage}
        outcome.artifacts = {str(kind)[:80]: str(made)[:80] for kind, made in artifacts.items()}
        outcome.counts = {str(name)[:80]: count for name, count in answer["counts"].items()}
        if "failed" not in answer:
            return self._close("")
        outcome.traceback = clean_text(str(answer["traceback"]))
        outcome.over_budget = answer["kind"] == errors.BudgetExceeded.__name__
        reason = str(answer["failed"])
        return self._close(f"budget: {reason}" if outcome.over_budget else reason)

    def _take_readiness(self, line: bytes) -> None:
        answer = json.loads(line)
        if "ready" in answer:
            self.ready = True
            return
        self.kill()
        kind = getattr(errors, str(answer["kind"]), SuspectError)
        raise kind(str(answer["refused"]), hint=str(answer["hint"]))

    def _ended(self) -> Outcome | None:
        self.kill()
        code = self._process.returncode
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        if self.outcome is None:
            raise SuspectError(
                f"the process ended while loading the suspect ({how})",
                hint=f"It said: {clean_text(self._chatter_text, 2_000) or 'nothing'}",
            )
        return self._close(f"its process ended ({how})")

    def _close(self, failure: str) -> Outcome:
        outcome, self.outcome = self.outcome, None
        if outcome is None:
            raise AssertionError("a worker without a job has no outcome")
        outcome.failure = clean_text(failure, 2_000)
        outcome.seconds = time.time() - outcome.started
        if failure and not outcome.traceback:
            outcome.traceback = self._chatter_text
        return outcome

    @property
    def _chatter_text(self) -> str:
        return self._said.decode("utf-8", "replace").strip()

    def _send(self, command: Any) -> None:
        content = pickle.dumps(command)
        message = len(content).to_bytes(8, "big") + content
        if self._process.stdin is None:
            raise AssertionError("the child was started without a pipe")
        with suppress(BrokenPipeError):  # its end is heard on the other pipe
            self._process.stdin.write(message)


def _descriptor(pipe: Any) -> int:
    return int(pipe.fileno())


def _amount(value: Any) -> int | float:
    if not isinstance(value, (int, float)) or not 0 <= value < 2**63:
        raise BadParameter(f"usage {value!r} is no amount", hint="Repair the technique.")
    return value


def _read(descriptor: int) -> bytes | None:
    """A block, b"" at the end of the pipe, None when there is nothing to read yet."""
    try:
        return os.read(descriptor, _BLOCK)
    except BlockingIOError:
        return None
