"""A hostile or broken technique fails alone: it is recorded with its reason, the rest goes on."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

import pytest

from workbench.access import Access, Budget
from workbench.battery import Battery, Step, run
from workbench.errors import AccessDenied, ConfigError, LedgerBusy, NotASuspect, SuspectError
from workbench.ledger import Ledger, Run


def battery(*steps: Step | str, **rest: Any) -> Battery:
    made = tuple(step if isinstance(step, Step) else Step(step) for step in steps)
    return Battery("faults", made, **{"time_limit_seconds": 60.0, **rest})


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.duckdb")


def runs_of(battery: Battery, source: Any, ledger: Ledger, **rest: Any) -> dict[str, Run]:
    made = run(battery, source, ledger, ledger.path.parent / "artifacts", **rest)
    return {r.technique: r for r in made}


def claims(ledger: Ledger, made: Run) -> list[str]:
    return [entry.finding.claim for entry in ledger.entries(run=made.id)]


@pytest.mark.parametrize(
    ("name", "reason", "traceback", "kept"),
    [
        ("raising", "RuntimeError: the answer was 42", "in run", ["before the error"]),
        ("nonsense", "yielded a dict, not a Finding", "TechniqueFailed", []),
        ("mute", "TypeError", "not iterable", []),
        ("exiting", "exit code 7", "", []),
        ("crashing", "SIGSEGV", "Segmentation fault", ["before the crash"]),
        ("endless", "more than 8 MB", "", ["one good finding"]),
    ],
)
def test_a_broken_technique_fails_with_its_reason_and_the_next_one_runs(
    name: str, reason: str, traceback: str, kept: list[str], source: Any, ledger: Ledger
) -> None:
    made = runs_of(battery(name, "calm"), source, ledger)
    failed, calm = made[name], made["calm"]
    assert failed.status == "failed"
    assert reason in failed.reason
    assert traceback in failed.traceback
    assert (failed.planned, failed.ran, failed.errored) == (1, 0, 1)
    assert claims(ledger, failed) == kept
    assert (calm.status, calm.ran, claims(ledger, calm)) == ("ok", 1, ["w 0", "w 1"])
    assert ledger.verify()["status"] == "complete"


def test_a_technique_past_its_limit_is_killed_with_all_that_it_started(
    plugins: Any, source: Any, ledger: Ledger, tmp_path: Path
) -> None:
    pid_file = tmp_path / "pid"
    made = runs_of(
        battery(
            Step("hanging", {}, 0.5),
            Step("orphaning", {"pid_file": str(pid_file)}, 3.0),
            "calm",
        ),
        source,
        ledger,
    )
    assert made["hanging"].reason == "time limit: still running after 0.5 s, killed"
    assert claims(ledger, made["hanging"]) == ["before the hang"]
    assert made["orphaning"].status == "failed"
    assert made["calm"].status == "ok"
    assert len(source.loadings()) == 3
    assert all(plugins.gone(pid) for pid in [*source.loadings(), int(pid_file.read_text())])


def test_a_flood_of_findings_is_cut(source: Any, ledger: Ledger) -> None:
    made = runs_of(battery("flooding", "calm"), source, ledger)
    assert made["flooding"].reason == "yielded more than 1000 findings, cut there"
    assert len(claims(ledger, made["flooding"])) == 1000
    assert made["calm"].status == "ok"


FORGED = [
    "no JSON at all",
    "[" * 100_000,
    "[]",
    '{"job": 99, "done": true}',
    '{"job": 4, "finding": null}',
    '{"job": 5, "finding": {"claim": "c", "confidence": 7}}',
    '{"job": 6, "finding": {"claim": "c", "confidence": 0.5, "evidence": 3}}',
    '{"job": 7, "finding": {"claim": "c", "confidence": 0.5, "points_to": [1]}}',
    '{"job": 8, "finding": {"claim": "c", "confidence": NaN}}',
    '{"job": 9, "done": true}',
    '{"job": 10, "done": true, "usage": {"samples": 1e999}, "artifacts": {}}',
    '{"job": 11, "done": true, "usage": {"tokens": -1}, "artifacts": {}}',
]
"""Each is written by the technique in that place of the battery."""


def test_no_forged_answer_gets_past_the_runner(source: Any, ledger: Ledger) -> None:
    steps = [Step("forging", {"answer": answer}) for answer in FORGED]
    made = list(run(battery(*steps), source, ledger, ledger.path.parent / "artifacts"))
    assert [r.parameters["answer"] for r in made] == FORGED
    for forged in made:
        assert forged.status == "failed", forged
        assert forged.seconds < 30, "noticed at once, not at the limit"
        assert "nonsense" in forged.reason or "another job" in forged.reason
    assert ledger.entries() == []


def test_prints_and_reads_of_a_technique_do_not_disturb(source: Any, ledger: Ledger) -> None:
    made = runs_of(battery("shouting"), source, ledger)["shouting"]
    assert (made.status, claims(ledger, made)) == ("ok", ["read ''"])


def test_over_the_budget_is_failed_as_refused_and_keeps_its_findings(
    source: Any, ledger: Ledger
) -> None:
    made = runs_of(battery("spending", budget=Budget(samples=5)), source, ledger)["spending"]
    assert made.status == "failed"
    assert made.reason.startswith("budget: BudgetExceeded")
    assert (made.refused, made.errored) == (1, 0)
    assert made.usage["samples"] == 2
    assert claims(ledger, made) == ["two samples were enough"]


def test_seconds_of_a_budget_end_a_run_as_its_time_limit_does(source: Any, ledger: Ledger) -> None:
    made = runs_of(battery("hanging", budget=Budget(seconds=0.5)), source, ledger)["hanging"]
    assert made.reason.startswith("budget: still running after 0.5 s")
    assert made.refused == 1


def test_a_technique_that_needs_more_than_the_view_is_skipped(source: Any, ledger: Ledger) -> None:
    made = runs_of(battery("greedy", "calm"), source, ledger)
    assert made["greedy"].status == "skipped"
    assert made["greedy"].reason == "needs weights, which the view lacks"
    assert (made["greedy"].planned, made["greedy"].ran) == (1, 0)
    assert made["calm"].status == "ok"


def test_access_beyond_the_grant_is_refused_before_any_run(source: Any, ledger: Ledger) -> None:
    wanted = battery("calm", access=Access.CHAT | Access.GRADIENTS)
    with pytest.raises(AccessDenied, match="asks for gradients") as caught:
        run(wanted, source, ledger, ledger.path.parent)
    assert caught.value.hint == "It grants: chat, prefill, logits."
    assert not ledger.path.exists()
    assert source.loadings() == []


@pytest.mark.parametrize(
    ("failure", "kind", "words"),
    [("refuse", NotASuspect, "no such suspect"), ("exit", SuspectError, "exit code 9")],
)
def test_a_suspect_that_does_not_load_is_an_error_and_the_ledger_partial(
    failure: str, kind: type[SuspectError], words: str, source: Any, ledger: Ledger
) -> None:
    broken = dataclasses.replace(source, failure=failure)
    with pytest.raises(kind, match=words):
        runs_of(battery("calm"), broken, ledger)
    verdict = ledger.verify()
    assert (verdict["status"], verdict["missing"]) == ("partial", 1)


def test_a_missing_directory_is_no_suspect(plugins: Any, ledger: Ledger, tmp_path: Path) -> None:
    with pytest.raises(SuspectError):
        run(battery("calm"), tmp_path / "nowhere", ledger, tmp_path)
    assert not ledger.path.exists()


def test_a_second_writer_is_refused_at_once(plugins: Any, source: Any, ledger: Ledger) -> None:
    first = run(battery("calm", "counting"), source, ledger, ledger.path.parent)
    next(first)
    started = time.monotonic()
    with pytest.raises(LedgerBusy) as caught:
        next(run(battery("calm"), source, Ledger(ledger.path), ledger.path.parent))
    assert time.monotonic() - started < 1
    assert str(ledger.path) not in caught.value.message + caught.value.hint
    first.close()
    assert all(plugins.gone(pid) for pid in source.loadings())
    assert runs_of(battery("counting"), source, ledger)["counting"].status == "ok"


def test_fail_fast_stops_and_says_what_is_missing(source: Any, ledger: Ledger) -> None:
    made = runs_of(battery("raising", "calm"), source, ledger, fail_fast=True)
    assert set(made) == {"raising"}
    assert ledger.verify()["problems"] == ["planned run of calm never came"]


@pytest.mark.parametrize("engine", ["ray", "locla"])
def test_an_engine_that_is_not_there(engine: str, source: Any, ledger: Ledger) -> None:
    with pytest.raises(ConfigError, match=f"engine '{engine}'") as caught:
        run(battery("calm"), source, ledger, ledger.path.parent, engine=engine)
    assert "local, processes" in caught.value.hint
