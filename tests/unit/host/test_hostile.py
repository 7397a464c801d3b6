"""Suspects that lie, flood, hang and die: inert and cut with a notice, charged only when served."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.unit.host.conftest import Asker, Said
from workbench.errors import SuspectError
from workbench.host import Admission, Host, HostSettings
from workbench.host.api import SHARE
from workbench.host.heads import HEAD_SECONDS, OPEN_AT_MOST
from workbench.host.replies import REPLY_AT_MOST, document, frame
from workbench.host.upkeep import Process, Upkeep
from workbench.suspects import Suspect
from workbench.suspects.wire import BrokenStream, Frame, pack_arrays

Ask = Callable[..., Said]


def saying(word: str, **more: Any) -> dict[str, Any]:
    return {"conversations": [[{"role": "user", "content": word}]], **more}


@pytest.fixture(scope="module")
def fragile(source: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    once = tmp_path_factory.mktemp("once") / "died"
    os.environ["HOST_ONCE"] = str(once)
    clients = (Admission("auditor"), Admission("other"))
    with Host(source, HostSettings(clients, call_seconds=4.0)) as running:
        yield running
    del os.environ["HOST_ONCE"]


@pytest.fixture
def hit(fragile: Host) -> Ask:
    return Asker(fragile.port, fragile.tokens["auditor"][0])


def used(ask: Ask) -> dict[str, int]:
    meters = ask("/audit/budget").document["budget"]["suspect"]
    return {meter: amounts["used"] for meter, amounts in meters.items()}


def test_what_acts_is_data(hit: Ask, suspects: Any) -> None:
    said = hit("/audit/chat", saying("nasty"))
    assert said.headers["content-type"] == "application/json"
    assert not [b for b in said.raw if b < 0x20 or b > 0x7E]
    text = said.document["replies"][0][0]["text"]
    assert text == suspects.NASTY.replace("\0", "\ufffd").replace("\ud800", "\ufffd")


def test_a_long_line_is_cut_with_a_notice(hit: Ask) -> None:
    said = hit("/audit/chat", saying("long"))
    text = said.document["replies"][0][0]["text"]
    assert text == "x" * REPLY_AT_MOST + " … [cut]"


def test_a_reply_ends_where_it_was_to_end(hit: Ask) -> None:
    before = used(hit)
    (reply,) = hit("/audit/chat", saying("ever", max_new_tokens=7)).document["replies"][0]
    assert (reply["finish"], len(reply["token_ids"])) == ("length", 7)
    assert used(hit)["tokens"] == before["tokens"] + 4 + 7


@pytest.mark.parametrize("word", ["hang", "spin"])
def test_what_never_ends_is_ended_and_costs_nothing(fragile: Host, hit: Ask, word: str) -> None:
    before, worker = used(hit), fragile.worker.pid
    started = time.monotonic()
    said = hit("/audit/chat", saying(word))
    assert (said.status, said.document["error"]["kind"]) == (502, "WorkerFailed")
    assert time.monotonic() - started < 40
    assert used(hit) == before
    assert hit("/audit/chat", saying("hello")).status == 200
    assert fragile.worker.pid != worker


def test_who_waits_for_a_call_that_hangs_is_served_after_it(fragile: Host, hit: Ask) -> None:
    before = used(hit)
    with ThreadPoolExecutor(4) as pool:
        hanging = pool.submit(hit, "/audit/chat", saying("hang"))
        time.sleep(0.5)
        waiting = [pool.submit(hit, "/audit/chat", saying(f"wait {n}")) for n in range(3)]
        assert [one.result().status for one in waiting] == [200] * 3
        assert hanging.result().status == 502
    assert used(hit)["samples"] == before["samples"] + 3


def test_free_calls_that_wait_for_one_that_hangs_keep_nobody_out(fragile: Host, hit: Ask) -> None:
    other = Asker(fragile.port, fragile.tokens["other"][0])
    with ThreadPoolExecutor(81) as pool:
        hanging = pool.submit(hit, "/audit/chat", saying("hang"))
        time.sleep(0.5)
        waiting = [pool.submit(hit, "/audit/count", {"texts": ["a"]}) for _ in range(80)]
        time.sleep(0.5)
        assert other("/audit/budget").status == 200
        assert not hanging.done(), "the other one waited as well"
        assert {one.result().status for one in waiting} == {200}


def test_connections_that_ask_nothing_are_closed(fragile: Host, hit: Ask) -> None:
    """Fresh, with half a head, and with half a head after an answer."""
    whole, half = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /health HTTP/1.1\r\nHost"
    with contextlib.ExitStack() as stack:
        lines = [
            stack.enter_context(socket.create_connection(("127.0.0.1", fragile.port), timeout=20))
            for _ in range(3)
        ]
        lines[1].sendall(half)
        lines[2].sendall(whole)
        assert lines[2].recv(15) == b"HTTP/1.1 200 OK"
        lines[2].sendall(half)
        started = time.monotonic()
        for line in lines:
            while line.recv(1000):
                pass
        assert HEAD_SECONDS - 2 < time.monotonic() - started < HEAD_SECONDS + 5


def test_a_thousand_connections_that_say_nothing_keep_nobody_out(fragile: Host, hit: Ask) -> None:
    """Those that were silent longest make room for whoever asks."""

    def served() -> float:
        started = time.monotonic()
        assert hit("/audit/budget").status == 200
        return time.monotonic() - started

    with contextlib.ExitStack() as stack:
        alone, lines = served(), []
        for number in range(1_200):
            address = ("127.0.0.1", fragile.port)
            lines.append(stack.enter_context(socket.create_connection(address, timeout=20)))
            if number % 300 == 299:
                assert served() < 2 + 2 * alone
        closed = [line for line in lines[: -OPEN_AT_MOST - 1] if line.recv(1) == b""]
        assert len(closed) == len(lines) - OPEN_AT_MOST - 1


def test_bodies_that_do_not_arrive_hold_up_their_client_alone(fragile: Host, hit: Ask) -> None:
    other = Asker(fragile.port, fragile.tokens["other"][0])
    head = (
        "POST /audit/count HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
        f"Authorization: Bearer {fragile.tokens['auditor'][0]}\r\n\r\n"
    )
    with ThreadPoolExecutor(1) as pool, contextlib.ExitStack() as stack:
        for _ in range(2 * SHARE):
            line = socket.create_connection(("127.0.0.1", fragile.port), timeout=60)
            stack.enter_context(line).sendall(head.encode())
        time.sleep(0.5)
        waiting = pool.submit(hit, "/audit/count", {"texts": ["a"]})
        assert other("/audit/count", {"texts": ["a"]}).status == 200
        assert hit("/audit/budget").status == 200
        time.sleep(0.5)
        assert not waiting.done(), "one more body was read"
        stack.close()
        assert waiting.result().status == 200


def test_a_slow_reader_delays_nobody(fragile: Host, hit: Ask) -> None:
    """It takes nothing of an answer of 33 MB, for longer than a call may compute."""
    worker = fragile.worker.pid
    asked = json.dumps({"texts": ["word " * 500] * 4, "distributions": True}).encode()
    head = (
        f"POST /audit/logprobs HTTP/1.1\r\nHost: x\r\nContent-Length: {len(asked)}\r\n"
        f"Authorization: Bearer {fragile.tokens['auditor'][0]}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", fragile.port), timeout=60) as line:
        line.sendall(head.encode() + asked)
        assert line.recv(15) == b"HTTP/1.1 200 OK"
        end = time.monotonic() + 9
        while time.monotonic() < end:
            assert hit("/audit/chat", saying("hello")).status == 200
            time.sleep(1)
    assert fragile.worker.pid == worker


def test_what_kills_its_process_is_refunded(fragile: Host, hit: Ask) -> None:
    before = used(hit)
    there = Suspect.load(fragile.url, token=fragile.tokens["auditor"][0])
    with pytest.raises(SuspectError, match="failed under this call"):
        there.chat([[{"role": "user", "content": "die"}]])
    assert not any(there.usage.to_json().values())
    assert hit("/audit/chat", saying("die"), Idempotency_Key="poison").status == 502
    assert used(hit) == before
    assert hit("/audit/chat", saying("hello"), Idempotency_Key="fresh").status == 200


def test_a_process_that_dies_once_is_not_even_noticed(hit: Ask) -> None:
    before = used(hit)
    assert hit("/audit/chat", saying("once")).status == 200
    assert Path(os.environ["HOST_ONCE"]).exists()
    assert used(hit)["samples"] == before["samples"] + 1


def test_an_exception_of_the_suspects_tells_nothing(hit: Ask, suspects: Any) -> None:
    said = hit("/audit/chat", saying("raise"))
    assert (said.status, said.document["error"]["kind"]) == (400, "SuspectError")
    assert suspects.CANARY.encode() not in said.raw and b".py" not in said.raw


def test_a_suspect_that_does_not_load_serves_nobody(
    suspects: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    with (
        pytest.raises(SuspectError, match="the suspect failed: RuntimeError"),
        Host(suspects.Failing()),
    ):
        raise AssertionError("it serves")
    assert suspects.CANARY in capfd.readouterr().err  # for whoever runs the host


def test_a_process_that_never_works_is_given_up() -> None:
    def broken() -> Process:
        return subprocess.Popen([sys.executable, "-S", "-c", "exit(3)"], stdin=subprocess.PIPE)

    upkeep = Upkeep({"worker": broken})
    upkeep.start()
    assert upkeep.over.wait(60)
    assert "worker process ends as soon" in upkeep.failure
    upkeep.stop()


def test_only_the_api_may_ask_the_worker(source: Any, tmp_path: Path) -> None:
    """The socket's folder is closed to others; were it open, the kernel's word is checked too."""
    if os.getuid() != 0:
        pytest.skip("only root can become another user")
    listener = socket.socket(socket.AF_UNIX)
    place = Path("/tmp") / f"wb-peer-{os.getpid()}"
    listener.bind(str(place))
    place.chmod(0o777)
    listener.listen()
    from workbench.host.processes import start
    from workbench.host.worker import WorkerSettings

    settings = WorkerSettings(source, listener.fileno(), (0,), 30.0)
    worker = start("workbench.host.worker:main", settings, (listener.fileno(),))
    script = textwrap.dedent("""
        import os, socket, sys
        user = int(sys.argv[2])
        if user:
            os.setgid(user)
            os.setuid(user)
        line = socket.socket(socket.AF_UNIX)
        line.connect(sys.argv[1])
        line.settimeout(20)
        try:
            line.sendall(bytes.fromhex(sys.argv[3]))
            print(len(line.recv(10)))
        except (BrokenPipeError, ConnectionResetError):
            print(0)
    """)
    asked = {"verb": "suspect", "of": "suspect", "access": [], "within": {}, "price": False}
    question = Frame({**asked, "arguments": {}}).pack().hex()
    try:
        answered = [
            subprocess.run(
                [sys.executable, "-c", script, str(place), user, question],
                capture_output=True, text=True, timeout=60, check=True,
            ).stdout.strip()
            for user in ("65534", "0")
        ]  # fmt: skip
        assert answered == ["0", "10"]
    finally:
        worker.kill()
        worker.wait()
        assert worker.stdin is not None
        worker.stdin.close()
        listener.close()
        place.unlink()


def test_a_reply_type_drops_what_it_does_not_name() -> None:
    from workbench.access import Access

    leaking = {"text": "a", "token_ids": [1], "finish": "eos", "logprobs": [-1.0], "secret": "s"}
    kept = document("chat", {"replies": [[leaking]], "last": [0.5]}, Access.EVERYTHING)
    assert kept == {"replies": [[{"text": "a", "token_ids": [1], "finish": "eos"}]]}
    import numpy

    one = numpy.zeros(1, dtype="float32")
    fine = pack_arrays({"token_ids": [1], "x": 1}, {"logprobs": one, "last": one})
    fine.header["arrays"][0]["note"] = "secret"
    assert "secret" not in json.dumps(frame("logprobs", fine).header)
    with pytest.raises(BrokenStream):
        frame("logprobs", pack_arrays({"token_ids": [1]}, {"blocks.0.hook_out": one}))
    with pytest.raises(BrokenStream):
        frame("activations", pack_arrays({"rows": [0], "hook_names": []}, {"logprobs": one}))
    sizes = dict.fromkeys(("n_layers", "d_model", "context", "vocabulary"), 1)
    card = {"id": "a", "assistant": None, "access": [], **sizes}
    full = card | {"corpus": {"documents": 1, "bytes": 1}}
    assert "corpus" not in document("suspect", full, Access.CHAT)
    assert "corpus" in document("suspect", full, Access.TRAINING_DATA)
