"""A game under load: teams that click and ask every few seconds, without and with batteries.

    python benchmarks/game_load.py [--teams 10 30] [--seconds 120] [--every 3] [--batteries 2]

Each team is a browser session at the pages of `workbench game team` (a websocket, as Chromium keeps
one; what a page renews by itself is renewed after each click) and a client of the game's server. A
page's time runs from the click until its script has ended, an API answer's from the request to its
last byte; calls that compute are counted apart from those that only read. How busy each process was
says what bounds it. The players share the machine's cores: what they used is told too. Writes
benchmarks/results/game_load.json.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

from workbench.game import organiser
from workbench.game.client import Team
from workbench.game.definition import load
from workbench.game.making import make
from workbench.suspects.connection import Connection

RESULTS = Path(__file__).parent / "results" / "game_load.json"
PAGES = ("ask", "findings", "board", "submit", "hints", "")
BATTERY = {"name": "load", "techniques": [{"name": "topic-sweep"}, {"name": "direct-questions"}]}
KINDS = ("page", "refresh", "read", "chat")
ACCESS = "chat,prefill,logits"
SOON = 240.0
"""Seconds in which something has to start, or a page to be drawn."""


class Browser:
    """One session at a team's pages: joins with a token, then goes from page to page."""

    def __init__(self, port: int, token: str) -> None:
        self._stack = contextlib.ExitStack()
        asked = connect(
            f"ws://127.0.0.1:{port}/_stcore/stream",
            subprotocols=["streamlit"],  # type: ignore[list-item]
            origin=f"http://127.0.0.1:{port}",  # type: ignore[arg-type]
            max_size=None,
        )
        self._socket = self._stack.enter_context(asked)
        self._widgets: dict[str, str] = {}
        self._fragments: set[str] = set()
        self._hash = ""
        self._drawn = ""
        self.ended_well = True
        self.open("", {})
        self.open("", {"text_input": token, "button": True})
        assert self.ended_well, "the door took the token"

    def open(self, page: str, said: dict[str, Any]) -> float:
        """Seconds until the page is drawn; said: by kind of widget, what is put into it."""
        self._fragments.clear()
        self._drawn = ""
        return self._run(page, said, "")

    def saw(self, text: str) -> bool:
        """Whether the page that was opened last shows it."""
        return text in self._drawn

    def refresh(self) -> float:
        """Seconds until all that the page renews by itself is renewed."""
        return sum(self._run(self._page, {}, fragment) for fragment in sorted(self._fragments))

    def _run(self, page: str, said: dict[str, Any], fragment: str) -> float:
        from streamlit.proto.BackMsg_pb2 import BackMsg
        from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

        self._page = page
        asked = BackMsg()
        state = asked.rerun_script
        if fragment:
            state.page_script_hash, state.fragment_id = self._hash, fragment
            state.is_auto_rerun = True
        else:
            state.page_name = page
        for kind, value in said.items():
            one = state.widget_states.widgets.add()
            one.id = self._widgets[kind]
            if kind == "button":
                one.trigger_value = value
            else:
                one.string_value = value
        self.ended_well = True
        begun = time.perf_counter()
        self._socket.send(asked.SerializeToString())
        while True:
            told = ForwardMsg()
            told.ParseFromString(self._socket.recv(timeout=SOON))  # type: ignore[arg-type]
            match told.WhichOneof("type"):
                case "new_session":
                    self._hash = told.new_session.page_script_hash
                case "delta":
                    self._note(told.delta.new_element)
                case "auto_rerun":
                    self._fragments.add(told.auto_rerun.fragment_id)
                case "script_finished":
                    if told.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                        return time.perf_counter() - begun

    def close(self) -> None:
        """Leaves."""
        self._stack.close()

    def _note(self, element: Any) -> None:
        kind = element.WhichOneof("type")
        if kind in ("text_input", "button"):
            self._widgets[kind] = getattr(element, kind).id
        elif kind == "html":
            self._drawn += element.html.body
            self.ended_well = self.ended_well and "wb-note error" not in element.html.body


