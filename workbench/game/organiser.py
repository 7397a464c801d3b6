"""What an organiser does with a sealed game: invite, watch, extend, close, grade, reveal, export.

All of it works on the game's own files, whether its host runs or not, and through no route of the
team-facing server: who may write there is the organiser.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from workbench.errors import BadParameter, GameError, SealBroken, SealError, SealStillClosed
from workbench.game import archive, grader, verify
from workbench.game.board import Board
from workbench.game.definition import Definition, stamp
from workbench.game.sealing import URL
from workbench.game.submission import digest
from workbench.host.records import SEAT
from workbench.host.store import Store
from workbench.seal.commit import canonical
from workbench.seal.vault import Vault


@contextmanager
def board_of(definition: Definition) -> Iterator[Board]:
    """The board of a game that was sealed; raises GameError where there is none."""
    file = definition.state / "host.sqlite"
    if not file.is_file():
        raise GameError(
            f"no game was sealed in {definition.state}", hint="Start it: workbench game host."
        )
    with closing(Store(file)) as store:
        board = Board(store)
        board.phase()
        yield board


def invite(board: Board, team: str, *, rotate: bool = False, hours: float | None = None) -> str:
    """A fresh token of a team; with `rotate`, every earlier one is worthless from now on."""
    _known_team(board, team)
    expires = None if hours is None else time.time() + 3600 * hours
    with board.store.writing():
        board.store.enroll(team)
        board.store.append({"kind": "invited", "team": team})
        if rotate:
            return board.store.rotate(team, expires=expires)
        return board.store.issue(team, expires=expires)


def revoke(board: Board, team: str) -> int:
    """Makes all tokens of a team worthless, its jobs' included; how many there were."""
    _known_team(board, team)
    return board.store.revoke_all(team)


def watch(board: Board, definition: Definition) -> dict[str, Any]:
    """Who spent what and handed in how often; the state of the game. No truth."""
    row, store = board.row, board.store
    joined = {r["team"] for r in store.rows("SELECT team FROM joined")}
    handed = Counter((s["team"], s["suspect"]) for s in board.submissions())
    jobs = Counter((r["client"], r["state"]) for r in store.rows("SELECT client, state FROM jobs"))
    tokens = Counter(r["client"] for r in store.rows("SELECT client FROM tokens"))
    url = definition.state / URL
    done = board.those_done()
    return {
        "game": row["id"],
        "title": row["terms"]["title"],
        "phase": board.phase(),
        "opens": row["opens"],
        "closes": row["closes"],
        "commitment": row["commitment"],
        "isolation": row["isolation"],
        "url": url.read_text("ascii") if url.is_file() else None,
        "chain": [store.receipt().seq, store.receipt().head],
        "teams": {
            team: {
                "joined": team in joined,
                "done": team in done,
                "tokens": tokens[team],
                "suspects": {
                    name: {
                        "access": seat["access"],
                        "spent": store.budget(f"{team}{SEAT}{name}"),
                        "submissions": handed[team, name],
                        "jobs": {s: n for (c, s), n in jobs.items() if c == f"{team}{SEAT}{name}"},
                    }
                    for name, seat in seats.items()
                },
            }
            for team, seats in row["terms"]["teams"].items()
        },
    }


def extend(board: Board, *, hours: float) -> str:
    """Moves the end by so many hours and returns it; raises as `Board.extend`."""
    end = datetime.datetime.fromisoformat(board.row["closes"])
    closes = stamp(end + datetime.timedelta(hours=hours))
    board.extend(closes)
    return closes


def close(board: Board) -> None:
    """Ends the game now; raises GameError where it is not open."""
    board.phase()  # what the clock has opened can be closed
    if board.enter("closed", "organiser") is None:
        raise GameError(f"the game is {board.phase()}", hint="Only an open game can be closed.")


