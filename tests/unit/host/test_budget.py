"""Budget 50, 200 parallel calls, several clients: exactly 50."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.hosting import hosted
from tests.unit.host.conftest import HELLO, Asker
from workbench.access import Budget
from workbench.errors import BudgetExceeded
from workbench.host import Host
from workbench.host.link import Link, Question
from workbench.host.store import Store


def test_fifty_of_two_hundred(host: Host) -> None:
    askers = [Asker(host.port, token) for token in host.tokens["gambler"]]
    assert len(askers) == 4

    def call(number: int) -> tuple[int, bytes]:
        said = askers[number % 4]("/audit/chat", {"conversations": HELLO, "seed": number})
        return said.status, said.raw

    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(call, range(200)))
    served = [raw for status, raw in answers if status == 200]
    assert len(served) == 50 and len(set(served)) == 50
    assert {status for status, _ in answers} == {200, 402}
    amounts = askers[0]("/audit/budget").document["budget"]["suspect"]
    assert amounts["samples"] == {"used": 50, "bound": 50}
    # 5 prompt tokens and at most 5 of reply each: what was reserved and not spent came back
    assert amounts["tokens"]["used"] == 50 * 10
    store = Store(host.state / "host.sqlite")
    try:
        states = store.rows("SELECT state, count(*) FROM calls WHERE client = 'gambler' GROUP BY 1")
        assert [tuple(row) for row in states] == [("settled", 50)]
        events = [e for e in store.events() if e.get("client") == "gambler" and e["kind"] == "call"]
        assert len(events) == 50 and all(e["amounts"]["samples"] == 1 for e in events)
    finally:
        store.close()


def test_a_new_token_or_bound_gives_nothing_back(host: Host) -> None:
    store = Store(host.state / "host.sqlite")
    try:
        asker = Asker(host.port, host.tokens["lender"][0])
        asker("/audit/chat", {"conversations": HELLO, "max_new_tokens": 1})
        used = store.budget("lender")["suspect"]["samples"]["used"]
        assert used
        store.admit("lender", store.client(host.tokens["lender"][0]).access, Budget(samples=5))
        again = Asker(host.port, store.issue("lender"))("/audit/budget").document["budget"]
        assert again["suspect"]["samples"] == {"used": used, "bound": 5}
    finally:
        store.close()


@pytest.mark.parametrize(
    ("verb", "asked"),
    [
        ("chat", {"conversations": HELLO * 3}),
        ("complete", {"prompts": ["a"], "n": 3}),
        ("logprobs", {"texts": ["a", "b", "c"]}),
        ("activations", {"texts": ["a"] * 3, "hook_names": ["blocks.0.hook_out"]}),
        ("corpus/rows", {"ids": ["d1"]}),
        ("reward", {"conversations": HELLO * 3}),
    ],
)
def test_who_has_spent_all_is_not_even_priced(
    source: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, asked: Any
) -> None:
    priced: list[str] = []
    costs = Link.costs

    def counting(link: Link, question: Question) -> dict[str, int]:
        priced.append(question.verb)
        return costs(link, question)

    monkeypatch.setattr(Link, "costs", counting)
    budget = Budget(samples=2, forward_passes=2, documents=0)
    with hosted(source.load(), tmp_path, budget=budget) as inside:
        ask = Asker(inside.port, inside.token)
        assert ask(f"/audit/{verb}", asked).status == 402
        assert priced == []
        assert ask("/audit/chat", {"conversations": HELLO}).status == 200
        assert priced == ["chat"]


def test_rewards_are_counted(source: Any, tmp_path: Path) -> None:
    with hosted(source.load(), tmp_path, budget=Budget(forward_passes=3)) as inside:
        ask = Asker(inside.port, inside.token)
        asked = {"conversations": HELLO * 2}
        said = [ask("/audit/reward", asked, Idempotency_Key="once") for _ in range(3)]
        assert {s.status for s in said} == {200} and len({s.raw for s in said}) == 1
        passes = ask("/audit/budget").document["budget"]["suspect"]["forward_passes"]
        assert passes == {"used": 2, "bound": 3}
        assert ask("/audit/reward", asked).status == 402
        assert inside.connect().reward.score(HELLO) == [1.0]
        with pytest.raises(BudgetExceeded):
            inside.connect().reward.score(HELLO)
