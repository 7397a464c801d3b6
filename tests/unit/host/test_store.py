"""Budgets, tokens and the chain in the host's own file."""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.access import Access, Budget
from workbench.errors import AccessDenied, BadParameter, BudgetExceeded, LedgerDamaged
from workbench.host.schema import opened
from workbench.host.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "host.sqlite")
    made.admit("red", Access.GREY_BOX, Budget(samples=50, tokens=1_000))
    yield made
    made.close()


def used(store: Store, meter: str = "samples") -> int | None:
    return store.budget("red")["suspect"][meter]["used"]


def test_a_conditional_update_is_exact_under_threads(store: Store) -> None:
    granted: list[int] = []

    def spend(thread: int) -> None:
        for i in range(25):
            try:
                store.reserve("red", f"{thread}-{i}", "chat", "suspect", "b", {"samples": 1}, {})
                granted.append(1)
            except BudgetExceeded:
                pass

    threads = [threading.Thread(target=spend, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(granted) == used(store) == 50


def test_two_meters_are_spent_together_or_not_at_all(store: Store) -> None:
    with pytest.raises(BudgetExceeded, match="1001 tokens asked at most, 1000 left"):
        store.reserve("red", "k", "chat", "suspect", "b", {"samples": 1, "tokens": 1_001}, {})
    assert used(store) == 0 and store.call("red", "k", "chat", "b") is None
    assert store.budget("red")["reference"]["samples"] == {"used": 0, "bound": 50}


def test_settling_and_refunding_happen_once(store: Store) -> None:
    costs = {"samples": 2, "tokens": 100}
    call = store.reserve("red", "k", "chat", "suspect", "b", costs, {})
    receipt = store.settle(call, {"samples": 2, "tokens": 30}, 200, b"reply", "d")
    assert (used(store), used(store, "tokens")) == (2, 30)
    assert store.settle(call, {"samples": 0}, 200, b"other", "d") == receipt
    store.refund(call)
    assert (used(store), used(store, "tokens")) == (2, 30)
    kept = store.call("red", "k", "chat", "b")
    assert kept is not None and (kept.state, kept.reply) == ("settled", b"reply")
    lost = store.reserve("red", "k2", "chat", "suspect", "b", costs, {})
    store.refund(lost)
    store.refund(lost)
    assert (used(store), used(store, "tokens")) == (2, 30)
    assert store.call("red", "k2", "chat", "b") is None, "the key is free again"
    assert [e["kind"] for e in store.events()] == ["client", "call", "refund"]


def test_a_worker_cannot_claim_more_than_was_reserved(store: Store) -> None:
    call = store.reserve("red", "k", "chat", "suspect", "b", {"samples": 1}, {})
    store.settle(call, {"samples": 40, "tokens": 900}, 200, None, "d")
    assert (used(store), used(store, "tokens")) == (1, 0)


def test_a_key_stands_for_one_call(store: Store) -> None:
    store.reserve("red", "k", "chat", "suspect", "b", {"samples": 1}, {})
    with pytest.raises(BadParameter, match="another call"):
        store.call("red", "k", "chat", "other")
    with pytest.raises(BadParameter, match="another call"):
        store.call("red", "k", "complete", "b")


def test_tokens_are_stored_hashed_and_end(store: Store, tmp_path: Path) -> None:
    token = store.issue("red")
    assert store.client(token).access == Access.GREY_BOX
    assert store.client(store.issue("red", access=Access.CHAT)).access == Access.CHAT
    assert store.client(store.issue("red", access=Access.NONE)).access == Access.NONE
    beyond = store.issue("red", access=Access.EVERYTHING)
    assert store.client(beyond).access == Access.GREY_BOX
    late = store.issue("red", expires=time.time() - 1)
    for wrong in (late, token[:-1], token + "x", "", "wb-", token.upper()):
        with pytest.raises(AccessDenied, match="not valid"):
            store.client(wrong)
    store.revoke(token)
    with pytest.raises(AccessDenied):
        store.client(token)
    for file in tmp_path.iterdir():
        assert token.encode() not in file.read_bytes()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name


def test_what_was_done_survives_and_a_change_shows(store: Store, tmp_path: Path) -> None:
    for n in range(3):
        call = store.reserve("red", f"k{n}", "chat", "suspect", "b", {"samples": 1}, {})
        store.settle(call, {"samples": 1}, 200, None, "d")
    store.close()
    again = Store(tmp_path / "host.sqlite")
    assert used(again) == 3 and len(again.events()) == 4
    again.close()
    changes = (
        "UPDATE events SET body = replace(body, '\"samples\":1', '\"samples\":0') WHERE seq = 3",
        "DELETE FROM events WHERE seq = 2",
        "UPDATE events SET seq = -seq WHERE seq = 2",
    )
    content = (tmp_path / "host.sqlite").read_bytes()
    for change in changes:
        (tmp_path / "host.sqlite").write_bytes(content)
        database = opened(tmp_path / "host.sqlite")
        database.execute(change)
        database.close()
        damaged = Store(tmp_path / "host.sqlite")
        with pytest.raises(LedgerDamaged, match="breaks at event"):
            damaged.events()
        damaged.close()


def test_the_file_is_made_private(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        Store(tmp_path / "x.sqlite").close()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x.sqlite").stat().st_mode) == 0o600


def test_rotation_ends_every_earlier_token_at_once(store: Store) -> None:
    store.enroll("blue")
    store.admit("blue/a", Access.CHAT, Budget())
    old = [store.issue("red"), store.issue("red"), store.issue("blue"), store.issue("blue/a")]
    fresh = store.rotate("red")
    for token in old[:2]:
        with pytest.raises(AccessDenied, match="not valid"):
            store.client(token)
    assert store.client(fresh).name == "red"
    assert [store.client(token).name for token in old[2:]] == ["blue", "blue/a"]
    assert store.revoke_all("blue") == 2, "the tokens of its seats go too"
    for token in old[2:]:
        with pytest.raises(AccessDenied):
            store.client(token)
    told = [event for event in store.events() if event["kind"] == "revoked"]
    assert [(event["client"], len(event["tokens"])) for event in told] == [("red", 2), ("blue", 2)]
    assert not any(token in str(told) for token in (*old, fresh))


def test_a_seat_is_its_teams_own(store: Store) -> None:
    team = store.enroll("blue")
    store.enroll("green")
    store.admit("blue/a", Access.CHAT, Budget())
    store.admit("green/b", Access.CHAT, Budget())
    assert store.seat(team, "a").name == "blue/a"
    bound = store.client(store.issue("blue/a"))
    assert store.seat(bound, "a") == bound
    for client, suspect in ((team, "b"), (team, "nowhere"), (bound, "b"), (team, "a' OR 1=1 --")):
        with pytest.raises(BadParameter, match="no such suspect"):
            store.seat(client, suspect)
