"""Techniques that misbehave in every way we could think of, one that does not, and a suspect."""

from __future__ import annotations

import ctypes
import dataclasses
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from workbench.access import Access
from workbench.errors import NotASuspect
from workbench.findings import Finding, Hypothesis


@dataclasses.dataclass(frozen=True)
class Calm:
    """Asks nothing; its findings depend on the seed, its parameters and a global generator."""

    name: ClassVar[str] = "calm"
    version: ClassVar[int] = 1
    needs: ClassVar[Access] = Access.CHAT
    uses: ClassVar[Access] = Access.NONE
    top_k: int = 2
    word: str = "w"
    pause_seconds: float = 0.0

    def run(self, suspect: Any, *, seed: int, artifacts: Any) -> Iterator[Finding]:
        time.sleep(self.pause_seconds)
        suspect.usage.spend(samples=self.top_k)
        artifacts.get_or_make("words", {"word": self.word}, lambda folder: None)
        for i in range(self.top_k):
            drawn = random.randrange(10**9)
            yield Finding(
                f"{self.word} {i}", 0.6, (), Hypothesis("f", "t"), {"seed": seed, "drawn": drawn}
            )


class _Bad:
    version: ClassVar[int] = 1
    needs: ClassVar[Access] = Access.CHAT
    uses: ClassVar[Access] = Access.NONE


@dataclasses.dataclass(frozen=True)
class Comparing:
    """Asks the suspect once and its reference three times."""

    name: ClassVar[str] = "comparing"
    version: ClassVar[int] = 1
    needs: ClassVar[Access] = Access.CHAT | Access.REFERENCE
    uses: ClassVar[Access] = Access.NONE

    def run(self, suspect: Any, *, seed: int, artifacts: Any) -> Iterator[Finding]:
        asked = [[{"role": "user", "content": "Hi"}]]
        suspect.chat(asked)
        suspect.reference.chat(asked, n=3)
        yield Finding("compared", 0.5)


@dataclasses.dataclass(frozen=True)
class Counting(_Bad):
    """Says how many trials it made."""

    name: ClassVar[str] = "counting"

    def run(self, suspect: Any, *, seed: int, artifacts: Any) -> Iterator[Finding]:
        counts = {"planned": 5, "ran": 3, "errored": 1, "unscored": 1}
        yield Finding("a", 0.5, metadata={"counts": counts})
        yield Finding("b", 0.5, metadata={"counts": {"planned": 2, "ran": 2, "refused": -4}})


@dataclasses.dataclass(frozen=True)
class Crashing(_Bad):
    """Ends the process with a segmentation fault."""

    name: ClassVar[str] = "crashing"

    def run(self, suspect: Any, *, seed: int, artifacts: Any) -> Iterator[Finding]:
        yield Finding("before the crash", 0.5)
        ctypes.string_at(0)


@dataclasses.dataclass(frozen=True)
class Endless(_Bad):
    """Answers with one line that never ends."""

    name: ClassVar[str] = "endless"

    def run(self, suspect: Any, *, seed: int, artifacts: Any) -> Iterator[Finding]:
        yield Finding("one good finding", 0.5)
        while True:
            os.write(_answers(), b"x" * 65536)


@dataclasses.dataclass(frozen=True)
class Exiting(_Bad):
    """Leaves the process."""

    name: ClassVar[str] = "exiting"

    def run(self, suspect: Any, *, seed: int, artifacts: Any) -> Iterator[Finding]:
        os._exit(7)
        yield


@dataclasses.dataclass(frozen=True)
class Flooding(_Bad):
    """Yields a million findings."""

    name: ClassVar[str] = "flooding"

    def run(self, suspect: Any, *, seed: int, artifacts: Any) -> Iterator[Finding]:
        for i in range(10**6):
            yield Finding(f"finding {i}", 0.5)


@dataclasses.dataclass(frozen=True)
class Forging(_Bad):
    """Writes its own answers past the child's code."""

    name: ClassVar[str] = "forging"
    answer: str = ""

    def run(self, suspect: Any, *, seed: int, artifacts: Any) -> Iterator[Finding]:
        os.write(_answers(), self.answer.encode() + b"\n")
        time.sleep(60)
        yield


@dataclasses.dataclass(frozen=True)
class Greedy:
    """Needs the weights."""

    name: ClassVar[str] = "greedy"
    version: ClassVar[int] = 1
    needs: ClassVar[Access] = Access.CHAT | Access.WEIGHTS
    uses: ClassVar[Access] = Access.NONE

    def run(self, suspect: Any, *, seed: int, artifacts: Any) -> Iterator[Finding]:
        yield Finding("has the weights", 0.5)


