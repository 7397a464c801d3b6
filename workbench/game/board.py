"""The state of a game in the host's own file: phase, clock, submissions, scores, reveal.

The API process and the organiser's commands share it; every change is one transaction that looks at
the phase again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from workbench.errors import GameClosed, GameError, KeyReused, TooManySubmissions
from workbench.findings import JSON
from workbench.game.submission import EXPLAIN, HUNT
from workbench.host.records import Client, Receipt
from workbench.host.store import Store, now
from workbench.seal.commit import canonical

TABLES = """
CREATE TABLE IF NOT EXISTS game (
    one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL, commitment TEXT NOT NULL,
    terms TEXT NOT NULL, salt TEXT NOT NULL, phase TEXT NOT NULL, opens TEXT NOT NULL,
    explains TEXT, closes TEXT NOT NULL, isolation TEXT NOT NULL, network TEXT NOT NULL,
    isolation_why TEXT NOT NULL, scores TEXT, seal TEXT, verdicts TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS submissions (
    seq INTEGER PRIMARY KEY, team TEXT NOT NULL, suspect TEXT NOT NULL, part TEXT NOT NULL,
    revision INTEGER NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL,
    UNIQUE (team, suspect, part, revision), UNIQUE (team, suspect, part, key)) STRICT;
CREATE TABLE IF NOT EXISTS cited (digest TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS joined (team TEXT PRIMARY KEY) STRICT;
CREATE TABLE IF NOT EXISTS done (team TEXT PRIMARY KEY) STRICT;
"""

PHASES = ("sealed", "open", "explain", "closed", "graded", "revealed")
"""In their order; a game without a second phase leaves out `explain`."""

_EVENTS = {"open": "opened", "explain": "explaining"}

OWN = {"budget", "findings", "jobs", "board", "submission", "explanation", "hints", "game"}
"""What a team may look at after the end: its own work."""

_READ = {
    "sealed": {"budget", "game"},
    "closed": OWN,
    "graded": OWN | {"scores"},
    "revealed": OWN | {"scores", "reveal"},
}
_HIDDEN = {"scores", "reveal"}
_NOT_YET = {"explanation"}
_OVER = {"submission", "hints"}
"""What cannot be written any more once the hunt is over."""

MOVES = {HUNT: "submission", EXPLAIN: "explanation"}
"""The move that hands in an answer, by the part of the game."""


class Board:
    """Reads and advances a game; raises GameError where the state holds none."""

    def __init__(self, store: Store) -> None:
        self.store = store
        for statement in filter(str.strip, TABLES.split(";")):
            with store.writing() as database:
                database.execute(statement)

    @property
    def is_there(self) -> bool:
        """Whether a game was sealed here."""
        return bool(self.store.rows("SELECT 1 FROM game"))

    def begin(self, terms: Mapping[str, Any], commitment: str, salt: str) -> None:
        """Publishes the seal: the first event of the chain."""
        with self.store.writing() as database:
            if self.store.receipt().seq:
                raise GameError(
                    "this state directory has a history already",
                    hint="Give the game a --state directory of its own.",
                )
            told = {"kind": "sealed", "game": terms["game"], "commitment": commitment}
            self.store.append({**told, "terms": terms})
            database.execute(
                "INSERT INTO game VALUES "
                "(1, ?, ?, ?, ?, 'sealed', ?, ?, ?, 'none', 'open', '', NULL, NULL, '[]')",
                (
                    terms["game"],
                    commitment,
                    canonical(terms).decode(),
                    salt,
                    terms["opens"],
                    terms["explains"],
                    terms["closes"],
                ),
            )

    @property
    def row(self) -> dict[str, Any]:
        """The game as stored; `terms` parsed."""
        rows = self.store.rows("SELECT * FROM game")
        if not rows:
            raise GameError("no game was sealed here", hint="Start it: workbench game host.")
        found = dict(rows[0])
        return found | {"terms": json.loads(found["terms"])}

    def phase(self) -> str:
        """The phase by the clock; what is due is entered first, and never taken back."""
        row, at = self.row, now()
        for phase, due in (
            ("open", row["opens"]), ("explain", row["explains"]), ("closed", row["closes"]),
        ):  # fmt: skip
            if due is not None and due <= at and row["phase"] == _before(phase, row):
                self.enter(phase, "clock")
                row = self.row
        return str(row["phase"])

    def enter(self, phase: str, by: str, **told: Any) -> Receipt | None:
        """Enters a phase from the one before, once; None where another was faster or it is not
        next. What is `told` stands in the event of the chain."""
        with self.store.writing() as database:
            sql = "UPDATE game SET phase = ? WHERE phase = ?"
            if not database.execute(sql, (phase, _before(phase, self.row))).rowcount:
                return None
            return self.store.append({"kind": _EVENTS.get(phase, phase), "by": by, **told})

    def explain(self, closes: str) -> None:
        """Begins the second phase now, to end at `closes`; GameError where it is not next."""
        with self.store.writing() as database:
            if self.enter("explain", "organiser", closes=closes) is None:
                raise GameError(
                    f"the game is {self.phase()}", hint="The second phase follows on an open hunt."
                )
            database.execute("UPDATE game SET closes = ?", (closes,))

    def extend(self, closes: str, explains: str | None = None) -> None:
        """Moves the end further away, and the second phase where it has not begun; GameClosed once
        the end has come, GameError on an earlier one."""
        with self.store.writing() as database:
            phase, row = self.phase(), self.row
            if phase not in ("sealed", "open", "explain"):
                raise GameClosed(f"the game is {phase}", hint="What has ended does not go on.")
            if closes <= row["closes"]:
                raise GameError(
                    f"{closes} is not after {row['closes']}", hint="A game is not shortened: close."
                )
            begins = row["explains"] if explains is None else explains
            database.execute("UPDATE game SET closes = ?, explains = ?", (closes, begins))
            told = {} if explains is None else {"explains": explains}
            self.store.append({"kind": "extended", "closes": closes, **told})

    def note_isolation(self, level: str, network: str, why: str = "") -> None:
        """Says which isolation was reached and whether the workers' network is "cut" or "open", as
        found by trying; why: what keeps it from being more."""
        with self.store.writing() as database:
            told = {"isolation": level, "network": network, "why": why}
            database.execute(
                "UPDATE game SET isolation = ?, network = ?, isolation_why = ?",
                (level, network, why),
            )
            self.store.append({"kind": "hosted", **told})

    def admit(self, client: Client, move: str, *, writes: bool) -> None:
        """The gate: which moves the phase allows."""
        phase = self.phase()
        if phase == "open":
            allowed = move not in _HIDDEN | _NOT_YET
        elif phase == "explain":
            allowed = move not in _HIDDEN and not (writes and move in _OVER)
        elif writes:
            allowed = move == "join"
        else:
            allowed = move in _READ[phase]
        if not allowed:
            raise GameClosed(
                f"'{move}' is closed: the game is {phase}", hint=_HINTS.get(phase, "Wait.")
            )

    def join(self, team: str) -> Receipt:
        """Notes, once, that a team has taken its receipt; the chain as it is then."""
        with self.store.writing() as database:
            fresh = database.execute("INSERT OR IGNORE INTO joined VALUES (?)", (team,)).rowcount
            if fresh:
                return self.store.append({"kind": "joined", "team": team})
            return self.store.receipt()

    def done(self, client: Client) -> None:
        """Notes, once, that a team has said all it has to say; it may still go on."""
        with self.store.writing() as database:
            self.admit(client, "done", writes=True)
            sql = "INSERT OR IGNORE INTO done VALUES (?)"
            if database.execute(sql, (client.team,)).rowcount:
                self.store.append({"kind": "done", "team": client.team})

    def those_done(self) -> set[str]:
        """The teams that said so."""
        return {row["team"] for row in self.store.rows("SELECT team FROM done")}

    def submit(
        self,
        client: Client,
        body: Mapping[str, Any],
        cited: Sequence[tuple[str, str, bool]],
        key: str,
        most: int,
        part: str = HUNT,
    ) -> tuple[int, str]:
        """Files a revision, once per key, and returns its number and the digest of its body.

        part: of which phase it is an answer. cited: id, JSON text and whether the host saw it, of
        each finding. Raises GameClosed, TooManySubmissions, or BadParameter on a key that was used
        for another.
        """
        text = canonical(body).decode()
        hashed = hashlib.sha256(text.encode()).hexdigest()
        place = (client.team, client.suspect, part)
        with self.store.writing() as database:
            known = self.store.rows(
                "SELECT revision, body FROM submissions "
                "WHERE team = ? AND suspect = ? AND part = ? AND key = ?",
                *place,
                key,
            )
            if known:
                if known[0]["body"] != text:
                    raise KeyReused(
                        "the idempotency key was used for another submission",
                        hint="Take a fresh key for each submission.",
                    )
                return known[0]["revision"], hashed
            self.admit(client, MOVES[part], writes=True)
            revision = len(self.submissions(*place)) + 1
            if revision > most:
                raise TooManySubmissions(
                    f"{most} revisions were handed in on '{client.suspect}'",
                    hint="The last one counts.",
                )
            evidence: list[JSON] = []
            for id, finding, witnessed in cited:
                digest = hashlib.sha256(finding.encode()).hexdigest()
                database.execute("INSERT OR IGNORE INTO cited VALUES (?, ?)", (digest, finding))
                evidence.append([id, digest, witnessed])
            told = {"kind": "submission", "team": client.team, "suspect": client.suspect}
            told |= {"part": part}
            receipt = self.store.append(
                {**told, "revision": revision, "digest": hashed, "evidence": evidence}
            )
            database.execute(
                "INSERT INTO submissions VALUES (?, ?, ?, ?, ?, ?, ?)",
                (receipt.seq, *place, revision, key, text),
            )
        return revision, hashed

    def judge(self, opinions: Mapping[str, Any]) -> None:
        """Keeps what a judge said of the submissions; raises GameError before they are graded."""
        with self.store.writing() as database:
            row = self.row
            if self.phase() not in ("graded", "revealed"):
                raise GameError(
                    f"the game is {self.phase()}",
                    hint="Grade it first.",
                )
            kept = [*json.loads(row["verdicts"]), opinions]
            digest = hashlib.sha256(canonical(opinions)).hexdigest()
            self.store.append({"kind": "judged", "by": "organiser", "verdicts": digest})
            database.execute("UPDATE game SET verdicts = ?", (canonical(kept).decode(),))

    def submissions(
        self, team: str | None = None, suspect: str | None = None, part: str | None = None
    ) -> list[Any]:
        """What was handed in, oldest first: of a team, on a suspect, in a part, or all of it."""
        rows = self.store.rows("SELECT * FROM submissions ORDER BY seq")
        return [
            {
                "team": row["team"],
                "suspect": row["suspect"],
                "part": row["part"],
                "revision": row["revision"],
                "body": json.loads(row["body"]),
            }
            for row in rows
            if team in (None, row["team"])
            and suspect in (None, row["suspect"])
            and part in (None, row["part"])
        ]

    def cited(self) -> dict[str, str]:
        """The findings that were cited, as JSON text by digest."""
        return {row["digest"]: row["body"] for row in self.store.rows("SELECT * FROM cited")}


def _before(phase: str, row: Mapping[str, Any]) -> str:
    """The phase that comes before one in this game."""
    order = [one for one in PHASES if one != "explain" or row["explains"] is not None]
    return order[order.index(phase) - 1] if phase in order else ""


_HINTS = {
    "sealed": "Wait until it opens.",
    "open": "It comes later.",
    "explain": "The hunt is over; explain the behaviour.",
    "closed": "Scores come when it was graded.",
    "graded": "The truth comes with the reveal.",
    "revealed": "It is over; its archive can be verified.",
}
