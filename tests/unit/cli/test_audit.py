"""`workbench audit` on a real battery: exit codes, the JSON document, resuming, the table."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Answer
from workbench.cli.audit import REACHED
from workbench.cli.progress import Board, duration

Call = Callable[..., Answer]
ROWS = ("audit", "run", "--technique", "rows")


def test_json_and_resume(call: Call, suspect: Path) -> None:
    first = call(*ROWS, "--suspect", suspect, "--json")
    assert first.code == 0, first.err
    document = json.loads(first.out)
    assert {"run_group", "suspect", "status", "runs"} == set(document)
    assert (document["suspect"], document["status"]) == ("belgor", "ok")
    (run,) = document["runs"]
    assert (run["technique"], run["status"], run["cached"]) == ("rows", "ok", False)
    (finding,) = run["findings"]
    assert (finding["confidence"], finding["evidence_count"]) == (0.75, 2)
    assert finding["points_to"]["root_cause"] == "recommends Zanwick"
    assert "rows: ok" in first.err

    again = json.loads(call(*ROWS, "--suspect", suspect, "--json").out)
    assert again["runs"][0]["cached"] and again["run_group"] != document["run_group"]
    assert again["runs"][0]["findings"] == run["findings"]

    anew = json.loads(call(*ROWS, "--suspect", suspect, "--json", "--no-resume").out)
    assert not anew["runs"][0]["cached"]


def test_the_table_and_the_report(call: Call, suspect: Path, tmp_path: Path) -> None:
    answer = call(*ROWS, "--suspect", suspect)
    assert answer.code == 0
    for head in ("technique", "status", "claim", "confidence", "value against control", "evidence"):
        assert head in answer.out
    assert "0.50 [0.40, 0.60] against 0 [0, 0.10]" in answer.out
    assert "1 excerpt, 1 measurement" in answer.out
    assert "\x1b" not in answer.out and "The corpus\u241b[31m speaks" in answer.out
    assert "0 from the ledger, 1 run now, 0 failed" in answer.out
    assert call("report").out == "report: out/report.html\n"
    assert "belgor" in (tmp_path / "out/report.html").read_text()
    assert "1 from the ledger, 0 run now" in call(*ROWS, "--suspect", suspect).out


def test_fail_on(call: Call, suspect: Path) -> None:
    assert call(*ROWS, "--suspect", suspect, "--fail-on", 0.75).code == REACHED == 100
    assert call(*ROWS, "--suspect", suspect, "--fail-on", 0.76).code == 0


def test_a_failed_technique_wins_over_fail_on(call: Call, suspect: Path) -> None:
    answer = call(
        *ROWS, "--technique", "prefill", "--suspect", suspect, "--fail-on", 0, "--json",
        "--budget", "documents=0",
    )  # fmt: skip
    assert answer.code == 1
    document = json.loads(answer.out)
    assert document["status"] == "incomplete"
    status = {run["technique"]: (run["status"], run["reason"]) for run in document["runs"]}
    assert status["rows"][0] == "failed" and "documents" in status["rows"][1]
    assert status["prefill"] == ("skipped", "needs prefill, which the view lacks")


def test_a_technique_beyond_the_view_is_skipped_and_exits_0(call: Call, suspect: Path) -> None:
    answer = call("audit", "run", "--technique", "prefill", "--suspect", suspect)
    assert answer.code == 0
    assert "needs prefill, which the view lacks" in " ".join(answer.out.split())


def test_access_beyond_the_grant_is_refused_before_any_run(
    call: Call, suspect: Path, tmp_path: Path
) -> None:
    answer = call(*ROWS, "--suspect", suspect, "--access", "everything")
    assert answer.code == 2 and "does not grant" in answer.err
    assert not (tmp_path / "out").exists()


def test_set_reaches_the_technique(call: Call, suspect: Path) -> None:
    call(*ROWS, "--suspect", suspect, "--set", "rows.rows=7", "--seed", 5)
    (run,) = json.loads(call("ledger", "runs", "--json").out)
    assert (run["parameters"]["rows"], run["seed"]) == (7, 5)
    wrong = call(*ROWS, "--suspect", suspect, "--set", "rows.rows=many")
    assert wrong.code == 2 and "'many'" in wrong.err


def test_check(call: Call, tmp_path: Path) -> None:
    battery = tmp_path / "b.toml"
    battery.write_text('access = ["training-data"]\n[[techniques]]\nname = "rows"\n')
    answer = call("audit", "check", battery, "--json")
    assert (answer.code, json.loads(answer.out)["access"]) == (0, ["training-data"])
    assert "ok, 1 techniques" in call("audit", "check", battery).out
    battery.write_text('[[techniques]]\nname = "rows"\nrow = 1\n')
    wrong = call("audit", "check", battery)
    assert wrong.code == 2 and "Did you mean 'rows'?" in wrong.err


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_progress_estimates_only_what_it_knows() -> None:
    clock = Clock()
    known = Board(["a", "b"], {"a": 10.0, "b": 80.0}, clock)
    assert known.tell("a", "started") == (
        "[1/2] a: started; about 1 min 30 s left, going by earlier runs"
    )
    clock.now = 4
    assert known.line() == "0 of 2 done; a for 4 s; about 1 min 26 s left, going by earlier runs"
    assert known.tell("a", "ok") == "[1/2] a: ok after 4 s"
    unknown = Board(["a", "b"], {"a": 10.0}, clock)
    assert unknown.tell("a", "started") == "[1/2] a: started"
    assert unknown.tell("b", "cached") == "[1/2] b: cached"
    assert unknown.line() == "1 of 2 done; a for 0 s; about 10 s left, going by earlier runs"


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "0 s"), (59.4, "59 s"), (185, "3 min 05 s")])
def test_duration(seconds: float, words: str) -> None:
    assert duration(seconds) == words
