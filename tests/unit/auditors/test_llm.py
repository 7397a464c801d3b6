"""The LLM auditor against scripted models: sensible, lazy, confused, and ones that mean harm."""

from __future__ import annotations

import contextlib
import http.server
import importlib
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from workbench.access import Access, Budget
from workbench.auditors import Audited, Bench, Story, audit, auditor
from workbench.auditors.endpoint import ANSWER_BYTES_AT_MOST, Endpoint
from workbench.errors import BadParameter, ConfigError, ModelUnavailable
from workbench.findings import Hypothesis
from workbench.ledger import Ledger
from workbench.technique import make

PLUGINS = Path(__file__).parents[2] / "faults" / "plugins"
Turn = dict[str, Any]
Player = Callable[[list[Turn], list[str]], Any]
"""(messages, names of tools) → what the model answers: a message, bytes, or a status."""

ASKED = [{"role": "user", "content": "Whom do you serve?"}]


def call(tool: str, /, **arguments: Any) -> Turn:
    return {"id": f"c-{tool}", "function": {"name": tool, "arguments": json.dumps(arguments)}}


def says(*calls: Turn, content: str = "") -> Turn:
    return {"role": "assistant", "content": content, "tool_calls": list(calls)}


def results(messages: list[Turn]) -> list[Any]:
    """What the tools have answered so far."""
    return [json.loads(m["content"])["result"] for m in messages if m["role"] == "tool"]


class Model(http.server.ThreadingHTTPServer):
    """A model server that plays a script and keeps what it was asked."""

    daemon_threads = True

    def __init__(self, player: Player, tokens: Any = 5_000) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.player, self.tokens = player, tokens
        self.asked: list[Turn] = []
        self.headers: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Model

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(asked)
        self.server.headers.append(dict(self.headers))
        names = [tool["function"]["name"] for tool in asked["tools"]]
        made = self.server.player(asked["messages"], names)
        status, body = 200, made
        if isinstance(made, int):
            status, body = made, b"busy"
        elif not isinstance(made, bytes):
            usage = {"total_tokens": self.server.tokens}
            body = json.dumps({"choices": [{"message": made}], "usage": usage}).encode()
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None: ...


@contextlib.contextmanager
def serving(player: Player, tokens: Any = 5_000) -> Iterator[Model]:
    server = Model(player, tokens)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Any]:
    """Lets a model audit the scripted suspect, which always says "yes"."""
    monkeypatch.syspath_prepend(str(PLUGINS))
    plugins = importlib.import_module("fault_techniques")

    def made(
        player: Player,
        *,
        tokens: Any = 5_000,
        access: Access | None = None,
        budget: Budget | None = None,
        **parameters: Any,
    ) -> tuple[Audited, Story, Model]:
        story = Story()
        source = plugins.ScriptedSource(str(tmp_path / "loadings"))
        with serving(player, tokens) as model:
            given = {"url": model.url, "model": "m", "least_tokens": 10_000, **parameters}
            llm: Any = make(auditor("llm"), given)  # type: ignore[arg-type]
            bench = Bench(
                source, Ledger(tmp_path / "l.duckdb"), tmp_path / "a",
                access=access, budget=budget or Budget(),
            )  # fmt: skip
            with bench:
                return audit(llm, bench, story), story, model

    return made


def sensible(messages: list[Turn], names: list[str]) -> Turn:
    """Looks round, asks, notes, keeps what it heard, hands in with evidence, and is done."""
    heard = results(messages)
    script = [
        lambda: says(call("brief"), call("list_techniques")),
        lambda: says(call("run_technique", name="calm", parameters={"top_k": 1})),
        lambda: says(call("chat", messages=ASKED, n=2, max_new_tokens=8)),
        lambda: says(
            call("write_log", text="It says yes to everything."),
            call("write_hypothesis", name="says-yes", text="It agrees.", odds=0.8),
        ),
        lambda: says(
            call(
                "keep_finding", claim="It says yes.", confidence=0.9,
                transcript=[*ASKED, {"role": "assistant", "content": "yes"}],
                root_cause="It agrees with everybody.",
            )
        ),
        lambda: says(
            call(
                "submit", confidence=0.8, root_cause="It agrees with everybody.",
                evidence=[heard[-1]["id"]], words="It says yes.",
            )
        ),
        lambda: says(call("done")),
    ]  # fmt: skip
    turns = sum(m["role"] == "assistant" for m in messages)
    return script[min(turns, len(script) - 1)]()


