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
from workbench.game import archive, grader, judge, verify
from workbench.game.board import Board
from workbench.game.definition import Definition, stamp
from workbench.game.letters import Letters
from workbench.game.rescored import rescored
from workbench.game.sealing import URL
from workbench.game.submission import EXPLAIN, HUNT, digest
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
    handed = Counter((s["team"], s["suspect"], s["part"]) for s in board.submissions())
    bought = Letters(board).sold()
    jobs = Counter((r["client"], r["state"]) for r in store.rows("SELECT client, state FROM jobs"))
    tokens = Counter(r["client"] for r in store.rows("SELECT client FROM tokens"))
    url = definition.state / URL
    done = board.those_done()
    return {
        "game": row["id"],
        "title": row["terms"]["title"],
        "phase": board.phase(),
        "opens": row["opens"],
        "explains": row["explains"],
        "closes": row["closes"],
        "commitment": row["commitment"],
        "isolation": row["isolation"],
        "network": row["network"],
        "isolation_why": row["isolation_why"],
        "judge": row["terms"]["judge"],
        "judged": len(json.loads(row["verdicts"])),
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
                        "submissions": handed[team, name, HUNT],
                        "explanations": handed[team, name, EXPLAIN],
                        "hints": bought[team, name],
                        "jobs": {s: n for (c, s), n in jobs.items() if c == f"{team}{SEAT}{name}"},
                    }
                    for name, seat in seats.items()
                },
            }
            for team, seats in row["terms"]["teams"].items()
        },
    }


def extend(board: Board, *, hours: float) -> str:
    """Moves the end by so many hours and returns it, and the second phase with it where that has
    not begun; raises as `Board.extend`."""
    row = board.row

    def later(time: str) -> str:
        moved = datetime.datetime.fromisoformat(time) + datetime.timedelta(hours=hours)
        return stamp(moved)

    ahead = row["explains"] is not None and board.phase() in ("sealed", "open")
    closes = later(row["closes"])
    board.extend(closes, later(row["explains"]) if ahead else None)
    return closes


def explain(board: Board, definition: Definition) -> str:
    """Ends the hunt and begins the second phase now; when that closes. Raises GameError where the
    game has none, or it is not next."""
    board.phase()
    if definition.explain_hours is None:
        raise GameError("this game has no second phase", hint="One is sealed with the game.")
    now = datetime.datetime.now(datetime.UTC)
    closes = stamp(now + datetime.timedelta(hours=definition.explain_hours))
    board.explain(closes)
    return closes


def close(board: Board) -> None:
    """Ends the game now; raises GameError where it is not open, or a second phase comes first."""
    phase = board.phase()  # what the clock has opened can be closed
    if board.enter("closed", "organiser") is None:
        if phase == "open":
            raise GameError(
                "the second phase comes before the end",
                hint="Begin it: workbench game explain; close the game after it.",
            )
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
        scores = rescored(document, board.store.events(), board.submissions(), board.cited())
        text = canonical(scores)
        if board.enter("graded", "organiser", scores=hashlib.sha256(text).hexdigest()):
            database.execute("UPDATE game SET scores = ?", (text.decode(),))
    return _parsed(board.row["scores"])


def ask_judge(board: Board, definition: Definition) -> dict[str, Any]:
    """Asks the judge that was sealed with a graded game, and keeps what it says beside the scores.

    Raises GameError where the game has none or it cannot be asked, SealError where another prompt
    was sealed.
    """
    sealed = board.row["terms"]["judge"]
    if sealed is None or definition.judge is None:
        raise GameError("no judge was sealed with this game", hint="Write [judge] in its file.")
    if sealed != {"model": definition.judge.model, "prompt": judge.identity()}:
        raise SealError(
            "another judge was sealed with this game",
            hint="Ask the model that it names, with the version of the workbench that hosted it.",
        )
    if board.phase() not in ("graded", "revealed"):
        raise GameError(f"the game is {board.phase()}", hint="Grade it first.")
    document = _opened(board, definition)["document"]
    made = judge.opinions(definition.judge, document, board.submissions())
    board.judge(made)
    return made


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
            "verdicts.json": str(row["verdicts"]).encode(),
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
