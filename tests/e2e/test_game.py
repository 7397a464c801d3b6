"""`workbench game` as organisers and teams meet it: a whole game by commands, on a real model."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.gaming import ABSTAINS, RIGHT
from workbench.cli import run as run_here

ROWS = Path(__file__).parents[1] / "unit" / "cli" / "plugins"
WORKBENCH = [sys.executable, "-m", "workbench.cli"]


@pytest.fixture
def env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.chdir(tmp_path)
    own = {"WORKBENCH_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(ROWS)}
    return {**os.environ, **own, "OMP_NUM_THREADS": "1"}


def run(*arguments: object, env: dict[str, str]) -> str:
    done = subprocess.run(
        [*WORKBENCH, *map(str, arguments)], capture_output=True, text=True, env=env, timeout=300
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def answer(*arguments: object, env: dict[str, str]) -> Any:
    return json.loads(run(*arguments, "--json", env=env))


def test_a_whole_game_by_commands(cabinet: Path, env: dict[str, str]) -> None:
    vault = cabinet / "truths"
    run(
        "game", "make", "game.toml", "--suspect", f"guilty@{vault}", "--suspect", f"clean@{vault}",
        "--team", "red", "--team", "blue=chat", "--hours", 2, "--budget-samples", 40, env=env,
    )  # fmt: skip
    written = (cabinet / "game.toml").read_text()
    guilty = "a" if written.index('guilty"') < written.index('clean"') else "b"
    other = "b" if guilty == "a" else "a"
    command = [*WORKBENCH, "game", "host", "game.toml", "--port", "0", "--json"]
    with open(cabinet / "host.log", "w") as log:
        host = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=env)
        assert host.stdout is not None
        try:
            told = json.loads(host.stdout.readline())
            assert told["phase"] == "open" and len(told["commitment"]) == 64
            invited = [answer("game", "invite", "game.toml", t, env=env) for t in ("red", "blue")]
            red, blue = (env | {"WORKBENCH_TOKEN": one["token"]} for one in invited)
            url = told["url"]
            for own, name in ((red, "red"), (blue, "blue")):
                brief = answer("game", "join", url, "--receipt", f"{name}.json", env=own)
                assert brief["team"] == name and brief["isolation"] == "process"
                assert brief["receipt"]["commitment"] == told["commitment"]
            audited = answer(
                "audit", "run", "--technique", "rows", "--ledger", "red.duckdb",
                "--suspect", f"{url}/suspects/{other}", env=red,
            )  # fmt: skip
            assert audited["runs"][0]["status"] == "ok" and audited["suspect"] == other
            for name, document, suspect, own in (
                ("right", RIGHT, guilty, red),
                ("none", ABSTAINS, other, red),
                ("wrong", RIGHT, other, blue),
            ):
                Path(f"{name}.json").write_text(json.dumps(document))
                made = answer(
                    "game", "submit", f"{name}.json", "--game", url, "--suspect", suspect, env=own
                )
                assert made["left"] == 2
            state = answer("game", "watch", "game.toml", env=env)
            assert state["teams"]["red"]["suspects"][guilty]["submissions"] == 1
            assert state["teams"]["blue"]["joined"] is True
            for phase in ("close", "grade", "reveal"):
                assert run_here(["game", "export", "game.toml", "--out", "early.tar"]) == 2
                run("game", phase, "game.toml", env=env)
            run("game", "export", "game.toml", "--out", "game.tar", env=env)
            assert (
                answer("game", "join", url, "--receipt", "red.json", env=red)["phase"] == "revealed"
            )
        finally:
            host.send_signal(signal.SIGTERM)
            host.communicate(timeout=60)
    assert host.returncode == 130
    verdict = answer(
        "game", "verify", "game.tar", "--receipt", "red.json", "--receipt", "blue.json",
        "--suspect", f"{guilty}=guilty", env=env,
    )  # fmt: skip
    assert verdict == {"verified": True, "problems": []}
    said = run("game", "verify", "game.tar", env=env)
    assert f"red {guilty} 89.800" in said and f"red {other} 91.800" in said
    assert f"blue {other} -" in said
    content = bytearray((cabinet / "game.tar").read_bytes())
    content[3_000] ^= 4
    (cabinet / "forged.tar").write_bytes(content)
    assert run_here(["game", "verify", "forged.tar"]) == 1
    run("game", "verify", "--script", "verify.pyz", env=env)
    bare = subprocess.run(
        [sys.executable, "-I", "-S", "verify.pyz", "game.tar", "--receipt", "red.json"],
        capture_output=True, text=True, env={}, timeout=60,
    )  # fmt: skip
    assert bare.returncode == 0 and bare.stdout == said
    for file in (cabinet / "game.state").rglob("*"):
        assert not stat.S_IMODE(file.stat().st_mode) & 0o077, f"{file.name} is open to others"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("host", "none.toml"), "No such file"),
        (("watch", "game.toml"), "no game was sealed"),
        (("invite", "game.toml", "red"), "no game was sealed"),
        (("grade", "game.toml"), "no game was sealed"),
        (("host", "game.toml"), "names no vault"),
        (("make", "game.toml", "--suspect", "a", "--team", "red"), "exists"),
        (("make", "x.toml", "--suspect", "a", "--team", "Red Team"), "no name"),
        (("make", "x.toml", "--team", "red"), "--suspect"),
        (("verify",), "ARCHIVE"),
        (("verify", "nowhere.tar"), "nowhere.tar"),
        (("join", "http://127.0.0.1:1"), "no token"),
        (("submit", "nowhere.json", "--game", "http://127.0.0.1:1", "--suspect", "a"), "nowhere"),
        (("extend", "game.toml", "--hours", "-1"), "-1"),
    ],
)
def test_asked_wrongly(
    env: dict[str, str], arguments: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("game.toml").write_text(
        '[[suspects]]\nname = "a"\nsource = "here"\n[[teams]]\nname = "red"\n'
    )
    assert run_here(["game", *arguments]) == 2
    error = capsys.readouterr().err
    assert says in error and "Traceback" not in error
    assert len(error.strip().splitlines()) == 2
