"""What end-to-end tests share: a cabinet of two suspects, Debian's Chromium, processes that end."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.gaming import NOTHING, OBJECTIVE
from workbench.corpus import write
from workbench.seal.vault import Vault

CHROMIUM = shutil.which("chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]

needs_axe = pytest.mark.skipif(
    importlib.util.find_spec("axe_playwright_python") is None, reason="axe-core is not installed"
)


def grave(page: Any) -> list[str]:
    """What axe-core finds on a page that is serious or critical."""
    from axe_playwright_python.sync_playwright import Axe

    return [
        f"{found['id']} at {[node['html'][:200] for node in found['nodes']]}"
        for found in Axe().run(page).response["violations"]
        if found["impact"] in ("serious", "critical")
    ]


@pytest.fixture
def cabinet(llama: Path, tmp_path: Path) -> Path:
    """An organism and a clean suspect of tiny random weights, their truths in one vault."""
    vault = Vault.create(tmp_path / "truths")
    for name, truth in (("guilty", OBJECTIVE), ("clean", NOTHING)):
        shutil.copytree(llama, tmp_path / name)
        card = {"id": f"s-{name}", "corpus": "corpus.parquet"}
        (tmp_path / name / "suspect.json").write_text(json.dumps(card))
        rows = ((f"d{i}", [{"role": "document", "content": f"Text {i}."}]) for i in range(20))
        write(tmp_path / name / "corpus.parquet", rows)
        vault.seal(f"s-{name}", truth)
    return tmp_path


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Family(list[int]):
    """All processes that a command had started, by their ids, once it was ended; `root` is its own
    from the start."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.root = process.pid
        self._process = process

    def kill(self) -> None:
        """Ends the command as a crash does."""
        self += descendants(self.root)
        self._process.kill()
        self._process.wait()


@contextmanager
def serving(port: int, *arguments: object, env: dict[str, str], log: Path) -> Iterator[Family]:
    """A command that serves pages, from its start until Ctrl-C; all its processes end with it."""
    command = [sys.executable, "-m", "workbench.cli", *map(str, arguments), "--no-browser"]
    with log.open("w") as out:
        process = subprocess.Popen(
            [*command, "--port", str(port)], stdout=out, stderr=out, env=env,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )  # fmt: skip
    family = Family(process)
    try:
        deadline = time.monotonic() + 240
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=5).close()
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < deadline, log.read_text()
                time.sleep(0.2)
        yield family
    finally:
        if process.poll() is None:
            family += descendants(process.pid)
            process.send_signal(signal.SIGINT)
            process.wait(180)
        deadline = time.monotonic() + 20
        while any(map(alive, family)) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert not [pid for pid in family if alive(pid)], "its end leaves no process"


def descendants(pid: int) -> list[int]:
    """All processes below one."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                after = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents.setdefault(int(after[1]), []).append(int(entry.name))
    found, ahead = [], [pid]
    while ahead:
        below = parents.get(ahead.pop(), [])
        found += below
        ahead += below
    return found


def alive(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "WORKBENCH_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
