"""What the organiser's console asks for, answered in a process of its own beside its pages.

It works on the game's files like the organiser's commands, and keeps the hosts that it started;
they end with it, and go on where they were when they are started again. Pages hold no truth before
the reveal: nothing here answers with one.
"""

from __future__ import annotations

import dataclasses
import json
import socket
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

from workbench.errors import BadParameter, GameError, WorkbenchError
from workbench.game import building, organiser, sealing, timeline
from workbench.game.board import Board
from workbench.game.definition import Definition, load
from workbench.game.making import make as write
from workbench.host.supervisor import HOST
from workbench.host.verbs import SERVED
from workbench.seal.vault import Vault
from workbench.suspects.cabinet import bundled, card_id, describe

LOOK_SECONDS = 1.0

_hosts: dict[str, tuple[AbstractContextManager[Any], Any]] = {}
"""By the path of a game's file: its host, which this process runs."""


def listed(folder: str) -> list[dict[str, Any]]:
    """The games whose files lie in a folder: name, title and phase, or what is wrong with them."""
    found = []
    for file in sorted(Path(folder).glob("*.toml")):
        row = {"name": file.stem, "title": "", "phase": "not sealed", "error": ""}
        try:
            definition = load(file)
            row["title"] = definition.title
            with suppress(GameError), organiser.board_of(definition) as board:
                row["phase"] = board.phase()
        except WorkbenchError as error:
            row["error"] = error.message
        found.append(row)
    return found


def choices(folder: str) -> dict[str, Any]:
    """What a game can be made of: bundled suspects with a sealed truth, those that were built
    beside the games, and levels that are served."""
    names = []
    with suppress(WorkbenchError):
        sealed = set(Vault(sealing.PRACTICE_VAULT).ids())
        names = [name for name in bundled() if card_id(name) in sealed]
    return {"suspects": names, "built": building.built(folder), "access": SERVED.names}


def make(
    folder: str,
    name: str,
    title: str,
    suspects: Sequence[Sequence[str]],
    teams: Sequence[Sequence[str]],
    hours: float,
    budget: Mapping[str, int],
    hints: Sequence[Sequence[Any]] = (),
    explain: Mapping[str, str] | None = None,
    explain_hours: float = 1.0,
) -> str:
    """Writes a game's file and returns its name. suspects: [source, vault] each, vault empty for a
    bundled one. teams: [name, access] each, access empty for all that can be served. hints,
    explain: as `making.make` takes them."""
    if not name or Path(name).name != name or name.startswith("."):
        raise BadParameter(f"'{name}' is no name of a file", hint="Use letters, digits and -.")
    for source, _ in suspects:
        describe(source)  # refused here, not when it is hosted
    write(
        Path(folder) / f"{name}.toml",
        title=title,
        suspects=[(source, Path(vault) if vault else None) for source, vault in suspects],
        teams=[(team, access or None) for team, access in teams],
        hours=hours,
        budget=budget,
        hints=[(str(s), str(a), str(m), int(n), str(t)) for s, a, m, n, t in hints],
        explain=explain,
        explain_hours=explain_hours,
    )
    return name


def host(file: str) -> str:
    """Seals the game at its first start, and serves it; its URL."""
    if file in _hosts:
        return str(_hosts[file][1].url)
    definition = load(Path(file))
    if _taken(definition.port):  # two games may be served at once
        definition = dataclasses.replace(definition, port=0)
    context = sealing.hosting(definition)
    _hosts[file] = (context, context.__enter__())
    return str(_hosts[file][1].url)


def rest(file: str) -> None:
    """Ends the host that was started from here; the game goes on when it is started again."""
    if file in _hosts:
        context, _ = _hosts.pop(file)
        context.__exit__(None, None, None)


