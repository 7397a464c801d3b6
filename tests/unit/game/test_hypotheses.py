"""A team's board: added to in the open game, once per key, in the chain; verified with the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.gaming import sealed
from workbench.access import Access
from workbench.errors import BadParameter, GameClosed
from workbench.game import hypotheses, organiser, timeline, verify
from workbench.game.hypotheses import Hypotheses
from workbench.host.records import Client

RED, BLUE = (Client(f"{team}/b", Access.NONE) for team in ("red", "blue"))


def known(client: Client, id: str) -> None:
    if id != "f-1":
        raise BadParameter("evidence names a finding that is not kept here", hint="")


def test_entries_are_the_seats_in_order_once_per_key_and_in_the_chain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hypotheses, "ENTRIES_AT_MOST", 3)
    with sealed(tmp_path) as (definition, board):
        assert board.phase() == "open"
        wall = Hypotheses(board)
        first: dict[str, Any] = {"says": "rivers", "by": "Ann", "findings": ["f-1"]}
        assert wall.add(RED, first, "k1", known) == {"entry": 1}
        events = len(board.store.events())
        assert wall.add(RED, first, "k1", known) == {"entry": 1}
        assert len(board.store.events()) == events, "a key that is sent again adds nothing"
        with pytest.raises(BadParameter, match="key was used"):
            wall.add(RED, {"says": "other"}, "k1", known)
        with pytest.raises(BadParameter, match="not kept here"):
            wall.add(RED, {"says": "x", "findings": ["f-2"]}, "k2", known)
        assert wall.add(RED, {"stance": "refuted", "on": 1}, "k3", known) == {"entry": 2}
        with pytest.raises(BadParameter, match="no entry 1"):
            wall.add(BLUE, {"says": "", "on": 1}, "k1", known)
        assert wall.listed(BLUE) == []
        one, two = Hypotheses(board).listed(RED)
        assert (one["says"], one["by"], one["stance"]) == ("rivers", "Ann", "open")
        assert (two["on"], two["stance"], two["entry"]) == (1, "refuted", 2)
        wall.add(RED, {"says": "a third"}, "k4", known)
        with pytest.raises(BadParameter, match="3 entries"):
            wall.add(RED, {"says": "too many"}, "k5", known)
        moves = [m["kind"] for m in timeline.of(board.store.events())["red"]]
        assert moves.count("hypothesis") == 3
        assert "rivers" not in str(board.store.events()), "the chain holds the digest alone"
        organiser.close(board)
        with pytest.raises(GameClosed):
            wall.add(RED, {"says": "late"}, "k6", known)
        board.admit(RED, "board", writes=False)
        organiser.grade(board, definition)
        organiser.reveal(board, definition)
        assert verify.problems(organiser.archived(board)) == []


def test_done_is_said_once_and_only_while_it_is_open(tmp_path: Path) -> None:
    with sealed(tmp_path) as (definition, board):
        assert board.phase() == "open"
        board.done(RED)
        board.done(RED)
        assert board.those_done() == {"red"}
        assert [e["team"] for e in board.store.events() if e["kind"] == "done"] == ["red"]
        told = organiser.watch(board, definition)["teams"]
        assert told["red"]["done"] and not told["blue"]["done"]
        organiser.close(board)
        with pytest.raises(GameClosed):
            board.done(BLUE)
