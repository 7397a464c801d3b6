"""The host's processes: started with nothing on their command line, ended with their parent."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from workbench.host.apart import command

_BOOT = (
    "import os, pickle, sys\n"
    "n = int.from_bytes(os.read(0, 8), 'big'); b = b''\n"
    "while len(b) < n: b += os.read(0, n - len(b)) or exit(1)\n"
    "path, rest = pickle.loads(b); sys.path[:] = path\n"
    "from workbench.host.processes import _enter; _enter(rest)"
)


def start(
    entry: str,
    settings: Any,
    descriptors: tuple[int, ...],
    *,
    user: int | None = None,
    home: Path | None = None,
    network: bool = True,
) -> subprocess.Popen[bytes]:
    """Runs `entry` ("package.module:function") with settings in a process of its own.

    user: another one than this process's, with a home of its own; network: whether it keeps the
    machine's. The settings travel through a pipe: neither the command line nor the environment
    shows them. The process inherits the descriptors, and leaves when its parent does.
    """
    process = subprocess.Popen(
        command(_BOOT, user, network),
        stdin=subprocess.PIPE,
        pass_fds=descriptors,
        start_new_session=True,
        cwd=home,
        env=None if home is None else {**os.environ, "HOME": str(home)},
    )
    paths = [os.path.abspath(path) for path in sys.path]
    content = pickle.dumps((paths, pickle.dumps((entry, settings))))
    assert process.stdin is not None
    process.stdin.write(len(content).to_bytes(8, "big") + content)
    process.stdin.flush()
    return process


def _enter(content: bytes) -> None:
    import importlib
    import resource

    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a dump would hold weights and tokens
    raise_file_limit()
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    entry, settings = pickle.loads(content)
    module, _, function = entry.partition(":")
    getattr(importlib.import_module(module), function)(settings)


def _leave_with_parent() -> None:
    while os.read(0, 1):
        pass
    os._exit(0)


def raise_file_limit() -> None:
    """Lets this process have as many files open as its user may have at all."""
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def readable(reader: int, process: int) -> bool:
    """Whether the user of one process can read the memory map of another: found by trying, as that
    user, since what another user may not read keeps weights and tokens apart."""
    user = os.stat(f"/proc/{reader}").st_uid
    script = "import sys; open(f'/proc/{sys.argv[1]}/environ', 'rb').read()"
    tried = subprocess.run(
        [sys.executable, "-I", "-c", script, str(process)],
        user=user if user != os.getuid() else None,
        capture_output=True,
    )
    return tried.returncode == 0
