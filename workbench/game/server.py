"""The API process of a game: the host's own, with phases for its gate and a few moves more."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from workbench.errors import BadParameter, LedgerError
from workbench.game import timeline
from workbench.game.board import Board
from workbench.game.hypotheses import Hypotheses
from workbench.game.letters import Letters
from workbench.game.score import quoted
from workbench.game.submission import (
    EXPLAIN,
    HUNT,
    REVISIONS,
    read_explanation,
    read_submission,
)
from workbench.host import guard
from workbench.host.api import ApiSettings, Move, serve
from workbench.host.records import SEAT, Client
from workbench.host.store import Store, now
from workbench.ledger import Entry, Ledger


def main(settings: ApiSettings) -> None:
    """Serves until it is told to stop or its parent goes."""

    def extend(store: Store, ledger: Ledger) -> tuple[guard.Gate, Sequence[Move]]:
        moves = Moves(Board(store), ledger)
        return moves.board, moves.listed()

    serve(settings, extend)


class Moves:
    """What teams do beside auditing: join, hand in, and read what the phase shows."""

    def __init__(self, board: Board, ledger: Ledger) -> None:
        self.board, self._ledger = board, ledger
        self._hypotheses, self._letters = Hypotheses(board), Letters(board)

    def listed(self) -> list[Move]:
        """The routes."""
        one, wall = "/suspects/{suspect}/submission", "/suspects/{suspect}/board"
        hints, cause = "/suspects/{suspect}/hints", "/suspects/{suspect}/explanation"
        return [
            Move("/game", "game", self._game),
            Move("/game/join", "join", self._join, writes=True),
            Move("/game/done", "done", self._done, writes=True),
            Move("/game/scores", "scores", self._scores),
            Move("/game/reveal", "reveal", self._reveal),
            Move(one, "submission", self._submitted),
            Move(one, "submission", self._submit, writes=True),
            Move(wall, "board", self._entries),
            Move(wall, "board", self._enter, writes=True),
            Move(hints, "hints", self._hints),
            Move(hints, "hints", self._buy, writes=True),
            Move(cause, "explanation", self._asked),
            Move(cause, "explanation", self._explain, writes=True),
        ]

    def _game(self, client: Client, content: bytes, key: str) -> dict[str, Any]:
        """The brief of a team: what is played, and what it may do. Nothing of other teams."""
        row, phase = self.board.row, self.board.phase()
        terms = row["terms"]
        budgets = {
            suspect: self.board.store.budget(f"{client.team}{SEAT}{suspect}")
            for suspect in terms["teams"][client.team]
        }
        return {
            "game": row["id"],
            "title": terms["title"],
            "team": client.team,
            "phase": phase,
            "opens": row["opens"],
            "explains": self.board.row["explains"],
            "closes": self.board.row["closes"],
            "now": now(),
            "isolation": row["isolation"],
            "network": row["network"],
            "isolation_why": row["isolation_why"],
            "rules": terms["rules"],
            "judge": terms["judge"],
            "commitment": row["commitment"],
            "done": client.team in self.board.those_done(),
            "suspects": {
                suspect: {
                    **seat,
                    "spent": budgets[suspect],
                    "hints": len(terms["hints"].get(suspect, ())),
                    "explain": suspect in terms["explain"],
                }
                for suspect, seat in terms["teams"][client.team].items()
            },
        }

    def _join(self, client: Client, content: bytes, key: str) -> dict[str, Any]:
        """The receipt that a team keeps: the seal and the chain, before its first question."""
        row = self.board.row
        receipt = self.board.join(client.team)
        terms = row["terms"]
        return {
            "game": row["id"],
            "team": client.team,
            "commitment": row["commitment"],
            "grader": terms["grader"],
            "fingerprints": {
                suspect: terms["fingerprints"][suspect] for suspect in terms["teams"][client.team]
            },
            "chain": [receipt.seq, receipt.head],
        }

    def _done(self, client: Client, content: bytes, key: str) -> dict[str, Any]:
        self.board.done(client)
        return {"done": True}

    def _entries(self, client: Client, content: bytes, key: str) -> dict[str, Any]:
        return {"entries": self._hypotheses.listed(client)}

    def _enter(self, client: Client, content: bytes, key: str) -> dict[str, Any]:
        return self._hypotheses.add(client, _document(content), key, self._cited)

    def _submitted(self, client: Client, content: bytes, key: str) -> dict[str, Any]:
        made = self.board.submissions(client.team, client.suspect, HUNT)
        return {
            "submissions": [{"revision": one["revision"], **one["body"]} for one in made],
            "left": REVISIONS - len(made),
        }

    def _submit(self, client: Client, content: bytes, key: str) -> dict[str, Any]:
        """Files a revision. The answer says nothing of its worth: it is the same for all."""
        return self._file(client, read_submission(_document(content)), key, HUNT)

    def _hints(self, client: Client, content: bytes, key: str) -> dict[str, Any]:
        return {"hints": self._letters.hints(client)}

    def _buy(self, client: Client, content: bytes, key: str) -> dict[str, Any]:
        return self._letters.buy(client, _document(content))

    def _asked(self, client: Client, content: bytes, key: str) -> dict[str, Any]:
        return self._letters.question(client)

    def _explain(self, client: Client, content: bytes, key: str) -> dict[str, Any]:
        if client.suspect not in self.board.row["terms"]["explain"]:
            raise BadParameter(
                "nothing is asked about this suspect", hint="Explain those that the brief names."
            )
        return self._file(client, read_explanation(_document(content)), key, EXPLAIN)

    def _file(self, client: Client, body: Mapping[str, Any], key: str, part: str) -> dict[str, Any]:
        cited = [self._cited(client, id) for id in body["evidence"]]
        revision, hashed = self.board.submit(client, body, cited, key, REVISIONS, part)
        return {"revision": revision, "left": REVISIONS - revision, "digest": hashed}

    def _cited(self, client: Client, id: str) -> tuple[str, str, bool]:
        """A finding of this team's; the same error for another's as for none."""
        runs = self._runs(client)
        with contextlib.suppress(LedgerError):
            entry = self._ledger.find(id)
            if isinstance(entry, Entry) and entry.run in runs:
                text = json.dumps(entry.finding.to_json(), sort_keys=True)
                return id, text, runs[entry.run] or self._saw(client, entry)
        raise BadParameter(
            "evidence names a finding that is not kept here",
            hint="Cite findings by the ids that the host gave them.",
        )

    def _runs(self, client: Client) -> Mapping[str, bool]:
        """The team's runs on this suspect, and whether the host made them: jobs, and exchanges at
        the OpenAI door."""
        store = self.board.store
        kept = store.rows("SELECT run FROM kept WHERE client = ?", client.name)
        jobs = store.rows("SELECT runs FROM jobs WHERE client = ?", client.name)
        made = {run: True for row in jobs for run in json.loads(row["runs"])}
        served = store.rows("SELECT DISTINCT run FROM exchanges WHERE client = ?", client.name)
        made |= {row["run"]: True for row in served}
        return {row["run"]: False for row in kept} | made

    def _saw(self, client: Client, entry: Entry) -> bool:
        """Whether all that a finding quotes stands in replies that this team got."""
        said = [text for text in quoted(entry.finding.to_json()) if text.strip()]
        sql = (
            "SELECT 1 FROM calls WHERE client = ? AND state = 'settled' AND reply IS NOT NULL "
            "AND instr(reply, CAST(? AS BLOB)) LIMIT 1"
        )
        return bool(said) and all(
            self.board.store.rows(sql, client.name, json.dumps(text)[1:-1]) for text in said
        )

    def _scores(self, client: Client, content: bytes, key: str) -> dict[str, Any]:
        return {"scores": json.loads(self.board.row["scores"])}

    def _reveal(self, client: Client, content: bytes, key: str) -> dict[str, Any]:
        row = self.board.row
        return {
            "seal": json.loads(row["seal"]),
            "scores": json.loads(row["scores"]),
            "timeline": timeline.of(self.board.store.events()),
            "submissions": self.board.submissions(),
            "isolation": row["isolation"],
            "network": row["network"],
            "isolation_why": row["isolation_why"],
            "verdicts": json.loads(row["verdicts"]),
        }


def _document(content: bytes) -> Any:
    try:
        return json.loads(content, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise BadParameter(
            "the request is no JSON document", hint="docs/game.md says what is sent."
        ) from None


def _no_number(name: str) -> float:
    raise ValueError(name)
