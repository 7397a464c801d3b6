"""A file system that is really full, and no descriptor left: clear answers, nothing lost."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gaming import RIGHT, Played, defined, playing
from tests.unit.host.conftest import Asker, Said
from workbench.access import Budget
from workbench.errors import DiskFull, LedgerDamaged, LedgerError
from workbench.findings import Finding
from workbench.game import verify
from workbench.ledger import Ledger, Run

ROOM = 12 << 20
"""Bytes of the small file system."""

FILED = Finding("It names metals.", 0.5).to_json()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, where root can mount one."""
    if os.getuid() != 0:
        pytest.skip("only root can mount a file system")
    place = tmp_path / "small"
    place.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={ROOM},mode=0755", "none", str(place)]
    made = subprocess.run(["mount", *options], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"no file system can be mounted here: {made.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def filled(place: Path) -> Path:
    """A file that takes all the room that is left."""
    file = place / "filler"
    with contextlib.suppress(OSError), file.open("wb", buffering=0) as out:
        while out.write(bytes(4096)):
            pass
    assert os.statvfs(place).f_bavail == 0
    return file


def until_refused(ask: Asker, path: str, document: Any, name: str) -> tuple[list[str], Said]:
    """Sends it under fresh keys until one is refused: the keys that were taken, and the refusal,
    whose key comes next."""
    taken: list[str] = []
    while True:
        key = f"{name}-{len(taken)}"
        said = ask(path, document, Idempotency_Key=key)
        if said.status != 200:
            return taken, said
        taken.append(key)
        assert len(taken) < 900, "it is never full"


def test_a_full_file_system_is_told_and_gone_on_from(small: Path) -> None:
    """Of calls and findings as many as are acknowledged are there, each once, when there is room
    again; the one that was refused is taken under its own key."""
    definition = defined(small, budget=Budget(samples=2_000))
    with playing(definition) as game:
        red = game.ask("red")
        said = {"conversations": [[{"role": "user", "content": "hello"}]], "max_new_tokens": 4}
        chat, keep = "/suspects/a/audit/chat", "/suspects/a/audit/findings"
        assert red(chat, said, Idempotency_Key="first").status == 200
        assert red(keep, FILED, Idempotency_Key="first").status == 200
        assert red("/suspects/a/submission", RIGHT, Idempotency_Key="first").status == 200
        filler = filled(small)
        kept, no_finding = until_refused(red, keep, FILED, "keep")
        asked, no_reply = until_refused(red, chat, said, "ask")
        for refusal in (no_finding, no_reply):
            assert (refusal.status, refusal.document["error"]["kind"]) == (503, "DiskFull")
            assert refusal.headers["retry-after"] == "1"
            assert str(small).encode() not in refusal.raw and b"sqlite" not in refusal.raw
        assert red("/game").status == 200, "what is only read is still read"
        assert len(red(keep).document) in (1 + len(kept), 2 + len(kept))
        filler.unlink()
        assert red(keep, FILED, Idempotency_Key=f"keep-{len(kept)}").status == 200
        assert red(chat, said, Idempotency_Key=f"ask-{len(asked)}").status == 200
        assert len(red(keep).document) == 2 + len(kept), "each once, whatever had to be sent again"
        meters = red("/suspects/a/audit/budget").document["budget"]["suspect"]
        assert meters["samples"]["used"] == 2 + len(asked), "charged once each, and nothing free"
        game.end(small / "game.tar")
    assert verify.problems((small / "game.tar").read_bytes()) == []
    assert Ledger(definition.state / "ledger.duckdb").verify()["status"] == "complete"


def test_a_kill_on_a_full_file_system_loses_nothing(small: Path) -> None:
    """The API dies while nothing can be written, and is back when there is room."""
    definition = defined(small)
    with playing(definition) as game:
        red = game.ask("red")
        assert red("/suspects/a/submission", RIGHT, Idempotency_Key="one").status == 200
        assert red("/suspects/a/audit/findings", FILED, Idempotency_Key="one").status == 200
        filler = filled(small)
        game.host.api.kill()
        time.sleep(1.0)
        filler.unlink()
        _wait(game)
        assert len(red("/suspects/a/submission").document["submissions"]) == 1
        assert len(red("/suspects/a/audit/findings").document) == 1
        assert red("/suspects/a/submission", RIGHT, Idempotency_Key="two").status == 200
        game.end(small / "game.tar")
    assert verify.problems((small / "game.tar").read_bytes()) == []


def _wait(game: Played) -> None:
    deadline = time.monotonic() + 60
    while True:
        with contextlib.suppress(OSError):
            if game.ask("red")("/game").status == 200:
                return
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_ledger_on_a_full_file_system_records_nothing_and_loses_nothing(small: Path) -> None:
    ledger = Ledger(small / "ledger.duckdb")
    ledger.record(Run("r-0", "g", "k0", "s", "t", 1, "ok"), [Finding("before", 0.5)])
    filler = filled(small)
    recorded = 0
    with pytest.raises(DiskFull, match=r"disk is full|No space left"):
        for recorded in range(1, 500):
            ledger.record(Run(f"r-{recorded}", "g", f"k{recorded}", "s", "t", 1, "ok"),
                          [Finding("x" * 50_000, 0.5)])  # fmt: skip
    filler.unlink()
    held = [run.id for run in ledger.runs()]
    assert held[:recorded] == [f"r-{n}" for n in range(recorded)], "what was acknowledged is there"
    ledger.record(Run("r-last", "g", "kl", "s", "t", 1, "ok"), [Finding("after", 0.5)])
    assert ledger.verify()["status"] == "complete"


def test_no_descriptor_left_is_a_pause_and_no_loss(tmp_path: Path) -> None:
    """The API may open a dozen files more, and twenty connections come that say nothing."""
    with playing(defined(tmp_path)) as game:
        red, path = game.ask("red"), "/suspects/a/audit/findings"
        assert red(path, FILED, Idempotency_Key="one").status == 200
        api, opened = game.host.api.pid, Path(f"/proc/{game.host.api.pid}/fd")
        before = resource.prlimit(api, resource.RLIMIT_NOFILE)
        most = len(list(opened.iterdir())) + 12
        resource.prlimit(api, resource.RLIMIT_NOFILE, (most, before[1]))
        with contextlib.ExitStack() as stack:
            for _ in range(20):
                line = socket.create_connection(("127.0.0.1", game.host.port), timeout=30)
                stack.enter_context(line)
            deadline = time.monotonic() + 4
            while len(list(opened.iterdir())) < most - 1:
                assert time.monotonic() < deadline, "there are descriptors left"
                time.sleep(0.01)
            with contextlib.suppress(OSError):  # it may take longer than this client waits
                assert red(path, FILED, Idempotency_Key="two").status in (200, 503)
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(api, resource.RLIMIT_NOFILE, before)
        _wait(game)
        assert red(path, FILED, Idempotency_Key="two").status == 200
        assert len(red(path).document) == 2


def test_a_ledger_without_a_descriptor_says_so_and_loses_nothing(tmp_path: Path) -> None:
    """Neither damaged nor gone: it is whole as soon as files can be opened again."""
    ledger = Ledger(tmp_path / "ledger.duckdb", patience_seconds=0.1)
    ledger.record(Run("r-0", "g", "k0", "s", "t", 1, "ok"), [Finding("before", 0.5)])
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    for spare in range(4):
        held: list[int] = []
        run = Run(f"r-{spare + 1}", "g", f"k{spare + 1}", "s", "t", 1, "ok")
        try:
            there = len(os.listdir("/proc/self/fd"))
            resource.setrlimit(resource.RLIMIT_NOFILE, (there + 20, before[1]))
            with contextlib.suppress(OSError):
                while True:
                    held.append(os.open(os.devnull, os.O_RDONLY))
            for _ in range(spare):
                os.close(held.pop())
            with pytest.raises(LedgerError, match=r"[Tt]oo many") as said:
                ledger.record(run)
            assert not isinstance(said.value, LedgerDamaged)
            assert str(tmp_path) not in said.value.message
        finally:
            for descriptor in held:
                os.close(descriptor)
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        ledger.record(run)
    assert [run.id for run in ledger.runs()] == [f"r-{n}" for n in range(5)]
    assert ledger.verify()["status"] == "complete"
