"""Hosts for tests: whole ones, in processes of their own, always shut down."""

from __future__ import annotations

import http.client
import importlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from workbench.access import Access, Budget
from workbench.corpus import write
from workbench.host import Admission, Host, HostSettings

PLUGINS = str(Path(__file__).parent / "plugins")
HELLO = [[{"role": "user", "content": "hello there"}]]


class Said(NamedTuple):
    """What a host answered."""

    status: int
    document: Any
    raw: bytes
    headers: dict[str, str]


class Asker:
    """Sends whatever it is told, as no client of ours would."""

    def __init__(self, port: int, token: str | None) -> None:
        self.port, self.token = port, token

    def __call__(
        self,
        path: str,
        document: Any = None,
        *,
        raw: bytes | None = None,
        method: str | None = None,
        **headers: str,
    ) -> Said:
        body = raw if raw is not None or document is None else json.dumps(document).encode()
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token is not None:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method or ("GET" if body is None else "POST"), path, body, sent)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        try:
            made = json.loads(content)
        except ValueError:
            made = None
        return Said(response.status, made, content, dict(response.getheaders()))


@pytest.fixture(scope="session")
def suspects() -> Iterator[Any]:
    """The plugin module; its folder is on the path of this process and of those it starts."""
    sys.path.insert(0, PLUGINS)
    yield importlib.import_module("host_suspects")
    sys.path.remove(PLUGINS)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "corpus.parquet"
    write(path, ((f"d{i}", [{"role": "document", "content": f"text {i}"}]) for i in range(10)))
    return path


@pytest.fixture(scope="session")
def source(suspects: Any, corpus: Path) -> Any:
    return suspects.Scripted(str(corpus))


@pytest.fixture(scope="session")
def host(source: Any) -> Iterator[Host]:
    """One host for all that spares it: an auditor with everything and others with less."""
    settings = HostSettings(
        (
            Admission("auditor"),
            Admission("chatter", Access.CHAT),
            Admission("gambler", budget=Budget(samples=50), tokens=4),
            Admission("poor", budget=Budget(samples=3, tokens=60, forward_passes=2, documents=7)),
            Admission("lender", budget=Budget(samples=3)),
            Admission("late", hours=1e-9),
        ),
        calls_per_second=10_000,
    )
    with Host(source, settings) as running:
        yield running


@pytest.fixture
def ask(host: Host) -> Callable[..., Said]:
    """As the auditor."""
    return Asker(host.port, host.tokens["auditor"][0])
