"""Texts that a game shows before it ends: hints that a team paid for, and the behaviour that the
second phase asks about.

Each is a seal of its own: committed to in the public terms, encrypted in the game's vault, and
opened alone, when it is due, by the clerk beside the host (`workbench.game.clerk`). The server that
teams reach is handed what is due and nothing else.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from workbench.errors import BadParameter
from workbench.game.board import Board
from workbench.game.extras import POINTS
from workbench.game.submission import EXPLAIN, REVISIONS
from workbench.host.records import Client

TABLES = """
CREATE TABLE IF NOT EXISTS letters (
    id TEXT PRIMARY KEY, text TEXT NOT NULL, nonce TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS bought (
    team TEXT NOT NULL, suspect TEXT NOT NULL, hint INTEGER NOT NULL,
    PRIMARY KEY (team, suspect, hint)) STRICT;
"""

PATIENCE_SECONDS = 5.0
"""How long a buyer waits for the clerk; the hint is paid for and comes in any case."""


def hint_id(game: str, suspect: str, number: int) -> str:
    """What a hint is sealed under."""
    return f"{game}.{suspect}.hint-{number}"


def behaviour_id(game: str, suspect: str) -> str:
    """What the behaviour to explain is sealed under."""
    return f"{game}.{suspect}.behaviour"


class Letters:
    """Which letters are due, which are opened, and to whom they are shown."""

    def __init__(self, board: Board) -> None:
        self._board, self._store = board, board.store
        for statement in filter(str.strip, TABLES.split(";")):
            with self._store.writing() as database:
                database.execute(statement)

    def hints(self, client: Client) -> list[dict[str, Any]]:
        """The hints on a seat's suspect: hint (its number), about, price, commitment, bought; and
        text and nonce of those that this team bought."""
        row = self._board.row
        own = self._bought(client)
        made = []
        for number, one in enumerate(row["terms"]["hints"].get(client.suspect, ()), start=1):
            text, nonce = None, None
            if number in own:
                text, nonce = self._opened(hint_id(row["id"], client.suspect, number))
            shown = {"hint": number, "bought": number in own, "text": text, "nonce": nonce}
            made.append({**one, **shown})
        return made

    def buy(self, client: Client, document: Any) -> dict[str, Any]:
        """Pays for a hint, once for each team, and waits a little for its text.

        Raises BadParameter on one that there is not, GameClosed, and BudgetExceeded, with nothing
        spent, where the budget does not reach.
        """
        number = document.get("hint") if isinstance(document, Mapping) else None
        listed = self.hints(client)
        if type(number) is not int or not 1 <= number <= len(listed):
            raise BadParameter("hint is no number of a hint", hint="Ask for those that are listed.")
        price: Mapping[str, int] = listed[number - 1]["price"]
        with self._store.writing() as database:
            if number not in self._bought(client):
                self._board.admit(client, "hints", writes=True)
                self._pay(client, number, {m: n for m, n in price.items() if m != POINTS})
                told = {"kind": "hint", "team": client.team, "suspect": client.suspect}
                self._store.append({**told, "hint": number, "price": dict(price)})
                row = (client.team, client.suspect, number)
                database.execute("INSERT INTO bought VALUES (?, ?, ?)", row)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            made = self.hints(client)[number - 1]
            if made["text"] is not None or time.monotonic() > deadline:
                return made
            time.sleep(0.05)

    def sold(self) -> Counter[tuple[str, str]]:
        """How many hints each team bought, by team and suspect."""
        rows = self._store.rows("SELECT team, suspect FROM bought")
        return Counter((row["team"], row["suspect"]) for row in rows)

    def question(self, client: Client) -> dict[str, Any]:
        """What the second phase asks about a suspect: asked, and once it is open, behaviour and
        nonce; with what this team answered."""
        row = self._board.row
        asked = row["terms"]["explain"].get(client.suspect)
        text, nonce = (None, None)
        if asked is not None:
            text, nonce = self._opened(behaviour_id(row["id"], client.suspect))
        made = self._board.submissions(client.team, client.suspect, EXPLAIN)
        return {
            "asked": asked is not None,
            "commitment": asked,
            "behaviour": text,
            "nonce": nonce,
            "submissions": [{"revision": one["revision"], **one["body"]} for one in made],
            "left": REVISIONS - len(made),
        }

    def due(self) -> list[str]:
        """The letters that are to be opened now, and are not."""
        row = self._board.row
        wanted = [
            hint_id(row["id"], one["suspect"], one["hint"])
            for one in self._store.rows("SELECT DISTINCT suspect, hint FROM bought")
        ]
        begun = self._store.rows("SELECT 1 FROM game WHERE phase NOT IN ('sealed', 'open')")
        if begun:
            wanted += [behaviour_id(row["id"], suspect) for suspect in row["terms"]["explain"]]
        there = {one["id"] for one in self._store.rows("SELECT id FROM letters")}
        return [id for id in wanted if id not in there]

    def deliver(self, id: str, text: str, nonce: str) -> None:
        """Keeps an opened letter for those to whom it is shown."""
        with self._store.writing() as database:
            database.execute("INSERT OR IGNORE INTO letters VALUES (?, ?, ?)", (id, text, nonce))

    def _pay(self, client: Client, number: int, amounts: Mapping[str, int]) -> None:
        if not amounts:
            return
        asked = json.dumps({"hint": number})
        call = self._store.reserve(
            client.name, f"hint {number}", "hint", "suspect", asked, amounts, {}
        )
        self._store.settle(call, amounts, 200, None, "")

    def _bought(self, client: Client) -> set[int]:
        sql = "SELECT hint FROM bought WHERE team = ? AND suspect = ?"
        return {row["hint"] for row in self._store.rows(sql, client.team, client.suspect)}

    def _opened(self, id: str) -> tuple[str | None, str | None]:
        for row in self._store.rows("SELECT text, nonce FROM letters WHERE id = ?", id):
            return row["text"], row["nonce"]
        return None, None
