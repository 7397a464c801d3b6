"""The OpenAI door in a game: the same access, budget, phases and masks as every other route."""

from __future__ import annotations

import json
import time
from pathlib import Path

from tests.gaming import RIGHT, Played, defined, playing
from workbench.access import Budget
from workbench.game import organiser

HELLO = [{"role": "user", "content": "hello"}]
CHAT = "/suspects/a/v1/chat/completions"


def test_it_names_the_suspect_as_the_game_does(played: Played) -> None:
    red = played.ask("red")
    listed = red("/suspects/a/v1/models")
    assert [m["id"] for m in listed.document["data"]] == ["a", "reference"]
    for path, body in (
        (CHAT, {"messages": HELLO}),
        (CHAT, {"messages": HELLO, "stream": True}),
        (CHAT, {"messages": [{"role": "user", "content": "raise"}]}),
        ("/suspects/a/v1/completions", {"prompt": "hello", "logprobs": 1}),
    ):
        said = red(path, body)
        whole = said.raw + json.dumps(said.headers).encode()
        assert b"speaker" not in whole and b"scripted" not in whole, said
    assert red(CHAT, {"model": "speaker", "messages": HELLO}).status == 404


def test_it_lets_nobody_in_without_a_seat(played: Played) -> None:
    for role, path, status in (
        (None, CHAT, 401),
        ("green", CHAT, 400),
        ("red", "/suspects/c/v1/chat/completions", 400),
        ("red", "/v1/chat/completions", 404),
    ):
        said = played.ask(role)(path, {"messages": HELLO})
        assert said.status == status and set(said.document["error"]) >= {"message", "type"}, said
    blue = played.ask("blue")
    assert blue("/suspects/a/v1/completions", {"prompt": "x"}).status == 403
    assert blue(CHAT, {"messages": HELLO, "logprobs": True}).status == 403


def test_budget_and_phase_hold_and_what_was_served_can_be_cited(tmp_path: Path) -> None:
    with playing(defined(tmp_path, budget=Budget(samples=3))) as game:
        red = game.ask("red")
        said = red(CHAT, {"messages": HELLO, "n": 2})
        assert red(CHAT, {"messages": HELLO, "n": 2}).status == 402
        cited = said.document["workbench"]["finding"]
        deadline = time.monotonic() + 30
        while (made := red("/suspects/a/submission", {**RIGHT, "evidence": [cited]})).status != 200:
            assert time.monotonic() < deadline, made
            time.sleep(0.3)
        blue = game.ask("blue")("/suspects/a/submission", {**RIGHT, "evidence": [cited]})
        assert blue.status == 422
        with game.board() as board:
            organiser.close(board)
        assert red(CHAT, {"messages": HELLO}).status == 403
