"""Ledgers as Inspect logs: what Inspect needs to read them, and nothing that it must not see."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from workbench.cli import run as command
from workbench.errors import ConfigError
from workbench.findings import Finding, Hypothesis, Measurement, Transcript
from workbench.ledger import Ledger, Run
from workbench.report.inspect_logs import write

CLEAN = {"group": "g-1", "suspect": "alder", "technique": "prefill", "version": 3}
TURNS = (
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hello."},
    {"role": "assistant", "content": "<b>Hi.</b>"},
)
RATE = Measurement("rate", 0.5, 10, (0.2, 0.8), "reference", 0.1, 10, (0.0, 0.3))
FINDING = Finding("It greets.", 0.7, (Transcript(TURNS), RATE), Hypothesis("other", "Hello"))


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    made = Ledger(tmp_path / "l.duckdb")
    times = {"started": "2026-01-02T03:04:05.000006+00:00", "finished": "2026-01-02T03:04:09+00:00"}
    made.record(Run("r-1", key="k1", status="ok", **CLEAN, **times), [FINDING, FINDING])  # type: ignore[arg-type]
    failed = {"status": "failed", "reason": "it broke", "traceback": "/home/somebody/secret.py"}
    made.record(Run("r-2", key="k2", **failed, **CLEAN))  # type: ignore[arg-type]
    made.record(Run("r-3", key="k3", status="skipped", reason="no logits", **CLEAN))  # type: ignore[arg-type]
    return made


def logs(out: Path) -> dict[str, tuple[Any, list[Any]]]:
    """By run: the header and the samples of its log."""
    found = {}
    for file in out.glob("*.eval"):
        with zipfile.ZipFile(file) as archive:
            assert archive.testzip() is None
            header = json.loads(archive.read("header.json"))
            names = [n for n in archive.namelist() if n.startswith("samples/")]
            samples = [json.loads(archive.read(name)) for name in names]
            summaries = json.loads(archive.read("summaries.json"))
            assert json.loads(archive.read("_journal/start.json"))["eval"] == header["eval"]
        assert [s["id"] for s in summaries] == [s["id"] for s in samples]
        assert [s["uuid"] for s in summaries] == [s["uuid"] for s in samples]
        found[header["eval"]["metadata"]["run"]] = header, samples
    return found


def test_a_log_per_run_and_a_sample_per_finding(ledger: Ledger, tmp_path: Path) -> None:
    ids = [entry.id for entry in ledger.entries()]
    ledger.amend(ids[0], "seen again")
    assert write(ledger, tmp_path / "logs") == 3
    found = logs(tmp_path / "logs")
    assert {run: header["status"] for run, (header, _) in found.items()} == {
        "r-1": "success",
        "r-2": "error",
        "r-3": "cancelled",
    }
    header, samples = found["r-1"]
    assert header["version"] == 2 and {"plan", "stats", "results"} <= set(header)
    assert header["eval"]["task"] == "prefill" and header["eval"]["model"] == "workbench/alder"
    assert [s["id"] for s in samples] == ids
    assert len({s["uuid"] for s in samples}) == 2
    sample = samples[0]
    assert sample["messages"] == list(TURNS) and sample["input"] == list(TURNS[:2])
    assert sample["output"]["choices"][0]["message"]["content"] == "<b>Hi.</b>"
    score = sample["scores"]["confidence"]
    assert score["value"] == 0.7 and score["metadata"]["evidence"][1]["type"] == "measurement"
    assert score["metadata"]["amendments"][0]["note"] == "seen again"
    assert found["r-2"][0]["error"]["message"] == "it broke"
    assert found["r-3"][0]["eval"]["metadata"]["reason"] == "no logits"
    assert found["r-2"][1] == found["r-3"][1] == []


def test_names_tell_time_task_and_id_and_tracebacks_stay_here(
    ledger: Ledger, tmp_path: Path
) -> None:
    write(ledger, tmp_path / "logs")
    names = sorted(file.name for file in (tmp_path / "logs").iterdir())
    assert any(name.startswith("2026-01-02T03-04-05+00-00_prefill_") for name in names)
    contents = {file.name: file.read_bytes() for file in (tmp_path / "logs").iterdir()}
    for header, samples in logs(tmp_path / "logs").values():
        assert "secret.py" not in json.dumps([header, samples])
    write(ledger, tmp_path / "logs")
    assert {f.name: f.read_bytes() for f in (tmp_path / "logs").iterdir()} == contents


def test_a_file_in_the_way_is_kept(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(ConfigError, match="is a file"):
        write(ledger, tmp_path / "taken")
    assert (tmp_path / "taken").read_text() == "mine"
    asked = ["ledger", "export", "--format", "inspect", "--ledger", str(ledger.path), "--out"]
    assert command([*asked, str(tmp_path / "logs")]) == 0
    assert len(logs(tmp_path / "logs")) == 3
