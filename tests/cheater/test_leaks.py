"""A canary in the seal is found nowhere that a team can read, before the reveal."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cheater.conftest import found, planted
from tests.gaming import (
    CANARY,
    CAUSE_CANARY,
    RIGHT,
    Played,
    defined,
    hand_in,
    playing,
    sealed,
)
from tests.hosting import hosted
from tests.unit.host.conftest import Asker, Said
from workbench.errors import SuspectError
from workbench.game import organiser
from workbench.host.verbs import VERBS
from workbench.suspects import Suspect

CANARIES = (CANARY, CAUSE_CANARY)
OTHER_METHODS = ("PUT", "DELETE", "PATCH", "HEAD", "OPTIONS")
ROOT = os.getuid() == 0


def leaks(content: bytes) -> list[str]:
    return [how for word in CANARIES for how in found(content, word)]


def test_the_scan_finds_a_planted_canary_in_every_encoding() -> None:
    for word in CANARIES:
        for name, content in planted(word).items():
            assert name in found(content, word), name
            assert name == "gzip" or not found(content.replace(b"\0", b"hay, "), word[::-1] * 2)
    assert not leaks(b"all kinds of hay" * 100)


def routes() -> Iterator[str]:
    audit = [verb.path for verb in VERBS.values()]
    audit += ["/audit/budget", "/audit/saes", "/audit/findings", "/audit/jobs", "/audit/jobs/j-1"]
    audit += ["/audit/jobs/j-1/findings", "/audit/jobs/j-1/cancel", "/submission", "/board"]
    audit += ["/hints", "/explanation"]
    audit += ["/v1/models", "/v1/models/speaker", "/v1/chat/completions", "/v1/completions", "/v1/"]
    yield from (f"/suspects/{name}{path}" for name in ("a", "b", "c") for path in audit)
    yield from audit
    yield from ("/game", "/game/join", "/game/done", "/game/scores", "/game/reveal")
    yield from ("/openapi.json", "/health")
    yield from ("/game/grade", "/game/seal", "/game/truth", "/game/invite", "/game/close")
    yield from (
        "/",
        "/docs",
        "/suspects",
        "/suspects/a",
        "/suspects/a/../b",
        "/media",
        "/app/static",
    )
    yield from ("/%2e%2e/%2e%2e/etc/passwd", "/suspects/..%2f..%2fgame.vault/audit/suspect")


BODIES: dict[str, Any] = {
    "/audit/chat": {"conversations": [[{"role": "user", "content": "hello"}]]},
    "/audit/complete": {"prompts": ["hello"]},
    "/audit/logprobs": {"texts": ["hello"]},
    "/audit/activations": {"texts": ["hello"], "hook_names": ["blocks.0.hook_out"]},
    "/audit/corpus/batch": {"start": 0, "rows": 5},
    "/audit/corpus/rows": {"ids": ["d1"]},
    "/audit/reward": {"conversations": [[{"role": "user", "content": "hello"}]]},
    "/audit/render": {"conversation": [{"role": "user", "content": "hello"}]},
    "/audit/count": {"texts": ["hello"]},
    "/audit/strings": {"token_ids": [1]},
    "/audit/findings": {"claim": "x", "confidence": 0.5, "evidence": []},
    "/audit/jobs": {"techniques": [{"name": "prefill"}]},
    "/board": {"says": "x"},
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "hello"}]},
    "/v1/completions": {"prompt": "hello", "logprobs": 1},
}


def crawl(game: Played) -> Iterator[tuple[str, Said]]:
    """Each route, by each method, in each role: with its right body, with none, with nonsense."""
    roles = (None, "red", "blue", "green")
    asked = [
        *itertools.product(roles, ("GET", "POST"), routes()),
        *itertools.product(("red",), OTHER_METHODS, routes()),
    ]
    for role, method, path in asked:
        ask = game.ask(role)
        bodies: list[bytes | None] = [None]
        if method == "POST":
            right = next((body for end, body in BODIES.items() if path.endswith(end)), None)
            bodies = [json.dumps(right).encode(), b"{"] if right else [b"{}"]
        for body in bodies:
            yield f"{role} {method} {path}", ask(path, raw=body, method=method)


def test_a_crawler_finds_no_canary_in_any_answer(played: Played) -> None:
    with played.board() as board:
        hand_in(board, "red", "a", RIGHT)
    count = served = 0
    for what, said in crawl(played):
        whole = said.raw + json.dumps(said.headers).encode()
        assert leaks(whole) == [], what
        assert b"Traceback" not in whole and b".py" not in said.raw, what
        assert str(played.definition.state).encode() not in whole, what
        assert said.status < 500, (what, said)
        count += 1
        served += said.status == 200
    assert count > 1_000 and served > 60


def test_answers_name_the_suspect_as_the_game_does(played: Played) -> None:
    """Neither its own id nor a hash that can be looked up; the same for the reference."""
    own = Suspect.load(played.team("red").suspect_url("a"), token=played.tokens["red"])
    hidden = set(_true_parts().values()) - {None, "Mirel", "float32", "cpu"}
    assert own.id == "a" and own.reference.id == "a-reference"
    assert not hidden & set(own.fingerprint().values())
    assert not hidden & set(own.reference.fingerprint().values())
    said = played.ask("red")("/suspects/a/audit/suspect").raw
    assert b"speaker" not in said and b"scripted" not in said


def _true_parts() -> dict[str, Any]:
    from tests.gaming import sources

    return {**sources()["a"].load().fingerprint(), "id": "speaker"}


def files_under(*folders: Path) -> Iterator[tuple[str, bytes]]:
    for folder in folders:
        for file in folder.rglob("*"):
            yield str(file), file.name.encode()
            if file.is_file():
                yield str(file), file.read_bytes()


def test_no_file_of_the_game_holds_it_before_the_reveal(tmp_path: Path, corpus: Path) -> None:
    """State, ledger, logs, artifacts and seal: after play, a kill -9, the close and the grade."""
    definition = defined(tmp_path)
    with playing(definition, corpus) as game:
        red = game.team("red")
        red.join()
        suspect = Suspect.load(red.suspect_url("a"), token=game.tokens["red"])
        suspect.chat([[{"role": "user", "content": "hello"}]])
        game.ask("red")("/suspects/a/audit/findings", BODIES["/audit/findings"])
        red.submit("a", {**RIGHT, "root_cause": "reward models like it"})
        os.kill(game.host.api.pid, 9)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                red.brief()
                break
            except Exception:
                time.sleep(0.1)
        everything = list(files_under(definition.state, definition.vault))
        assert len(everything) > 10
        for name, content in everything:
            assert leaks(content) == [], name
        with game.board() as board:
            organiser.close(board)
            organiser.grade(board, definition)
        for name, content in files_under(definition.state, definition.vault):
            assert leaks(content) == [], name
        with game.board() as board:
            organiser.reveal(board, definition)
        revealed = [leaks(content) for _, content in files_under(definition.state)]
        assert any(revealed), "the scan looks where the truth would lie"


READER = textwrap.dedent("""
    import json, os, sys
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
    read, listed = [], 0
    for root in sys.argv[1:]:
        for folder, _, names in os.walk(root):
            for name in names:
                listed += 1
                try:
                    open(os.path.join(folder, name), "rb").read(1)
                    read.append(name)
                except OSError:
                    pass
    print(json.dumps([listed, read]))
