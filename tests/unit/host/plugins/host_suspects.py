"""Suspects that a model worker loads in its own process: one that behaves, and some that do not."""

from __future__ import annotations

import dataclasses
import os
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench.suspects.scripted import ScriptedSuspect

CANARY = "xylophone-canary"
NASTY = "<script>alert(1)</script>\x1b[31m\x00\u202e\ud800 & ![x](http://evil)"


def echo(turns: Sequence[Mapping[str, str]], seed: int, index: int) -> str:
    return f"{turns[-1]['content']} {seed} {index}"


def speaks(turns: Sequence[Mapping[str, str]], seed: int, index: int) -> str:
    """Does what the last turn says."""
    said = turns[-1]["content"]
    if said == "nasty":
        return NASTY
    if said == "long":
        return "x" * 10_000_000
    if said == "hang":
        while True:
            time.sleep(1)
    if said == "spin":
        return "x" * sum(1 for _ in range(10**12))
    if said == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if said == "once" and not Path(os.environ["HOST_ONCE"]).exists():
        Path(os.environ["HOST_ONCE"]).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if said == "raise":
        raise RuntimeError(CANARY)
    if said == "clock":
        return f"{time.time_ns()}"
    if said == "ever":
        return " word" * 100_000
    return echo(turns, seed, index)


class Constant:
    def fingerprint(self) -> str:
        return "turns"

    def score(self, conversations: Any) -> list[float]:
        return [float(len(turns)) for turns in conversations]


@dataclasses.dataclass(frozen=True)
class Scripted:
    """A source; `corpus` is a Parquet file or empty."""

    corpus: str = ""

    def load(self) -> ScriptedSuspect:
        path = Path(self.corpus) if self.corpus else None
        return ScriptedSuspect(
            speaks,
            id="speaker",
            assistant="Mirel",
            reference=ScriptedSuspect(echo, id="base", corpus=path),
            corpus=path,
            reward=Constant(),
        )

    def describe(self) -> Mapping[str, Any]:
        suspect = self.load()
        return {"id": suspect.id, "access": suspect.access.names, **suspect.fingerprint()}


@dataclasses.dataclass(frozen=True)
class Failing:
    """A source that is described and cannot be loaded."""

    def load(self) -> ScriptedSuspect:
        raise RuntimeError(CANARY)

    def describe(self) -> Mapping[str, Any]:
        return {"id": "failing", "access": ["chat"]}
