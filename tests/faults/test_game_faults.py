"""A game whose processes are killed and whose files are damaged: nothing acknowledged is lost."""

from __future__ import annotations

import random
import shutil
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.faults.test_host_kills import kill
from tests.gaming import ABSTAINS, RIGHT, Played, defined, ended, hand_in, playing, sealed
from workbench.access import Budget
from workbench.errors import LedgerDamaged, TooManySubmissions, WorkbenchError
from workbench.findings import Finding
from workbench.game import organiser, verify
from workbench.host.store import Store
from workbench.suspects import Suspect


class Player(threading.Thread):
    """Chats, keeps findings and hands in, again and again; notes what was acknowledged."""

    def __init__(self, game: Played, name: str) -> None:
        super().__init__()
        self._game, self._name = game, name
        self.over = threading.Event()
        self.calls = 0
        self.kept: list[str] = []
        self.digests: list[str] = []
        self.heads: list[list[Any]] = []
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            team = self._game.team(self._name)
            suspect = Suspect.load(team.suspect_url("a"), token=self._game.tokens[self._name])
            while not self.over.is_set():
                turn = [[{"role": "user", "content": f"{self._name} {self.calls}"}]]
                suspect.chat(turn, max_new_tokens=4)
                self.calls += 1
                self.kept.append(team.keep("a", Finding(f"{self._name} {self.calls}", 0.5)))
                self.heads.append(team.join()["chain"])
                try:
                    self.digests.append(
                        team.submit("a", {**RIGHT, "words": f"{self.calls}"})["digest"]
                    )
                except TooManySubmissions:
                    assert len(self.digests) >= 1
        except BaseException as error:
            self.error = error


def play_under_fire(kills: dict[str, int], folder: Path) -> None:
    draw = random.Random(7)
    victims = [name for name, count in kills.items() for _ in range(count)]
    draw.shuffle(victims)
    definition = defined(folder, budget=Budget(samples=100_000))
    with playing(definition) as game:
        players = [Player(game, "red"), Player(game, "blue")]
        for player in players:
            player.start()
        try:
            for victim in victims:
                wanted = 3 + sum(player.calls for player in players)
                deadline = time.monotonic() + 120
                while sum(player.calls for player in players) < wanted:
                    assert [player.error for player in players] == [None, None]
                    assert time.monotonic() < deadline, "the game did not go on"
                    time.sleep(0.02)
                time.sleep(draw.uniform(0, 0.3))
                kill(game.host, victim)
        finally:
            for player in players:
                player.over.set()
            for player in players:
                player.join(120)
        assert [player.error for player in players] == [None, None]
        for player, name in zip(players, ("red", "blue"), strict=True):
            listed = game.ask(name)("/suspects/a/audit/findings").document
            assert [f["id"] for f in listed] == player.kept, "acknowledged findings, each once"
        game.end(folder / "game.tar")
    content = (folder / "game.tar").read_bytes()
    terms = verify.Game(content).terms
    commitment = verify.Game(content).events("sealed")[0]["commitment"]
    shown = {"game": terms["game"], "commitment": commitment}
    heads = [head for player in players for head in player.heads]
    receipts = [{**shown, "chain": head} for head in heads]
    assert verify.problems(content, receipts) == []
    with sealed(folder, definition=definition) as (_, board):
        board.store.check()
        for player, name in zip(players, ("red", "blue"), strict=True):
            stored = [s["body"] for s in board.submissions(name, "a")]
            assert len(stored) <= 3
            digests = [e["digest"] for e in verify.Game(content).events("submission")
                       if e["team"] == name]  # fmt: skip
            assert player.digests == digests[: len(player.digests)]
            assert len(digests) == len(player.digests), "each was filed once"
            samples = board.store.budget(f"{name}/a")["suspect"]["samples"]["used"]
            assert samples == player.calls, "charged once for each acknowledged call"