""")


@pytest.mark.skipif(not ROOT, reason="only root can become another user")
def test_another_user_reads_no_file_of_the_game(tmp_path_factory: pytest.TempPathFactory) -> None:
    """In a folder that is open to all: the modes of the game's own directories are the wall."""
    import shutil
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="wb-open-"))
    try:
        folder.chmod(0o755)
        with sealed(folder) as (definition, board):
            hand_in(board, "red", "a", RIGHT)
            (folder / "control").write_text("for all")
            (folder / "control").chmod(0o644)
            out = subprocess.run(
                [sys.executable, "-I", "-S", "-c", READER, str(folder)],
                capture_output=True, text=True, timeout=60, cwd="/",
            )  # fmt: skip
            assert out.returncode == 0, out.stderr
            assert json.loads(out.stdout)[1] == ["control"]
            assert definition.vault.is_dir()
    finally:
        shutil.rmtree(folder)


PRYING = textwrap.dedent("""
    import json, os, sys
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
    got = {}
    for pid in sys.argv[1:]:
        for part in ("environ", "mem", "maps", "fd", "cmdline"):
            path = f"/proc/{pid}/{part}"
            try:
                file = os.listdir(path) if part == "fd" else open(path, "rb").read(4096)
                got[part] = file if part == "fd" else file.decode()
            except OSError as error:
                got[part] = type(error).__name__
        print(json.dumps(got))
""")