def watch(file: str) -> dict[str, Any]:
    """The state of a game: phase, who spent what, whether a host serves it, and whether it is one
    of ours. `sealed` is false where it was never started."""
    definition = load(Path(file))
    try:
        with organiser.board_of(definition) as board:
            told = organiser.watch(board, definition)
    except GameError:
        teams = {
            team: {
                name: "as served" if seat.access is None else ", ".join(seat.access.names)
                for name, seat in seats.items()
            }
            for team, seats in definition.seats.items()
        }
        return {
            "sealed": False,
            "title": definition.title,
            "hours": definition.hours,
            "suspects": [entry.name for entry in definition.suspects],
            "teams": teams,
        }
    return {**told, "sealed": True, "served": _answers(told["url"]), "ours": file in _hosts}


def invite(file: str, team: str, rotate: bool) -> dict[str, Any]:
    """A fresh token of a team, said here and nowhere again."""
    with _open(file) as (board, definition):
        token = organiser.invite(board, team, rotate=rotate)
        return {"token": token, "url": organiser.watch(board, definition)["url"]}


def revoke(file: str, team: str) -> int:
    """Makes a team's tokens worthless; how many there were."""
    with _open(file) as (board, _):
        return organiser.revoke(board, team)


def extend(file: str, hours: float) -> str:
    """Moves the end; when it is then."""
    with _open(file) as (board, _):
        return organiser.extend(board, hours=hours)


def explain(file: str) -> str:
    """Ends the hunt and begins the second phase; when that closes."""
    with _open(file) as (board, definition):
        return organiser.explain(board, definition)


def close(file: str) -> None:
    """Ends the game now."""
    with _open(file) as (board, _):
        organiser.close(board)


def grade(file: str) -> None:
    """Opens the seal and scores; teams then see the scores."""
    with _open(file) as (board, definition):
        organiser.grade(board, definition)


def judge(file: str) -> dict[str, Any]:
    """Asks the judge that was sealed with the game; how its exam went."""
    with _open(file) as (board, definition):
        made: dict[str, Any] = organiser.ask_judge(board, definition)["exam"]
        return made


def reveal(file: str) -> None:
    """Publishes the truth and every team's timeline."""
    with _open(file) as (board, definition):
        organiser.reveal(board, definition)


def export(file: str) -> str:
    """Writes the archive beside the game's file; its path. One that is there is left as it is."""
    with _open(file) as (board, definition):
        out = definition.file.with_suffix(".tar")
        if not out.exists():
            organiser.export(board, out)
        return str(out.resolve())


def outcome(file: str) -> dict[str, Any]:
    """What the phase shows to everybody: scores once graded, all of it once revealed."""
    with _open(file) as (board, _):
        row, phase = board.row, board.phase()
        told: dict[str, Any] = {"phase": phase, "scores": None, "revealed": None}
        if phase in ("graded", "revealed"):
            told["scores"] = json.loads(row["scores"])
        if phase == "revealed":
            told["revealed"] = {
                "seal": json.loads(row["seal"]),
                "scores": told["scores"],
                "timeline": timeline.of(board.store.events()),
                "submissions": board.submissions(),
                "isolation": row["isolation"],
                "network": row["network"],
                "isolation_why": row["isolation_why"],
                "verdicts": json.loads(row["verdicts"]),
            }
    return told


@contextmanager
def _open(file: str) -> Iterator[tuple[Board, Definition]]:
    definition = load(Path(file))
    with organiser.board_of(definition) as board:
        yield board, definition


def _taken(port: int) -> bool:
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((HOST, port))
        except OSError:
            return True
    return False


def _answers(url: str | None) -> bool:
    if url is None:
        return False
    try:
        urllib.request.urlopen(f"{url}/health", timeout=LOOK_SECONDS).close()
    except OSError:
        return False
    return True


ANSWERS: Mapping[str, Callable[..., Any]] = {
    "listed": listed,
    "choices": choices,
    "make": make,
    "families": building.offered,
    "built": building.built,
    "refuse_build": building.refuse,
    "host": host,
    "rest": rest,
    "watch": watch,
    "invite": invite,
    "revoke": revoke,
    "extend": extend,
    "explain": explain,
    "close": close,
    "grade": grade,
    "judge": judge,
    "reveal": reveal,
    "export": export,
    "outcome": outcome,
}
