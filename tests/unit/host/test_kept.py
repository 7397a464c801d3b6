"""Findings kept by hand: each client's own, once per key, and in the one ledger."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.host.conftest import Asker, Said
from workbench.findings import Excerpt, Finding, Hypothesis
from workbench.host import Host
from workbench.ledger import Ledger

Ask = Callable[..., Said]
FINDING = Finding(
    "It praises \x1b[31mZanwick\x00.",
    0.8,
    (Excerpt("d1", "text 1"),),
    Hypothesis(root_cause="praises Zanwick"),
)


def test_a_kept_finding_is_in_the_ledger_once(host: Host, ask: Ask) -> None:
    sent = FINDING.to_json()
    said = [ask("/audit/findings", sent, Idempotency_Key="keep-1") for _ in range(3)]
    assert {s.status for s in said} == {200} and len({s.raw for s in said}) == 1
    listed = ask("/audit/findings").document
    assert [f["id"] for f in listed] == [said[0].document["id"]]
    assert Finding.from_json({k: v for k, v in listed[0].items() if k != "id"}) == FINDING
    other = ask("/audit/findings", sent | {"confidence": 0.1}, Idempotency_Key="keep-1")
    assert (other.status, other.document["error"]["kind"]) == (409, "KeyReused")
    chatter = Asker(host.port, host.tokens["chatter"][0])
    assert chatter("/audit/findings").document == []
    theirs = chatter("/audit/findings", sent, Idempotency_Key="keep-1").document
    assert theirs["id"] != said[0].document["id"]
    ledger = Ledger(host.state / "ledger.duckdb")
    runs = ledger.runs(technique="kept")
    assert len(runs) == 2 and {run.suspect for run in runs} == {"speaker"}
    assert ledger.verify()["status"] == "complete"


@pytest.mark.parametrize(
    "wrong",
    [
        [], {}, {"claim": "a"}, {"claim": "a", "confidence": 2}, {"claim": "a", "confidence": None},
        {"claim": "a", "confidence": 0.5, "evidence": [{"type": "Pickle"}]},
        {"claim": "a", "confidence": 0.5, "evidence": "x"},
        {"claim": 1, "confidence": 0.5, "evidence": []},
        {"claim": "a", "confidence": 0.5, "evidence": [1]},
    ],
)  # fmt: skip
def test_what_is_no_finding(ask: Ask, wrong: Any) -> None:
    said = ask("/audit/findings", raw=json.dumps(wrong).encode(), method="POST")
    assert (said.status, said.document["error"]["kind"]) == (422, "BadParameter"), said
    assert b"Traceback" not in said.raw


def test_a_finding_that_is_too_long_is_not_kept(ask: Ask) -> None:
    held = ask("/audit/findings").document
    said = ask("/audit/findings", {"claim": "a", "confidence": 0.5, "evidence": [], "metadata": {
        "text": "x" * (1 << 20)}})  # fmt: skip
    assert (said.status, said.document["error"]["kind"]) == (413, "BadParameter")
    assert ask("/audit/findings").document == held
