"""What strangers, cheaters and broken clients are told: clear bodies, and nothing of ours."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.hosting import hosted
from tests.unit.host.conftest import HELLO, Asker, Said
from workbench.access import Access
from workbench.errors import BadParameter, GameClosed
from workbench.host import Host, heads
from workbench.host.records import Client
from workbench.host.verbs import VERBS
from workbench.suspects import Suspect
from workbench.suspects.wire import BODY_BYTES_AT_MOST

Ask = Callable[..., Said]
ROUTES = [
    *((verb.method, verb.path) for verb in VERBS.values()),
    ("GET", "/audit/budget"),
    ("GET", "/audit/findings"),
    ("POST", "/audit/findings"),
    ("GET", "/audit/jobs"),
    ("POST", "/audit/jobs"),
    ("GET", "/audit/jobs/j-1"),
    ("POST", "/audit/jobs/j-1/cancel"),
    ("POST", "/audit/saes"),
]


def refused(said: Said, status: int, kind: str) -> dict[str, str]:
    """The error that was said, after a look for what no error may tell."""
    assert said.status == status, said
    assert set(said.document) == {"error"}
    error: dict[str, str] = said.document["error"]
    assert set(error) == {"kind", "message", "hint"} and error["kind"] == kind, error
    assert len(error["message"]) < 500
    for secret in (b"Traceback", b".py", b"/tmp", b"sqlite", b"xylophone"):
        assert secret not in said.raw, said.raw
    assert said.headers["x-content-type-options"] == "nosniff"
    return error


def tokens(host: Host) -> dict[str, str | None]:
    good = host.tokens["auditor"][0]
    id = good[3:11]
    return {
        "none": None,
        "empty": "",
        "nonsense": "wb",
        "forged": f"wb-{id}-" + "A" * 43,
        "longer": good + "A",
        "shorter": good[:-1],
        "of no client": "wb-00000000-" + "A" * 43,
        "expired": host.tokens["late"][0],
        "quoted": f"' OR 1=1 --{good}",
        "not ASCII": "w\xe4",
        "ten thousand": "A" * 10_000,
    }


@pytest.mark.parametrize("wrong", [
    "none", "empty", "nonsense", "forged", "longer", "shorter", "of no client", "expired",
    "quoted", "not ASCII", "ten thousand",
])  # fmt: skip
def test_every_wrong_token_is_told_the_same(host: Host, wrong: str) -> None:
    token = tokens(host)[wrong]
    told = {
        Asker(host.port, token)(path, {} if method == "POST" else None, method=method).raw
        for method, path in ROUTES
    }
    assert len(told) == 1
    refused(Asker(host.port, token)("/audit/suspect"), 401, "AccessDenied")


def test_a_token_counts_in_its_header_alone(host: Host) -> None:
    token = host.tokens["auditor"][0]
    stranger = Asker(host.port, None)
    assert stranger(f"/audit/suspect?token={token}").status == 401
    assert stranger("/audit/suspect", Cookie=f"token={token}").status == 401
    assert stranger("/audit/suspect", Authorization=f"Basic {token}").status == 401
    assert stranger("/audit/suspect", Authorization=f"bearer  {token}").status == 200


GOOD: dict[str, dict[str, Any]] = {
    "chat": {"conversations": HELLO},
    "complete": {"prompts": ["hello"]},
    "logprobs": {"texts": ["hello"]},
    "activations": {"texts": ["hello"], "hook_names": ["blocks.0.hook_out"]},
    "corpus/batch": {"start": 0, "rows": 2},
    "corpus/rows": {"ids": ["d1"]},
    "reward": {"conversations": HELLO},
    "render": {"conversation": HELLO[0]},
    "count": {"texts": ["hello"]},
    "strings": {"token_ids": [1]},
}


@pytest.mark.parametrize("name", list(GOOD))
def test_access_is_looked_up_and_not_believed(host: Host, ask: Ask, name: str) -> None:
    assert ask(f"/audit/{name}", GOOD[name]).status == 200
    chatter = Asker(host.port, host.tokens["chatter"][0])
    allowed = not VERBS[name].needs & ~Access.CHAT
    spent = chatter("/audit/budget").document["budget"]
    said = chatter(f"/audit/{name}", GOOD[name])
    if allowed:
        assert said.status == 200
    else:
        error = refused(said, 403, "AccessDenied")
        assert all(flag in error["message"] for flag in VERBS[name].needs.names)
        assert chatter("/audit/budget").document["budget"] == spent
        # malformed, too: who may not ask is not told what a right question looks like
        assert refused(chatter(f"/audit/{name}", {"x": 1}), 403, "AccessDenied") == error


@pytest.mark.parametrize(
    "more",
    [
        {"prefill": "I"},
        {"interventions": [{"kind": "noise", "hook_name": "blocks.0.hook_out"}]},
        {"of": "reference"},
    ],
)
def test_what_is_asked_for_inside_a_call_needs_its_flag(host: Host, more: dict[str, Any]) -> None:
    chatter = Asker(host.port, host.tokens["chatter"][0])
    refused(chatter("/audit/chat", GOOD["chat"] | more), 403, "AccessDenied")


WRONG_BODIES: list[tuple[str, Any]] = [
    ("chat", {}),
    ("chat", []),
    ("chat", None),
    ("chat", {"conversations": "hello"}),
    ("chat", {"conversations": [[]]}),
    ("chat", {"conversations": HELLO[0]}),
    ("chat", {"conversations": [[{"role": "user"}]]}),
    ("chat", {"conversations": [[{"role": "user", "content": 1}]]}),
    ("chat", {"conversations": [[{"role": "user", "content": "a", "x": 1}]]}),
    ("chat", GOOD["chat"] | {"n": 10**6}),
    ("chat", GOOD["chat"] | {"n": 10**400}),
    ("chat", GOOD["chat"] | {"n": -1}),
    ("chat", GOOD["chat"] | {"n": True}),
    ("chat", GOOD["chat"] | {"n": 1.5}),
    ("chat", GOOD["chat"] | {"n": "1"}),
    ("chat", GOOD["chat"] | {"max_new_tokens": 10**9}),
    ("chat", GOOD["chat"] | {"temperature": -1}),
    ("chat", GOOD["chat"] | {"seed": 2**70}),
    ("chat", GOOD["chat"] | {"of": "base"}),
    ("chat", GOOD["chat"] | {"within": {"samples": -1}}),
    ("chat", GOOD["chat"] | {"within": {"client": "gambler"}}),
    ("chat", GOOD["chat"] | {"client": "gambler"}),
    ("chat", GOOD["chat"] | {"interventions": [{"kind": "eval", "hook_name": "x"}]}),
    ("chat", GOOD["chat"] | {"interventions": [
        {"kind": "splice", "hook_name": "x", "sae": "/etc"}]}),
    ("chat", GOOD["chat"] | {"interventions": [
        {"kind": "splice", "hook_name": "x", "sae": "0" * 64}]}),
    ("chat", {"conversations": HELLO * 10_001}),
    ("chat", {"conversations": HELLO * 200, "n": 101}),
    ("chat", {"conversations": HELLO * 20, "prefill": "word " * 200_000}),
    ("complete", {"prompts": ["a"] * 200, "n": 101}),
    ("logprobs", {"texts": ["word " * 4_000] * 9, "distributions": True}),
    ("chat", {"conversations": [[{"role": "user", "content": "x" * 1_000_001}]]}),
    ("logprobs", {"texts": [""]}),
    ("activations", {"texts": ["a"], "hook_names": []}),
    ("corpus/batch", {"start": -1, "rows": 1}),
    ("corpus/batch", {"start": 0, "rows": 0}),
]  # fmt: skip


@pytest.mark.parametrize(("verb", "body"), WRONG_BODIES)
def test_a_wrong_body_is_named_and_costs_nothing(ask: Ask, verb: str, body: Any) -> None:
    spent = ask("/audit/budget").document["budget"]
    refused(ask(f"/audit/{verb}", body, raw=json.dumps(body).encode()), 422, "BadParameter")
    assert ask("/audit/budget").document["budget"] == spent


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"n": NaN}', b'"\\ud800"', b"\x00" * 10],
)
def test_what_is_no_json(ask: Ask, raw: bytes) -> None:
    refused(ask("/audit/chat", raw=raw, method="POST"), 422, "BadParameter")


def test_a_body_that_is_too_long_is_not_read(host: Host, ask: Ask) -> None:
    declared = str(BODY_BYTES_AT_MOST + 1)
    refused(ask("/audit/chat", raw=b"{}", Content_Length=declared), 413, "BadParameter")
    piece = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    head = f"POST /audit/chat HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ask.token}\r\n"  # type: ignore[attr-defined]
    with socket.create_connection(("127.0.0.1", host.port), timeout=30) as line:
        line.sendall(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n")
        sent = 0
        with pytest.raises(OSError):
            while sent < 4 * BODY_BYTES_AT_MOST:
                line.sendall(piece)
                sent += len(piece)
        assert sent < 2 * BODY_BYTES_AT_MOST, "it was read on and on"
    there = Suspect.load(host.url, token=host.tokens["auditor"][0])
    with pytest.raises(BadParameter, match="bytes"):
        there.count_tokens(["x" * BODY_BYTES_AT_MOST])


def test_what_is_no_http_does_not_hurt(host: Host, ask: Ask) -> None:
    for nonsense in (b"\x00" * 100, b"GET / HTTP/9\r\n\r\n", b"A" * 100_000):
        with socket.create_connection(("127.0.0.1", host.port)) as line:
            line.sendall(nonsense)
    assert ask("/audit/chat", GOOD["chat"]).status == 200


@pytest.mark.parametrize("path", ["/", "/audit", "/audit/chat/", "/audit/../x", "/docs", "/%2e%2e"])
def test_nothing_is_elsewhere(ask: Ask, path: str) -> None:
    assert ask(path).status in (404, 405, 307)
    assert b".py" not in ask(path).raw


def test_one_charge_per_key_and_no_other_content(ask: Ask) -> None:
    def samples() -> int:
        used: int = ask("/audit/budget").document["budget"]["suspect"]["samples"]["used"]
        return used

    before = samples()
    clock = {"conversations": [[{"role": "user", "content": "clock"}]]}  # never the same twice
    said = [ask("/audit/chat", clock, Idempotency_Key="once-1") for _ in range(20)]
    assert {s.raw for s in said} == {said[0].raw} and said[0].status == 200
    assert samples() == before + 1
    other = ask("/audit/chat", GOOD["chat"] | {"n": 2}, Idempotency_Key="once-1")
    refused(other, 409, "KeyReused")
    refused(ask("/audit/complete", GOOD["complete"], Idempotency_Key="once-1"), 409, "KeyReused")
    refused(ask("/audit/chat", GOOD["chat"], Idempotency_Key="a b"), 422, "BadParameter")
    frames = [ask("/audit/logprobs", GOOD["logprobs"], Idempotency_Key="once-2") for _ in range(3)]
    assert len({s.raw for s in frames}) == 1
    assert samples() == before + 1


def test_a_key_is_its_clients_own(host: Host, ask: Ask) -> None:
    mine = ask("/audit/chat", GOOD["chat"] | {"seed": 5}, Idempotency_Key="shared")
    chatter = Asker(host.port, host.tokens["chatter"][0])
    theirs = chatter("/audit/chat", GOOD["chat"] | {"seed": 6}, Idempotency_Key="shared")
    assert (mine.status, theirs.status) == (200, 200)
    assert mine.document["replies"] != theirs.document["replies"]


def test_a_reply_holds_what_its_level_grants(ask: Ask) -> None:
    said = ask("/audit/chat", GOOD["chat"]).document
    assert set(said) == {"replies", "spent"}
    assert set(said["replies"][0][0]) == {"text", "token_ids", "finish"}
    number, head = ask("/audit/budget").headers["workbench-chain"].split()
    assert int(number) > 0 and len(head) == 64


def test_the_description_covers_every_verb(ask: Ask) -> None:
    described = ask("/openapi.json").document
    paths = {path for path in described["paths"] if not path.startswith("/v1/")}
    assert paths == {verb.path for verb in VERBS.values()}
    chat = described["paths"]["/audit/chat"]["post"]["requestBody"]["content"]["application/json"]
    assert chat["schema"]["properties"]["n"]["maximum"] == 10_000
    text = json.dumps(chat)
    for reference in [part.split('"')[0] for part in text.split('"$ref": "')[1:]]:
        found: Any = described
        for step in reference.removeprefix("#/").split("/"):
            found = found[step.replace("~1", "/")]
        assert found["type"] == "object"


class Closed:
    def admit(self, client: Client, move: str, *, writes: bool) -> None:
        if move != "budget":
            raise GameClosed("the phase is 'closed'", hint="Wait for the reveal.")


def test_the_gate_comes_before_access_and_charge(source: Any, tmp_path: Path) -> None:
    with hosted(source.load(), tmp_path, access=Access.CHAT, gate=Closed()) as inside:
        ask = Asker(inside.port, inside.token)
        refused(ask("/audit/chat", GOOD["chat"]), 403, "GameClosed")
        refused(ask("/audit/logprobs", GOOD["logprobs"]), 403, "GameClosed")
        refused(Asker(inside.port, "wb")("/audit/chat", GOOD["chat"]), 401, "AccessDenied")
        used = ask("/audit/budget").document["budget"]["suspect"]
        assert not any(meter["used"] for meter in used.values())


def test_who_asks_too_often_waits_and_loses_nothing(source: Any, tmp_path: Path) -> None:
    with hosted(source.load(), tmp_path, calls_per_second=4) as inside:
        ask = Asker(inside.port, inside.token)
        said = [ask("/audit/count", GOOD["count"]) for _ in range(12)]
        late = [s for s in said if s.status != 200]
        assert late and all(s.status == 429 for s in late)
        refused(late[0], 429, "ModelUnavailable")
        assert int(late[0].headers["retry-after"]) >= 1
        assert Suspect.load(inside.url, token=inside.token).count_tokens(["a"]) == [1]


def test_connections_beyond_the_bound_close_the_ones_that_were_silent_longest(
    source: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "OPEN_AT_MOST", 5)
    monkeypatch.setattr(heads, "HEAD_SECONDS", 600.0)
    with (
        hosted(source.load(), tmp_path) as inside,
        contextlib.ExitStack() as stack,
    ):
        ask = Asker(inside.port, inside.token)
        lines = []
        for _ in range(12):
            line = socket.create_connection(("127.0.0.1", inside.port), timeout=20)
            lines.append(stack.enter_context(line))
        assert [line.recv(1) for line in lines[:7]] == [b""] * 7
        assert ask("/audit/budget").status == 200
        lines[-1].sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert lines[-1].recv(15) == b"HTTP/1.1 200 OK", "the others stay"
