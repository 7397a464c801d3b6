"""The host as a whole: a state directory, two sockets, and two processes that are kept alive."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import functools
import http.client
import os
import re
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from workbench.access import UNLIMITED, Access, Budget
from workbench.battery import Source
from workbench.errors import BadParameter, ConfigError, LedgerBusy, SuspectError, WorkbenchError
from workbench.host.apart import TOGETHER, Apart, give
from workbench.host.api import ApiSettings
from workbench.host.link import Ended, Link, Question
from workbench.host.processes import start
from workbench.host.records import SEAT
from workbench.host.store import Store
from workbench.host.upkeep import Process, Upkeep
from workbench.host.verbs import SERVED
from workbench.host.worker import WorkerSettings

HOST = "127.0.0.1"
START_SECONDS = 120.0
"""How long both processes together may take to answer for the first time."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


@dataclasses.dataclass(frozen=True, slots=True)
class Admission:
    """A client to admit: its access (None: all that is served) and its budget, for the suspect
    and, apart, for the reference. tokens: how many to issue; hours: how long they are valid.
    chosen: a token of one's own instead of one that is issued. suspect: which one, where the host
    serves several; a team may have a seat at each."""

    name: str = "auditor"
    access: Access | None = None
    budget: Budget = UNLIMITED
    tokens: int = 1
    hours: float | None = None
    suspect: str = ""
    chosen: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class HostSettings:
    """port: 0 takes a free one. state: where budgets, calls and the ledger live, kept across
    starts; None takes a directory that is deleted at the end. call_seconds: the most one call may
    compute. calls_per_second: per client, twice as many in a burst. api: what the API process
    runs, "package.module:function" on ApiSettings. ledger: one that the command line writes too,
    locked only while something is written; None is the state directory's own. anyone: the client
    for whom requests without a known token count at the OpenAI door. apart: users and network of
    the processes; homes: a directory of the workers' user, where it has one."""

    clients: tuple[Admission, ...] = (Admission(),)
    port: int = 0
    state: Path | None = None
    call_seconds: float = 300.0
    calls_per_second: float = 100.0
    api: str = "workbench.host.api:main"
    ledger: Path | None = None
    anyone: str = ""
    apart: Apart = TOGETHER
    homes: Path | None = None


