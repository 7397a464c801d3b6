"""What stands between suspects and the server that teams reach: put up as far as the machine lets
it, then found by trying.

As root, the server and the workers run as two users of their own; a suspect's files are copied to
where the workers' user alone reads them. Workers leave the network wherever the kernel lets them.
"""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from workbench.battery import Source, SuspectFiles
from workbench.game.definition import Definition
from workbench.host import Host
from workbench.host.apart import Apart, can, give, opened, pair, reaches
from workbench.host.processes import readable
from workbench.suspects.cabinet import CABINET, neighbours

_SERVES = "import workbench.game.server"
_LOADS = (
    "import workbench.host.worker, importlib.util; importlib.util.find_spec('torch') or exit(1)"
)
_ENTERS = "import os; os.access(sys.argv[1], os.R_OK | os.W_OK | os.X_OK) or exit(1)"


@dataclasses.dataclass(frozen=True, slots=True)
class Walls:
    """apart: the users and the network of the processes. homes: where the workers' user has its
    copies. why: what keeps them from being users of their own; empty where nothing does."""

    apart: Apart
    sources: Mapping[str, Source]
    homes: Path | None = None
    why: str = ""


@contextmanager
def standing(definition: Definition, sources: Mapping[str, Source]) -> Iterator[Walls]:
    """The walls of a game that is about to be hosted, `definition.state` being there already; the
    copies of its suspects go with them."""
    walls = raised(definition, sources)
    try:
        yield walls
    finally:
        if walls.homes is not None:
            shutil.rmtree(walls.homes, ignore_errors=True)


def raised(definition: Definition, sources: Mapping[str, Source]) -> Walls:
    """As `standing`, for the caller to take down."""
    remote = any(entry.source.startswith(("http://", "https://")) for entry in definition.suspects)
    if os.geteuid() != 0:
        return Walls(Apart(network=remote), sources, why="the host is not root")
    if _hosted(definition.state):  # it is refused in a moment: nothing of the other's is touched
        return Walls(Apart(network=remote), sources, why="another host runs")
    api, worker = pair(definition.state)
    homes = definition.state.with_name(f"{definition.state.name}.worker").resolve()
    homes.mkdir(mode=0o700, exist_ok=True)
    owner = definition.state.stat().st_uid
    give(definition.state, api)
    give(homes, worker)
    why = _refusal(definition, api, worker, homes)
    if why:
        give(definition.state, owner)
        shutil.rmtree(homes)
        return Walls(Apart(network=remote), sources, why=why)
    moved = {name: staged(source, homes / name, worker) for name, source in sources.items()}
    return Walls(Apart(api, worker, network=remote), moved, homes)


def _hosted(state: Path) -> bool:
    """Whether a host holds the lock of a state directory."""
    with suppress(FileNotFoundError), open(state / "host.lock", "rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _refusal(definition: Definition, api: int, worker: int, homes: Path) -> str:
    if not can(api, _SERVES) or not can(worker, _LOADS):
        return "another user cannot run this Python"
    if not can(api, _ENTERS, definition.state.resolve()) or not can(worker, _ENTERS, homes):
        return "another user cannot reach the state directory"
    return ""


def staged(source: Source, home: Path, user: int) -> Source:
    """A suspect whose directories, and those that their cards name by a path, are copied to where
    one user alone reads them; others are left where they are (bundled ones, those of a hub)."""
    if not isinstance(source, SuspectFiles):
        return source
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(mode=0o700)
    copies: dict[Path, Path] = {}
    parts: dict[str, str] = {}
    for part in ("location", "adapter", "reference", "reward"):
        given = getattr(source, part)
        if given is not None and Path(given).is_dir():
            parts[part] = str(_copy(Path(given), home, copies))
    give(home, user)
    return dataclasses.replace(source, **parts)


def _copy(given: Path, home: Path, copies: dict[Path, Path]) -> Path:
    """Where the copy of a directory lies, made where there is none; copies: those made so far."""
    there = given.resolve()
    if there not in copies:
        copies[there] = copy = home / str(len(copies))
        shutil.copytree(there, copy)
        named = {k: f"../{_copy(n, home, copies).name}" for k, n in neighbours(there).items()}
        if named:
            card = copy / "suspect.json"
            card.write_text(json.dumps(json.loads(card.read_bytes()) | named), encoding="utf-8")
    return copies[there]


def reached(host: Host, definition: Definition, walls: Walls) -> tuple[str, str, str]:
    """Isolation, whether the workers' network is "cut" or "open", and what it fails on.

    "none" where server and worker are one process; "uid" where the server's user can read neither
    the worker's memory nor the suspects' files nor the vault; else "process".
    """
    api, worker = host.api.pid, host.worker.pid
    network = "open" if reaches(worker, host.port) else "cut"
    if api == worker or worker == os.getpid():
        return "none", network, "one process holds all"
    if readable(api, worker):
        return "process", network, walls.why or "the server's user reads the worker's memory"
    found = opened(os.stat(f"/proc/{api}").st_uid, _secrets(definition))
    if found:
        return "process", network, f"the server's user can read {', '.join(found[:3])}"
    return "uid", network, ""


def _secrets(definition: Definition) -> Iterator[Path]:
    """Files that the server's user must not read."""
    for entry in definition.suspects:
        for given in (entry.source, entry.adapter):
            for folder in () if given is None else {Path(given).resolve(), CABINET / given}:
                yield from sorted(folder.glob("*.safetensors"))[:1]
    for vault in {definition.vault, *(e.vault for e in definition.suspects if e.vault)}:
        yield from sorted(vault.resolve().glob("key"))
    yield definition.file.resolve()
