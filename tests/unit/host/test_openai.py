"""The OpenAI door: what real clients send, and what they get."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.hosting import Inside, hosted
from tests.unit.host.conftest import Asker, Said
from workbench.access import Access, Budget
from workbench.host.openai.answers import Choice
from workbench.host.openai.forms import Chat
from workbench.host.replies import REPLY_AT_MOST
from workbench.ledger import Ledger
from workbench.suspects import Intervention
from workbench.suspects.scripted import ScriptedSuspect

HELLO = [{"role": "user", "content": "hello there"}]
CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
NASTY = "<script>alert(1)</script>\x1b[31m\x00\u202e & ![x](http://evil)"


def says(turns: Sequence[Mapping[str, str]], seed: int, index: int) -> str:
    said = turns[-1]["content"]
    if said == "nasty":
        return NASTY
    if said == "long":
        return "x" * (REPLY_AT_MOST + 10)
    if said == "raise":
        raise RuntimeError("secret of the script")
    if said == "ever":
        return " word" * 3_000
    if said == "count":
        return "one two three four five six"
    return f"{'/'.join(t['role'] for t in turns)} {said} {seed} {index}"


def steered(
    turns: Sequence[Mapping[str, str]], seed: int, index: int, edits: Sequence[Intervention]
) -> str:
    return f"steered by {edits[0].kind} {edits[0].coefficient}"


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    suspect = ScriptedSuspect(
        says, id="speaker", reference=ScriptedSuspect(says, id="base"), steered=steered
    )
    with hosted(suspect, tmp_path_factory.mktemp("door")) as running:
        running.store.admit("chatter", Access.CHAT, Budget(samples=3, tokens=200))
        yield running


@pytest.fixture
def ask(inside: Inside) -> Asker:
    return Asker(inside.port, inside.token)


def words(said: Said) -> list[str]:
    assert said.status == 200, said
    return [choice["message"]["content"] for choice in said.document["choices"]]


def events(said: Said) -> list[Any]:
    """The documents of a stream; the last word is [DONE]."""
    assert said.status == 200 and said.headers["content-type"].startswith("text/event-stream")
    lines = [line for line in said.raw.decode().split("\n\n") if line]
    assert all(line.startswith("data: ") for line in lines)
    assert lines[-1] == "data: [DONE]"
    return [json.loads(line[6:]) for line in lines[:-1]]


def error(said: Said) -> tuple[int, str | None]:
    assert set(said.document) == {"error"}
    assert set(said.document["error"]) == {"message", "type", "param", "code"}
    return said.status, said.document["error"]["code"]


def test_models_are_names_alone(ask: Asker) -> None:
    listed = ask("/v1/models").document
    assert [one["id"] for one in listed["data"]] == ["speaker", "reference"]
    assert listed["data"][0] == ask("/v1/models/speaker").document
    assert ask("/v1/models/suspect").document["id"] == "suspect"
    assert error(ask("/v1/models/gpt-5")) == (404, "model_not_found")


def test_a_chat_as_clients_send_it(ask: Asker) -> None:
    said = ask(
        CHAT,
        {
            "model": "suspect",
            "messages": [
                {"role": "developer", "content": "Be brief."},
                {"role": "user", "content": [{"type": "text", "text": "hello"}], "name": "a"},
                {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
                {"role": "tool", "content": "4", "tool_call_id": "1"},
            ],
            "n": 2,
            "seed": 7,
            "max_tokens": 50,
            "temperature": 0.5,
            "top_p": 0.9,
            "stop": [],
            "presence_penalty": 0.0,
            "tools": [{"type": "function", "function": {"name": "f"}}],
            "tool_choice": "auto",
            "user": "x",
            "unknown": {"field": 1},
            "response_format": {"type": "text"},
        },
    )
    assert words(said) == ["system/user/assistant/user 4 7 0", "system/user/assistant/user 4 7 1"]
    document = said.document
    assert document["object"] == "chat.completion" and document["model"] == "suspect"
    assert {c["finish_reason"] for c in document["choices"]} == {"stop"}
    assert document["choices"][0]["logprobs"] is None
    usage, spent = document["usage"], document["workbench"]["spent"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert spent["samples"] == 2
    assert spent["tokens"] == 2 * usage["prompt_tokens"] + usage["completion_tokens"]
    assert said.headers["workbench-chain"].split()[0].isdigit()


def test_an_empty_turn_is_answered(ask: Asker) -> None:
    assert words(ask(CHAT, {"messages": [{"role": "user", "content": ""}], "seed": 1}))


def test_a_seed_repeats_and_none_is_fresh(ask: Asker) -> None:
    again = [words(ask(CHAT, {"messages": HELLO, "seed": 3})) for _ in range(2)]
    assert again[0] == again[1] == ["user hello there 3 0"]
    fresh = [ask(CHAT, {"messages": HELLO}) for _ in range(2)]
    assert words(fresh[0]) != words(fresh[1])
    seed = fresh[0].document["workbench"]["seed"]
    assert words(ask(CHAT, {"messages": HELLO, "seed": seed})) == words(fresh[0])


def test_a_key_is_answered_and_charged_once(inside: Inside, ask: Asker) -> None:
    def used() -> Any:
        return ask("/audit/budget").document["budget"]["suspect"]["samples"]["used"]

    first = ask(CHAT, {"messages": HELLO}, Idempotency_Key="k1")
    before = used()
    again = ask(CHAT, {"messages": HELLO}, Idempotency_Key="k1")
    assert (words(again), used()) == (words(first), before)
    assert error(ask(CHAT, {"messages": HELLO, "n": 2}, Idempotency_Key="k1"))[0] == 409
    streamed = ask(CHAT, {"messages": HELLO, "stream": True}, Idempotency_Key="k2")
    repeated = ask(CHAT, {"messages": HELLO, "stream": True}, Idempotency_Key="k2")
    joined = "".join(e["choices"][0]["delta"].get("content", "") for e in events(streamed))
    assert events(repeated)[0]["choices"][0]["delta"]["content"] == joined


@pytest.mark.parametrize("prompt", ["count", ["count", "hello"], [4, 5], [[4, 5], [6]]])
def test_completions_take_texts_and_ids(ask: Asker, prompt: Any) -> None:
    said = ask(TEXT, {"prompt": prompt, "max_tokens": 3, "n": 2, "seed": 0})
    single = isinstance(prompt, str) or isinstance(prompt[0], int)
    assert len(said.document["choices"]) == (1 if single else 2) * 2
    assert [c["index"] for c in said.document["choices"]] == list(range(2 if single else 4))
    assert {c["finish_reason"] for c in said.document["choices"]} == {"length"}
    assert said.document["usage"]["completion_tokens"] == 3 * len(said.document["choices"])
    if prompt == "count":
        assert said.document["choices"][0]["text"] == "one two three"


def test_stops_end_the_text_before_them(ask: Asker) -> None:
    asked = {"messages": [{"role": "user", "content": "count"}], "stop": ["e fou", "zzz"]}
    said = ask(CHAT, asked)
    assert words(said) == ["one two thre"]
    assert said.document["choices"][0]["finish_reason"] == "stop"
    assert said.document["usage"]["completion_tokens"] == 4
    assert words(ask(CHAT, {**asked, "stop": "one"})) == [""]
    pieces = events(ask(CHAT, {**asked, "stream": True}))
    told = [p["choices"][0]["delta"]["content"] for p in pieces]
    assert "".join(told) == "one two thre"


def test_a_stream_tells_what_the_whole_answer_tells(ask: Asker) -> None:
    asked = {"messages": [{"role": "user", "content": "count"}], "n": 2, "seed": 1}
    asked |= {"logprobs": True, "top_logprobs": 2}
    whole = ask(CHAT, asked).document["choices"]
    streamed = events(
        ask(CHAT, {**asked, "stream": True, "stream_options": {"include_usage": True}})
    )
    *pieces, last = streamed
    assert last["choices"] == [] and last["usage"]["completion_tokens"] == 14
    assert last["workbench"]["finding"].startswith("f-")
    for index in (0, 1):
        mine = [p["choices"][0] for p in pieces if p["choices"][0]["index"] == index]
        assert mine[0]["delta"]["role"] == "assistant"
        assert not any("role" in c["delta"] for c in mine[1:])  # one piece, where the host was slow
        text = "".join(c["delta"]["content"] for c in mine)
        assert text == whole[index]["message"]["content"]
        assert [c["finish_reason"] for c in mine[:-1]] == [None] * (len(mine) - 1)
        assert mine[-1]["finish_reason"] == whole[index]["finish_reason"] == "stop"
        tokens = [t for c in mine for t in c["logprobs"]["content"]]
        assert tokens == whole[index]["logprobs"]["content"]


def test_log_probabilities_in_both_forms(ask: Asker) -> None:
    said = ask(CHAT, {"messages": HELLO, "logprobs": True, "top_logprobs": 3, "seed": 0})
    told = said.document["choices"][0]["logprobs"]["content"]
    assert "".join(t["token"] for t in told) == words(said)[0]
    assert all(len(t["top_logprobs"]) == 3 and t["logprob"] < 0 for t in told)
    assert all(bytes(t["bytes"]).decode() == t["token"] for t in told)
    assert said.document["workbench"]["spent"]["forward_passes"] == 1
    told = ask(TEXT, {"prompt": "count", "logprobs": 2, "max_tokens": 3}).document
    told = told["choices"][0]["logprobs"]
    assert told["tokens"] == ["one", " two", " three"] and told["text_offset"] == [0, 3, 7]
    assert [len(top) for top in told["top_logprobs"]] == [2, 2, 2]


def test_echo_tells_what_the_prompt_was_held_for(ask: Asker, inside: Inside) -> None:
    asked = {"prompt": ["a b c", "d e"], "echo": True, "logprobs": 1, "max_tokens": 0}
    said = ask(TEXT, asked).document
    read = inside.suspect.logprobs(["a b c"])[0]
    told = said["choices"][0]["logprobs"]
    assert told["tokens"] == ["a", " b", " c"] and told["text_offset"] == [0, 1, 3]
    assert told["token_logprobs"][0] is None and told["top_logprobs"][0] is None
    assert told["token_logprobs"][1:] == pytest.approx(read.logprobs.tolist())
    assert [c["text"] for c in said["choices"]] == ["a b c", "d e"]
    assert said["usage"]["completion_tokens"] == 0
    assert said["workbench"]["spent"] == {"tokens": 5, "forward_passes": 2}
    one = ask(TEXT, {**asked, "prompt": "count", "max_tokens": 1}).document["choices"][0]
    assert one["text"] == "countone" and one["logprobs"]["text_offset"] == [0, 5]
    plain = ask(TEXT, {"prompt": "count", "echo": True, "max_tokens": 2}).document["choices"][0]
    assert plain["text"] == "countone two" and plain["logprobs"] is None
    ids = [4, 5]
    told = ask(TEXT, {"prompt": ids, "echo": True, "max_tokens": 1}).document["choices"][0]
    assert told["text"].startswith("".join(inside.suspect.token_strings(ids)))


def test_a_last_turn_of_the_assistant_is_its_begun_reply(ask: Asker) -> None:
    turns = [*HELLO, {"role": "assistant", "content": "Well,"}]
    assert words(ask(CHAT, {"messages": turns, "seed": 0})) == ["user/assistant Well, 0 0"]


def test_the_reference_is_another_model(ask: Asker) -> None:
    assert words(ask(CHAT, {"model": "reference", "messages": HELLO}))
    used = ask("/audit/budget").document["budget"]["reference"]["samples"]["used"]
    assert used > 0


def test_interventions_travel_as_data(ask: Asker) -> None:
    edit = {"kind": "add", "hook_name": "blocks.0.hook_out", "direction": [1.0] * 8}
    asked = {"messages": HELLO, "workbench": {"interventions": [{**edit, "coefficient": 4.0}]}}
    assert words(ask(CHAT, asked)) == ["steered by add 4.0"]
    for wrong in ({**edit, "hook_name": "no.hook"}, {**edit, "direction": [0.0]}):
        said = ask(CHAT, {"messages": HELLO, "workbench": {"interventions": [wrong]}})
        assert error(said)[0] == 400
    assert error(ask(CHAT, {"messages": HELLO, "workbench": {"unknown": 1}}))[0] == 400


def test_access_and_budget_hold(inside: Inside, ask: Asker) -> None:
    chatter = Asker(inside.port, inside.store.issue("chatter"))
    assert [m["id"] for m in chatter("/v1/models").document["data"]] == ["speaker"]
    edit = {"kind": "noise", "hook_name": "blocks.0.hook_out"}
    for path, more in (
        (TEXT, {"prompt": "x"}),
        (CHAT, {"messages": HELLO, "logprobs": True}),
        (CHAT, {"messages": [*HELLO, {"role": "assistant", "content": "So"}]}),
        (CHAT, {"messages": HELLO, "workbench": {"interventions": [edit]}}),
        (CHAT, {"messages": HELLO, "workbench": {"latents": {"sae": "0" * 64, "hook_name": "h"}}}),
    ):
        assert error(chatter(path, more)) == (403, "access_denied"), more
    assert error(chatter(CHAT, {"model": "reference", "messages": HELLO})) == (
        404,
        "model_not_found",
    )
    assert error(chatter(CHAT, {"messages": HELLO, "n": 4})) == (402, "insufficient_quota")
    assert error(chatter(CHAT, {"messages": HELLO, "max_tokens": 300})) == (
        402,
        "insufficient_quota",
    )
    assert len(words(chatter(CHAT, {"messages": HELLO, "n": 3, "max_tokens": 8}))) == 3
    assert error(chatter(CHAT, {"messages": HELLO, "max_tokens": 8}))[0] == 402
    assert error(Asker(inside.port, "wb-nobody")(CHAT, {"messages": HELLO})) == (
        401,
        "invalid_api_key",
    )


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        (CHAT, {}, "messages"),
        (CHAT, [], None),
        (CHAT, {"messages": []}, "messages"),
        (CHAT, {"messages": "hello"}, "messages"),
        (CHAT, {"messages": [{"role": "user"}, 7]}, "messages.1"),
        (CHAT, {"messages": [{"role": "king", "content": "x"}]}, "messages.0.role"),
        (CHAT, {"messages": HELLO, "n": "2"}, "n"),
        (CHAT, {"messages": HELLO, "n": 10_000}, "n"),
        (CHAT, {"messages": HELLO, "max_tokens": -1}, "max_tokens"),
        (CHAT, {"messages": HELLO, "temperature": "hot"}, "temperature"),
        (CHAT, {"messages": HELLO, "top_p": 0}, "top_p"),
        (CHAT, {"messages": HELLO, "top_logprobs": 3}, None),
        (CHAT, {"messages": HELLO, "frequency_penalty": 1.0}, None),
        (CHAT, {"messages": HELLO, "response_format": {"type": "json_object"}}, None),
        (CHAT, {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages.0"),
        (CHAT, {"messages": [{"role": "assistant", "content": "x"}]}, None),
        (TEXT, {}, "prompt"),
        (TEXT, {"prompt": []}, None),
        (TEXT, {"prompt": [[]]}, None),
        (TEXT, {"prompt": [99_999]}, None),
        (TEXT, {"prompt": "x", "max_tokens": 0}, None),
        (TEXT, {"prompt": "x", "best_of": 5}, None),
        (TEXT, {"prompt": "x", "echo": "yes"}, "echo"),
    ],
)
def test_what_is_wrong_is_named(ask: Asker, path: str, body: Any, param: str | None) -> None:
    said = ask(path, raw=json.dumps(body).encode(), method="POST")
    assert error(said)[0] == 400
    assert said.document["error"]["type"] == "invalid_request_error"
    assert param is None or said.document["error"]["param"] == param


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff\xfe", b'{"n": NaN}', b"[" * 100_000, b"null"])
def test_what_is_no_json_is_told_so(ask: Asker, raw: bytes) -> None:
    assert error(ask(CHAT, raw=raw, method="POST"))[0] == 400


def test_a_prompt_beyond_the_context_has_its_code(ask: Asker) -> None:
    long = "word " * 5_000
    turns = [{"role": "user", "content": long}]
    assert error(ask(CHAT, {"messages": turns})) == (400, "context_length_exceeded")
    assert error(ask(TEXT, {"prompt": long})) == (400, "context_length_exceeded")
    read = {"prompt": long, "echo": True, "logprobs": 0, "max_tokens": 0}
    assert error(ask(TEXT, read)) == (400, "context_length_exceeded")
    assert ask(CHAT, raw=b"{}", method="POST", Content_Length=str(17 << 20)).status == 413


def test_hostile_words_are_data(ask: Asker) -> None:
    for stream in (False, True):
        said = ask(CHAT, {"messages": [{"role": "user", "content": "nasty"}], "stream": stream})
        assert b"\x00" not in said.raw and b"\x1b" not in said.raw and said.raw.isascii()
    said = ask(CHAT, {"messages": [{"role": "user", "content": "long"}]})
    assert words(said)[0].endswith("[cut]")
    said = ask(CHAT, {"messages": [{"role": "user", "content": "raise"}]})
    assert error(said)[0] == 400 and b"secret" not in said.raw
    said = ask(CHAT, {"messages": [{"role": "user", "content": "raise"}], "stream": True})
    assert b"RuntimeError" in said.raw and b"secret" not in said.raw
    assert words(ask(CHAT, {"messages": HELLO}))


def test_exchanges_are_filed_under_their_label(inside: Inside, ask: Asker) -> None:
    body = {"messages": HELLO, "seed": 5, "n": 2, "workbench": {"run": "my-run"}}
    id = ask(CHAT, body).document["workbench"]["finding"]
    ledger = Ledger(inside.store._anchor._path.parent / "ledger.duckdb")
    deadline = time.monotonic() + 20
    while not ledger.path.exists() or not (
        runs := [r for r in ledger.runs() if r.parameters.get("label") == "my-run"]
    ):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    (run,) = runs
    assert (run.technique, run.suspect, run.ran) == ("serve", "speaker", 1)
    (entry,) = ledger.entries(run=run.id)
    assert entry.id == id and entry.finding.confidence == 0 and not entry.finding.accuses
    replies = [e.messages[-1]["content"] for e in entry.finding.evidence]  # type: ignore[union-attr]
    assert replies == ["user hello there 5 0", "user hello there 5 1"]


def test_who_leaves_a_stream_pays_for_what_was_made(inside: Inside, ask: Asker) -> None:
    import http.client

    before = ask("/audit/budget").document["budget"]["suspect"]["tokens"]["used"]
    connection = http.client.HTTPConnection("127.0.0.1", inside.port, timeout=30)
    body = {"messages": [{"role": "user", "content": "ever"}], "stream": True}
    headers = {"Authorization": f"Bearer {inside.token}"}
    connection.request("POST", CHAT, json.dumps(body), headers)
    response = connection.getresponse()
    for _ in range(6):  # told as it is made, in many pieces
        assert b"word" in response.readline() and response.readline() == b"\n"
    response.close()
    connection.close()
    deadline = time.monotonic() + 20
    while True:
        rows = inside.store.rows("SELECT state, spent FROM calls ORDER BY id DESC LIMIT 1")
        if rows[0]["state"] == "settled":
            break
        assert time.monotonic() < deadline
        time.sleep(0.05)
    used = ask("/audit/budget").document["budget"]["suspect"]["tokens"]["used"] - before
    assert 0 < used < 3_000
    assert words(ask(CHAT, {"messages": HELLO}))


def test_many_connections_are_all_answered(inside: Inside) -> None:
    found: list[Any] = []

    def call(number: int) -> None:
        turns = [{"role": "user", "content": f"n{number}"}]
        found.append(
            (number, Asker(inside.port, inside.token)(CHAT, {"messages": turns, "seed": 0}))
        )

    threads = [threading.Thread(target=call, args=(i,)) for i in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert {(n, words(said)[0]) for n, said in found} == {(n, f"user n{n} 0 0") for n in range(200)}


def test_choices_go_on_where_they_stand() -> None:
    held = Choice()
    held.add(Choice("ab", 1, ["ab"], [None], [()]))
    new = Choice("cde", 2, ["c", "de"], [-1.0, -2.0], [(), ()], "stop")
    held.add(new)
    assert (held.text, held.tokens, held.finish, new.offset) == ("abcde", 3, "stop", 2)


def test_forms_refuse_what_cannot_be_served() -> None:
    with pytest.raises(ValueError, match="not served"):
        Chat.model_validate({"messages": HELLO, "logit_bias": {"5": 1.0}})


def test_a_real_model_is_steered_and_read(llama: Path, tmp_path: Path) -> None:
    """Requests of one batch with and without edits, and the latents of each token."""
    import torch
    from safetensors.torch import save_file

    from workbench.suspects import Suspect
    from workbench.suspects.latents import Latents
    from workbench.suspects.remote_saes import SharedSaes

    hook = "blocks.1.hook_out"
    torch.manual_seed(0)
    (tmp_path / "sae").mkdir()
    (tmp_path / "sae/cfg.json").write_text(json.dumps({"architecture": "standard"}))
    shapes = {"W_enc": (32, 8), "b_enc": (8,), "W_dec": (8, 32), "b_dec": (32,)}
    tensors = {name: torch.randn(shape) for name, shape in shapes.items()}
    save_file(tensors, tmp_path / "sae/sae_weights.safetensors")
    edit = Intervention("add", hook, direction=(1.0,) * 32, coefficient=3.0)
    suspect = Suspect.load(llama)
    with hosted(Suspect.load(llama), tmp_path) as inside:
        name = SharedSaes(inside.connect()._host).share(tmp_path / "sae")  # type: ignore[attr-defined]
        ask = Asker(inside.port, inside.token)
        asked = {"messages": HELLO, "max_tokens": 6, "seed": 2}
        reading = {"sae": name, "hook_name": hook, "top": 3}
        ours = {"latents": reading, "interventions": [edit.to_json()]}
        answers: dict[str, Said] = {}

        def call(key: str, body: Any) -> None:
            answers[key] = ask(CHAT, body)

        threads = [
            threading.Thread(target=call, args=("plain", asked)),
            threading.Thread(target=call, args=("steered", {**asked, "workbench": ours})),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        for key, edits in (("plain", ()), ("steered", (edit,))):
            ((reply,),) = suspect.chat([HELLO], max_new_tokens=6, seed=2, interventions=edits)
            assert words(answers[key]) == [reply.text]
        (told,) = answers["steered"].document["workbench"]["latents"]
        prompt = suspect._engine.prompt(HELLO, "").token_ids
        assert told["prompt_tokens"] == len(prompt) and len(told["latents"]) > len(prompt)
        whole = [*prompt, *reply.token_ids]
        assert told["strings"] == suspect.token_strings(whole)
        (part,) = suspect.activations([whole], [hook], interventions=(edit,))
        found = Latents.load(str(tmp_path / "sae"), "cpu").encode(part.values[hook][0])
        for row, listed in zip(found, told["latents"], strict=True):
            best = row.topk(3)
            wanted = [(i, v) for i, v in zip(best.indices.tolist(), best.values.tolist()) if v > 0]  # noqa: B905
            assert [i for i, _ in listed] == [i for i, _ in wanted]
            assert [v for _, v in listed] == pytest.approx([v for _, v in wanted], rel=1e-4)
        spent = answers["steered"].document["workbench"]["spent"]
        assert spent["forward_passes"] == 1 and spent["tokens"] == 2 * len(whole)
        stranger = {**ours, "latents": {**reading, "sae": "0" * 64}}
        assert error(ask(CHAT, {**asked, "workbench": stranger}))[0] == 400
