"""The host as a whole: a state directory, two sockets, and two processes that are kept alive."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType

from workbench.access import UNLIMITED, Access, Budget
from workbench.battery import Source
from workbench.config import artifacts_root
from workbench.errors import BadParameter, ConfigError, LedgerBusy, SuspectError
from workbench.host.api import ApiSettings
from workbench.host.processes import start
from workbench.host.store import Store
from workbench.host.verbs import SERVED
from workbench.host.worker import WorkerSettings

HOST = "127.0.0.1"
FAST_DEATHS_AT_MOST = 20
"""A process that dies this often in a row within a second of its start is given up."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


@dataclasses.dataclass(frozen=True, slots=True)
class Admission:
    """A client to admit: its access (None: all that is served) and its budget, for the suspect
    and, apart, for the reference. tokens: how many to issue; hours: how long they are valid."""

    name: str = "auditor"
    access: Access | None = None
    budget: Budget = UNLIMITED
    tokens: int = 1
    hours: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class HostSettings:
    """port: 0 takes a free one. state: where budgets, calls and the ledger live, kept across
    starts; None takes a directory that is deleted at the end. call_seconds: the most one call may
    compute. calls_per_second: per client, twice as many in a burst."""

    clients: tuple[Admission, ...] = (Admission(),)
    port: int = 0
    state: Path | None = None
    call_seconds: float = 300.0
    calls_per_second: float = 100.0


class Host:
    """Serves a suspect until it is left; a context manager.

    It owns both sockets, so that clients and calls wait while a process is started again. It holds
    neither the suspect nor the database open.
    """

    def __init__(self, source: Source, settings: HostSettings = HostSettings()) -> None:
        if not settings.clients:
            raise ConfigError("a host without clients", hint="Name one with --client.")
        for client in settings.clients:
            if not _NAME.fullmatch(client.name):
                raise BadParameter(
                    f"'{client.name}' is no name for a client",
                    hint="Use at most 40 lower-case letters, digits and -.",
                )
        self._source = source
        self._settings = settings
        self._over = threading.Event()
        self._changing = threading.Lock()
        self.tokens: dict[str, list[str]] = {}
        self.grants: dict[str, Access] = {}
        self.failure = ""

    def __enter__(self) -> Host:
        description = self._source.describe()
        granted = Access.parse(description["access"])  # type: ignore[arg-type]
        with contextlib.ExitStack() as stack:
            self._state = self._directory(stack)
            sockets = Path(tempfile.mkdtemp(prefix="wb-host-"))
            stack.callback(shutil.rmtree, sockets, ignore_errors=True)
            self._suspect = str(description["id"])
            self._admit(granted)
            self._listener = stack.enter_context(_tcp(self._settings.port))
            self.port = int(self._listener.getsockname()[1])
            self._worker_path = sockets / "worker"
            self._worker_listener = stack.enter_context(_unix(self._worker_path))
            self.worker = self._start_worker()
            self.api = self._start_api()
            stack.callback(self._end_processes)
            self._watcher = threading.Thread(target=self._watch, daemon=True)
            self._watcher.start()
            self._await_api()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def url(self) -> str:
        """Where the host is reached."""
        return f"http://{HOST}:{self.port}"

    @property
    def state(self) -> Path:
        """Where budgets, calls and the ledger live."""
        return self._state

    def wait(self) -> None:
        """Until the host is left; raises SuspectError when a process had to be given up."""
        self._over.wait()
        if self.failure:
            raise SuspectError(self.failure, hint="See what it printed above.")

    def _directory(self, stack: contextlib.ExitStack) -> Path:
        if self._settings.state is None:
            made = Path(tempfile.mkdtemp(prefix="wb-host-state-"))
            stack.callback(shutil.rmtree, made, ignore_errors=True)
            return made
        state = self._settings.state.resolve()
        try:
            state.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"{state}: {error.strerror}", hint="Give another --state directory."
            ) from None
        lock = os.open(state / "host.lock", os.O_RDWR | os.O_CREAT, 0o600)
        stack.callback(os.close, lock)
        try:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LedgerBusy(
                "another host runs on this state directory",
                hint="Stop it, or give another --state directory.",
            ) from None
        return state

    def _admit(self, granted: Access) -> None:
        store = Store(self._state / "host.sqlite")
        try:
            store.events()
            for client in self._settings.clients:
                served = granted & SERVED
                wanted = served if client.access is None else client.access
                if wanted & ~served:
                    beyond = wanted & ~served
                    raise ConfigError(
                        f"client '{client.name}' is to have {', '.join(beyond.names)}, which "
                        f"'{self._suspect}' does not grant or a host does not serve",
                        hint=f"Choose from: {', '.join(served.names) or 'nothing'}.",
                    )
                store.admit(client.name, wanted, client.budget)
                self.grants[client.name] = wanted
                expires = None if client.hours is None else time.time() + 3600 * client.hours
                self.tokens[client.name] = [
                    store.issue(client.name, expires=expires) for _ in range(client.tokens)
                ]
        finally:
            store.close()

    def _start_worker(self) -> subprocess.Popen[bytes]:
        settings = WorkerSettings(
            self._source,
            self._worker_listener.fileno(),
            (os.getuid(),),
            self._settings.call_seconds,
        )
        inherited = (self._worker_listener.fileno(),)
        return start("workbench.host.worker:main", settings, inherited)

    def _start_api(self) -> subprocess.Popen[bytes]:
        settings = ApiSettings(
            self._state,
            self._listener.fileno(),
            self._worker_path,
            self.url,
            self._suspect,
            artifacts_root(),
            self._settings.call_seconds,
            self._settings.calls_per_second,
        )
        return start("workbench.host.api:main", settings, (self._listener.fileno(),))

    def _watch(self) -> None:
        starts = {"worker": time.monotonic(), "api": time.monotonic()}
        deaths = dict.fromkeys(starts, 0)
        makers = {"worker": self._start_worker, "api": self._start_api}
        while not self._over.is_set():
            for name, make in makers.items():
                process: subprocess.Popen[bytes] = getattr(self, name)
                if process.poll() is None:
                    continue
                fast = time.monotonic() - starts[name] < 1.0
                deaths[name] = deaths[name] + 1 if fast else 0
                if deaths[name] > FAST_DEATHS_AT_MOST:
                    self.failure = f"the {name} process ends as soon as it starts"
                    self._over.set()
                    return
                with self._changing:
                    if self._over.is_set():
                        return
                    _close_pipe(process)
                    setattr(self, name, make())
                starts[name] = time.monotonic()
            self._over.wait(0.02)

    def _await_api(self) -> None:
        """Until the API answers; its socket takes connections from the start."""
        import http.client

        deadline = time.monotonic() + 60
        while not self._over.is_set() and time.monotonic() < deadline:
            connection = http.client.HTTPConnection(HOST, self.port, timeout=60)
            try:
                connection.request("GET", "/health")
                if connection.getresponse().status == 200:
                    return
            except OSError:
                time.sleep(0.05)
            finally:
                connection.close()
        raise SuspectError(
            self.failure or "the API process does not answer", hint="See what it printed above."
        )

    def _end_processes(self) -> None:
        with self._changing:
            self._over.set()
        for process in (self.api, self.worker):
            process.terminate()
        for process in (self.api, self.worker):
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            _close_pipe(process)


def _close_pipe(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()


def _tcp(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"port {port}: {reason}", hint="Give another --port.") from None
    listener.listen(1024)
    return listener


def _unix(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(256)
    return listener
