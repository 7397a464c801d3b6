"""kill -9 of the host's processes at random moments: nothing acknowledged is lost, nothing free."""

from __future__ import annotations

import importlib
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from workbench.access import Budget
from workbench.host import Admission, Host, HostSettings
from workbench.host.store import Store
from workbench.suspects import Suspect

PLUGINS = str(Path(__file__).parents[1] / "unit" / "host" / "plugins")
CLIENTS = 3


@pytest.fixture
def suspects() -> Iterator[Any]:
    sys.path.insert(0, PLUGINS)
    yield importlib.import_module("host_suspects")
    sys.path.remove(PLUGINS)


class Caller(threading.Thread):
    """Asks one question after the other, and keeps each answer that was acknowledged."""

    def __init__(self, url: str, token: str, number: int) -> None:
        super().__init__()
        self._place = (url, token, number)
        self.over = threading.Event()
        self.answers: dict[str, str] = {}
        self.error: BaseException | None = None

    def run(self) -> None:
        url, token, number = self._place
        try:
            suspect = Suspect.load(url, token=token)
            while not self.over.is_set():
                said = f"call {number} {len(self.answers)}"
                turns = [[{"role": "user", "content": said}]]
                (reply,) = suspect.chat(turns, max_new_tokens=8)[0]
                assert reply.text == f"{said} 0 0"
                self.answers[said] = reply.text
                texts = [said, f"{said} again"]
                assert len(suspect.logprobs(texts)) == 2
                assert suspect.usage.to_json()["samples"] == len(self.answers)
        except BaseException as error:
            self.error = error


def await_answers(callers: list[Caller], more: int) -> None:
    """Until so many more calls were acknowledged: what is killed has come back and is at work."""
    wanted = more + sum(len(caller.answers) for caller in callers)
    deadline = time.monotonic() + 90
    while sum(len(caller.answers) for caller in callers) < wanted:
        assert [c.error for c in callers] == [None] * len(callers)
        assert time.monotonic() < deadline, "nobody was served any more"
        time.sleep(0.01)


def kill(host: Host, victim: str) -> int:
    """Kills the one that runs; where it has not come back from the last time yet, once it has."""
    deadline = time.monotonic() + 60
    while True:
        pid = getattr(host, victim).pid
        try:
            os.kill(pid, signal.SIGKILL)
            return int(pid)
        except ProcessLookupError:
            assert time.monotonic() < deadline, "it did not come back"
            time.sleep(0.02)


def kill_at_random(kills: dict[str, int], source: Any, state: Path) -> None:
    draw = random.Random(4)
    victims = [name for name, count in kills.items() for _ in range(count)]
    draw.shuffle(victims)
    budget = Budget(samples=1_000_000)
    admissions = (Admission("auditor", budget=budget, tokens=CLIENTS),)
    with Host(source, HostSettings(admissions, state=state, calls_per_second=10_000)) as host:
        callers = [Caller(host.url, t, i) for i, t in enumerate(host.tokens["auditor"])]
        for caller in callers:
            caller.start()
        dead = []
        for victim in victims:
            await_answers(callers, 2)
            time.sleep(draw.uniform(0.0, 0.3))
            dead.append(kill(host, victim))
        await_answers(callers, 2)
        for caller in callers:
            caller.over.set()
        for caller in callers:
            caller.join(120)
        assert [caller.error for caller in callers] == [None] * CLIENTS
        deadline = time.monotonic() + 30
        while any(Path(f"/proc/{pid}").exists() for pid in dead):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        last = {host.api.pid, host.worker.pid}
    assert not any(Path(f"/proc/{pid}").exists() for pid in last)
    acknowledged = sum(len(caller.answers) for caller in callers)
    assert acknowledged >= 2 * len(victims)
    store = Store(state / "host.sqlite")
    try:
        calls = store.rows("SELECT * FROM calls")
        assert {row["state"] for row in calls} <= {"settled", "refunded"}
        settled = [row for row in calls if row["state"] == "settled"]
        assert len(settled) == 2 * acknowledged, "each call was acknowledged and charged once"
        meters = store.budget("auditor")["suspect"]
        assert meters["samples"]["used"] == acknowledged
        assert meters["forward_passes"]["used"] == 2 * acknowledged
        events = [event["kind"] for event in store.events()]
        assert events.count("call") == len(settled)
        refunded = [row for row in calls if row["state"] == "refunded"]
        assert events.count("refund") == len(refunded)
        kept = {row["reply"].decode() for row in settled if row["verb"] == "chat"}
        assert len(kept) == acknowledged
    finally:
        store.close()


def test_three_kills_of_each(suspects: Any, tmp_path: Path) -> None:
    kill_at_random({"api": 3, "worker": 3}, suspects.Scripted(), tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("victim", ["api", "worker"])
def test_thirty_kills(victim: str, suspects: Any, tmp_path: Path) -> None:
    kill_at_random({victim: 30}, suspects.Scripted(), tmp_path)


def test_children_leave_with_their_parent(suspects: Any, tmp_path: Path) -> None:
    """The one who started the host is killed: neither process stays."""
    import json
    import subprocess

    script = (
        "import json, sys, time; sys.path[:0] = json.loads(sys.argv[1])\n"
        "import host_suspects\n"
        "from workbench.host import Host\n"
        "with Host(host_suspects.Scripted()) as host:\n"
        "    print(host.api.pid, host.worker.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    path = json.dumps([PLUGINS, *(p for p in sys.path if p)])
    parent = subprocess.Popen([sys.executable, "-c", script, path], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    with parent.stdout:
        children = [int(word) for word in parent.stdout.readline().split()]
        assert len(children) == 2
        parent.kill()
        parent.wait()
    deadline = time.monotonic() + 20
    while any(_runs(pid) for pid in children):
        assert time.monotonic() < deadline, "a process outlived the host"
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
