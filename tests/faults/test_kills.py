"""kill -9 at random moments: nothing acknowledged is lost, no child stays, resume completes."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from workbench.battery import Battery, Step, run
from workbench.ledger import Ledger

AUDIT = """
import json, os, sys
sys.path[:0] = json.loads(sys.argv[1])
from pathlib import Path
from fault_techniques import ScriptedSource
from workbench.battery import Battery, Step, run
from workbench.ledger import Ledger

battery = Battery("kills", tuple(Step("calm", p) for p in json.loads(sys.argv[4])))
folder = Path(sys.argv[2])
log = open(folder / "acknowledged", "a")
ledger = Ledger(folder / "ledger.duckdb")
source = ScriptedSource(str(folder / "loadings"))
for made in run(battery, source, ledger, folder / "artifacts", engine=sys.argv[3]):
    log.write(json.dumps([made.id, made.status]) + chr(10))
    log.flush()
    os.fsync(log.fileno())
"""


def kill_and_resume(kills: int, steps: int, engine: str, plugins: Any, folder: Path) -> None:
    source = plugins.ScriptedSource(str(folder / "loadings"))
    (folder / "acknowledged").touch()
    parameters = [{"word": f"word-{n}", "pause_seconds": 0.2, "top_k": 3} for n in range(steps)]
    battery = Battery("kills", tuple(Step("calm", p) for p in parameters))
    draw = random.Random(1)
    path = json.dumps([p for p in sys.path if p])
    command = [sys.executable, "-c", AUDIT, path, str(folder), engine, json.dumps(parameters)]
    for number in range(kills):
        audit = subprocess.Popen(command)
        if number == 0:
            wait_for_a_line(folder / "acknowledged")
        else:
            time.sleep(draw.uniform(0.3, 4.0))
        audit.send_signal(signal.SIGKILL)
        audit.wait()
        assert all(plugins.gone(pid) for pid in source.loadings()), "a child outlived its runner"
    ledger = Ledger(folder / "ledger.duckdb")
    made = list(run(battery, source, ledger, folder / "artifacts", engine=engine))
    assert [r.status for r in made] == ["ok"] * steps
    log = (folder / "acknowledged").read_text()
    acknowledged = {json.loads(line)[0] for line in log.splitlines()}
    stored = {r.id for r in ledger.runs()}
    assert acknowledged and acknowledged <= stored
    assert {r.id for r in made if r.cached} >= acknowledged
    assert all(len(ledger.entries(run=r.id)) == 3 for r in ledger.runs())
    keys = {r.key for r in ledger.runs()}
    assert len(keys) == len(stored) == steps, "nothing ran twice"
    assert ledger.verify()["status"] == "complete"


def wait_for_a_line(log: Path) -> None:
    deadline = time.monotonic() + 60
    while not log.read_text().endswith("\n"):
        assert time.monotonic() < deadline, "nothing was acknowledged"
        time.sleep(0.02)


def test_three_kills(plugins: Any, tmp_path: Path) -> None:
    kill_and_resume(3, 6, "local", plugins, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("engine", ["local", "processes"])
def test_thirty_kills(engine: str, plugins: Any, tmp_path: Path) -> None:
    kill_and_resume(30, 60, engine, plugins, tmp_path)
