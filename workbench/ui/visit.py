"""A team's visit to a game: a URL, a token, and what HTTP answers to them; nothing else is held.

The rows of training data that a team paid for are copied into a folder of this process, by a digest
of the token, and go with it.
"""

from __future__ import annotations

import atexit
import dataclasses
import hashlib
import shutil
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from workbench.access import Access
from workbench.errors import GameError
from workbench.findings import Finding
from workbench.game.client import PLAYED, Team
from workbench.suspects import Suspect
from workbench.ui.desk import Desk
from workbench.ui.jobs import Jobs
from workbench.ui.reads.corpus import COPIED

FRESH_SECONDS = 1.5
"""How long a brief is taken for the present one."""

FETCHED_AT_ONCE = 4096
INSIDE_AT_MOST = 4
"""Visits whose SAEs are held open at once; the one that began first makes room."""
LACKING: Mapping[str, str] = {
    name: "No host serves it: what once left could not be metered."
    if name in ("gradients", "weights", "finetune")
    else "The organiser did not grant it to your team, and the seal covers that."
    for name in Access.EVERYTHING.names
}
"""Why a team lacks a level."""


@dataclasses.dataclass(frozen=True, slots=True)
class VisitSettings:
    """url: of the game. token: of the one team that this app is for; empty: each visitor gives one.
    practice: a folder in which the practice game writes what techniques would have shown."""

    url: str
    token: str = dataclasses.field(default="", repr=False)
    practice: Path | None = None


class Lobby:
    """What all visits of this process share: where the game is, desks, and the folder of rows."""

    def __init__(self, settings: VisitSettings) -> None:
        self.settings = settings
        self.folder = Path(tempfile.mkdtemp(prefix="wb-team-"))
        self.library = Desk("workbench.ui.reads.corpus")
        self.contrasts = Desk("workbench.ui.reads.corpus")
        self.fetching = Desk("workbench.ui.reads.corpus")
        self.lock = threading.RLock()
        self._inside: OrderedDict[str, tuple[Desk, Jobs]] = OrderedDict()
        atexit.register(self.close)

    def inside(self, visit: Visit) -> tuple[Desk, Jobs]:
        """What reads and trains SAEs for a team: processes that hold its token, in a cache of its
        own."""
        with self.lock:
            if visit.digest not in self._inside:
                home = self.folder / visit.digest
                given = {"WORKBENCH_TOKEN": visit.token, "WORKBENCH_CACHE": str(home / "cache")}
                desk = Desk("workbench.ui.reads.features", given)
                self._inside[visit.digest] = desk, Jobs(home / "jobs", given)
            while len(self._inside) > INSIDE_AT_MOST:
                for part in self._inside.popitem(last=False)[1]:
                    part.close()
            return self._inside[visit.digest]

    def close(self) -> None:
        """Ends all processes and forgets the rows."""
        inside = [part for pair in self._inside.values() for part in pair]
        for part in (self.library, self.contrasts, self.fetching, *inside):
            part.close()
        shutil.rmtree(self.folder, ignore_errors=True)


_lobby: Lobby | None = None


def open_lobby(settings: VisitSettings) -> Lobby:
    """Says, once, which game this process is for."""
    global _lobby
    if _lobby is not None:
        _lobby.close()
    _lobby = Lobby(settings)
    return _lobby


def lobby() -> Lobby:
    """The one of this process."""
    assert _lobby is not None, "open_lobby comes first"
    return _lobby


class Visit:
    """What one browser session knows: the token, and what it was answered last."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = url, token
        self.team = Team(url, token)
        self.digest = hashlib.sha256(f"{url} {token}".encode()).hexdigest()[:24]
        self._brief: dict[str, Any] = self.team.brief()  # refused here where the token is not valid
        self._at = time.monotonic()
        self.receipt = self.team.join()
        self._seats: dict[str, Seat] = {}

    def brief(self, *, now: bool = False) -> dict[str, Any]:
        """The brief, a moment old at most."""
        if now or time.monotonic() - self._at > FRESH_SECONDS:
            self._brief, self._at = self.team.brief(), time.monotonic()
        return self._brief

    @property
    def suspects(self) -> Mapping[str, Any]:
        """By name: access, budget, spent."""
        found: Mapping[str, Any] = self._brief["suspects"]
        return found

    def seat(self, suspect: str) -> Seat:
        """The team's room at a suspect; a name out of the brief."""
        return self._seats.setdefault(suspect, Seat(self, suspect))

    def folder(self, suspect: str) -> Path:
        """Where this team's rows of a suspect lie. suspect: a name out of the brief."""
        return lobby().folder / self.digest / str(list(self.suspects).index(suspect))


