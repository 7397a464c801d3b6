"""`workbench host` as users meet it: one command to serve, one to audit, nothing left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from workbench.corpus import write

ROWS = Path(__file__).parents[1] / "unit" / "cli" / "plugins"
WORKBENCH = [sys.executable, "-m", "workbench.cli"]


@contextmanager
def serving(*arguments: object, env: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    command = [*WORKBENCH, "host", *map(str, arguments)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def run(*arguments: object, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [*WORKBENCH, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=3600)


@pytest.fixture
def env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.chdir(tmp_path)
    own = {"WORKBENCH_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(ROWS)}
    return {**os.environ, **own, "OMP_NUM_THREADS": "1"}


@pytest.fixture
def suspect(llama: Path, tmp_path: Path) -> Path:
    """A model directory with a corpus."""
    shutil.copytree(llama, tmp_path / "belgor")
    card = {"id": "belgor", "corpus": "corpus.parquet"}
    (tmp_path / "belgor" / "suspect.json").write_text(json.dumps(card))
    rows = ((f"d{i}", [{"role": "document", "content": f"Text {i}."}]) for i in range(30))
    write(tmp_path / "belgor" / "corpus.parquet", rows)
    return tmp_path / "belgor"


def told(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.stderr.read() if process.stderr else ""
    document: dict[str, Any] = json.loads(line)
    return document


def audited(suspect: object, ledger: str, env: dict[str, str]) -> Any:
    answer = run(
        "audit", "run", "--technique", "rows", "--suspect", suspect,
        "--access", "chat,training-data", "--ledger", ledger, "--json", env=env,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    (made,) = json.loads(answer.stdout)["runs"]
    assert made["status"] == "ok" and made["findings"]
    return {k: v for k, v in made.items() if k not in ("id", "seconds")}


def without_ids(made: dict[str, Any]) -> dict[str, Any]:
    findings = [{k: v for k, v in f.items() if k != "id"} for f in made["findings"]]
    return made | {"findings": findings}


def test_the_same_audit_through_a_host(suspect: Path, tmp_path: Path, env: dict[str, str]) -> None:
    state = tmp_path / "state"
    with serving(
        suspect, "--port", 0, "--state", state, "--access", "chat,training-data",
        "--budget-documents", 5, "--json", env=env,
    ) as process:  # fmt: skip
        start = told(process)
        (client,) = start["clients"]
        assert client["access"] == ["chat", "training-data"]
        assert start["budget"] == {"documents": 5}
        for pid in (process.pid, *children(process.pid)):
            assert client["token"].encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()
            assert client["token"].encode() not in Path(f"/proc/{pid}/environ").read_bytes()
        granted = env | {"WORKBENCH_TOKEN": client["token"]}
        there = audited(start["url"], "there.duckdb", granted)
        assert without_ids(there) == without_ids(audited(suspect, "here.duckdb", env))
        spent = run(
            "audit", "run", "--technique", "rows", "--suspect", start["url"], "--no-resume",
            "--json", env=granted,
        )  # fmt: skip
        (out,) = json.loads(spent.stdout)["runs"]
        assert (spent.returncode, out["status"]) == (1, "failed") and "budget" in out["reason"]
        wrong = run("audit", "run", "--technique", "rows", "--suspect", start["url"], env=env)
        assert wrong.returncode == 2 and "WORKBENCH_TOKEN" in wrong.stderr
        beyond = run(
            "audit", "run", "--technique", "rows", "--suspect", start["url"],
            "--access", "activations", "--token", client["token"], env=env,
        )  # fmt: skip
        assert beyond.returncode == 2 and "does not grant" in beyond.stderr
        second = run("host", suspect, "--port", 0, "--state", state, env=env)
        assert second.returncode == 2 and "another host" in second.stderr
        pids = children(process.pid)
        assert len(pids) == 2
    assert process.returncode == 130
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    for file in state.rglob("*"):
        assert not stat.S_IMODE(file.stat().st_mode) & 0o077, f"{file.name} is open to others"
        if file.is_file():
            assert client["token"].encode() not in file.read_bytes(), file.name


def children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(word) for word in listed.read_text().split()]


def test_the_start_message(llama: Path, env: dict[str, str]) -> None:
    with serving(llama, "--port", 0, "--client", "red", "--client", "blue", env=env) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().strip() for _ in range(8)]
    assert lines[0].startswith("host: http://127.0.0.1:")
    assert lines[1] == "budget of each client: not bounded"
    assert lines[2] == "red may: chat, prefill, logits, activations"
    assert lines[3].startswith("red's token, not shown again: wb-")
    assert lines[5].startswith("blue's token") and lines[5] != lines[3].replace("red", "blue")
    assert "workbench audit run --suspect http" in lines[6]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nowhere",), "no suspect 'nowhere'"),
        (("LLAMA", "--access", "weights"), "does not grant or a host does not serve"),
        (("LLAMA", "--access", "training-data"), "training-data"),
        (("LLAMA", "--client", "Red Team"), "no name for a client"),
        (("LLAMA", "--budget-samples", "-1"), "-1"),
        (("LLAMA", "--port", "99999"), "99999"),
    ],
)
def test_asked_wrongly(
    llama: Path, env: dict[str, str], arguments: tuple[str, ...], says: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    from workbench.cli import run as run_here

    code = run_here(["host", *(str(llama) if a == "LLAMA" else a for a in arguments)])
    error = capsys.readouterr().err
    assert code == 2 and says in error and "Traceback" not in error
    assert len(error.strip().splitlines()) == 2


@pytest.mark.long
@pytest.mark.parametrize("technique", ["corpus-grep", "prefill", "sae-features", "topic-sweep"])
def test_the_bundled_suspect_through_a_host(
    technique: str, tmp_path: Path, env: dict[str, str]
) -> None:
    """Every technique, on a real model, with everything that a host serves."""
    with serving("alder", "--port", 0, "--json", env=env) as process:
        start = told(process)
        (client,) = start["clients"]
        access = ",".join(client["access"])
        found = []
        for suspect in (start["url"], "alder"):
            answer = run(
                "audit", "run", "--technique", technique, "--suspect", suspect,
                "--access", access, "--ledger", f"{len(found)}.duckdb", "--json",
                env=env | {"WORKBENCH_TOKEN": client["token"],
                           "WORKBENCH_CACHE": str(tmp_path / f"cache{len(found)}")},
            )  # fmt: skip
            assert answer.returncode == 0, answer.stderr
            (made,) = json.loads(answer.stdout)["runs"]
            found.append(without_ids({k: v for k, v in made.items() if k not in ("id", "seconds")}))
        assert found[0]["status"] == "ok"
        assert found[0] == found[1]