class Host:
    """Serves a suspect, or several by name, until it is left; a context manager.

    It owns both sockets, so that clients and calls wait while a process is started again. It holds
    neither the suspect nor the database open.
    """

    def __init__(
        self, source: Source | Mapping[str, Source], settings: HostSettings = HostSettings()
    ) -> None:
        if not hasattr(socket, "SO_PEERCRED"):
            raise ConfigError(
                "this system does not say who is at the other end of a Unix socket",
                hint="Run the host on Linux; its clients run anywhere.",
            )
        if not settings.clients:
            raise ConfigError("a host without clients", hint="Name one with --client.")
        for client in settings.clients:
            if not _NAME.fullmatch(client.name):
                raise BadParameter(
                    f"'{client.name}' is no name for a client",
                    hint="Use at most 40 lower-case letters, digits and -.",
                )
        self._sources = source if isinstance(source, Mapping) else {"": source}
        self._settings = settings
        self.tokens: dict[str, list[str]] = {}
        self.grants: dict[str, Access] = {}

    def __enter__(self) -> Host:
        described = {name: source.describe() for name, source in self._sources.items()}
        self._ids = {name: str(one["id"]) for name, one in described.items()}
        with contextlib.ExitStack() as stack:
            self._state = self._directory(stack)
            sockets = Path(tempfile.mkdtemp(prefix="wb-host-"))
            stack.callback(shutil.rmtree, sockets, ignore_errors=True)
            self._admit(
                {n: Access.parse(one["access"]) for n, one in described.items()}  # type: ignore[arg-type]
            )
            self._listener = stack.enter_context(_tcp(self._settings.port))
            self.port = int(self._listener.getsockname()[1])
            if (api := self._settings.apart.api) is not None:
                give(self._state, api)
                give(sockets, api)
            self._paths = {name: sockets / f"worker-{i}" for i, name in enumerate(self._sources)}
            self._listeners = {n: stack.enter_context(_unix(p)) for n, p in self._paths.items()}
            if api is not None:
                give(sockets, api)
            workers = {
                _worker(name): functools.partial(self._start_worker, name) for name in self._sources
            }
            self._upkeep = Upkeep({**workers, "api": self._start_api})
            stack.callback(self._upkeep.stop)
            self._upkeep.start()
            self._await_answers()
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
    def model(self) -> str:
        """The public id of the suspect; of the first where there are several."""
        return next(iter(self._ids.values()))

    @property
    def api(self) -> Process:
        """The API process that runs now."""
        return self._upkeep.process("api")

    @property
    def worker(self) -> Process:
        """The model worker that runs now; that of the first suspect where there are several."""
        return self._upkeep.process(_worker(next(iter(self._sources))))

    @property
    def state(self) -> Path:
        """Where budgets, calls and the ledger live."""
        return self._state

    def wait(self) -> None:
        """Until the host is left from another thread, or a signal interrupts."""
        self._upkeep.over.wait()

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
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LedgerBusy(
                "another host runs on this state directory",
                hint="Stop it, or give another --state directory.",
            ) from None
        return state

    def _admit(self, granted: Mapping[str, Access]) -> None:
        store = Store(self._state / "host.sqlite")
        try:
            store.check()
            for client in self._settings.clients:
                if client.suspect not in granted:
                    raise ConfigError(
                        f"client '{client.name}' is to have '{client.suspect}', which is not here",
                        hint=f"Choose from: {', '.join(granted)}.",
                    )
                served = granted[client.suspect] & SERVED
                wanted = served if client.access is None else client.access
                if wanted & ~served:
                    beyond = wanted & ~served
                    raise ConfigError(
                        f"client '{client.name}' is to have {', '.join(beyond.names)}, which "
                        f"'{self._ids[client.suspect]}' does not grant or a host does not serve",
                        hint=f"Choose from: {', '.join(served.names) or 'nothing'}.",
                    )
                name = client.name
                if client.suspect:
                    store.enroll(name)
                    name = f"{name}{SEAT}{client.suspect}"
                store.admit(name, wanted, client.budget)
                self.grants[name] = wanted
                if client.chosen:
                    store.adopt(client.name, client.chosen)
                    self.tokens.setdefault(client.name, []).append(client.chosen)
                    continue
                expires = None if client.hours is None else time.time() + 3600 * client.hours
                self.tokens.setdefault(client.name, []).extend(
                    store.issue(client.name, expires=expires) for _ in range(client.tokens)
                )
        finally:
            store.close()

    def _start_worker(self, name: str) -> Process:
        apart = self._settings.apart
        settings = WorkerSettings(
            self._sources[name],
            self._listeners[name].fileno(),
            (os.getuid(), os.getuid() if apart.api is None else apart.api),
            self._settings.call_seconds,
        )
        inherited = (self._listeners[name].fileno(),)
        return start(
            "workbench.host.worker:main",
            settings,
            inherited,
            user=apart.worker,
            home=None if apart.worker is None else self._settings.homes,
            network=apart.network,
        )

    def _start_api(self) -> Process:
        settings = ApiSettings(
            self._state,
            self._listener.fileno(),
            {name: (path, self._ids[name]) for name, path in self._paths.items()},
            self.url,
            self._settings.call_seconds,
            self._settings.calls_per_second,
            self._settings.ledger and self._settings.ledger.resolve(),
            self._settings.anyone,
        )
        api = self._settings.apart.api
        home = None if api is None else self._state
        return start(self._settings.api, settings, (self._listener.fileno(),), user=api, home=home)

    def _await_answers(self) -> None:
        """Until API and workers have answered; their sockets take connections from the start."""
        first: list[BaseException | None] = []
        threading.Thread(target=self._ask_both, args=(first,), daemon=True).start()
        deadline = time.monotonic() + START_SECONDS
        while not first and not self._upkeep.over.is_set() and time.monotonic() < deadline:
            time.sleep(0.01)
        if first and first[0] is None:
            self._upkeep.proven()
            return
        if first and isinstance(first[0], WorkbenchError):
            raise first[0]
        raise SuspectError(
            self._upkeep.failure or f"the host does not answer within {START_SECONDS:.0f} s",
            hint="See what it printed above.",
        )

    def _ask_both(self, first: list[BaseException | None]) -> None:
        """Notes what came of asking: nothing, or the error."""
        try:
            errors = []
            for path in self._paths.values():
                ended = Ended()
                link = Link(path, self._settings.call_seconds)
                link.document(Question("suspect", "suspect", Access.NONE, {}, {}), ended)
                errors += [] if ended.error is None else [ended.error]
            connection = http.client.HTTPConnection(HOST, self.port, timeout=START_SECONDS)
            with contextlib.closing(connection):
                connection.request("GET", "/health")
                connection.getresponse().read()
            first.append(errors[0] if errors else None)
        except (WorkbenchError, OSError, http.client.HTTPException) as error:
            first.append(error)


def _worker(suspect: str) -> str:
    return f"worker {suspect}".rstrip()


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
    try:
        listener.bind(str(path))
    except OSError as error:
        listener.close()
        raise ConfigError(f"{path}: {error}", hint="Set TMPDIR to a shorter path.") from None
    path.chmod(0o600)
    listener.listen(256)
    return listener