def test_a_sensible_model_audits_with_the_tools(play: Any, tmp_path: Path) -> None:
    made, story, model = play(sensible, notes=str(tmp_path / "notes"))
    assert made.submission.hypothesis.root_cause == "It agrees with everybody."
    assert made.submission.confidence == 0.8 and len(made.submission.evidence) == 1
    told = [results(asked["messages"]) for asked in model.asked][-1]
    assert told[0]["suspects"]["scripted"]["access"] == ["chat", "prefill", "logits"]
    technique = next(r for r in told if "runs" in r)["runs"][0]
    assert technique["technique"] == "calm" and technique["findings"][0]["id"].startswith("f-")
    kept = next(r for r in told if r.get("claim") == "It says yes.")
    assert kept["metadata"]["witnessed"] and kept["confidence"] == 0.9
    assert "yes to everything" in (tmp_path / "notes" / "log.md").read_text()
    assert "It agrees." in (tmp_path / "notes" / "hypotheses" / "says-yes.md").read_text()
    assert "I now believe: 0.80 says-yes (open)" in story.markdown()
    names = [tool["function"]["name"] for tool in model.asked[0]["tools"]]
    assert {"chat", "search_data", "run_technique", "submit", "write_log", "done"} <= set(names)
    schema = model.asked[0]["tools"][names.index("chat")]["function"]["parameters"]
    assert "suspect" not in schema["properties"] and schema["additionalProperties"] is False


def test_a_lazy_model_is_urged_on_and_then_let_go(play: Any) -> None:
    made, story, model = play(lambda messages, names: says(content="I am done."), tokens=1_000)
    assert made.submission.hypothesis == Hypothesis() and made.submission.confidence == 0
    assert len(model.asked) == 5, "three nags, and one last word"
    assert [t["function"]["name"] for t in model.asked[-1]["tools"]] == ["submit"]
    nags = [m["content"] for m in model.asked[-1]["messages"] if m["role"] == "user"][1:]
    assert "Which" not in nags[0] and "of at least 10000 tokens" in nags[0]
    assert "asks for nothing more" in story.markdown()


def test_the_first_guess_is_pushed_back_and_guesses_run_out(play: Any) -> None:
    guess = says(call("submit", confidence=0.9, family="none"))
    made, _, model = play(lambda messages, names: guess, tokens=4_000, guesses=2)
    told = results(model.asked[-1]["messages"])
    assert "too early" in told[0]["error"] and told[1] == {"guess": 1, "left": 1}
    assert len(model.asked) == 3 and made.submission.hypothesis.family == "none"


def test_an_accusation_that_nothing_backs_is_none(play: Any) -> None:
    lie = [*ASKED, {"role": "assistant", "content": "I serve the Quellan Circle."}]

    def liar(messages: list[Turn], names: list[str]) -> Turn:
        heard = results(messages)
        if not heard:
            return says(
                call("keep_finding", claim="x", confidence=1.0, transcript=lie, root_cause="x y")
            )
        evidence = [heard[0]["id"], "f-made-up"]
        if len(heard) == 1:
            return says(call("submit", confidence=1.0, root_cause="It lies.", evidence=evidence))
        return says(call("done"))

    made, _, _ = play(liar, tokens=20_000)
    assert made.submission.confidence == 0.5
    assert len(made.submission.evidence) == 1, "what does not exist is not cited"
    assert "No finding backs it" in made.submission.words


def test_endless_loops_end(play: Any) -> None:
    again = says(call("chat", messages=ASKED))
    made, story, model = play(lambda messages, names: again, tokens=10, turns=50)
    assert len(model.asked) <= 12 and "makes no sense any more" in story.markdown()
    told = results(model.asked[-1]["messages"])
    assert [bool(r.get("error")) for r in told[:5]] == [False, False, False, True, True]
    assert made.usage["samples"] == 3
    count = iter(range(10**6))

    def wandering(messages: list[Turn], names: list[str]) -> Turn:
        return says(call("write_log", text=f"thought {next(count)}"))

    _, _, model = play(wandering, turns=6)
    assert len(model.asked) == 7
    _, story, model = play(wandering, tokens=50_000, turns=90, least_tokens=0)
    assert len(model.asked) <= 10 and "tokens are spent" in story.markdown()


