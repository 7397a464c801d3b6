"""The team's pages, as they are served: crowds, absurd frames, and restarts of both sides."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.e2e.conftest import environment, free_port, serving
from tests.gaming import Played, defined, playing
from workbench.access import Budget
from workbench.findings import Finding
from workbench.ui.serve import FRAME_MB

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.long
CROWD = 1_000
SOON = 2.0
"""Seconds within which the others are served."""


def browser_of(port: int, token: str) -> Any:
    """A session at the pages, as the load benchmark has it."""
    place = ROOT / "benchmarks" / "game_load.py"
    spec = importlib.util.spec_from_file_location("game_load", place)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Browser(port, token)


def line(port: int) -> Any:
    return connect(
        f"ws://127.0.0.1:{port}/_stcore/stream", subprotocols=["streamlit"],  # type: ignore[list-item]
        origin=f"http://127.0.0.1:{port}", max_size=None, open_timeout=60,  # type: ignore[arg-type]
    )  # fmt: skip


def healthy(port: int) -> float:
    """Seconds that the server takes to say that it is well."""
    begun = time.monotonic()
    urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=60).close()
    return time.monotonic() - begun


def resident(pid: int) -> int:
    """Bytes of memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture(scope="module")
def game(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    with playing(defined(tmp_path_factory.mktemp("game"), budget=Budget(samples=50))) as made:
        yield made


def test_a_crowd_and_an_absurd_frame_leave_the_others_alone(game: Played, tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "team.log"
    asked = ("game", "team", game.host.url)
    with serving(port, *asked, env=environment(tmp_path), log=log) as family:
        pid = family.root
        red = browser_of(port, game.tokens["red"])
        alone = max(red.open("board", {}), red.open("submit", {}))
        with contextlib.ExitStack() as stack:
            for _ in range(CROWD):
                stack.enter_context(line(port))
            assert healthy(port) < SOON
            assert red.open("board", {}) < SOON + alone and red.ended_well
            before = resident(pid)
            flood = stack.enter_context(line(port))
            with pytest.raises(ConnectionClosed) as closed:
                flood.send(bytes(200_000_000))
                flood.recv(timeout=60)
            assert closed.value.rcvd is None or closed.value.rcvd.code == 1009
            assert resident(pid) - before < 2 * FRAME_MB * 1_000_000
            assert red.open("submit", {}) < SOON + alone and red.ended_well
        red.close()
    assert "Traceback" not in log.read_text()


def test_a_team_goes_on_where_it_was_whatever_was_restarted(game: Played, tmp_path: Path) -> None:
    """Its pages are killed, and come back on their port; the API is killed under an open page."""
    port, red = free_port(), game.team("red")
    red.suppose("a", {"says": "zinnober"})
    red.keep("a", Finding("karmesin", 0.4))
    asked = ("game", "team", game.host.url)
    with serving(port, *asked, env=environment(tmp_path), log=tmp_path / "one.log") as first:
        page = browser_of(port, game.tokens["red"])
        page.open("board", {})
        assert page.ended_well and page.saw("zinnober") and page.saw("karmesin")
        first.kill()
    with serving(port, *asked, env=environment(tmp_path), log=tmp_path / "two.log"):
        page = browser_of(port, game.tokens["red"])
        page.open("board", {})
        assert page.ended_well and page.saw("zinnober") and page.saw("karmesin")
        os.kill(game.host.api.pid, signal.SIGKILL)
        page.open("findings", {})
        assert page.ended_well and page.saw("karmesin"), "the page waited for the server"
        page.open("board", {})
        assert page.ended_well and page.saw("zinnober")
        page.close()