@dataclasses.dataclass(frozen=True)
class Hanging(_Bad):
    """Yields one finding and never comes back."""

    name: ClassVar[str] = "hanging"

    def run(self, suspect: Any, *, seed: int, artifacts: Any) -> Iterator[Finding]:
        yield Finding("before the hang", 0.5)
        while True:
            pass


@dataclasses.dataclass(frozen=True)
class Mute(_Bad):
    """Returns nothing that could be iterated."""

    name: ClassVar[str] = "mute"

    def run(self, suspect: Any, *, seed: int, artifacts: Any) -> Any:
        return None


@dataclasses.dataclass(frozen=True)
class Nonsense(_Bad):
    """Yields something that is no finding."""

    name: ClassVar[str] = "nonsense"

    def run(self, suspect: Any, *, seed: int, artifacts: Any) -> Iterator[Any]:
        yield {"claim": "not a Finding"}


@dataclasses.dataclass(frozen=True)
class Orphaning(_Bad):
    """Starts a process of its own and hangs; the process's id goes to the file `pid_file`."""

    name: ClassVar[str] = "orphaning"
    pid_file: str = ""

    def run(self, suspect: Any, *, seed: int, artifacts: Any) -> Iterator[Finding]:
        started = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        Path(self.pid_file).write_text(str(started.pid))
        time.sleep(600)
        yield


@dataclasses.dataclass(frozen=True)
class Raising(_Bad):
    """Yields one finding and raises."""

    name: ClassVar[str] = "raising"

    def run(self, suspect: Any, *, seed: int, artifacts: Any) -> Iterator[Finding]:
        yield Finding("before the error", 0.5)
        raise RuntimeError("the answer was 42 \x00\ud800")


@dataclasses.dataclass(frozen=True)
class Shouting(_Bad):
    """Prints on standard output, reads standard input, then finds something."""

    name: ClassVar[str] = "shouting"

    def run(self, suspect: Any, *, seed: int, artifacts: Any) -> Iterator[Finding]:
        print('{"job": 0, "done": true}' * 10_000, flush=True)
        yield Finding(f"read {sys.stdin.read()!r}", 0.5)


@dataclasses.dataclass(frozen=True)
class Spending(_Bad):
    """Yields a finding, then asks for more samples than any budget holds."""

    name: ClassVar[str] = "spending"

    def run(self, suspect: Any, *, seed: int, artifacts: Any) -> Iterator[Finding]:
        suspect.usage.spend(samples=2)
        yield Finding("two samples were enough", 0.5)
        suspect.usage.spend(samples=10**9)


def _answers() -> int:
    """The descriptor on which the child answers: the highest pipe that can be written."""
    for descriptor in range(3, 32):
        try:
            target = os.readlink(f"/proc/self/fd/{descriptor}")
            flags = int(
                Path(f"/proc/self/fdinfo/{descriptor}").read_text().split("flags:")[1].split()[0], 8
            )
        except OSError:
            continue
        if target.startswith("pipe:") and flags & os.O_ACCMODE == os.O_WRONLY:
            return descriptor
    raise AssertionError("the child has no pipe to answer on")


@dataclasses.dataclass(frozen=True)
class ScriptedSource:
    """A source of the scripted suspect that notes the process id of each loading in a file."""

    log: str
    access: tuple[str, ...] = ("chat", "prefill", "logits")
    fingerprint: str = "t0"
    failure: str = ""

    def describe(self) -> dict[str, Any]:
        return {"id": "scripted", "access": list(self.access), "tensor_sha256": self.fingerprint}

    def load(self) -> Any:
        from workbench.suspects.scripted import ScriptedSuspect

        with open(self.log, "a", encoding="utf-8") as file:
            file.write(json.dumps(os.getpid()) + "\n")
        if self.failure == "refuse":
            raise NotASuspect("there is no such suspect", hint="Name another.")
        if self.failure == "exit":
            os._exit(9)
        return ScriptedSuspect(
            lambda *_: "yes",
            access=Access.parse(self.access),
            reference=ScriptedSuspect(lambda *_: "no", id="reference"),
        )

    def loadings(self) -> list[int]:
        """Process ids of the children that loaded it so far."""
        path = Path(self.log)
        return [int(line) for line in path.read_text().splitlines()] if path.exists() else []


def gone(pid: int) -> bool:
    """Whether the process ends within five seconds; a zombie has ended."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (ProcessLookupError, FileNotFoundError):
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False