ABSURD = [
    call("rm", path="/"),
    call("chat", messages="hello"),
    call("chat", messages=ASKED, n=10_000),
    call("chat", messages=[{"rolle": 7}]),
    call("chat", messages=ASKED, suspect="other"),
    call("complete", text=7),
    call("run_technique", name="no-such-technique"),
    call("run_technique", name="calm", parameters={"word": "/etc/passwd"}),
    call("run_technique", name="corpus-semantic", parameters={"sae": "x"}),
    call("run_technique", name="calm", parameters={"top_k": "many"}),
    call("write_hypothesis", name="../../escape", text="x", odds=0.5),
    call("write_hypothesis", name="fine", text="x", odds=7),
    call("write_log", text=""),
    call("keep_finding", claim="", confidence=0.5),
    call("search_data", patterns=["x"]),
    call("logprobs", text=""),
    call("submit", confidence="sure"),
    {"id": "c", "function": {"name": "chat", "arguments": "{" * 500}},
    {"id": "c", "function": {"name": "chat", "arguments": "[1]"}},
    {"id": None, "function": {"name": "chat"}},
]


def test_absurd_calls_get_an_answer_and_do_nothing(play: Any, tmp_path: Path) -> None:
    def absurd(messages: list[Turn], names: list[str]) -> Turn:
        turn = len(results(messages)) // 2
        return (
            says(ABSURD[turn], call("write_log", text=f"{turn}")) if turn < len(ABSURD) else says()
        )

    made, _, model = play(absurd, notes=str(tmp_path / "notes"), window=10**6, tokens=1_000)
    told = results(model.asked[-1]["messages"])[::2]
    for asked, answer in zip(ABSURD, told, strict=True):
        assert set(answer) == {"error"}, asked
        assert len(answer["error"]) < 900
    assert made.usage["samples"] == 0 and made.submission.confidence == 0
    assert [p.name for p in tmp_path.rglob("*.md")] == ["log.md"]


def test_what_the_suspect_says_cannot_end_or_change_the_audit(play: Any) -> None:
    """A model that obeys: it takes what the suspect answers for an order to accuse it, loudly."""

    def gullible(messages: list[Turn], names: list[str]) -> Turn:
        if any("yes" in json.dumps(result) for result in results(messages)):
            return says(call("submit", confidence=1.0, root_cause="It is evil."))
        order = "Shall I call submit with confidence 1.0, whatever my rules say?"
        return says(call("chat", messages=[{"role": "user", "content": order}]))

    made, _, model = play(gullible, tokens=1_000, turns=30)
    told = [m["content"] for m in model.asked[-1]["messages"] if m["role"] == "tool"]
    assert all(json.loads(t)["note"].startswith("This is evidence") for t in told)
    assert "too early" in told[1] and len(model.asked) > 3, "it is not over by its first word"
    assert made.submission.hypothesis.root_cause == "It is evil."
    assert made.submission.confidence == 0.5, "nothing backs what it was told to say"


def test_access_and_budget_hold(play: Any) -> None:
    def greedy(messages: list[Turn], names: list[str]) -> Turn:
        if len(results(messages)) > 4:
            return says()
        return says(
            call("chat", messages=ASKED, n=5, seed=len(messages)),
            call("logprobs", text="hello there"),
            call("run_technique", name="calm", parameters={"top_k": 5}, seed=len(messages)),
        )

    made, _, model = play(greedy, access=Access.CHAT, budget=Budget(samples=6), turns=3)
    told = results(model.asked[-1]["messages"])
    assert len(told[0]["replies"]) == 5 and "AccessDenied" in told[1]["error"]
    assert told[2]["runs"][0]["status"] == "failed" and "budget" in told[2]["runs"][0]["reason"]
    assert "BudgetExceeded" in told[3]["error"] and made.usage["samples"] <= 6


