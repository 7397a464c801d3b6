"""The process that holds the suspect and runs techniques; the runner may kill it at any time.

It reads commands from its standard input and answers on what was its standard output, one JSON
document per line. A technique sees neither: it reads nothing, and its prints go to standard error.
It dies with the runner: the kernel sends SIGKILL, and a thread leaves when the input ends.
"""

from __future__ import annotations

import ctypes
import faulthandler
import json
import os
import pickle
import queue
import random
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any, BinaryIO

from workbench.access import CPU_SECONDS, REFERENCE_PREFIX, Access, Budget
from workbench.artifacts import Artifacts
from workbench.errors import TechniqueFailed, WorkbenchError
from workbench.findings import Finding
from workbench.registry import technique
from workbench.suspects import Suspect
from workbench.technique import make, told

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Loads the suspect that the first command names, then runs one job after the other."""
    faulthandler.enable()
    commands, replies = _take_pipes()
    first = pickle.loads(_line(commands))
    _die_with(first["parent"], by_signal=first["by_signal"])
    jobs: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(commands, jobs), daemon=True).start()
    try:
        suspect = first["source"].load()
        _say(replies, {"ready": True})
    except WorkbenchError as error:
        _say(replies, {"refused": error.message, "hint": error.hint, "kind": type(error).__name__})
        return
    while True:
        _run(suspect, jobs.get(), Path(first["artifacts"]), replies)


def _run(suspect: Suspect, job: dict[str, Any], root: Path, replies: BinaryIO) -> None:
    number = job["job"]
    artifacts = Artifacts(root)
    view: Suspect | None = None
    started, worked = time.monotonic(), time.process_time()
    verdict: dict[str, Any] = {"done": True}
    trials: dict[str, int] = {}
    try:
        view = suspect.restrict(Access.parse(job["access"]), Budget.parse(job["budget"]))
        _seed_globals(job["seed"])
        built = make(technique(job["technique"]), job["parameters"])
        for finding in told(built.run(view, seed=job["seed"], artifacts=artifacts), trials):
            if not isinstance(finding, Finding):
                raise TechniqueFailed(
                    f"yielded a {type(finding).__name__}, not a Finding",
                    hint="Repair the technique.",
                )
            _say(replies, {"job": number, "finding": finding.to_json()})
    except BaseException as error:  # a plugin may fail in any way; the runner says what it means
        verdict = {
            "failed": f"{type(error).__name__}: {error}",
            "kind": type(error).__name__,
            "traceback": traceback.format_exc(),
        }
    spent = {} if view is None else _spent(view)
    spent["seconds"] = time.monotonic() - started
    spent[CPU_SECONDS] = time.process_time() - worked
    ended = {**verdict, "usage": spent, "counts": trials, "artifacts": artifacts.used}
    _say(replies, {"job": number, **ended})


def _spent(view: Suspect) -> dict[str, int | float]:
    """By meter; what the reference spent, where the technique asked for it, as `reference_*`."""
    spent = view.usage.to_json()
    reference = view._reference  # the property would load one that nobody asked for
    if reference is not None:
        spent |= {REFERENCE_PREFIX + meter: n for meter, n in reference.usage.to_json().items()}
    return spent


def _say(replies: BinaryIO, document: dict[str, Any]) -> None:
    replies.write(json.dumps(document, allow_nan=False).encode() + b"\n")
    replies.flush()


def _take_pipes() -> tuple[BinaryIO, BinaryIO]:
    commands = os.fdopen(os.dup(0), "rb", buffering=0)
    replies = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    return commands, replies


def _line(commands: BinaryIO) -> bytes:
    """One command: its length in 8 bytes, then itself. Leaves the process when the input ends."""
    size = int.from_bytes(_exactly(commands, 8), "big")
    return _exactly(commands, size)


def _exactly(commands: BinaryIO, size: int) -> bytes:
    held = b""
    while len(held) < size:
        block = commands.read(size - len(held))
        if not block:
            os.killpg(os.getpgid(0), signal.SIGKILL)
        held += block
    return held


def _listen(commands: BinaryIO, jobs: queue.SimpleQueue[dict[str, Any]]) -> None:
    while True:
        jobs.put(pickle.loads(_line(commands)))


def _die_with(parent: int, *, by_signal: bool) -> None:
    if by_signal and sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _seed_globals(seed: int) -> None:
    """For techniques that draw from a global generator in spite of the seed they are given."""
    random.seed(seed)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(seed)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)
