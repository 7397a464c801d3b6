"""Whose turn it is: who asks for little is served soon, nobody waits for ever."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.hosting import hosted
from workbench.host import steps
from workbench.host.desk import LONG_SECONDS, SHORT_SECONDS, Turns
from workbench.suspects import Suspect

LONG = [[{"role": "user", "content": f"the red cat {n}"}] for n in range(60)]
SHORT = [[{"role": "user", "content": "a small dog"}]]


def order(turns: Turns, *computed: float) -> list[int]:
    """In which order those who ask one after the other get their turns."""
    got: list[int] = []

    def ask(number: int) -> None:
        with turns.taken(computed[number]):
            got.append(number)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(len(computed))]
    with turns.taken():
        for asked, thread in enumerate(threads, start=1):
            thread.start()
            while len(turns._waiting) < asked:
                time.sleep(0.001)
    for thread in threads:
        thread.join()
    return got


def test_turns_are_passed_on_in_the_order_of_asking() -> None:
    assert order(Turns(), 0.0, 0.0, 0.0) == [0, 1, 2]


def test_who_has_computed_less_is_next() -> None:
    assert order(Turns(), 100.0, 0.2, 0.0) == [2, 1, 0]


def test_nobody_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one who has computed for hours, those who come LONG_SECONDS later are behind."""
    turns, clock = Turns(), time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: clock)
    with turns.taken():
        waits = threading.Thread(target=order_of_one, args=(turns, 10_000.0))
        waits.start()
        while not turns._waiting:
            time.sleep(0.001)
        assert not turns.wanted(SHORT_SECONDS), "the shorter one goes on"
        clock += LONG_SECONDS + 0.1
        assert turns.wanted(SHORT_SECONDS), "its time has come"
        assert not turns.wanted(SHORT_SECONDS / 2), "what has only just begun goes on"
    waits.join()


def order_of_one(turns: Turns, computed: float) -> None:
    with turns.taken(computed):
        pass


def test_a_short_call_does_not_wait_for_the_end_of_a_long_one(llama: Path, tmp_path: Path) -> None:
    with hosted(Suspect.load(llama), tmp_path) as inside, ThreadPoolExecutor(1) as pool:
        there, other = inside.connect(), inside.connect()
        alone = Suspect.load(llama).chat(LONG, n=4, max_new_tokens=100, seed=3)
        there.chat(SHORT, max_new_tokens=2)  # the suspect is loaded
        long = pool.submit(there.chat, LONG, n=4, max_new_tokens=100, seed=3)
        served = 0
        while not long.done():
            other.chat(SHORT, max_new_tokens=2, seed=served)
            served += not long.done()
        assert served >= 5, "short calls were answered while the long one went on"
        assert [[r.token_ids for r in row] for row in long.result()] == [
            [r.token_ids for r in row] for row in alone
        ]


def test_prompts_are_read_in_portions(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = Suspect.load(llama).chat(LONG[:7], n=2, max_new_tokens=12, temperature=0)
    monkeypatch.setattr(steps, "READ_AT_MOST", 40)
    with hosted(Suspect.load(llama), tmp_path) as inside:
        there = inside.connect()
        made = there.chat(LONG[:7], n=2, max_new_tokens=12, temperature=0)
        assert made == alone
        assert there.usage.to_json()["samples"] == 14
