"""A team's board of hypotheses: notes that its members share, added to and never changed.

Kept by the host, by seat: no other team reads it. Each entry stands in the game's chain by its
digest, as a submission does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from workbench.errors import BadParameter, KeyReused
from workbench.findings import clean_text
from workbench.game.board import Board
from workbench.host.records import Client
from workbench.seal.commit import canonical

TABLE = """
CREATE TABLE IF NOT EXISTS hypotheses (
    seq INTEGER PRIMARY KEY, client TEXT NOT NULL, entry INTEGER NOT NULL, key TEXT NOT NULL,
    at TEXT NOT NULL, body TEXT NOT NULL, UNIQUE (client, entry), UNIQUE (client, key)) STRICT
"""

STANCES = ("open", "supported", "refuted")
"""What a team makes of a hypothesis; a later entry on it may say otherwise."""

TEXT_AT_MOST = 1_000
NAME_AT_MOST = 40
CITED_AT_MOST = 20
ENTRIES_AT_MOST = 500
"""Of one team on one suspect."""

_KEYS = ("says", "stance", "on", "by", "findings")


class Hypotheses:
    """The boards of a game, in the host's own file."""

    def __init__(self, board: Board) -> None:
        self._board, self._store = board, board.store
        with self._store.writing() as database:
            database.execute(TABLE)

    def listed(self, client: Client) -> list[dict[str, Any]]:
        """A seat's entries, oldest first: entry, at, says, stance, on, by, findings."""
        sql = "SELECT entry, at, body FROM hypotheses WHERE client = ? ORDER BY entry"
        return [
            {"entry": row["entry"], "at": row["at"], **json.loads(row["body"])}
            for row in self._store.rows(sql, client.name)
        ]

    def add(
        self, client: Client, document: Any, key: str, known: Callable[[Client, str], Any]
    ) -> dict[str, Any]:
        """Adds an entry, once per key. known: raises where a finding is not this seat's.

        Raises BadParameter, naming the field, GameClosed, and what `known` raises.
        """
        body = read_entry(document)
        for id in body["findings"]:
            known(client, id)
        text = canonical(body).decode()
        with self._store.writing() as database:
            sql = "SELECT entry, body FROM hypotheses WHERE client = ? AND key = ?"
            for row in self._store.rows(sql, client.name, key):
                if row["body"] != text:
                    raise KeyReused(
                        "the idempotency key was used for another entry",
                        hint="Take a fresh key for each entry.",
                    )
                return {"entry": row["entry"]}
            self._board.admit(client, "board", writes=True)
            count = len(self.listed(client))
            if body["on"] is not None and body["on"] > count:
                raise BadParameter(f"on: there is no entry {body['on']}", hint="Name one before.")
            if count >= ENTRIES_AT_MOST:
                raise BadParameter(f"{count} entries are kept already", hint="Use those.")
            told = {"kind": "hypothesis", "team": client.team, "suspect": client.suspect}
            digest = hashlib.sha256(text.encode()).hexdigest()
            receipt = self._store.append({**told, "entry": count + 1, "digest": digest})
            (at,) = self._store.rows("SELECT body FROM events WHERE seq = ?", receipt.seq)[0]
            database.execute(
                "INSERT INTO hypotheses VALUES (?, ?, ?, ?, ?, ?)",
                (receipt.seq, client.name, count + 1, key, json.loads(at)["at"], text),
            )
        return {"entry": count + 1}


def read_entry(document: Any) -> dict[str, Any]:
    """The canonical form of an entry; raises BadParameter, naming the field.

    says: the hypothesis, or a word on the entry whose number is `on`. by: who of the team.
    """
    if not isinstance(document, dict) or not set(document) <= set(_KEYS):
        raise _wrong("the entry", f"is no object of {', '.join(_KEYS)}")
    body = {
        "says": _text(document.get("says", ""), "says", TEXT_AT_MOST),
        "by": _text(document.get("by", ""), "by", NAME_AT_MOST),
        "stance": document.get("stance", "open"),
        "on": document.get("on"),
        "findings": document.get("findings", []),
    }
    if body["stance"] not in STANCES:
        raise _wrong("stance", f"is none of {', '.join(STANCES)}")
    if not body["says"].strip() and body["on"] is None:
        raise _wrong("says", "is empty")
    on = body["on"]
    if on is not None and (type(on) is not int or not 1 <= on <= ENTRIES_AT_MOST):
        raise _wrong("on", "is no number of an entry")
    cited = body["findings"]
    if not isinstance(cited, list) or len(cited) > CITED_AT_MOST:
        raise _wrong("findings", f"is no list of at most {CITED_AT_MOST} ids")
    body["findings"] = [_text(id, "findings", 100) for id in cited]
    return body


def _text(value: Any, name: str, most: int) -> str:
    if not isinstance(value, str):
        raise _wrong(name, "is no text")
    if len(value) > most:
        raise _wrong(name, f"has {len(value)} characters, where {most} are kept")
    return clean_text(value, most)


def _wrong(name: str, what: str) -> BadParameter:
    return BadParameter(f"{name} {what}", hint="docs/game.md says what the board holds.")