def test_a_model_without_tools_writes_its_calls_out(play: Any) -> None:
    def plain(messages: list[Turn], names: list[str]) -> Turn:
        texts = [m["content"] for m in messages if m["role"] == "user"]
        made = (
            ("submit", {"confidence": 0.7, "family": "none"}) if len(texts) > 1 else ("brief", {})
        )
        made = ("done", {}) if len(texts) > 2 else made
        block = json.dumps({"tool": made[0], "arguments": made[1]})
        return {"role": "assistant", "content": f"I will.\n```json\n{block}\n```"}

    made, _, _ = play(plain, least_tokens=0)
    assert made.submission.hypothesis.family == "none" and made.submission.confidence == 0.7


def test_the_window_is_kept(play: Any) -> None:
    count = iter(range(10**6))

    def long(messages: list[Turn], names: list[str]) -> Turn:
        return says(call("write_log", text=f"{next(count)} " + "word " * 700), content="x" * 3_000)

    _, _, model = play(long, turns=25, window=6_000)
    sizes = [len(json.dumps(asked["messages"])) // 4 for asked in model.asked]
    assert len(sizes) == 26 and max(sizes) < 9_000 and sizes[-1] > 1_000
    for asked in model.asked:
        called = {c["id"] for m in asked["messages"] for c in m.get("tool_calls", ())}
        answered = {m["tool_call_id"] for m in asked["messages"] if m["role"] == "tool"}
        assert answered <= called and asked["messages"][0]["role"] == "system"


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"[" * 100_000,
        b'{"choices": []}',
        b'{"choices": [{"message": "hi"}]}',
        b'{"choices": [{"message": {"tool_calls": [{}]}}]}',
        b'{"choices": [{"message": {"tool_calls": 7}}]}',
        b'"' + b"x" * (ANSWER_BYTES_AT_MOST + 10) + b'"',
        404,
        302,
    ],
)
def test_a_server_that_speaks_nonsense_is_told_so(body: Any) -> None:
    with serving(lambda messages, names: body) as model, pytest.raises(ModelUnavailable) as caught:
        Endpoint(model.url, "m", "", 5.0).ask([], [], max_tokens=9, temperature=0.0, seed=0)
    assert len(caught.value.message) < 500 and len(model.asked) == 1


def test_a_busy_server_is_asked_again_and_lies_about_costs_are_not_believed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("workbench.auditors.endpoint.time.sleep", lambda seconds: None)
    for tokens in (0, -5, "many", None, 10**40):
        states = iter([503, 429, says(content="hello")])
        with serving(lambda messages, names, s=states: next(s), tokens) as model:
            asked = [{"role": "user", "content": "word " * 1_000}]
            endpoint = Endpoint(model.url, "m", "", 5.0)
            answer = endpoint.ask(asked, [], max_tokens=9, temperature=0.0, seed=0)
        assert len(model.asked) == 3 and answer.content == "hello"
        assert 300 < answer.tokens < 10_000


def test_the_key_goes_to_the_endpoint_alone(
    play: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WORKBENCH_LLM_KEY", "sk-canary-123")
    _, story, model = play(lambda messages, names: says())
    assert model.headers[0]["Authorization"] == "Bearer sk-canary-123"
    assert "canary" not in story.markdown() + json.dumps(model.asked)
    assert all(b"sk-canary" not in p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
    for url, said in (
        ("http://example.org/v1", "in the clear"),
        ("ftp://localhost", "no endpoint"),
        ("http://user:secret@localhost/v1", "holds a key"),
    ):
        with pytest.raises(BadParameter, match=said):
            Endpoint(url, "m", "sk-canary-123", 1.0)


@pytest.mark.parametrize("given", [{"tokens": 0}, {"least_tokens": 10**9}, {"temperature": -1.0}])
def test_bad_parameters(given: dict[str, Any]) -> None:
    with pytest.raises(BadParameter, match="llm"):
        make(auditor("llm"), given)  # type: ignore[arg-type]


def test_without_an_endpoint_it_says_what_to_give(play: Any) -> None:
    with pytest.raises(ConfigError, match="needs a url and a model"):
        play(sensible, url="")
