"""Jobs: batteries on the host that go on without their client, are cancelled, and survive kills."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.host.conftest import Asker, Said
from workbench.access import Access, Budget
from workbench.battery import Battery, Step
from workbench.errors import BadParameter
from workbench.host import Admission, Host, HostSettings
from workbench.host.jobs import refuse_paths
from workbench.ledger import Ledger

Ask = Callable[..., Said]
ENDED = ("done", "failed", "cancelled")


def battery(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"techniques": [{"name": "asking", **step} for step in steps], **more}


@pytest.fixture(scope="module")
def jobs(source: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    clients = (
        Admission("auditor"),
        Admission("chatter", Access.CHAT, Budget(samples=5)),
        Admission("other"),
    )
    settings = HostSettings(clients, state=tmp_path_factory.mktemp("state"))
    with Host(source, settings) as running:
        yield running


@pytest.fixture
def ask(jobs: Host) -> Ask:
    return Asker(jobs.port, jobs.tokens["auditor"][0])


@pytest.fixture
def chatter(jobs: Host) -> Ask:
    return Asker(jobs.port, jobs.tokens["chatter"][0])


def ended(ask: Ask, id: str) -> dict[str, Any]:
    deadline = time.monotonic() + 120
    while True:
        job: dict[str, Any] = ask(f"/audit/jobs/{id}").document
        if job["state"] in ENDED:
            return job
        assert time.monotonic() < deadline, job
        time.sleep(0.1)


def begun(ask: Ask, id: str) -> None:
    deadline = time.monotonic() + 120
    while ["asking", "started"] not in ask(f"/audit/jobs/{id}").document["progress"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def samples(ask: Ask) -> int:
    used: int = ask("/audit/budget").document["budget"]["suspect"]["samples"]["used"]
    return used


def test_a_job_runs_is_paid_for_and_filed(jobs: Host, ask: Ask) -> None:
    before = samples(ask)
    sent = battery({"word": "one"}, {"word": "two"}, seed=3)
    added = ask("/audit/jobs", sent, Idempotency_Key="job-1")
    assert added.status == 200 and added.document["state"] in ("waiting", "running")
    again = ask("/audit/jobs", sent, Idempotency_Key="job-1").document
    assert again["id"] == added.document["id"]
    assert ask("/audit/jobs", battery({}), Idempotency_Key="job-1").status == 409
    job = ended(ask, again["id"])
    assert (job["state"], job["error"]) == ("done", None)
    assert job["progress"] == [["asking", "started"], ["asking", "ok"]] * 2
    first, second = ask(f"/audit/jobs/{job['id']}/findings").document
    assert first["findings"][0]["claim"] == "it says 'one 0 0'"
    assert second["status"] == "ok" and second["usage"]["samples"] == 2
    assert "traceback" not in first
    assert samples(ask) == before + 4
    assert {r.id for r in Ledger(jobs.state / "ledger.duckdb").runs()} >= set(job["runs"])
    assert job["id"] in [listed["id"] for listed in ask("/audit/jobs").document]


def test_another_client_sees_nothing_and_gets_nothing_free(ask: Ask, chatter: Ask) -> None:
    sent = battery({"word": "mine"}, access=["chat"], seed=1)
    mine = ended(ask, ask("/audit/jobs", sent).document["id"])
    told = {
        chatter(f"/audit/jobs/{id}{end}").raw
        for id in (mine["id"], "j-0000000000000000", "x' OR 1=1 --".replace(" ", "%20"))
        for end in ("", "/findings")
    }
    assert len(told) == 1
    assert chatter(f"/audit/jobs/{mine['id']}/cancel", method="POST").status == 422
    assert chatter("/audit/jobs").document == []
    theirs = ended(chatter, chatter("/audit/jobs", sent).document["id"])
    assert (theirs["state"], samples(chatter)) == ("done", 2)
    # one's own result, once paid for, comes from the ledger
    third = ended(chatter, chatter("/audit/jobs", sent).document["id"])
    assert (third["progress"], samples(chatter)) == ([["asking", "cached"]], 2)


def test_the_budget_ends_a_job_and_not_the_host(chatter: Ask) -> None:
    sent = battery({"word": "much", "times": 40}, access=["chat"])
    job = ended(chatter, chatter("/audit/jobs", sent).document["id"])
    (run,) = chatter(f"/audit/jobs/{job['id']}/findings").document
    assert (job["state"], run["status"]) == ("done", "failed")
    assert "budget" in run["reason"] and samples(chatter) <= 5


@pytest.mark.parametrize(
    ("sent", "status", "says"),
    [
        ([], 422, "no table"),
        ({}, 422, "no techniques"),
        ({"techniques": [{"name": "nobody"}]}, 422, "nobody"),
        ({"techniques": [{"name": "asking", "wrod": "x"}]}, 422, "word"),
        ({"techniques": [{"name": "asking", "word": "/etc/passwd"}]}, 422, "file"),
        ({"techniques": [{"name": "asking", "word": "../x"}]}, 422, "file"),
        ({"techniques": [{"name": "corpus-semantic", "sae": "vault"}]}, 422, "file"),
        ({"techniques": [{"name": "attribution", "sae": ""}]}, 422, "file"),
        ({"techniques": [{"name": "asking"}], "access": ["logits"]}, 403, "logits"),
        (battery({"time_limit_seconds": 3_601}), 422, "longer"),
        (battery({"time_limit_seconds": 1e300}), 422, "longer"),
        (battery(*({"times": n} for n in range(257))), 422, "257 techniques"),
        (battery({"word": "x" * (1 << 20)}), 413, "bytes"),
    ],
)
def test_what_is_no_job(chatter: Ask, sent: Any, status: int, says: str) -> None:
    import json

    said = chatter("/audit/jobs", raw=json.dumps(sent).encode(), method="POST")
    error = said.document["error"]
    assert said.status == status and says in error["message"] + error["hint"], said


@pytest.mark.parametrize("value", ["a/b", ["a", "~x"], [["a", ["../b"]]], {"a": ["/b"]}])
def test_no_parameter_names_a_file_of_the_host_however_deep(value: Any) -> None:
    refuse_paths(Battery("b", (Step("asking", {"word": "a .. b~", "times": [[1], ["c"]]}),)))
    with pytest.raises(BadParameter, match="file of the host"):
        refuse_paths(Battery("b", (Step("asking", {"word": value}),)))


def test_cancelling_ends_what_runs_and_what_waits(ask: Ask) -> None:
    sent = [battery({"word": "slow", "pause_seconds": 60.0, "times": n}) for n in (1, 2)]
    running, waiting = (ask("/audit/jobs", one).document["id"] for one in sent)
    begun(ask, running)
    assert ask(f"/audit/jobs/{waiting}/cancel", method="POST").document["state"] == "cancelled"
    started = time.monotonic()
    ask(f"/audit/jobs/{running}/cancel", method="POST")
    assert ended(ask, running)["state"] == "cancelled"
    after = ask("/audit/jobs", battery({"word": "after"})).document["id"]
    assert ended(ask, after)["state"] == "done"
    assert time.monotonic() - started < 50, "what was cancelled ran on"
    assert ended(ask, waiting)["progress"] == []
    assert ask(f"/audit/jobs/{running}/cancel", method="POST").document["state"] == "cancelled"


def test_a_job_outlives_a_kill_of_the_api(jobs: Host, ask: Ask) -> None:
    sent = battery({"word": "a"}, {"word": "b", "pause_seconds": 3.0}, {"word": "c"}, seed=9)
    id = ask("/audit/jobs", sent).document["id"]
    deadline = time.monotonic() + 120
    while len(ask(f"/audit/jobs/{id}").document["runs"]) < 1:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    (first,) = ask(f"/audit/jobs/{id}").document["runs"]
    os.kill(jobs.api.pid, signal.SIGKILL)
    reached = False
    while not reached:
        try:
            reached = ask("/health").status == 200
        except OSError:
            time.sleep(0.05)
    job = ended(ask, id)
    assert job["state"] == "done" and len(job["runs"]) == 3
    assert job["runs"][0] == first, "what was recorded is not made again"
    assert Path(jobs.state / "ledger.duckdb").exists()
    runs = [r for r in Ledger(jobs.state / "ledger.duckdb").runs() if r.seed == 9]
    assert len(runs) == 3 and {r.status for r in runs} == {"ok"}


def test_a_long_job_of_one_team_lets_another_one_in(ask: Ask, jobs: Host) -> None:
    """By turns of one technique; one that failed is not run again in the next turn."""
    other = Asker(jobs.port, jobs.tokens["other"][0])
    steps = [{"word": f"long {n}", "pause_seconds": 1.0} for n in range(4)]
    failing = {"word": "x", "times": -1, "pause_seconds": -1.0}  # time.sleep refuses it
    long = ask("/audit/jobs", battery(failing, *steps, seed=21)).document["id"]
    begun(ask, long)
    short = other("/audit/jobs", battery({"word": "short"}, {"word": "second"})).document["id"]
    assert ended(other, short)["state"] == "done"
    assert ask(f"/audit/jobs/{long}").document["state"] != "done", "the other one waited for all"
    job = ended(ask, long)
    runs = ask(f"/audit/jobs/{long}/findings").document
    assert [run["status"] for run in runs] == ["failed", "ok", "ok", "ok", "ok"]
    assert job["progress"].count(["asking", "started"]) == 5
    assert len(set(job["runs"])) == 5
