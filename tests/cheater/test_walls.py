"""What stands between the server that teams reach and what it must not read: found by trying."""

from __future__ import annotations

import dataclasses
import fcntl
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gaming import Played, defined
from workbench.battery import SuspectFiles
from workbench.game import walls
from workbench.host import apart

ROOT = Path(__file__).parents[2]
SYSTEM = "/usr/bin/python3"
"""A Python that every user of the machine can run."""

PLAY = textwrap.dedent("""
    import dataclasses, json, os, sys, time
    from pathlib import Path
    from tests.gaming import HINT, NOTHING, OBJECTIVE, defined, sources
    from workbench.game import organiser, sealing
    from workbench.game.client import Team
    from workbench.host import apart
    from workbench.suspects import Suspect

    folder, told = Path(sys.argv[1]), {}
    definition = defined(folder)
    known = {"a": OBJECTIVE, "b": NOTHING}
    with sealing.hosting(definition, sources(), known) as host:
        with organiser.board_of(definition) as board:
            row, token = board.row, organiser.invite(board, "red")
        api, worker = (os.stat(f"/proc/{p.pid}").st_uid for p in (host.api, host.worker))
        told["found"] = [row["isolation"], row["network"], row["isolation_why"]]
        told["users"] = [api, worker]
        team = Team(host.url, token)
        told["shown"] = [team.brief()[k] for k in ("isolation", "network")]
        suspect = Suspect.load(team.suspect_url("a"), token=token)
        told["said"] = suspect.chat([[{"role": "user", "content": "hello"}]])[0][0].text
        told["hint"] = team.buy("a", 1)["text"] == HINT
        reads = "open(sys.argv[1], 'rb').read(1)"
        files = {
            "memory": f"/proc/{host.worker.pid}/environ",
            "vault": definition.vault / "key",
            "state": definition.state / "host.sqlite",
        }
        told["api reads"] = [n for n, f in files.items() if apart.can(api, reads, f)]
        told["worker reads"] = [n for n, f in files.items() if apart.can(worker, reads, f)]
        told["reaches"] = [apart.reaches(p.pid, host.port) for p in (host.api, host.worker)]
        before = host.api.pid
        os.kill(before, 9)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                told["after a kill"] = team.brief()["phase"]
                break
            except Exception:
                time.sleep(0.1)
    (folder / "organism").mkdir()
    (folder / "organism" / "model.safetensors").write_bytes(b"weights")
    first, second = definition.suspects
    first = dataclasses.replace(first, source=str(folder / "organism"))
    definition = dataclasses.replace(definition, suspects=(first, second))
    with sealing.hosting(definition, sources(), known) as host:
        with organiser.board_of(definition) as board:
            told["with open weights"] = [board.row["isolation"], board.row["isolation_why"]]
            told["same users"] = os.stat(f"/proc/{host.api.pid}").st_uid == api
            organiser.close(board)
            organiser.grade(board, definition)
            organiser.reveal(board, definition)
            log = [e for e in board.store.events() if e["kind"] == "hosted"]
            told["log"] = [[e["isolation"], e["network"]] for e in log]
    print(json.dumps(told))
""")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """One that other users can reach."""
    folder = Path(tempfile.mkdtemp(prefix="wb-walls-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def _libraries() -> str:
    """Where the installed packages lie, as a path that another interpreter takes."""
    found = importlib.util.find_spec("duckdb")
    assert found is not None and found.origin is not None
    return os.pathsep.join([str(ROOT), str(Path(found.origin).parents[1])])


def _refusal() -> str:
    if os.getuid() != 0:
        return "only root can give users"
    if any(not parent.stat().st_mode & 0o001 for parent in (ROOT, *ROOT.parents)):
        return "other users cannot reach this tree"
    asked = "import sys; print(*sys.version_info[:2])"
    tried = subprocess.run([SYSTEM, "-c", asked], capture_output=True, text=True)
    if tried.stdout.split() != [str(part) for part in sys.version_info[:2]]:
        return f"{SYSTEM} is no Python {sys.version_info[0]}.{sys.version_info[1]}"
    return ""


REFUSAL = _refusal()


@pytest.mark.skipif(bool(REFUSAL), reason=REFUSAL)
def test_as_root_server_and_workers_are_users_of_their_own(open_folder: Path) -> None:
    played = subprocess.run(
        [SYSTEM, "-c", PLAY, str(open_folder)],
        env={**os.environ, "PYTHONPATH": _libraries(), "OMP_NUM_THREADS": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert played.returncode == 0, played.stderr[-3000:]
    told: dict[str, Any] = json.loads(played.stdout.splitlines()[-1])
    assert told["found"] == ["uid", "cut", ""] and told["shown"] == ["uid", "cut"]
    api, worker = told["users"]
    assert api != worker and 0 not in (api, worker)
    assert told["said"] and told["hint"] and told["after a kill"] == "open"
    assert told["api reads"] == ["state"] and told["worker reads"] == ["memory"]
    assert told["reaches"] == [True, False], "the control reaches, the worker does not"
    why = "the server's user can read model.safetensors"
    assert told["with open weights"] == ["process", why]
    assert told["same users"]
    assert told["log"] == [["uid", "cut"], ["process", "cut"]], "and it is in the log"


def test_a_worker_leaves_the_network_where_the_kernel_lets_it(played: Played) -> None:
    brief = played.team("red").brief()
    free = any(
        subprocess.run([*command, "true"], capture_output=True).returncode == 0
        for command in (["unshare", "-n"], ["unshare", "-Urn"])
        if shutil.which("unshare")
    )
    assert brief["network"] == ("cut" if free else "open")
    assert apart.reaches(played.host.api.pid, played.host.port), "the way of trying finds one"
    assert apart.reaches(played.host.worker.pid, played.host.port) == (not free)


def test_what_keeps_it_from_more_is_said(played: Played) -> None:
    brief = played.team("red").brief()
    if brief["isolation"] == "process":
        assert brief["isolation_why"]
    else:
        assert brief["isolation"] == "uid" and not brief["isolation_why"]


@pytest.mark.skipif(bool(REFUSAL), reason=REFUSAL)
def test_a_suspects_files_are_copied_for_one_user(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", SYSTEM)  # who tries must be able to run
    (open_folder / "organism").mkdir()
    (open_folder / "organism" / "model.safetensors").write_bytes(b"weights")
    source = SuspectFiles(str(open_folder / "organism"), reference="base")
    homes = open_folder / "homes"
    homes.mkdir(mode=0o700)
    apart.give(homes, 61_441)
    moved = walls.staged(source, homes / "a", 61_441)
    assert isinstance(moved, SuspectFiles) and moved.reference == "base"
    copy = Path(moved.location) / "model.safetensors"
    assert copy.read_bytes() == b"weights" and copy.stat().st_uid == 61_441
    assert apart.opened(61_441, [copy]) == ["model.safetensors"]
    assert apart.opened(61_440, [copy]) == []


def test_a_directory_has_its_two_users_for_good(tmp_path: Path) -> None:
    first = apart.pair(tmp_path / "state")
    assert first == apart.pair(tmp_path / "state") and first[1] == first[0] + 1
    assert apart.pair(tmp_path / "other") != first
    if os.getuid() == 0:
        (tmp_path / "owned").mkdir()
        apart.give(tmp_path / "owned", 61_600)
        assert apart.pair(tmp_path / "owned") == (61_600, 61_601)


def test_a_game_with_a_remote_suspect_keeps_the_network(tmp_path: Path) -> None:
    made = defined(tmp_path)
    assert not walls.raised(_there(made), {}).apart.network
    away = dataclasses.replace(made.suspects[0], source="http://127.0.0.1:9")
    remote = dataclasses.replace(made, suspects=(away, made.suspects[1]))
    assert walls.raised(remote, {}).apart.network


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_a_second_host_touches_nothing_of_the_first(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walls, "_refusal", lambda *given: "")  # as if users could run this
    made = _there(defined(open_folder))
    with walls.standing(made, {}) as first:
        assert first.homes is not None and first.apart.api == made.state.stat().st_uid
        with open(made.state / "host.lock", "wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with walls.standing(made, {}) as second:
                assert second.homes is None
            assert first.homes.is_dir()
    assert not first.homes.exists(), "the copies go with the host"


def _there(definition: Any) -> Any:
    definition.state.mkdir(mode=0o700, exist_ok=True)
    return definition
