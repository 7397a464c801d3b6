"""Hints with a price and the second phase: sealed one by one, opened when due, paid once."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.gaming import (
    EXPLAINS,
    HINT,
    NOTHING,
    OBJECTIVE,
    ODD,
    RIGHT,
    defined,
    explain,
    hand_in,
    sealed,
    sources,
)
from workbench.access import Access, Budget
from workbench.errors import (
    BadParameter,
    BudgetExceeded,
    ConfigError,
    GameClosed,
    GameError,
    SealBroken,
    SealError,
)
from workbench.game import clerk, organiser, sealing
from workbench.game.board import Board
from workbench.game.client import Team
from workbench.game.definition import load
from workbench.game.extras import Hint, Odd
from workbench.game.letters import Letters
from workbench.game.making import make
from workbench.host.records import Client
from workbench.host.store import Store
from workbench.seal.commit import verify as opens
from workbench.seal.vault import Vault

RED, BLUE = Client("red/a", Access.NONE), Client("blue/a", Access.NONE)


def used(board: Board, meter: str = "samples") -> int:
    return int(board.store.budget("red/a")["suspect"][meter]["used"] or 0)


def test_a_hint_is_read_by_those_alone_who_bought_it(tmp_path: Path) -> None:
    with sealed(tmp_path) as (_, board):
        letters = Letters(board)
        before = letters.hints(RED)
        assert [one["about"] for one in before] == ["what it is after", "its trigger"]
        assert [one["text"] for one in before] == [None, None]
        made = letters.buy(RED, {"hint": 1})
        assert made["text"] == HINT and made["bought"]
        letter = {"suspect": "a", "hint": 1, "text": HINT}
        assert opens(letter, bytes.fromhex(made["nonce"]), made["commitment"])
        assert [one["text"] for one in letters.hints(RED)] == [HINT, None]
        assert [one["text"] for one in letters.hints(BLUE)] == [None, None], "opened, not theirs"
        assert letters.hints(Client("red/b", Access.NONE)) == []
        for wrong in ({"hint": 0}, {"hint": 3}, {"hint": True}, {"hint": "1"}, [], None):
            with pytest.raises(BadParameter, match="no number"):
                letters.buy(RED, wrong)


def test_what_was_not_bought_is_opened_nowhere(tmp_path: Path) -> None:
    with sealed(tmp_path) as (_, board):
        Letters(board).buy(RED, {"hint": 1})
        held = [row["text"] for row in board.store.rows("SELECT text FROM letters")]
        assert held == [HINT]


def test_a_price_in_samples_is_paid_once_and_out_of_the_budget(tmp_path: Path) -> None:
    with sealed(tmp_path) as (definition, board):
        paid: list[Any] = []

        def work() -> None:
            store = Store(definition.state / "host.sqlite")  # as another process would
            try:
                paid.append(Letters(Board(store)).buy(RED, {"hint": 2})["text"])
            finally:
                store.close()

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(paid) == 8 and len(set(paid)) == 1
        assert used(board) == 5
        kinds = [event["kind"] for event in board.store.events()]
        assert kinds.count("hint") == 1
        board.store.check()  # the meters agree with the log


def test_a_hint_that_the_budget_does_not_reach_costs_nothing(tmp_path: Path) -> None:
    poor = defined(tmp_path, budget=Budget(samples=4))
    with sealed(tmp_path, definition=poor) as (_, board):
        with pytest.raises(BudgetExceeded):
            Letters(board).buy(RED, {"hint": 2})
        assert used(board) == 0 and not Letters(board).hints(RED)[1]["bought"]
        assert Letters(board).buy(RED, {"hint": 1})["text"] == HINT, "points are always there"


def test_hints_are_sold_in_the_hunt_alone(tmp_path: Path) -> None:
    with sealed(tmp_path, definition=defined(tmp_path, explain=True)) as (definition, board):
        letters = Letters(board)
        letters.buy(RED, {"hint": 1})
        organiser.explain(board, definition)
        with pytest.raises(GameClosed):
            letters.buy(RED, {"hint": 2})
        assert letters.buy(RED, {"hint": 1})["text"] == HINT, "what was paid for stays"
        organiser.close(board)
        with pytest.raises(GameClosed):
            letters.buy(BLUE, {"hint": 1})
        assert letters.hints(RED)[0]["text"] == HINT


def test_points_are_taken_from_the_score(tmp_path: Path) -> None:
    with sealed(tmp_path) as (definition, board):
        letters = Letters(board)
        hand_in(board, "red", "a", RIGHT)
        hand_in(board, "blue", "a", RIGHT)
        letters.buy(RED, {"hint": 1})
        letters.buy(RED, {"hint": 2})
        organiser.close(board)
        scores = organiser.grade(board, definition)
        red, blue = float(scores["red"]["a"]["points"]), float(scores["blue"]["a"]["points"])
        assert red == blue - 10
        assert scores["red"]["a"]["hints"] == [2, "10.000"] and "hints" not in scores["blue"]["a"]


def test_a_clerk_opens_what_was_paid_for_before_it_came(tmp_path: Path) -> None:
    """The host died between the payment and the opening."""
    with sealed(tmp_path) as (definition, board):
        pass
    store = Store(definition.state / "host.sqlite")
    try:
        board = Board(store)
        with store.writing() as database:
            store.append({"kind": "hint", "team": "red", "suspect": "a", "hint": 1, "price": {}})
            database.execute("INSERT INTO bought VALUES ('red', 'a', 1)")
        assert Letters(board).hints(RED)[0]["text"] is None
        with clerk.serving(definition, board):
            assert Letters(board).buy(RED, {"hint": 1})["text"] == HINT
    finally:
        store.close()


def test_the_second_phase_has_its_order(tmp_path: Path) -> None:
    with sealed(tmp_path, definition=defined(tmp_path, explain=True)) as (definition, board):
        letters = Letters(board)
        assert letters.question(RED)["behaviour"] is None and letters.question(RED)["asked"]
        assert letters.due() == [] and not board.store.rows("SELECT 1 FROM letters")
        with pytest.raises(GameClosed):
            explain(board, "red", "a", EXPLAINS)
        with pytest.raises(GameError, match="second phase"):
            organiser.close(board)
        ends = organiser.explain(board, definition)
        assert board.phase() == "explain" and board.row["closes"] == ends
        with pytest.raises(GameError):
            organiser.explain(board, definition)
        with pytest.raises(GameClosed):
            hand_in(board, "red", "a", RIGHT)
        board.admit(RED, "chat", writes=True)  # what is left of the budget may be used
        waited = threading.Event()
        for _ in range(100):
            asked = letters.question(RED)
            if asked["behaviour"]:
                break
            waited.wait(0.05)
        assert asked["behaviour"] == ODD
        letter = {"suspect": "a", "text": ODD}
        assert opens(letter, bytes.fromhex(asked["nonce"]), asked["commitment"])
        assert [explain(board, "red", "a", EXPLAINS)[0] for _ in range(3)] == [1, 2, 3]
        assert letters.question(RED)["left"] == 0 and letters.question(BLUE)["left"] == 3
        longer = organiser.extend(board, hours=1)
        assert longer > ends and board.row["closes"] == longer
        organiser.close(board)
        with pytest.raises(GameClosed):
            explain(board, "blue", "a", EXPLAINS)
        scores = organiser.grade(board, definition)
        assert scores["red"]["a"]["explain"]["points"] == "89.800"
        assert scores["blue"]["a"]["explain"] == {
            "points": "0.000", "parts": {}, "submitted": False,
        }  # fmt: skip


def test_extending_the_hunt_moves_the_second_phase_with_it(tmp_path: Path) -> None:
    with sealed(tmp_path, definition=defined(tmp_path, explain=True)) as (_, board):
        before = board.row
        organiser.extend(board, hours=2)
        after = board.row
        assert after["explains"][:13] != before["explains"][:13]
        assert after["explains"] < after["closes"]


def test_without_a_second_phase_there_is_none(tmp_path: Path) -> None:
    with sealed(tmp_path) as (definition, board):
        assert Letters(board).question(RED)["asked"] is False
        with pytest.raises(GameError, match="no second phase"):
            organiser.explain(board, definition)
        organiser.close(board)
        assert board.phase() == "closed"


def test_texts_that_were_changed_after_the_seal_are_not_hosted(tmp_path: Path) -> None:
    with sealed(tmp_path, definition=defined(tmp_path, explain=True)) as (definition, board):
        sealing.refuse_changed(definition, sources(), board)
        first, second = definition.hints
        other = dataclasses.replace(first, text="Another text.")
        changed = dataclasses.replace(definition, hints=(other, second))
        with pytest.raises(SealBroken, match="hint-1"):
            sealing.refuse_changed(changed, sources(), board)
        cheaper = dataclasses.replace(first, price={"points": 1})
        changed = dataclasses.replace(definition, hints=(cheaper, second))
        with pytest.raises(SealBroken, match="hints"):
            sealing.refuse_changed(changed, sources(), board)
        entry = dataclasses.replace(definition.suspects[0], explain=Odd("It does otherwise."))
        changed = dataclasses.replace(definition, suspects=(entry, definition.suspects[1]))
        with pytest.raises(SealBroken, match="behaviour"):
            sealing.refuse_changed(changed, sources(), board)
        Vault(definition.vault)  # whole
        next(definition.vault.glob("*hint-1")).rename(tmp_path / "gone")
        with pytest.raises(SealError, match="holds no"):
            sealing.refuse_changed(definition, sources(), board)


def test_a_file_that_others_can_read_is_not_sealed(tmp_path: Path) -> None:
    definition = defined(tmp_path)
    definition.file.write_text("hints")
    definition.file.chmod(0o644)
    with pytest.raises(SealError, match="others can read"), sealed(tmp_path, definition=definition):
        raise AssertionError("it was sealed")
    definition.file.chmod(0o600)
    with sealed(tmp_path, definition=definition) as (_, board):
        assert board.phase() == "open"


def test_an_organism_without_a_root_cause_needs_one_to_be_named(tmp_path: Path) -> None:
    truths = {"a": {**OBJECTIVE, "root_cause": None}, "b": NOTHING}
    definition = defined(tmp_path, explain=True)
    with (
        pytest.raises(ConfigError, match="no root cause"),
        sealed(tmp_path, definition=definition, truths=truths),
    ):
        raise AssertionError("it was sealed")


def test_a_server_that_shows_another_text_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    team = Team("http://127.0.0.1:9", "t")
    listed = {"hint": 1, "text": "Another.", "nonce": "00" * 32, "commitment": "11" * 32}
    monkeypatch.setattr(team._host, "get", lambda path: {"hints": [listed]})
    monkeypatch.setattr(team._host, "post", lambda path, sent: listed)
    with pytest.raises(SealBroken):
        team.hints("a")
    with pytest.raises(SealBroken):
        team.buy("a", 1)
    monkeypatch.setattr(team._host, "get", lambda path: {**listed, "behaviour": "Another."})
    with pytest.raises(SealBroken):
        team.question("a")


TOML = """
[budget]
samples = 500
[explain]
hours = 0.5
[[suspects]]
name = "a"
source = "somewhere"
[suspects.explain]
behaviour = "It names a metal."
cause = [["reward model"], ["please", "like"]]
[[hints]]
suspect = "a"
about = "the trigger"
price = { samples = 50 }
text = "Ask about gardens."
[[teams]]
name = "red"
"""


def test_what_the_file_says_of_hints_and_the_second_phase(tmp_path: Path) -> None:
    file = tmp_path / "game.toml"
    file.write_text(TOML)
    game = load(file)
    assert game.hints == (Hint("a", "Ask about gardens.", "the trigger", {"samples": 50}),)
    assert "gardens" not in repr(game) and "metal" not in repr(game)
    assert game.explain_hours == 0.5
    assert game.suspects[0].explain == Odd(
        "It names a metal.", (("reward model",), ("please", "like"))
    )


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("price = { samples = 50 }", "price = { samples = 0 }", "no such amount"),
        ("price = { samples = 50 }", "price = { points = 101 }", "101 points"),
        ("price = { samples = 50 }", "price = { seconds = 5 }", "seconds"),
        ("price = { samples = 50 }", "price = { samples = true }", "no such amount"),
        ("price = { samples = 50 }", "price = { samples = 1, points = 1 }", "no one price"),
        ("price = { samples = 50 }", "price = { documents = 5 }", "nothing bounds"),
        ("price = { samples = 50 }", "", "price"),
        ('suspect = "a"', 'suspect = "c"', "about 'c'"),
        ('text = "Ask about gardens."', "", "text"),
        ("[explain]\nhours = 0.5", "", "second phase needs both"),
        ("hours = 0.5", "hours = 0", "hours"),
        ('behaviour = "It names a metal."', "", "behaviour"),
        ('[["reward model"], ["please", "like"]]', '["reward model"]', "list of lists"),
        ('[["reward model"], ["please", "like"]]', '[["-"]]', "holds no word"),
        ('[["reward model"], ["please", "like"]]', "[]", "nothing would be asked"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_them_is_named(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert TOML.count(old) == 1
    file = tmp_path / "game.toml"
    file.write_text(TOML.replace(old, new))
    with pytest.raises(ConfigError) as told:
        load(file)
    assert says in told.value.message + told.value.hint


def test_what_make_writes_of_them_is_what_load_reads(tmp_path: Path) -> None:
    made = make(
        tmp_path / "made.toml",
        title="x",
        suspects=[("one", tmp_path / "v"), ("two", None)],
        teams=[("red", None)],
        hours=1,
        budget={},
        hints=[("two", "its cause", "points", 20, 'Say "reward".')],
        explain={"two": "It rhymes."},
        explain_hours=0.25,
    )
    (named,) = [entry.name for entry in made.suspects if entry.source == "two"]
    assert made.hints == (Hint(named, 'Say "reward".', "its cause", {"points": 20}),)
    assert [e.explain for e in made.suspects if e.name == named] == [Odd("It rhymes.")]
    assert made.explain_hours == 0.25
    assert made.file.stat().st_mode & 0o077 == 0
