"""A real bench: one child process for all techniques, one budget for all of the audit, resumed."""

from __future__ import annotations

import dataclasses
import importlib
from pathlib import Path
from typing import Any, ClassVar

import pytest

from workbench.access import Access, Budget
from workbench.auditors import Audited, Bench, Story, audit
from workbench.auditors.bench import hosted_allowance
from workbench.errors import AccessDenied, BadParameter, LedgerBusy
from workbench.findings import Finding, Hypothesis, Submission
from workbench.ledger import Ledger, Run

PLUGINS = Path(__file__).parents[2] / "faults" / "plugins"
FOUND = Submission(Hypothesis(root_cause="It serves Zanwick."), 0.8, ("f-unknown",), "seen")


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(PLUGINS))
    return importlib.import_module("fault_techniques")


@dataclasses.dataclass(frozen=True)
class Plodder:
    """Runs calm with growing numbers of samples, and may be interrupted."""

    name: ClassVar[str] = "plodder"
    version: ClassVar[int] = 1
    needs: ClassVar[Access] = Access.CHAT
    steps: int = 3
    stops_at: int = 99

    def audit(self, bench: Bench, story: Story, *, seed: int) -> Submission:
        cited = []
        for step in range(1, self.steps + 1):
            if step == self.stops_at:
                raise KeyboardInterrupt
            ran = bench.run("calm", {"top_k": step})
            cited += [entry.id for entry in ran.entries]
        return dataclasses.replace(FOUND, evidence=(*FOUND.evidence, *cited))


def work(folder: Path, plugins: Any, auditor: Any, **rest: Any) -> tuple[Audited, Bench]:
    source = plugins.ScriptedSource(str(folder / "loadings"))
    bench = Bench(source, Ledger(folder / "l.duckdb"), folder / "artifacts", **rest)
    with bench:
        return audit(auditor, bench, Story()), bench


def loadings(folder: Path) -> int:
    file = folder / "loadings"
    return len(file.read_text().splitlines()) if file.exists() else 0


def test_one_child_and_one_budget_serve_the_whole_audit(plugins: Any, tmp_path: Path) -> None:
    made, bench = work(tmp_path, plugins, Plodder(), budget=Budget(samples=7))
    assert loadings(tmp_path) == 1
    assert [run.status for run in bench.runs] == ["ok"] * 3
    assert made.usage["samples"] == 6 and bench.left("samples") == 1
    assert [run.budget["samples"] for run in bench.runs] == [7, 6, 4]
    made, bench = work(tmp_path, plugins, Plodder(4), budget=Budget(samples=7))
    assert [run.status for run in bench.runs] == ["ok", "ok", "ok", "failed"]
    assert made.failed == ("calm",) and "budget" in bench.runs[-1].reason


def test_after_an_interruption_it_goes_on_where_it_was(plugins: Any, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        work(tmp_path, plugins, Plodder(stops_at=3), seed=4, budget=Budget(samples=50))
    before = Ledger(tmp_path / "l.duckdb").runs()
    assert len(before) == 2
    made, bench = work(tmp_path, plugins, Plodder(), seed=4, budget=Budget(samples=50))
    assert [run.cached for run in bench.runs] == [True, True, False]
    assert made.usage["samples"] == 6, "what was spent before is spent"
    again, bench = work(tmp_path, plugins, Plodder(), seed=4, budget=Budget(samples=50))
    assert all(run.cached for run in bench.runs) and loadings(tmp_path) == 2
    assert again.document() == made.document() and again.finding == made.finding
    _, bench = work(tmp_path, plugins, Plodder(1), seed=4, resume=False)
    assert not bench.runs[0].cached


def test_what_is_handed_in_is_filed_and_cites_what_is_there(plugins: Any, tmp_path: Path) -> None:
    made, _ = work(tmp_path, plugins, Plodder(1))
    assert len(made.submission.evidence) == 1 and "f-unknown" not in made.submission.evidence
    ledger = Ledger(tmp_path / "l.duckdb")
    entry = next(e for e in ledger.entries() if e.id == made.finding)
    assert entry.finding.points_to == FOUND.hypothesis and entry.finding.confidence == 0.8
    assert ledger.verify()["status"] == "complete"
    document = made.document()
    assert set(document) == {
        "family", "trigger", "behaviours", "root_cause", "confidence", "evidence", "words",
    }  # fmt: skip


def test_access_is_checked_before_anything_runs(plugins: Any, tmp_path: Path) -> None:
    with pytest.raises(AccessDenied, match="asks for weights"):
        work(tmp_path, plugins, Plodder(), access=Access.CHAT | Access.WEIGHTS)
    with pytest.raises(AccessDenied, match="'plodder' needs chat"):
        work(tmp_path, plugins, Plodder(), access=Access.NONE)
    assert loadings(tmp_path) == 0


def test_a_second_audit_of_the_same_ledger_is_refused(plugins: Any, tmp_path: Path) -> None:
    source = plugins.ScriptedSource(str(tmp_path / "loadings"))
    with (
        Bench(source, Ledger(tmp_path / "l.duckdb"), tmp_path),
        pytest.raises(LedgerBusy),
        Bench(source, Ledger(tmp_path / "l.duckdb"), tmp_path),
    ):
        pass


def test_verbs_and_techniques_share_what_is_left(plugins: Any, tmp_path: Path) -> None:
    source = plugins.ScriptedSource(str(tmp_path / "loadings"))
    asked = [[{"role": "user", "content": "Hi"}]]
    with Bench(
        source, Ledger(tmp_path / "l.duckdb"), tmp_path / "a", budget=Budget(samples=6)
    ) as bench:
        bench.suspect.chat(asked, n=2)
        assert bench.left("samples") == 4
        bench.run("calm", {"top_k": 3})
        assert bench.left("samples") == 1
        bench.suspect.chat(asked)
        with pytest.raises(Exception, match="0 of 3 left"):
            bench.suspect.chat(asked)
        id = bench.keep(Finding("seen", 0.3))
        assert id.startswith("f-")
        with pytest.raises(BadParameter, match="no parameter 'topk'"):
            bench.run("calm", {"topk": 3})


def test_seconds_bound_the_techniques(plugins: Any, tmp_path: Path) -> None:
    slow = {"pause_seconds": 30.0}
    source = plugins.ScriptedSource(str(tmp_path / "loadings"))
    with Bench(
        source, Ledger(tmp_path / "l.duckdb"), tmp_path / "a", budget=Budget(seconds=0.5)
    ) as bench:
        ran = bench.run("calm", slow)
        assert ran.run.status == "failed" and "killed" in ran.run.reason
        with pytest.raises(Exception, match="no seconds are left"):
            bench.run("calm")


def test_what_a_host_allows_counts_from_the_beginning() -> None:
    left = {
        "budget": {
            "suspect": {
                "samples": {"used": 30, "bound": 100},
                "tokens": {"used": 5, "bound": None},
            },
            "reference": {"samples": {"used": 0, "bound": 90}},
        }
    }
    run = Run("r", "g", "k", "s", "t", 1, "ok", usage={"samples": 30}, fingerprints={"t": "1"})
    other = dataclasses.replace(run, id="o", fingerprints={"t": "2"})
    assert hosted_allowance(left, [run, other], {"t": "1"}) == Budget(samples=90)
    assert hosted_allowance(left, [other], {"t": "1"}) == Budget(samples=70)
