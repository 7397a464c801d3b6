"""`workbench serve` as users meet it: one command, any client, nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.unit.host.conftest import Asker
from workbench.ledger import Ledger

CHAT = "/v1/chat/completions"
JSON = {"Content_Type": "application/json"}
BODY = {"messages": [{"role": "user", "content": "The red cat"}], "max_tokens": 4}


@contextmanager
def serving(*arguments: object) -> Iterator[Any]:
    command = [sys.executable, "-m", "workbench.cli", "serve", *map(str, arguments), "--json"]
    process = subprocess.Popen(
        [*command, "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        assert process.returncode == 130


def port(told: Any) -> int:
    return int(told["url"].removesuffix("/v1").rpartition(":")[2])


def test_anyone_on_this_machine_but_no_web_page(llama: Path, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.duckdb"
    with serving(llama, "--ledger", ledger, "--access", "chat", "--budget-samples", 2) as told:
        assert told["access"] == ["chat"]
        anyone, stranger = Asker(port(told), None), Asker(port(told), "sk-whatever")
        assert anyone(CHAT, BODY, **JSON).status == 200
        for headers in (
            {},
            {"Content_Type": "text/plain"},
            {**JSON, "Origin": "http://evil.example"},
            {**JSON, "Host": "evil.example:80"},
        ):
            assert anyone(CHAT, BODY, **headers).status == 403, headers
        assert anyone("/v1/models").status == 200
        assert anyone("/audit/suspect").status == 401
        assert Asker(port(told), told["token"])("/audit/suspect").status == 200
        assert stranger(CHAT, BODY, **JSON).status == 200
        assert stranger(CHAT, BODY, **JSON).status == 402
    made = Ledger(ledger)
    assert [run.technique for run in made.runs()] == ["serve"]
    assert len(made.entries()) == 2 and made.verify()["status"] == "complete"


def test_a_token_of_ones_own(llama: Path, tmp_path: Path) -> None:
    with serving(llama, "--ledger", tmp_path / "l.duckdb", "--token", "my own token") as told:
        assert told["token"] == "my own token"
        assert Asker(port(told), "my own token")(CHAT, BODY).status == 200
        for token in (None, "", "another", "my own"):
            assert Asker(port(told), token)(CHAT, BODY, **JSON).status == 401
