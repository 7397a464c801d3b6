"""Jobs and desks: processes that go on, end when told, come back, and speak only in two lines."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.errors import BadParameter, SuspectError, WorkbenchError
from workbench.ledger import Ledger
from workbench.ui.desk import Desk
from workbench.ui.jobs import Job, Jobs

PLUGINS = Path(__file__).parents[1] / "cli" / "plugins"
FAULTS = Path(__file__).parents[2] / "faults" / "plugins"
PATIENCE_SECONDS = 240


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Jobs]:
    for plugins in (PLUGINS, FAULTS):
        monkeypatch.syspath_prepend(str(plugins))
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    made = Jobs(tmp_path / "jobs")
    yield made
    made.close()


def until(jobs: Jobs, id: str, *states: str) -> Job:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (job := jobs.get(id)).state not in states:
        assert time.monotonic() < deadline, job
        time.sleep(0.1)
    return job


def battery(folder: Path, *names: str) -> str:
    file = folder / "battery.toml"
    file.write_text("\n".join(f'[[techniques]]\nname = "{name}"' for name in names))
    return str(file)


def test_a_battery_runs_resumes_from_the_ledger_and_fails_in_two_lines(
    jobs: Jobs, suspect: Path, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger.duckdb"
    given = {"battery": battery(tmp_path, "rows"), "ledger": str(ledger)}
    first = until(jobs, jobs.start("audit", "b", str(suspect), **given).id, "done", "failed")
    assert first.state == "done", first
    (step,) = first.progress["steps"]
    assert step["state"] == "ok" and step["seconds"] > 0
    (run,) = Ledger(ledger).runs()
    assert first.progress["runs"] == [run.id] and first.progress["group"] == run.group
    again = until(jobs, jobs.resume(first.id).id, "done", "failed")
    assert [s["state"] for s in again.progress["steps"]] == ["cached"]
    assert len(Ledger(ledger).groups()) == 2
    with Ledger(ledger).exclusive():
        busy = until(jobs, jobs.start("audit", "b", str(suspect), **given).id, "done", "failed")
    assert busy.state == "failed" and busy.error is not None
    assert "another audit or server" in busy.error[0]
    assert {job.id for job in jobs.listed("audit", str(suspect))} == {first.id, busy.id}
    assert jobs.listed("sae", str(suspect)) == jobs.listed("audit", "other") == []


def test_cancel_and_interruption(jobs: Jobs, suspect: Path, tmp_path: Path) -> None:
    given = {"battery": battery(tmp_path, "hanging"), "ledger": str(tmp_path / "l.duckdb")}
    id = jobs.start("audit", "b", str(suspect), **given).id
    deadline = time.monotonic() + PATIENCE_SECONDS
    while jobs.get(id).progress.get("steps", [{}])[0].get("state") != "started":
        assert time.monotonic() < deadline, jobs.get(id)
        time.sleep(0.1)
    jobs.cancel(id)
    assert until(jobs, id, "cancelled", "done", "failed").state == "cancelled"
    jobs.resume(id)
    jobs.close()
    assert jobs.get(id).state == "interrupted"
    other = Jobs(tmp_path / "jobs")  # as after a restart of the app
    assert other.get(id).state == "interrupted" and other.get(id).over


@pytest.mark.parametrize("id", ["j-0", "../x", "j-../../etc", ""])
def test_no_such_job(jobs: Jobs, id: str) -> None:
    with pytest.raises(BadParameter):
        jobs.get(id)


def test_a_desk_answers_refuses_and_comes_back(tmp_path: Path, suspect: Path) -> None:
    desk = Desk("workbench.ui.reads.ledger")
    try:
        missing = str(tmp_path / "none.duckdb")
        assert desk.ask("overview", ledger=missing)["runs"] == []
        with pytest.raises(WorkbenchError) as refused:
            desk.ask("verdict", ledger=missing)
        assert type(refused.value) is not SuspectError
        with pytest.raises(SuspectError, match="the log knows this as"):
            desk.ask("no such question")
        assert desk._process is not None
        desk._process.kill()
        desk._process.wait()
        with pytest.raises(SuspectError, match="ended"):
            desk.ask("overview", ledger=missing)
        assert desk.ask("overview", ledger=missing)["findings"] == []
    finally:
        desk.close()


def test_the_app_s_process_imports_neither_torch_nor_duckdb(suspect: Path, tmp_path: Path) -> None:
    script = (
        "import sys, dataclasses\n"
        "from streamlit.testing.v1 import AppTest\n"
        "from tests.unit.ui.conftest import script\n"
        "for page in ('home', 'ask', 'audit', 'data', 'findings'):\n"
        "    app = AppTest.from_function(script, default_timeout=120, kwargs={'page': page})\n"
        f"    app.query_params['suspect'] = {str(suspect)!r}\n"
        "    app.query_params['pattern'] = 'river'\n"
        "    app.run()\n"
        "    assert not app.exception\n"
        "import workbench.ui.pages.features\n"
        "heavy = {'torch', 'duckdb', 'transformers', 'polars', 'saes'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
        env={"PATH": "/usr/bin:/bin", "WORKBENCH_LEDGER": str(tmp_path / "out" / "l.duckdb"),
             "WORKBENCH_CACHE": str(tmp_path / "cache"), "HOME": str(tmp_path)},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-2000:]
