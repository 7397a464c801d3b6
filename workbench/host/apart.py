"""Users and a network of their own for the host's processes, as far as the machine gives them.

Only root can give another user; a network of its own also where the kernel lets everybody have one.
Whether it came to that is not taken for granted: `reaches` and `readable` try.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

FIRST_USER, PAIRS = 61_440, 2_000
"""Numbers that no distribution gives to people or services; two for each state directory."""

STEP = """
import ctypes, os, sys
user, cut, boot = sys.argv[1:]
if cut:
    here, libc = (os.getuid(), os.getgid()), ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x40000000) and not libc.unshare(0x40000000 | 0x10000000):
        for name, line in ("setgroups", "deny"), ("uid_map", here[0]), ("gid_map", here[1]):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(line if name == "setgroups" else f"{line} {line} 1")
if user:
    os.setgroups([]); os.setgid(int(user)); os.setuid(int(user))
os.execv(sys.executable, [sys.executable, "-P", "-c", boot])
"""
"""Leaves the network, then the user, and begins anew: what comes after never had more."""


@dataclasses.dataclass(frozen=True, slots=True)
class Apart:
    """api, worker: the users of the API and of the model workers; None: the host's own. network:
    whether workers keep the machine's network."""

    api: int | None = None
    worker: int | None = None
    network: bool = True


TOGETHER = Apart()
"""All as one user, with the machine's network."""


def command(boot: str, user: int | None, network: bool) -> list[str]:
    """Runs `boot` as a user, with or without a network."""
    if user is None and network:
        return [sys.executable, "-P", "-c", boot]
    given = ["" if user is None else str(user), "" if network else "cut"]
    return [sys.executable, "-P", "-c", STEP, *given, boot]


def pair(state: Path) -> tuple[int, int]:
    """Two users for the host of a state directory: those that own it already, else two that own no
    process; the same ones for the same directory."""
    if state.exists():
        owner = state.stat().st_uid
        if FIRST_USER <= owner < FIRST_USER + 2 * PAIRS:
            return owner, owner + 1
    taken = set()
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            taken.add(entry.stat().st_uid)
    first = int.from_bytes(hashlib.sha256(str(state.resolve()).encode()).digest()[:4], "big")
    for step in range(PAIRS):
        user = FIRST_USER + 2 * ((first + step) % PAIRS)
        if not {user, user + 1} & taken:
            return user, user + 1
    return FIRST_USER, FIRST_USER + 1


def give(path: Path, user: int) -> None:
    """Makes a file, or a directory with all in it, a user's own."""
    os.chown(path, user, user)
    if path.is_dir() and not path.is_symlink():
        for folder, folders, files in os.walk(path):
            for name in (*folders, *files):
                os.chown(Path(folder) / name, user, user, follow_symlinks=False)


def can(user: int | None, script: str, *arguments: object) -> bool:
    """Whether a script ends well as a user, in `/` and with this process's modules at hand."""
    paths = [os.path.abspath(path) for path in sys.path]
    whole = f"import sys; sys.path[:] = {paths!r}; {script}"
    try:
        tried = subprocess.run(
            [sys.executable, "-P", "-c", whole, *map(str, arguments)],
            user=user,
            group=user,
            extra_groups=None if user is None else [],
            cwd="/",
            env={"HOME": "/"},
            capture_output=True,
        )
    except OSError:
        return False
    return tried.returncode == 0


def opened(user: int | None, files: Iterable[Path]) -> list[str]:
    """The names of those files that a user can read, found by trying."""
    script = "open(sys.argv[1], 'rb').read(1)"
    return [file.name for file in files if can(user, script, file)]


def reaches(process: int, port: int) -> bool:
    """Whether a process's network reaches a port of this machine: tried from within that network,
    where this user may go there, else told by whether it is another one."""
    script = (
        "import ctypes, os, socket; libc = ctypes.CDLL(None, use_errno=True); "
        "there = os.open(f'/proc/{sys.argv[1]}/ns/net', os.O_RDONLY); "
        "libc.setns(there, 0) and exit(3); "
        "socket.create_connection(('127.0.0.1', int(sys.argv[2])), 3)"
    )
    tried = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; {script}", str(process), str(port)],
        capture_output=True,
    )
    if tried.returncode == 3:
        return os.readlink(f"/proc/{process}/ns/net") == os.readlink("/proc/self/ns/net")
    return tried.returncode == 0