class Seat:
    """The room of a team at one suspect; what is granted is the server's to say."""

    lacking = LACKING

    def __init__(self, visit: Visit, name: str) -> None:
        self.visit, self.name = visit, name
        self._suspect: Suspect | None = None

    @property
    def key(self) -> str:
        return f"{self.visit.digest} {self.copied('suspect')} {self.copied('reference')}"

    @property
    def access(self) -> Access:
        return Access.parse(self.visit.suspects[self.name]["access"])

    @property
    def jobs(self) -> Jobs:
        return lobby().inside(self.visit)[1]

    def suspect(self) -> Suspect:
        if self.visit.brief()["phase"] not in PLAYED:
            raise GameError(
                f"the game is {self.visit.brief()['phase']}",
                hint="Suspects answer while it is open.",
            )
        if self._suspect is None:
            self._suspect = Suspect.load(self.source(), token=self.visit.token)
        return self._suspect

    def source(self) -> str:
        return self.visit.team.suspect_url(self.name)

    def rows(self, question: str, **arguments: Any) -> Any:
        if question == "document" and not self.copied("suspect"):
            asked = {"url": self.source(), "token": self.visit.token, **arguments}
            return lobby().fetching.ask("fetch_row", **asked)
        desk = lobby().contrasts if question == "contrast" else lobby().library
        return desk.ask(question, suspect=str(self.visit.folder(self.name)), **arguments)

    def latents(self, question: str, **arguments: Any) -> Any:
        return lobby().inside(self.visit)[0].ask(question, suspect=self.source(), **arguments)

    def keep(self, finding: Finding) -> str:
        return self.visit.team.keep(self.name, finding)

    def price(self, meter: str) -> str:
        left = self.left(meter)
        bound = self.visit.suspects[self.name]["budget"].get(meter)
        return "" if left is None else f"{left:,} of {bound:,} {meter.replace('_', ' ')} left"

    def left(self, meter: str, of: str = "suspect") -> int | None:
        """What is left of a meter, None where nothing bounds it."""
        amounts = self.visit.brief(now=True)["suspects"][self.name]["spent"][of].get(meter)
        if amounts is None or amounts["bound"] is None:
            return None
        return int(amounts["bound"] - amounts["used"])

    def copied(self, of: str) -> int:
        """How many rows this team has read and has at hand."""
        folder = self.visit.folder(self.name) / COPIED.format(of)
        last = max(folder.glob("*.parquet"), default=None)
        if last is None:
            return 0
        from pyarrow.parquet import read_metadata

        return int(last.stem) + int(read_metadata(last).num_rows)

    def size(self, of: str) -> int:
        """How many rows there are."""
        held = self.suspect() if of == "suspect" else self.suspect().reference
        return held.corpus.documents

    def fetch(self, of: str, most: int) -> int:
        """Reads the next rows, at most FETCHED_AT_ONCE; how many are at hand then. Raises
        BudgetExceeded where the budget reaches none."""
        with lobby().lock:  # two tabs of a team do not pay for the same rows
            start = self.copied(of)
            if start < most:
                lobby().fetching.ask(
                    "fetch", url=self.source(), token=self.visit.token,
                    into=str(self.visit.folder(self.name)), of=of, start=start,
                    rows=min(FETCHED_AT_ONCE, most - start),
                )  # fmt: skip
            return self.copied(of)


def visit() -> Visit | None:
    """The visit of this browser session; where the app is one team's, it begins by itself."""
    held: Visit | None = st.session_state.get("_visit")
    settings = lobby().settings
    if held is None and settings.token:
        held = begin(settings.token)
    return held


def begin(token: str) -> Visit:
    """Joins; raises AccessDenied on a token that is not valid."""
    made = Visit(lobby().settings.url, token.strip())
    st.session_state["_visit"] = made
    return made


def here() -> Visit:
    """The visit, where one has begun."""
    held: Visit = st.session_state["_visit"]
    return held


def seat() -> Seat:
    """The room that was entered."""
    entered: Seat = st.session_state["_room"]
    return entered
