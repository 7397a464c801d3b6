"""Budget 50, 200 parallel calls, several clients: exactly 50."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.unit.host.conftest import HELLO, Asker
from workbench.access import Budget
from workbench.host import Host
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
