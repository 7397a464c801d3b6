"""Phases, the clock, revisions: each change is one transaction that looks at the phase again."""

from __future__ import annotations

import dataclasses
import datetime
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.gaming import ABSTAINS, RIGHT, defined, hand_in, sealed
from workbench.access import Access
from workbench.errors import (
    BadParameter,
    ConfigError,
    GameClosed,
    GameError,
    SealBroken,
    SealError,
    SealStillClosed,
    TooManySubmissions,
)
from workbench.game import board as boards
from workbench.game import grader, organiser, sealing
from workbench.game.board import Board
from workbench.host.records import Client
from workbench.host.store import Store
from workbench.seal.vault import Vault

SEAT = Client("red/a", Access.NONE)


class Clock:
    """What the board takes for the time, forward and back at will."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._time = datetime.datetime.now(datetime.UTC)
        monkeypatch.setattr(boards, "now", self.now)

    def now(self) -> str:
        return self._time.isoformat(timespec="milliseconds")

    def move(self, **by: float) -> None:
        self._time += datetime.timedelta(**by)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def admitted(board: Board, move: str, writes: bool) -> bool:
    try:
        board.admit(SEAT, move, writes=writes)
    except GameClosed:
        return False
    return True


def test_the_clock_opens_and_closes_and_is_never_turned_back(tmp_path: Path, clock: Clock) -> None:
    opens = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
    later = dataclasses.replace(defined(tmp_path, hours=2), opens=opens)
    with sealed(tmp_path, definition=later) as (_, board):
        assert board.phase() == "sealed" and not admitted(board, "chat", True)
        assert admitted(board, "game", False) and admitted(board, "join", True)
        clock.move(hours=1.1)
        assert board.phase() == "open" and admitted(board, "chat", True)
        clock.move(hours=-1)
        assert board.phase() == "open", "a clock that is set back closes nothing and opens nothing"
        clock.move(hours=4)
        assert not admitted(board, "chat", True) and board.phase() == "closed"
        clock.move(hours=-4)
        assert board.phase() == "closed" and not admitted(board, "submission", True)
        with pytest.raises(GameClosed):
            hand_in(board, "red", "a", RIGHT)
        with pytest.raises(GameClosed):
            organiser.extend(board, hours=9)
        kinds = [event["kind"] for event in board.store.events()]
        assert (kinds.count("opened"), kinds.count("closed")) == (1, 1)


def test_what_each_phase_shows(tmp_path: Path) -> None:
    with sealed(tmp_path) as (definition, board):
        assert not admitted(board, "scores", False) and not admitted(board, "reveal", False)
        with pytest.raises(SealStillClosed):
            organiser.grade(board, definition)
        with pytest.raises(GameError):
            organiser.reveal(board, definition)
        with pytest.raises(GameError):
            organiser.export(board, tmp_path / "early.tar")
        organiser.close(board)
        with pytest.raises(GameError):
            organiser.close(board)
        for move in ("chat", "submission", "findings", "jobs", "saes", "reward", "count"):
            assert not admitted(board, move, True), move
        for move in ("budget", "findings", "jobs", "submission", "game"):
            assert admitted(board, move, False), move
        for move in ("suspect", "fingerprint", "hooks", "scores", "reveal"):
            assert not admitted(board, move, False), move
        organiser.grade(board, definition)
        assert admitted(board, "scores", False) and not admitted(board, "reveal", False)
        organiser.reveal(board, definition)
        organiser.reveal(board, definition)
        assert admitted(board, "reveal", False) and not admitted(board, "chat", True)


def test_extending_moves_the_end_and_says_so(tmp_path: Path, clock: Clock) -> None:
    with sealed(tmp_path) as (_, board):
        closes = organiser.extend(board, hours=1)
        assert board.row["closes"] == closes
        assert board.store.events()[-1]["closes"] == closes
        with pytest.raises(GameError):
            board.extend(clock.now())
        clock.move(hours=1.5)
        assert board.phase() == "open"


def test_three_revisions_whoever_asks_at_once(tmp_path: Path) -> None:
    with sealed(tmp_path) as (definition, board):
        handed: list[int] = []
        refused: list[Exception] = []

        def work(number: int) -> None:
            # a connection of its own, as another process would have
            store = Store(definition.state / "host.sqlite")
            try:
                handed.append(hand_in(Board(store), "red", "a", RIGHT, f"key-{number}")[0])
            except TooManySubmissions as error:
                refused.append(error)
            finally:
                store.close()

        threads = [threading.Thread(target=work, args=(n,)) for n in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(handed) == [1, 2, 3] and len(refused) == 9
        assert hand_in(board, "red", "b", ABSTAINS)[0] == 1, "each suspect for itself"
        assert hand_in(board, "blue", "a", RIGHT)[0] == 1, "each team for itself"


def test_a_key_stands_for_one_submission(tmp_path: Path) -> None:
    with sealed(tmp_path) as (_, board):
        first = hand_in(board, "red", "a", RIGHT, "k")
        assert hand_in(board, "red", "a", RIGHT, "k") == first
        with pytest.raises(BadParameter, match="another submission"):
            hand_in(board, "red", "a", ABSTAINS, "k")
        assert len(board.submissions()) == 1
        organiser.close(board)
        assert hand_in(board, "red", "a", RIGHT, "k") == first, "what was acknowledged stays so"


def test_the_last_revision_counts(tmp_path: Path) -> None:
    with sealed(tmp_path) as (definition, board):
        hand_in(board, "red", "b", RIGHT)
        hand_in(board, "red", "b", ABSTAINS)
        organiser.close(board)
        scores = organiser.grade(board, definition)
        assert scores["red"]["b"]["points"] == "91.800" and scores["red"]["b"]["revision"] == 2
        assert scores["blue"]["a"] == {"points": "0.000", "parts": {}, "submitted": False}
        assert organiser.grade(board, definition) == scores
        assert [e["kind"] for e in board.store.events()].count("graded") == 1


def test_a_seal_that_is_not_the_published_one_is_not_graded(tmp_path: Path) -> None:
    with sealed(tmp_path) as (definition, board):
        organiser.close(board)
        game = board.row["id"]
        other = Vault.create(tmp_path / "other")
        document = Vault(definition.vault).open(game)
        document["truths"]["a"] = document["truths"]["b"]
        other.seal(game, document)
        swapped = dataclasses.replace(definition, vault=tmp_path / "other")
        with pytest.raises(SealBroken, match="published"):
            organiser.grade(board, swapped)
        (definition.vault / "key").write_text("00" * 32)
        with pytest.raises(SealBroken):
            organiser.grade(board, definition)
        assert board.phase() == "closed"


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE submissions SET body = replace(body, '0.900', '0.100')",
        "DELETE FROM submissions",
        "UPDATE submissions SET body = replace(body, 'gardening', 'opera')",
    ],
)
def test_submissions_that_were_edited_are_not_graded(tmp_path: Path, sql: str) -> None:
    with sealed(tmp_path) as (definition, board):
        hand_in(board, "red", "a", RIGHT)
        organiser.close(board)
        with board.store.writing() as database:
            assert database.execute(sql).rowcount
        with pytest.raises(SealBroken, match="handed in"):
            organiser.grade(board, definition)
        assert board.phase() == "closed"


def test_another_grader_than_the_sealed_one_grades_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sealed(tmp_path) as (definition, board):
        organiser.close(board)
        monkeypatch.setattr(grader, "identity", lambda: {"version": 2, "sha256": "0" * 64})
        with pytest.raises(SealError, match="another version"):
            organiser.grade(board, definition)


def test_what_was_sealed_is_not_hosted_otherwise(tmp_path: Path) -> None:
    from tests.gaming import sources

    with sealed(tmp_path) as (definition, board):
        sealing.refuse_changed(definition, sources(), board)
        fewer = {team: seats for team, seats in definition.seats.items() if team != "blue"}
        changed = dataclasses.replace(definition, seats=fewer)
        with pytest.raises(SealBroken, match="teams"):
            sealing.refuse_changed(changed, sources(), board)

        class Other:
            def describe(self) -> dict[str, Any]:
                return {**sources()["a"].describe(), "tensors": "0" * 64}

        swapped = {**sources(), "a": Other()}
        with pytest.raises(SealBroken, match="fingerprints"):
            sealing.refuse_changed(definition, swapped, board)


def test_the_seal_covers_the_whole_game(tmp_path: Path) -> None:
    with sealed(tmp_path) as (definition, board):
        vault = Vault(definition.vault)
        document = vault.open(board.row["id"], commitment=board.row["commitment"])
        assert set(document) == {
            "terms", "truths", "decoys", "fingerprints", "salt", "letters", "causes",
        }  # fmt: skip
        terms = document["terms"]
        assert {"grader", "teams", "opens", "closes", "rules", "fingerprints"} <= set(terms)
        assert document["decoys"] == {"a": False, "b": True}
        assert terms["teams"]["blue"]["a"] == {"access": ["chat"], "budget": {"samples": 50}}
        assert len(document["fingerprints"]["a"]["tensors"]) == 64
        seals = [p for p in definition.vault.rglob("*") if p.is_file()]
        assert all(p.stat().st_mode & 0o077 == 0 for p in [definition.vault, *seals])


def test_a_second_seal_on_the_same_files_is_refused(tmp_path: Path) -> None:
    from tests.gaming import NOTHING, OBJECTIVE, sources

    with sealed(tmp_path) as (definition, board):
        with pytest.raises(GameError, match="history already"):
            sealing.seal(definition, sources(), {"a": OBJECTIVE, "b": NOTHING}, board)
        assert [e["kind"] for e in board.store.events()].count("sealed") == 1


def test_a_truth_that_cannot_be_graded_is_not_sealed(tmp_path: Path) -> None:
    broken = {"a": {"family": "x", "none": False}, "b": {"family": "none", "none": True}}
    with pytest.raises(SealError, match="suspect 'a'"), sealed(tmp_path, truths=broken):
        raise AssertionError("it was sealed")


def test_a_team_is_not_given_more_than_the_suspect_grants(tmp_path: Path) -> None:
    from workbench.game.definition import Seat

    definition = defined(tmp_path)
    seats = {"red": {"a": Seat(Access.TRAINING_DATA, definition.seats["red"]["a"].budget)}}
    wanting = dataclasses.replace(definition, seats=seats)
    with pytest.raises(ConfigError, match="training-data"), sealed(tmp_path, definition=wanting):
        raise AssertionError("it was sealed")


def test_tokens_are_for_teams_of_the_seal_alone(tmp_path: Path) -> None:
    with sealed(tmp_path) as (_, board):
        first = organiser.invite(board, "red")
        second = organiser.invite(board, "red")
        assert {board.store.client(t).name for t in (first, second)} == {"red"}
        third = organiser.invite(board, "red", rotate=True)
        for old in (first, second):
            with pytest.raises(Exception, match="not valid"):
                board.store.client(old)
        assert board.store.client(third).name == "red"
        assert organiser.revoke(board, "red") == 1
        for team in ("nobody", "red/a", "red' --"):
            with pytest.raises(BadParameter, match="no team"):
                organiser.invite(board, team)