@pytest.mark.skipif(not ROOT, reason="only root can become another user")
def test_another_user_reads_no_process_of_the_game(played: Played) -> None:
    pids = [str(played.host.api.pid), str(played.host.worker.pid), str(os.getpid())]
    out = subprocess.run(
        [sys.executable, "-I", "-S", "-c", PRYING, *pids[:2]],
        capture_output=True, text=True, timeout=60, cwd="/",
    )  # fmt: skip
    assert out.returncode == 0, out.stderr
    for line in out.stdout.splitlines():
        got = json.loads(line)
        assert {got[part] for part in ("environ", "mem", "maps", "fd")} == {"PermissionError"}
        assert leaks(got["cmdline"].encode()) == []
        assert not any(token in got["cmdline"] for token in played.tokens.values())


def test_an_exception_in_a_move_tells_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The client hears a number; the host's own log, which is its owner's alone, knows more."""
    from tests.gaming import sources
    from workbench.host.api import Move

    def failing(*anything: Any) -> Any:
        raise RuntimeError(CANARY)

    moves = [
        Move("/game", "game", failing),
        Move("/game/join", "join", failing, writes=True),
    ]
    suspect = sources()["a"].load()
    with hosted(suspect, tmp_path, moves=moves) as inside:
        ask = Asker(inside.port, inside.token)
        monkeypatch.setattr("workbench.host.calls.Calls.answer", failing)
        for said in (
            ask("/game"),
            ask("/game/join", {}),
            ask("/audit/chat", BODIES["/audit/chat"]),
        ):
            assert said.status == 500 and leaks(said.raw) == []
            assert said.document["error"]["kind"] == SuspectError.__name__
            number = said.document["error"]["message"].split()[-1]
            assert number in (tmp_path / "errors.log").read_text()
        assert (tmp_path / "errors.log").stat().st_mode & 0o077 == 0
    told = capfd.readouterr()
    assert leaks((told.out + told.err).encode()) == []


def test_a_commitment_is_not_guessed_from_templates(tmp_path: Path) -> None:
    """The very document, every other part known, tried without its nonce and with weak ones; and
    no two games share a nonce or a commitment."""
    from workbench.seal.commit import commit
    from workbench.seal.vault import Vault

    seals = []
    for number in range(2):
        with sealed(tmp_path / str(number)) as (definition, board):
            row = board.row
            document, nonce = Vault(definition.vault).reveal(row["id"])
            assert commit(document, nonce) == row["commitment"]
            weak = [
                bytes(32),
                b"\xff" * 32,
                row["id"].encode().ljust(32),
                bytes.fromhex(row["salt"]),
            ]
            assert row["commitment"] not in {commit(document, guess) for guess in weak}
            seals.append((nonce, row["commitment"], row["salt"]))
    assert len({part for seal in seals for part in seal}) == 6
