"""`workbench mcp` as an MCP client meets it: the official Python client, over a real pipe."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters

from tests.gaming import CANARY, CAUSE_CANARY, defined, playing
from workbench.access import Budget
from workbench.ledger import Ledger

HELLO = [{"role": "user", "content": "Hello."}]
TOOLS = {
    "brief", "chat", "complete", "logprobs", "search_data", "features", "list_techniques",
    "run_technique", "job", "keep_finding", "list_findings", "submit",
}  # fmt: skip


def session(work: Callable[[Any], Awaitable[None]], folder: Path, *arguments: object) -> None:
    """A server of its own, and what a client does with it."""
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "workbench.cli", "mcp", *map(str, arguments)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        cwd=folder,
    )

    async def run() -> None:
        async with Client(server, read_timeout_seconds=170) as client:
            await work(client)

    anyio.run(run)


async def ask(client: Any, tool: str, **arguments: Any) -> Any:
    made = await client.call_tool(tool, arguments)
    assert not made.is_error, made.content[0].text
    return made.structured_content


async def refused(client: Any, tool: str, **arguments: Any) -> str:
    made = await client.call_tool(tool, arguments)
    assert made.is_error
    return str(made.content[0].text)


@pytest.mark.long
def test_a_bundled_suspect_is_audited_whole(tmp_path: Path) -> None:
    async def audit(client: Any) -> None:
        listed = (await client.list_tools()).tools
        assert {tool.name for tool in listed} == TOOLS
        assert all(tool.description for tool in listed)
        brief = await ask(client, "brief")
        (card,) = brief["suspects"].values()
        assert card["access"] == ["chat", "prefill", "training-data"]
        assert card["budget"]["suspect"]["samples"] == {"used": 0, "bound": 40}
        said = await ask(client, "chat", messages=HELLO, n=3, seed=1, max_new_tokens=20)
        assert said == await ask(client, "chat", messages=HELLO, n=3, seed=1, max_new_tokens=20)
        assert len(said["replies"]) == 3 and all(r["text"] for r in said["replies"])
        begun = await ask(client, "chat", messages=HELLO, prefill="My name", max_new_tokens=5)
        assert begun["replies"]
        found = await ask(client, "search_data", patterns=["bread", "zzzqqq"], limit=3)
        assert found["counts"]["bread"]["documents"] > 0 and len(found["hits"]) == 3
        assert found["counts"]["zzzqqq"] == {"documents": 0, "matches": 0}
        rows = (await ask(client, "brief"))["suspects"]["alder"]["budget"]["suspect"]["documents"]
        await ask(client, "search_data", patterns=["milk"])
        again = (await ask(client, "brief"))["suspects"]["alder"]["budget"]["suspect"]["documents"]
        assert rows == again and rows["used"] > 0
        techniques = (await ask(client, "list_techniques"))["techniques"]
        reasons = {one["name"]: one["reason"] for one in techniques}
        assert reasons["corpus-grep"] == "" and "activations" in reasons["sae-features"]
        made = await ask(client, "run_technique", name="corpus-grep")
        assert made["state"] == "done" and made["runs"][0]["status"] == "ok", made
        kept = await ask(
            client, "keep_finding", claim="It says hello.", confidence=0.2, transcript=HELLO
        )
        both = await ask(client, "list_findings")
        assert [f["id"] for f in both["kept"]] == [kept["id"]] and len(both["runs"]) == 1
        assert "AccessDenied" in await refused(client, "logprobs", text="hello")
        assert "no SAE" in await refused(client, "features", text="a", hook_name="x")
        assert "BudgetExceeded" in await refused(client, "chat", messages=HELLO, n=50)
        assert "UnknownTechnique" in await refused(client, "run_technique", name="no-such")
        assert await refused(client, "chat", messages="hello")
        assert "confidence" in await refused(client, "submit", confidence=7)
        await ask(client, "submit", family="none", confidence=0.6, evidence=[kept["id"]])

    arguments = ("--suspect", "alder", "--access", "chat,prefill,training-data")
    session(audit, tmp_path, *arguments, "--budget-samples", 40, "--ledger", "l.duckdb")
    written = json.loads((tmp_path / "submission.json").read_text())
    assert written["family"] == "none" and written["confidence"] == 0.6
    techniques = [run.technique for run in Ledger(tmp_path / "l.duckdb").runs()]
    assert sorted(techniques) == ["corpus-grep", "kept"]


def test_a_game_is_played_by_the_same_tools(tmp_path: Path) -> None:
    told: list[Any] = []

    async def play(client: Any) -> None:
        brief = await ask(client, "brief")
        assert brief["team"] == "red" and brief["phase"] == "open"
        assert set(brief["suspects"]) == {"a", "b"}
        said = await ask(client, "chat", suspect="a", messages=HELLO, n=2)
        assert len(said["replies"]) == 2
        assert "no suspect" in await refused(client, "chat", messages=HELLO)
        assert "BudgetExceeded" in await refused(client, "chat", suspect="a", messages=HELLO, n=2)
        kept = await ask(client, "keep_finding", suspect="a", claim="It echoes.", confidence=0.6)
        made = await ask(
            client, "submit", suspect="a", family="none", confidence=0.7, evidence=[kept["id"]]
        )
        assert made["revision"] == 1 and made["left"] == 2
        told.extend([brief, said, kept, made])

    with playing(defined(tmp_path, budget=Budget(samples=3))) as game:
        session(play, tmp_path, "--game", game.host.url, "--token", game.tokens["red"])
        handed = game.team("red").submissions("a")
        assert handed["submissions"][0]["confidence"] == "0.700"
    whole = json.dumps(told)
    assert CANARY not in whole and CAUSE_CANARY not in whole and "speaker" not in whole


@pytest.mark.parametrize("arguments", [[], ["--suspect", "alder", "--game", "http://127.0.0.1:9"]])
def test_one_of_both_is_needed(arguments: list[str]) -> None:
    from workbench.cli import run

    assert run(["mcp", *arguments]) == 2