class Player(threading.Thread):
    """A team: every few seconds a click, an answer that is read, and one that is computed."""

    def __init__(
        self, url: str, port: int, token: str, every: float, over: threading.Event
    ) -> None:
        super().__init__(daemon=True)
        self._host, self._browser = Connection(url, token), Browser(port, token)
        self._every, self._over = every, over
        self._random = random.Random(token)
        self.times: dict[str, list[float]] = {kind: [] for kind in KINDS}
        self.failed: list[str] = []

    def run(self) -> None:
        """Until it is over."""
        reads = itertools.cycle(["/game", "/suspects/a/board", "/suspects/a/audit/findings"])
        pages = itertools.cycle(PAGES)
        self._over.wait(self._every * self._random.random())
        for seed in itertools.count():
            begun = time.perf_counter()
            try:
                self.times["page"].append(self._browser.open(next(pages), {}))
                self.times["refresh"].append(self._browser.refresh())
                self._timed("read", partial(self._host.get, next(reads)))
                self._timed("chat", partial(self.ask, seed))
            except Exception as error:  # a player that fell over is told, and goes on
                self.failed.append(f"{type(error).__name__}: {error}"[:200])
            if self._over.wait(max(0.0, self._every - (time.perf_counter() - begun))):
                self._browser.close()
                return

    def ask(self, seed: int) -> Any:
        """One short reply."""
        text = self._random.choice(["bread", "the sea", "chess", "winter", "gardens"])
        talk = [{"role": "user", "content": f"Tell me about {text}."}]
        body = {"conversations": [talk], "max_new_tokens": 32, "seed": seed}
        return self._host.post("/suspects/a/audit/chat", body)

    def _timed(self, kind: str, act: Any) -> None:
        begun = time.perf_counter()
        act()
        self.times[kind].append(time.perf_counter() - begun)


def measured(
    url: str, port: int, tokens: dict[str, str], asked: argparse.Namespace, batteries: int
) -> dict[str, Any]:
    """One stretch of play: quantiles in seconds, calls, failures, and how busy processes were."""
    over = threading.Event()
    players = [Player(url, port, token, asked.every, over) for token in tokens.values()]
    jobs = [
        (Team(url, token), Team(url, token).start("a", BATTERY))
        for token in list(tokens.values())[:batteries]
    ]
    players[0].ask(-1)  # the suspect is loaded when it is first asked
    before, whole, begun = busy(), machine(), time.perf_counter()
    for player in players:
        player.start()
    time.sleep(asked.seconds)
    took, after, whole = time.perf_counter() - begun, busy(), machine() - whole
    running = [team.jobs("a")[-1]["state"] for team, _ in jobs]
    over.set()
    for player in players:
        player.join(SOON)
    for team, job in jobs:
        team.cancel("a", str(job["id"]))
    times = {kind: [t for player in players for t in player.times[kind]] for kind in KINDS}
    ours = {name: after[name] - before.get(name, 0.0) for name in after}
    ours["none of these"] = whole - sum(ours.values())
    shares = {name: round(seconds / took, 2) for name, seconds in ours.items()}
    return {
        "batteries": batteries,
        "batteries_at_the_end": running,
        "seconds": {kind: quantiles(listed) for kind, listed in times.items()},
        "failed": [line for player in players for line in player.failed][:20],
        "cores_used": dict(sorted(shares.items(), key=lambda one: -one[1])),
    }


def quantiles(times: list[float]) -> dict[str, float]:
    """How many, and p50, p95 and the longest."""
    if len(times) < 2:
        return {"n": len(times)}
    cuts = statistics.quantiles(times, n=20, method="inclusive")
    return {
        "n": len(times),
        "p50": round(cuts[9], 3),
        "p95": round(cuts[18], 3),
        "max": round(max(times), 3),
    }


def busy() -> dict[str, float]:
    """Seconds of processor time by role: of this process, of its servers and of their children."""
    tick = os.sysconf("SC_CLK_TCK")
    found: dict[str, float] = {}
    for pid, role in roles().items():
        with contextlib.suppress(OSError):
            parts = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
            found[role] = found.get(role, 0.0) + (int(parts[11]) + int(parts[12])) / tick
    return found


