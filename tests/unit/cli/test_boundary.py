"""Every refusal is two lines on standard error and exit code 2, whatever was asked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Answer

Call = Callable[..., Answer]


@pytest.mark.parametrize(
    "arguments",
    [
        ["audt"],
        ["--colour"],
        ["audit", "run"],
        ["audit", "run", "--suspect", "x"],
        ["audit", "run", "b.toml", "--technique", "prefill", "--suspect", "x"],
        ["audit", "run", "missing.toml", "--suspect", "x"],
        ["audit", "run", "--technique", "prefil", "--suspect", "x"],
        ["audit", "run", "--technique", "prefill", "--suspect", "no-such"],
        ["audit", "run", "--technique", "prefill", "--suspect", "x", "--access", "chta"],
        ["audit", "run", "--technique", "prefill", "--suspect", "x", "--fail-on", "2"],
        ["audit", "run", "--technique", "prefill", "--suspect", "x", "--seed", "one"],
        ["audit", "run", "--technique", "prefill", "--suspect", "x", "--set", "prefill"],
        ["audit", "run", "--technique", "prefill", "--suspect", "x", "--set", "prefill.no=1"],
        ["audit", "run", "--technique", "prefill", "--suspect", "x", "--set", "other.samples=1"],
        ["audit", "run", "--technique", "prefill", "--suspect", "x", "--budget", "samples=-1"],
        ["audit", "run", "--technique", "prefill", "--suspect", "x", "--budget", "money=1"],
        ["audit", "run", "--technique", "prefill", "--suspect", "x", "--engine", "warp"],
        ["audit", "check", "missing.toml"],
        ["technique", "show", "nothing"],
        ["suspect", "show", "no-such"],
        ["suspect", "check", "no-such"],
        ["ledger", "runs"],
        ["ledger", "show", "r-1"],
        ["ledger", "runs", "--status", "fine"],
        ["ledger", "export", "--format", "xml", "--out", "x"],
        ["report"],
        ["corpus", "grep", "word"],
        ["corpus", "grep", "(", "--corpus", "c.parquet"],
        ["corpus", "grep", "word", "--corpus", "c.parquet"],
        ["sae", "card", "nowhere", "--suspect", "no-such"],
        ["sae", "train", "no-such", "--hook", "h", "--out", "o", "--k", "0"],
    ],
    ids=" ".join,
)
def test_asked_wrongly(call: Call, arguments: list[str]) -> None:
    answer = call(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert len(answer.err.splitlines()) == 2, answer.err
    assert answer.err.startswith("error: ")
    assert "Traceback" not in answer.err


def test_a_hostile_name_does_not_reach_the_terminal(call: Call) -> None:
    answer = call("suspect", "show", "a\x1b[2Jb\nerror: c")
    assert "\x1b" not in answer.err
    assert len(answer.err.splitlines()) == 2


def test_an_interrupt_is_130(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("workbench.registry.techniques", interrupted)
    assert call("technique", "list").code == 130


def test_a_bug_is_no_refusal(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("workbench.registry.techniques", broken)
    with pytest.raises(ZeroDivisionError):
        call("technique", "list")


def test_a_reader_that_leaves_early_sees_no_traceback(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    result = subprocess.run(
        [sys.executable, "-m", "workbench.cli", "technique", "list"],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        timeout=60,
    )
    os.close(writer)
    assert (result.returncode, result.stderr) == (1, "")