def test_three_kills_in_a_game(tmp_path: Path) -> None:
    play_under_fire({"api": 2, "worker": 1}, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("victim", ["api", "worker"])
def test_thirty_kills_in_a_game(victim: str, tmp_path: Path) -> None:
    """Half a minute of processor time, most of it 30 starts: a minute on a free core, and as many
    more as others take of it (18 minutes among ten busy processes, at a lower priority)."""
    play_under_fire({victim: 30}, tmp_path)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """The state of a game that was closed properly, and one whose log was not folded in yet."""
    ended(tmp_path)
    return tmp_path / "game.state"


def checked(state: Path) -> str:
    """What opening comes to: "" where all is well."""
    try:
        store = Store(state / "host.sqlite")
    except WorkbenchError as error:
        return error.message
    try:
        store.check()
        return ""
    except LedgerDamaged as error:
        return error.message
    finally:
        store.close()


def test_a_sound_file_is_sound(files: Path) -> None:
    assert checked(files) == ""


def test_a_log_that_was_cut_is_noticed(tmp_path: Path) -> None:
    """Copies of database and log as a crash leaves them, the log cut at many places."""
    with sealed(tmp_path / "game") as (definition, board):
        for number in range(3):
            hand_in(board, "red", "a", {**RIGHT, "words": f"{number}"})
        shutil.copytree(definition.state, tmp_path / "copy")
    log = tmp_path / "copy" / "host.sqlite-wal"
    whole = log.read_bytes()
    assert len(whole) > 20_000 and checked(_again(tmp_path, whole)) == ""
    silent = []
    for cut in range(0, len(whole) - 1, max(1, len(whole) // 40)):
        if not checked(_again(tmp_path, whole[:cut])):
            silent.append(cut)
    assert silent == [], "a shorter history was taken for the whole one"


def _again(folder: Path, log: bytes) -> Path:
    target = folder / "again"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(folder / "copy", target)
    (target / "host.sqlite-wal").write_bytes(log)
    (target / "host.sqlite-shm").unlink(missing_ok=True)
    return target


def test_a_flipped_byte_is_noticed_or_changes_nothing(files: Path, tmp_path: Path) -> None:
    """Of all that counts: events, meters, open calls. Texts that only the archive holds against the
    log (submissions, findings) are found there."""
    content = (files / "host.sqlite").read_bytes()
    before = _facts(files)
    draw = random.Random(3)
    noticed = 0
    for _ in range(120):
        changed = bytearray(content)
        changed[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        target = tmp_path / "flipped"
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(files, target)
        (target / "host.sqlite").write_bytes(changed)
        if checked(target):
            noticed += 1
        else:
            assert _facts(target) == before
    assert noticed > 5


def _facts(state: Path) -> Any:
    store = Store(state / "host.sqlite")
    try:
        meters = [tuple(row) for row in store.rows("SELECT * FROM meters ORDER BY 1, 2, 3")]
        return store.events(), [m[:4] for m in meters], store.receipt()
    finally:
        store.close()


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("UPDATE meters SET used = used - 1 WHERE used > 0", "do not agree"),
        ("DELETE FROM events WHERE seq = (SELECT max(seq) FROM events)", "not here"),
        ("DELETE FROM events WHERE seq = 3", "breaks at event 3"),
        ("UPDATE meters SET bound = 51 WHERE bound = 50", "bound on samples"),
        ("UPDATE clients SET access = 'chat,logits' WHERE name = 'blue/a'", "access of 'blue/a'"),
        ("DELETE FROM meters WHERE client = 'blue/a'", "other meters"),
        (
            "UPDATE events SET body = replace(body, 'blue', 'bloe') WHERE seq = 2",
            "at event 2",
        ),
    ],
)
def test_an_edit_behind_the_hosts_back_is_named(files: Path, sql: str, says: str) -> None:
    database = sqlite3.connect(files / "host.sqlite")
    assert database.execute(sql).rowcount
    database.commit()
    database.close()
    assert says in checked(files)


@pytest.mark.parametrize(
    "content", [b"no database" * 1_000, b"SQLite format 3\0" + b"\xff" * 5_000]
)
def test_what_is_no_database_is_said_to_be_damaged(files: Path, content: bytes) -> None:
    for name in ("host.sqlite-wal", "host.sqlite-shm"):
        (files / name).unlink(missing_ok=True)
    (files / "host.sqlite").write_bytes(content)
    assert "damaged" in checked(files)
    assert (files / "host.sqlite").read_bytes() == content, "it was left as it is"
    (files / "host.head").write_text("nonsense")
    assert checked(files)


def test_a_full_disk_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """SQLite is given no page more: the caller hears an error, and what was filed stays."""
    with sealed(tmp_path) as (definition, board):
        hand_in(board, "red", "a", RIGHT)
        pages = board.store.rows("PRAGMA page_count")[0][0]
        board.store.rows(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(sqlite3.OperationalError, match="full"):
            for number in range(50):
                with board.store.writing():
                    board.store.append({"kind": "hosted", "isolation": f"{number}" * 5_000})
        board.store.rows("PRAGMA max_page_count = 1000000")
        assert hand_in(board, "red", "b", ABSTAINS)[0] == 1, "it goes on when there is room"
        board.store.check()
        assert [s["suspect"] for s in board.submissions("red")] == ["a", "b"]
        organiser.close(board)
        organiser.grade(board, definition)


def test_a_kill_between_commit_and_answer_is_a_retry(tmp_path: Path) -> None:
    """The same key after a restart: the same receipt, no second revision."""
    with sealed(tmp_path) as (definition, board):
        first = hand_in(board, "red", "a", RIGHT, "key")
    with sealed(tmp_path, definition=definition) as (_, board):
        assert hand_in(board, "red", "a", RIGHT, "key") == first
        assert len(board.submissions()) == 1