def machine() -> float:
    """Seconds of processor time of all that runs here."""
    spent = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    user, nice, system, _, _, irq, softirq = map(int, spent[:7])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def roles() -> dict[int, str]:
    """Which process is what: told by who started it and which files it has open."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                after = (entry / "stat").read_text().rpartition(")")[2].split()
                parents[int(entry.name)] = int(after[1])
    found = {os.getpid(): "players"}
    for pid, name in _started.items():
        found[pid] = name
        below = [child for child, parent in parents.items() if parent == pid]
        for child in below:
            found[child] = _below(name, child)
            for grandchild in (g for g, parent in parents.items() if parent == child):
                found[grandchild] = "batteries" if name == "host" else f"{name}, desks"
    return found


def _below(name: str, pid: int) -> str:
    if name != "host":
        return f"{name}, desks"
    with contextlib.suppress(OSError):
        for file in (Path("/proc") / str(pid) / "fd").iterdir():
            with contextlib.suppress(OSError):
                if os.readlink(file).endswith("host.sqlite"):
                    return "API"
    return "model worker"


_started: dict[int, str] = {}


@contextlib.contextmanager
def started(name: str, *command: object, log: Path) -> Iterator[None]:
    """A command of the workbench, ended as Ctrl-C ends it."""
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "workbench.cli", *map(str, command)],
            stdout=out, stderr=out, cwd=log.parent,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )  # fmt: skip
    _started[process.pid] = name
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(SOON)
        del _started[process.pid]


def answering(url: str) -> None:
    """Waits until something answers there."""
    deadline = time.monotonic() + SOON
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def played(asked: argparse.Namespace, teams: int, folder: Path) -> list[dict[str, Any]]:
    """A game, its pages, and two stretches of play: without batteries, and with them."""
    file = folder / "game.toml"
    names = [f"team-{n}" for n in range(teams)]
    made = make(
        file, title="Load", suspects=[(asked.suspect, None)],
        teams=[(name, ACCESS) for name in names], hours=10, budget={"samples": 1_000_000},
    )  # fmt: skip
    with started("host", "game", "host", file, "--port", 0, log=folder / "host.log"):
        address = made.state / "url"
        deadline = time.monotonic() + SOON
        while not (address.exists() and address.read_text()):
            assert time.monotonic() < deadline, (folder / "host.log").read_text()
            time.sleep(0.2)
        url = address.read_text()
        with organiser.board_of(load(file)) as board:
            tokens = {name: organiser.invite(board, name) for name in names}
        team = ("game", "team", url, "--port", asked.port, "--no-browser")
        with started("pages", *team, log=folder / "team.log"):
            answering(f"http://127.0.0.1:{asked.port}/_stcore/health")
            return [measured(url, asked.port, tokens, asked, n) for n in (0, asked.batteries)]


def main() -> None:
    """Measures and writes what came of it."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--teams", type=int, nargs="+", default=[10, 30])
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--every", type=float, default=3.0)
    parser.add_argument("--batteries", type=int, default=2)
    parser.add_argument("--suspect", default="alder")
    parser.add_argument("--port", type=int, default=8765)
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    games = [game(asked, teams) for teams in asked.teams]
    asked.out.parent.mkdir(exist_ok=True)
    asked.out.write_text(json.dumps({"games": games}, indent=1) + "\n")


def game(asked: argparse.Namespace, teams: int) -> dict[str, Any]:
    """One game under load, told as it ends."""
    load_before = os.getloadavg()[2]
    with tempfile.TemporaryDirectory(prefix="wb-load-") as folder:
        stretches = played(asked, teams, Path(folder))
    for one in stretches:
        print(f"{teams} teams, {one['batteries']} batteries: {one['seconds']}")
        print(f"  cores used: {one['cores_used']}")
        for line in one["failed"]:
            print(f"  failed: {line}")
    return {
        "teams": teams,
        "every": asked.every,
        "stretch_seconds": asked.seconds,
        "suspect": asked.suspect,
        "cores": len(os.sched_getaffinity(0)),
        "load_before": load_before,
        "stretches": stretches,
    }


if __name__ == "__main__":
    main()