def grade(board: Board, definition: Definition) -> dict[str, Any]:
    """Opens the seal and scores the last submission of each team on each suspect, once.

    Raises SealStillClosed before the close, SealBroken where the seal is not the published one,
    SealError where another grader was sealed. A second call gives the same scores again.
    """
    phase = board.phase()
    if phase in ("graded", "revealed"):
        return _parsed(board.row["scores"])
    if phase != "closed":
        raise SealStillClosed(
            f"the game is {phase} until {board.row['closes']}", hint="Close it first."
        )
    document = _opened(board, definition)["document"]
    if document["terms"]["grader"] != grader.identity():
        raise SealError(
            "another version of the grader was sealed with this game",
            hint="Grade with the version of the workbench that hosted it.",
        )
    board.store.check()
    with board.store.writing() as database:
        _refuse_edited(board)
        scores = verify.rescored(document, board.store.events(), board.submissions(), board.cited())
        text = canonical(scores)
        if board.enter("graded", "organiser", scores=hashlib.sha256(text).hexdigest()):
            database.execute("UPDATE game SET scores = ?", (text.decode(),))
    return _parsed(board.row["scores"])


def reveal(board: Board, definition: Definition) -> None:
    """Publishes the sealed document with its nonce, and every team's timeline; once."""
    phase = board.phase()
    if phase == "revealed":
        return
    if phase != "graded":
        raise GameError(f"the game is {phase}", hint="Close it, then grade it.")
    seal = canonical(_opened(board, definition)).decode()
    with board.store.writing() as database:
        if board.enter("revealed", "organiser"):
            database.execute("UPDATE game SET seal = ?", (seal,))


def export(board: Board, out: Path) -> Path:
    """Writes the archive of a revealed game; raises GameError before, and where `out` exists."""
    if board.phase() != "revealed":
        raise GameError(
            f"the game is {board.phase()}", hint="Reveal it first: the archive holds the truth."
        )
    if out.exists():
        raise GameError(f"{out} exists", hint="Name a file that does not exist.")
    content = archived(board)
    found = verify.problems(content)
    if found:
        raise SealBroken(
            f"the archive would not verify: {found[0]}", hint="Keep the state for inspection."
        )
    draft = out.with_name(f".{out.name}.draft")
    try:
        draft.write_bytes(content)
        os.replace(draft, out)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise GameError(f"{out}: {error.strerror}", hint="Give another --out.") from None
    return out


def archived(board: Board) -> bytes:
    """The archive's bytes: log, seal, submissions, cited findings, scores."""
    row = board.row
    with board.store.writing():  # nothing is added while it is read
        events, receipt = board.store.events(), board.store.receipt()
        submissions, cited = board.submissions(), board.cited()
    about = {"format": archive.FORMAT, "game": row["id"], "head": [receipt.seq, receipt.head]}
    return archive.pack(
        {
            "archive.json": canonical(about),
            "seal.json": str(row["seal"]).encode(),
            "log.jsonl": b"".join(canonical(event) + b"\n" for event in events),
            "submissions.json": canonical(submissions),
            "findings.json": canonical(cited),
            "scores.json": str(row["scores"]).encode(),
        }
    )


def _opened(board: Board, definition: Definition) -> dict[str, Any]:
    row = board.row
    vault = Vault(definition.vault)
    document, nonce = vault.reveal(row["id"], commitment=row["commitment"])
    return {"document": document, "nonce": nonce.hex()}


def _refuse_edited(board: Board) -> None:
    """Raises SealBroken where a submission or a cited finding is not the one that was handed in."""
    logged = [event for event in board.store.events() if event["kind"] == "submission"]
    stored = [digest(kept["body"]) for kept in board.submissions()]
    cited = {
        name: hashlib.sha256(text.encode()).hexdigest() for name, text in board.cited().items()
    }
    if stored != [event["digest"] for event in logged] or any(n != h for n, h in cited.items()):
        raise SealBroken(
            "what was handed in is not what the log says",
            hint="Keep the state directory for inspection; its submissions were edited.",
        )


def _known_team(board: Board, team: str) -> None:
    teams = board.row["terms"]["teams"]
    if team not in teams:
        raise BadParameter(
            f"no team '{team}' in this game",
            hint=f"Its teams were sealed with it: {', '.join(sorted(teams))}.",
        )


def _parsed(text: str) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(text)
    return made
