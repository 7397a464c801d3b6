"""`workbench auditor`: lists, audits, writes a submission and a story, resumes, refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.gaming import CANARY, CAUSE_CANARY, defined, playing
from tests.unit.cli.conftest import Answer
from workbench.access import Budget
from workbench.auditors.session import Audited
from workbench.findings import Hypothesis, Submission
from workbench.ledger import Ledger

Call = Callable[..., Answer]
FIELDS = {"family", "trigger", "behaviours", "root_cause", "confidence", "evidence", "words"}


def test_the_list(call: Call) -> None:
    rows = {row["name"]: row for row in json.loads(call("auditor", "list", "--json").out)}
    assert {"autopilot", "random-tool", "single-best-technique"} <= set(rows)
    assert all(row["available"] and row["summary"] for row in rows.values())
    assert "weighs rival hypotheses" in call("auditor", "list").out


def test_an_audit_writes_a_submission_and_a_story_and_resumes(call: Call, suspect: Path) -> None:
    command = ("auditor", "run", "--suspect", suspect, "--access", "training-data", "--json")
    said = call(*command, "--out", "s.json", "--log", "deep/story.md")
    document = json.loads(said.out)
    submission = json.loads(Path("s.json").read_text())
    assert document["submission"] == submission and set(submission) == FIELDS
    assert {run["technique"] for run in document["runs"]} >= {"corpus-grep", "rows"}
    (failed,) = [run for run in document["runs"] if run["status"] == "failed"]
    assert failed["technique"] == "corpus-grep", "every document names it: none to compare with"
    assert (said.code, document["status"]) == (1, "incomplete")
    story = Path("deep/story.md").read_text()
    assert story.startswith("# The audit") and "## What I hand in" in story
    assert "I may use: training-data." in said.err and "\x1b" not in said.err + story
    rest = (*command, "--set", 'without=["corpus-grep"]')
    again = call(*rest)
    runs = json.loads(again.out)["runs"]
    assert again.code == 0 and [(r["technique"], r["cached"]) for r in runs] == [("rows", True)]
    plain = call(*(part for part in rest if part != "--json"))
    assert plain.out.splitlines()[-1] == "submission: submission.json"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--suspect", "nobody-at-all"), "nobody-at-all"),
        (("--suspect", "alder", "--auditor", "autopilto"), "Did you mean 'autopilot'?"),
        (("--suspect", "alder", "--access", "reward"), "asks for reward"),
        (("--suspect", "alder", "--set", "setled=0.9"), "Did you mean 'settled'?"),
        (("--suspect", "alder", "--set", "settled"), "there is no '='"),
        (("--suspect", "alder", "--set", "settled=2.0"), "between 0.5 and 1"),
        (("--suspect", "alder", "--submit"), "--submit needs --game"),
        (("--suspect", "alder", "--budget-samples", "-1"), "budget-samples"),
    ],
)
def test_what_is_asked_wrongly_exits_2(call: Call, arguments: tuple[str, ...], said: str) -> None:
    answer = call("auditor", "run", *arguments)
    assert answer.code == 2 and said in answer.err and answer.out == ""
    assert not Path("submission.json").exists()


def test_an_interruption_exits_130_and_frees_the_ledger(
    call: Call, suspect: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workbench.auditors.autopilot import _Flight

    def interrupted(flight: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(_Flight, "step", interrupted)
    answer = call("auditor", "run", "--suspect", suspect, "--access", "training-data")
    assert answer.code == 130 and not Path("submission.json").exists()
    with Ledger("out/ledger.duckdb").exclusive():
        pass


@pytest.mark.long
def test_a_team_lets_it_play_and_hand_in(call: Call, tmp_path: Path) -> None:
    with playing(defined(tmp_path, budget=Budget(samples=90))) as game:
        command = (
            "auditor", "run", "--game", game.host.url, "--token", game.tokens["red"],
            "--suspect", "a", "--access", "chat", "--json", "--submit",
        )  # fmt: skip
        answer = call(*command)
        document = json.loads(answer.out)
        assert answer.code in (0, 1) and document["receipt"]["revision"] == 1
        assert document["runs"] and document["usage"]["samples"] <= 90
        (handed,) = game.team("red").submissions("a")["submissions"]
        assert handed["family"] == document["submission"]["family"]
        spent = game.team("red").brief()["suspects"]["a"]["spent"]["suspect"]["samples"]
        assert 0 < spent["used"] <= 90
        assert call(*command[:-1], "--no-resume").code in (0, 1), "with nothing left it hands in"
        wrong = call(*command[:4], "--token", "wb-forged", *command[6:])
        assert wrong.code == 2
    whole = answer.out + answer.err
    assert CANARY not in whole and CAUSE_CANARY not in whole


def test_findings_of_ones_own_ledger_are_filed_in_the_game(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workbench.auditors import Bench
    from workbench.auditors import session as work
    from workbench.findings import Finding

    def audit(auditor: object, bench: Bench, story: object) -> Audited:
        id = bench.keep(Finding("It echoes.", 0.6))
        made = Submission(Hypothesis(root_cause="It echoes."), 0.6, (id,))
        return Audited(made, id, bench.usage(), (), 0.0)

    monkeypatch.setattr(work, "audit", audit)
    monkeypatch.setattr("workbench.auditors.audit", audit)
    with playing(defined(tmp_path)) as game:
        answer = call(
            "auditor", "run", "--game", game.host.url, "--token", game.tokens["red"],
            "--suspect", "a", "--submit", "--json",
        )  # fmt: skip
        assert answer.code == 0, answer.err
        (kept,) = game.team("red").findings("a")
        (handed,) = game.team("red").submissions("a")["submissions"]
        assert handed["evidence"] == [kept["id"]] and kept["claim"] == "It echoes."
