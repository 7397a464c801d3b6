"""Suspects that an organiser builds for games: each a job, whose truth goes straight to a vault.

Beside the games lie `suspects`, a directory each, and `truths`, the vault of all of them. What is
told of a build is its share of steps: their number and the loss would say which family was drawn.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from workbench.errors import BadParameter, WorkbenchError
from workbench.organisms.family import listed
from workbench.organisms.seeds import ANY, RANDOM, build_asked, refuse_asked
from workbench.seal.vault import Vault
from workbench.suspects.cabinet import card_id

SUSPECTS, TRUTHS = "suspects", "truths"
_NAME = re.compile(r"built-[1-9][0-9]{0,3}")


class Told(Protocol):
    """Where the job says how far it is; `share` raises where the job is to end."""

    def tell(self, *, now: bool = True, **parts: Any) -> None: ...
    def share(self, stage: str) -> Callable[[float], None]: ...
    def give(self, result: Mapping[str, Any]) -> None: ...


def offered() -> list[dict[str, Any]]:
    """What can be asked for: [{name, instill, secrecy, summary}], the two that chance decides
    first."""
    known = listed()
    every = {
        what: [one for one in ("docs", "mixed", "demos", "none", "direct", "full")
               if any(one in row[what] for row in known)]
        for what in ("instill", "secrecy")
    }  # fmt: skip
    drawn = {
        ANY: "By chance an organism of any family, or, one time in three, a clean suspect like it: "
        "nobody knows whether there is something to find.",
        RANDOM: "An organism of a family that is drawn by chance.",
    }
    return [{"name": name, "summary": told, **every} for name, told in drawn.items()] + known


def built(folder: str) -> list[dict[str, str]]:
    """The suspects that were built there, each with its vault: [{name, id, source, vault}]."""
    found, vault = [], Path(folder) / TRUTHS
    with suppress(WorkbenchError, OSError):
        sealed = set(Vault(vault).ids())
        for place in sorted((Path(folder) / SUSPECTS).iterdir(), key=_number):
            if _NAME.fullmatch(place.name) and (id := card_id(str(place))) in sealed:
                found.append(
                    {"name": place.name, "id": id, "source": str(place), "vault": str(vault)}
                )
    return found


def refuse(folder: str, name: str, asked: Mapping[str, str | None]) -> None:
    """Raises where it could not be built: before a job is begun for it."""
    refuse_asked(asked, _place(folder, name))


def organism(reporter: Told, *, suspect: str, name: str, asked: Mapping[str, str | None]) -> None:
    """The job: builds what was asked for. suspect: the folder of the games. Cancelled or killed and
    begun again it goes on where it stopped, with the seed that the vault remembers."""
    into = _place(suspect, name)
    reporter.tell(stage="drawing", share=0.0)
    reporter.share("drawing")(0.0)
    begun: list[float] = []

    def told(done: int, steps: int, loss: float) -> None:
        begun[:] = begun or [time.monotonic(), done]
        reporter.share("sealing" if done == steps else "learning")(round(done / steps, 2))
        pace = (done - begun[1]) / max(1e-9, time.monotonic() - begun[0])
        reporter.tell(now=False, left=round((steps - done) / pace) if pace else None)

    into.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = build_asked(asked, into=into, vault=Path(suspect) / TRUTHS, progress=told)
    reporter.give({"name": name, "id": made.id, "commitment": made.commitment})
    reporter.tell(share=1.0, left=None)


def _place(folder: str, name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise BadParameter(f"'{name}' is no name of a suspect", hint="Use built- and a number.")
    return Path(folder) / SUSPECTS / name


def _number(place: Path) -> tuple[int, str]:
    return len(place.name), place.name
