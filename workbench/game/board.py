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
from workbench.host.records import Client, Receipt
from workbench.host.store import Store, now
from workbench.seal.commit import canonical

TABLES = """
CREATE TABLE IF NOT EXISTS game (
    one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL, commitment TEXT NOT NULL,
    terms TEXT NOT NULL, salt TEXT NOT NULL, phase TEXT NOT NULL, opens TEXT NOT NULL,
    closes TEXT NOT NULL, isolation TEXT NOT NULL, scores TEXT, seal TEXT) STRICT;
CREATE TABLE IF NOT EXISTS submissions (
    seq INTEGER PRIMARY KEY, team TEXT NOT NULL, suspect TEXT NOT NULL, revision INTEGER NOT NULL,
    key TEXT NOT NULL, body TEXT NOT NULL, UNIQUE (team, suspect, revision),
    UNIQUE (team, suspect, key)) STRICT;
CREATE TABLE IF NOT EXISTS cited (digest TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS joined (team TEXT PRIMARY KEY) STRICT;
CREATE TABLE IF NOT EXISTS done (team TEXT PRIMARY KEY) STRICT;
"""

PHASES = ("sealed", "open", "closed", "graded", "revealed")
_EVENTS = {"open": "opened"}

OWN = {"budget", "findings", "jobs", "board", "submission", "game"}
"""What a team may look at after the end: its own work."""

_READ = {
    "sealed": {"budget", "game"},
    "closed": OWN,
    "graded": OWN | {"scores"},
    "revealed": OWN | {"scores", "reveal"},
}
_HIDDEN = {"scores", "reveal"}


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
                "INSERT INTO game VALUES (1, ?, ?, ?, ?, 'sealed', ?, ?, 'none', NULL, NULL)",
                (
                    terms["game"],
                    commitment,
                    canonical(terms).decode(),
                    salt,
                    terms["opens"],
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
        row = self.row
        at = now()
        if row["phase"] == "sealed" and row["opens"] <= at:
            self.enter("open", "clock")
            row = self.row
        if row["phase"] == "open" and row["closes"] <= at:
            self.enter("closed", "clock")
            row = self.row
        return str(row["phase"])

    def enter(self, phase: str, by: str, **told: Any) -> Receipt | None:
        """Enters a phase from the one before, once; None where another was faster or it is not
        next. What is `told` stands in the event of the chain."""
        before = PHASES[PHASES.index(phase) - 1]
        with self.store.writing() as database:
            sql = "UPDATE game SET phase = ? WHERE phase = ?"
            if not database.execute(sql, (phase, before)).rowcount:
                return None
            return self.store.append({"kind": _EVENTS.get(phase, phase), "by": by, **told})

    def extend(self, closes: str) -> None:
        """Moves the end further away; GameClosed once it has come, GameError on an earlier one."""
        with self.store.writing() as database:
            phase, row = self.phase(), self.row
            if phase not in ("sealed", "open"):
                raise GameClosed(f"the game is {phase}", hint="What has ended does not go on.")
            if closes <= row["closes"]:
                raise GameError(
                    f"{closes} is not after {row['closes']}", hint="A game is not shortened: close."
                )
            database.execute("UPDATE game SET closes = ?", (closes,))
            self.store.append({"kind": "extended", "closes": closes})

    def note_isolation(self, level: str) -> None:
        """Says which isolation was reached, as found by trying."""
        with self.store.writing() as database:
            database.execute("UPDATE game SET isolation = ?", (level,))
            self.store.append({"kind": "hosted", "isolation": level})

    def admit(self, client: Client, move: str, *, writes: bool) -> None:
        """The gate: which moves the phase allows."""
        phase = self.phase()
        if phase == "open":
            allowed = move not in _HIDDEN
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
    ) -> tuple[int, str]:
        """Files a revision, once per key, and returns its number and the digest of its body.

        cited: id, JSON text and whether the host saw it, of each finding. Raises GameClosed,
        TooManySubmissions, or BadParameter on a key that was used for another.
        """
        text = canonical(body).decode()
        hashed = hashlib.sha256(text.encode()).hexdigest()
        place = (client.team, client.suspect)
        with self.store.writing() as database:
            known = self.store.rows(
                "SELECT revision, body FROM submissions WHERE team = ? AND suspect = ? AND key = ?",
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
            self.admit(client, "submission", writes=True)
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
            receipt = self.store.append(
                {**told, "revision": revision, "digest": hashed, "evidence": evidence}
            )
            database.execute(
                "INSERT INTO submissions VALUES (?, ?, ?, ?, ?, ?)",
                (receipt.seq, *place, revision, key, text),
            )
        return revision, hashed

    def submissions(self, team: str | None = None, suspect: str | None = None) -> list[Any]:
        """What was handed in, oldest first: of a team, on a suspect, or all of it."""
        rows = self.store.rows("SELECT * FROM submissions ORDER BY seq")
        return [
            {
                "team": row["team"],
                "suspect": row["suspect"],
                "revision": row["revision"],
                "body": json.loads(row["body"]),
            }
            for row in rows
            if team in (None, row["team"]) and suspect in (None, row["suspect"])
        ]

    def cited(self) -> dict[str, str]:
        """The findings that were cited, as JSON text by digest."""
        return {row["digest"]: row["body"] for row in self.store.rows("SELECT * FROM cited")}


_HINTS = {
    "sealed": "Wait until it opens.",
    "closed": "Scores come when it was graded.",
    "graded": "The truth comes with the reveal.",
    "revealed": "It is over; its archive can be verified.",
}
