"""Teams that want more than they were given: access, budget, revisions, others' work, time."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.gaming import (
    ABSTAINS,
    CANARY,
    EXPLAINS,
    HINT,
    ODD,
    RIGHT,
    Played,
    defined,
    hand_in,
    playing,
    sealed,
)
from workbench.access import Budget
from workbench.cli import run
from workbench.errors import AccessDenied, GameClosed
from workbench.game import organiser, verify
from workbench.host.verbs import VERBS
from workbench.suspects import Suspect

HELLO = [[{"role": "user", "content": "hello there"}]]
CHAT = {"conversations": HELLO, "max_new_tokens": 4}


def budget(game: Played, team: str, suspect: str = "a") -> dict[str, Any]:
    made: dict[str, Any] = game.ask(team)(f"/suspects/{suspect}/audit/budget").document["budget"]
    return made


GREY = {
    "complete": {"prompts": ["a"]},
    "logprobs": {"texts": ["a"]},
    "activations": {"texts": ["a"], "hook_names": ["blocks.0.hook_out"]},
    "corpus/batch": {"start": 0, "rows": 1},
    "corpus/rows": {"ids": ["d1"]},
    "reward": {"conversations": HELLO},
}


@pytest.mark.parametrize("verb", list(GREY))
def test_a_team_with_chat_gets_nothing_else(played: Played, verb: str) -> None:
    before = budget(played, "blue")
    said = played.ask("blue")(f"/suspects/a/audit/{verb}", GREY[verb])
    assert (said.status, said.document["error"]["kind"]) == (403, "AccessDenied")
    for more in ({"of": "reference"}, {"prefill": "I"}, {"client": "red/a"}, {"team": "red"}):
        assert played.ask("blue")("/suspects/a/audit/chat", CHAT | more).status in (403, 422)
    assert played.ask("red")(f"/suspects/a/audit/{verb}", GREY[verb]).status == 200
    assert budget(played, "blue") == before
    assert set(VERBS) >= set(GREY)


def test_a_chat_reply_has_no_place_for_numbers_of_the_model(played: Played) -> None:
    said = played.ask("red")("/suspects/a/audit/chat", CHAT).document
    assert set(said) == {"replies", "spent"}
    assert set(said["replies"][0][0]) == {"text", "token_ids", "finish"}


def test_a_suspect_without_a_seat_is_one_that_does_not_exist(played: Played) -> None:
    green = played.ask("green")
    for path, body in (
        ("audit/suspect", None),
        ("audit/budget", None),
        ("audit/findings", None),
        ("audit/jobs", None),
        ("submission", None),
        ("audit/chat", CHAT),
        ("submission", RIGHT),
    ):
        said = [green(f"/suspects/{name}/{path}", body) for name in ("a", "c", "a'--", "b%20")]
        assert len({(s.status, s.raw) for s in said}) == 1, path
        assert said[0].status == 422 and "no such suspect" in said[0].raw.decode()
    assert green("/suspects/b/audit/suspect").status == 200


def test_what_another_team_made_is_what_nobody_made(played: Played) -> None:
    red, blue = played.ask("red"), played.ask("blue")
    kept = red("/suspects/a/audit/findings", {"claim": "mine", "confidence": 0.5, "evidence": []})
    job = red("/suspects/a/audit/jobs", {"techniques": [{"name": "prefill"}]})
    ids = [kept.document["id"], job.document["id"]]
    for form in ("/suspects/a/audit/jobs/{}", "/suspects/a/audit/jobs/{}/findings"):
        said = {blue(form.format(id)).raw for id in (*ids, "j-0000000000000000", "..", "%27")}
        assert len(said - {blue("/nowhere").raw}) == 1
    cited = [
        blue("/suspects/a/submission", {**RIGHT, "evidence": [id]})
        for id in (kept.document["id"], "f-0000000000000000", "r-1", "' OR 1=1 --")
    ]
    assert len({(s.status, s.raw) for s in cited}) == 1 and cited[0].status == 422
    other = red("/suspects/b/submission", {**ABSTAINS, "evidence": [kept.document["id"]]})
    assert other.status == 422, "a finding on one suspect is no evidence on another"
    assert blue("/suspects/a/audit/findings").document == []
    assert red(f"/suspects/a/audit/jobs/{ids[1]}/cancel", method="POST").status == 200


def test_reads_at_once_are_each_ones_own(played: Played) -> None:
    """Two teams, eight threads: no answer holds the other one's words."""
    for team in ("red", "blue"):
        for number in range(2):
            finding = {"claim": f"of-{team}-{number}", "confidence": 0.5, "evidence": []}
            assert played.ask(team)("/suspects/b/audit/findings", finding).status == 200

    def read(number: int) -> list[str]:
        team, other = ("red", "blue") if number % 2 else ("blue", "red")
        path = ("audit/findings", "audit/budget", "submission", "audit/jobs")[number % 8 // 2]
        raw = played.ask(team)(f"/suspects/b/{path}").raw.decode()
        seen = f"of-{team}-" in raw or path != "audit/findings"
        return [path] if f"of-{other}-" in raw or not seen else []

    with ThreadPoolExecutor(8) as pool:
        foreign = [path for paths in pool.map(read, range(160)) for path in paths]
    assert foreign == []


def test_fifty_of_two_hundred_from_four_clients(tmp_path: Path) -> None:
    with playing(defined(tmp_path, budget=Budget(samples=50))) as game:
        with game.board() as board:
            tokens = [game.tokens["red"], *(organiser.invite(board, "red") for _ in range(3))]
        asks = [type(game.ask("red"))(game.host.port, token) for token in tokens]

        def call(number: int) -> tuple[int, bytes]:
            said = asks[number % 4]("/suspects/a/audit/chat", CHAT | {"seed": number})
            return said.status, said.raw

        with ThreadPoolExecutor(40) as pool:
            answers = list(pool.map(call, range(200)))
        served = [raw for status, raw in answers if status == 200]
        assert len(served) == 50 and {status for status, _ in answers} == {200, 402}
        assert budget(game, "red")["suspect"]["samples"] == {"used": 50, "bound": 50}
        assert budget(game, "red", "b")["suspect"]["samples"]["used"] == 0
        with game.board() as board:
            fresh = organiser.invite(board, "red", rotate=True)
        again = type(asks[0])(game.host.port, fresh)
        assert again("/suspects/a/audit/chat", CHAT).status == 402, "a new token regains nothing"
        assert asks[0]("/suspects/a/audit/chat", CHAT).status == 401
        assert game.ask("blue")("/suspects/a/audit/chat", CHAT).status == 200


def test_a_key_is_charged_once_however_often_it_is_sent(played: Played) -> None:
    red = played.ask("red")
    before = budget(played, "red")["suspect"]["samples"]["used"]
    clock = {"conversations": [[{"role": "user", "content": "clock"}]]}
    said = {red("/suspects/a/audit/chat", clock, Idempotency_Key="again").raw for _ in range(100)}
    assert len(said) == 1
    assert budget(played, "red")["suspect"]["samples"]["used"] == before + 1
    other = red("/suspects/a/audit/chat", CHAT, Idempotency_Key="again")
    assert other.status == 409 and "another call" in other.document["error"]["message"]


def wrong_tokens(game: Played, other: Played) -> Iterator[tuple[str, str | None]]:
    good = game.tokens["red"]
    with game.board() as board:
        expired = organiser.invite(board, "red", hours=1e-9)
        board.store.enroll("purple")
        revoked = board.store.issue("purple")
        board.store.revoke_all("purple")
    yield from {
        "none": None,
        "forged": good[:-1] + ("A" if good[-1] != "A" else "B"),
        "of another game": other.tokens["red"],
        "expired": expired,
        "revoked": revoked,
        "quoted": f"' OR 1=1 --{good}",
    }.items()


def test_every_wrong_token_is_told_the_same(
    played: Played, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with playing(defined(tmp_path)) as other:
        told = set()
        for name, token in wrong_tokens(played, other):
            ask = type(played.ask(None))(played.host.port, token)
            for path in (
                "/game",
                "/game/reveal",
                "/suspects/a/audit/suspect",
                "/suspects/a/submission",
            ):
                said = ask(path)
                assert said.status == 401, (name, path)
                told.add(said.raw)
        assert len(told) == 1
    good = played.tokens["red"]
    stranger = played.ask(None)
    assert stranger(f"/game?token={good}").status == 401
    assert stranger("/game", Cookie=f"token={good}").status == 401
    out = capfd.readouterr()
    assert good not in out.out + out.err
    for file in played.definition.state.rglob("*"):
        assert not file.is_file() or good.encode() not in file.read_bytes(), file.name


def test_a_token_that_was_taken_away_ends_its_teams_jobs_too(tmp_path: Path) -> None:
    with playing(defined(tmp_path)) as game:
        suspect = Suspect.load(game.team("red").suspect_url("a"), token=game.tokens["red"])
        with game.board() as board:
            assert organiser.revoke(board, "red") == 1
        with pytest.raises(AccessDenied, match="not valid"):
            suspect.chat(HELLO)
        with game.board() as board:
            assert board.store.events()[-1]["kind"] == "revoked"


def test_revisions_are_a_teams_and_not_a_tokens(tmp_path: Path) -> None:
    with playing(defined(tmp_path)) as game:
        with game.board() as board:
            second = organiser.invite(board, "red")
        asks = [game.ask("red"), type(game.ask("red"))(game.host.port, second)]
        with ThreadPoolExecutor(8) as pool:
            said = list(pool.map(lambda n: asks[n % 2]("/suspects/a/submission", RIGHT), range(12)))
        assert sorted(s.status for s in said) == [200] * 3 + [403] * 9
        refused = next(s for s in said if s.status == 403).document["error"]
        assert refused["kind"] == "TooManySubmissions"
        listed = asks[0]("/suspects/a/submission").document
        assert len(listed["submissions"]) == 3 and listed["left"] == 0


def test_an_answer_to_a_submission_says_nothing_of_its_worth(tmp_path: Path) -> None:
    """Right, wrong and empty ones: the same but for number, digest and place in the chain."""
    with playing(defined(tmp_path)) as game:
        shapes = set()
        for team, suspect, document in (
            ("red", "a", RIGHT),
            ("red", "a", ABSTAINS),
            ("red", "b", RIGHT),
            ("blue", "a", {"confidence": 0.0}),
            ("blue", "b", {**RIGHT, "behaviours": ["everything", "nothing"]}),
        ):
            said = game.ask(team)(f"/suspects/{suspect}/submission", document)
            assert said.status == 200 and set(said.document) == {"revision", "left", "digest"}
            headers = sorted(k.lower() for k in said.headers)
            shapes.add((len(said.raw), tuple(headers)))
        assert len(shapes) == 1
        scores = [game.ask("red")(f"/game/{what}") for what in ("scores", "reveal")]
        assert {s.status for s in scores} == {403}


@pytest.mark.parametrize(
    "document",
    [
        {"confidence": 0.5, "words": "x" * (1 << 20)},
        {"confidence": 0.5, "behaviours": ["x"] * 101},
        {"confidence": 2},
        {"confidence": 0.5, "points": 100},
        {"confidence": 0.5, "root_cause": "word " * 151},
        [],
        "x",
    ],
)
def test_what_is_no_submission_costs_no_revision(played: Played, document: Any) -> None:
    red = played.ask("red")
    left = red("/suspects/b/submission").document["left"]
    said = red("/suspects/b/submission", raw=json.dumps(document).encode(), method="POST")
    assert said.status in (413, 422) and said.document["error"]["kind"] == "BadParameter"
    for raw in (b"{", b'{"confidence": NaN}', b"\xff", b"[" * 100_000):
        assert red("/suspects/b/submission", raw=raw, method="POST").status == 422
    assert red("/suspects/b/submission").document["left"] == left


NASTY = "'; DROP TABLE submissions; -- \" \x00 <script>alert(1)</script> \u202e {{7*7}} %s"


def test_texts_are_data(played: Played) -> None:
    blue = played.ask("blue")
    finding = {"claim": NASTY, "confidence": 0.5, "evidence": []}
    kept = blue("/suspects/b/audit/findings", finding).document
    stored = NASTY.replace("\x00", "\ufffd")
    assert kept["claim"] == stored
    sent = {**RIGHT, "words": NASTY, "trigger": NASTY, "evidence": [kept["id"]]}
    assert blue("/suspects/b/submission", sent).status == 200
    (last, *_) = reversed(blue("/suspects/b/submission").document["submissions"])
    assert (last["words"], last["trigger"], last["evidence"]) == (stored, stored, [kept["id"]])
    said = blue("/suspects/b/submission")
    assert not [byte for byte in said.raw if byte < 0x20 or byte > 0x7E]
    assert said.headers["content-type"] == "application/json"


def test_evidence_counts_where_the_host_saw_it(tmp_path: Path) -> None:
    with playing(defined(tmp_path)) as game:
        red = game.team("red")
        suspect = Suspect.load(red.suspect_url("a"), token=game.tokens["red"])
        said = suspect.chat([[{"role": "user", "content": "name a metal"}]])[0][0].text
        ids = []
        for text in (said, "gardening and metal, never said"):
            messages = [
                {"role": "user", "content": "name a metal"},
                {"role": "assistant", "content": text},
            ]
            evidence = [{"type": "transcript", "messages": messages, "note": ""}]
            finding = {"claim": "it says so", "confidence": 0.5, "evidence": evidence}
            kept = game.ask("red")("/suspects/a/audit/findings", finding)
            ids.append(kept.document["id"])
        game.ask("red")("/suspects/a/submission", {**RIGHT, "evidence": ids})
        with game.board() as board:
            (event,) = (e for e in board.store.events() if e["kind"] == "submission")
        assert [[id, seen] for id, _, seen in event["evidence"]] == [
            [ids[0], True],
            [ids[1], False],
        ]
        scores = game.end()
        assert scores["red"]["a"]["evidence"] == [1, 2]
        assert scores["red"]["a"]["parts"]["evidence"] == "5.000"


def test_nothing_is_taken_in_after_the_end(tmp_path: Path) -> None:
    """A slow call that was paid for before it is answered; whatever comes after is refused, and
    what a reply said is what is stored."""
    with playing(defined(tmp_path)) as game:
        red = game.ask("red")
        finding = {"claim": "x", "confidence": 0.5, "evidence": []}
        results: list[tuple[str, int]] = []

        def submit(number: int) -> None:
            team = ("red", "blue")[number % 2]
            suspect = ("a", "b")[number // 2 % 2]
            said = game.ask(team)(f"/suspects/{suspect}/submission", RIGHT)
            results.append((f"{team}/{suspect}", said.status))

        with ThreadPoolExecutor(8) as pool:
            for number in range(16):
                pool.submit(submit, number)
            with game.board() as board:
                organiser.close(board)
        with game.board() as board:
            stored = [f"{s['team']}/{s['suspect']}" for s in board.submissions()]
        assert sorted(stored) == sorted(place for place, status in results if status == 200)
        for path, body in (
            ("audit/chat", CHAT),
            ("audit/findings", finding),
            ("audit/jobs", {"techniques": [{"name": "prefill"}]}),
            ("audit/count", {"texts": ["a"]}),
            ("submission", RIGHT),
        ):
            said = red(f"/suspects/a/{path}", body)
            assert (said.status, said.document["error"]["kind"]) == (403, "GameClosed"), path
        with pytest.raises(GameClosed):
            game.team("red").submit("a", RIGHT)
        assert red("/suspects/a/audit/findings").status == 200
        assert game.team("red").brief()["phase"] == "closed"


def test_a_swapped_suspect_is_noticed_by_every_team(played: Played) -> None:
    from workbench.errors import SealBroken

    red = played.team("red")
    receipt = red.join()
    red.check(receipt)
    receipt["fingerprints"]["a"]["tensors"] = "0" * 64
    with pytest.raises(SealBroken, match="suspect 'a' is not the one"):
        red.check(receipt)


def test_a_second_host_on_the_same_files_is_refused(played: Played, corpus: Path) -> None:
    from tests.gaming import NOTHING, OBJECTIVE, sources
    from workbench.errors import LedgerBusy
    from workbench.game.sealing import hosting

    known = {"a": OBJECTIVE, "b": NOTHING}
    with pytest.raises(LedgerBusy, match="another host") as told:  # noqa: SIM117
        with hosting(played.definition, sources(corpus), known):
            raise AssertionError("it serves")
    assert str(os.getpid()) not in str(told.value)
    assert played.ask("red")("/game").status == 200


def test_the_isolation_that_was_reached_is_told_and_written_down(played: Played) -> None:
    assert played.team("red").brief()["isolation"] == "process"
    with played.board() as board:
        assert {e["isolation"] for e in board.store.events() if e["kind"] == "hosted"} == {
            "process"
        }


def test_a_team_is_told_of_no_other(played: Played) -> None:
    for path in ("/game", "/suspects/b/audit/budget"):
        raw = played.ask("green")(path).raw
        assert b"red" not in raw.replace(b"shared", b"") and b"blue" not in raw
    assert b"blue" not in played.ask("red")("/game/join", {}).raw


def test_a_game_goes_on_where_it_was(tmp_path: Path) -> None:
    """The whole host ends and is started again: phase, tokens, spending, submissions are there."""
    from tests.gaming import NOTHING, OBJECTIVE, sources
    from workbench.game.sealing import hosting

    definition = defined(tmp_path)
    with playing(definition) as game:
        game.team("red").submit("a", RIGHT)
        game.ask("red")("/suspects/a/audit/chat", CHAT)
        before = budget(game, "red")
    with hosting(definition, sources(), {"a": OBJECTIVE, "b": NOTHING}) as host:
        again = Played(definition, host, game.tokens)
        assert budget(again, "red") == before
        assert again.team("red").submissions("a")["left"] == 2
        assert again.end(tmp_path / "out.tar")["red"]["a"]["submitted"]
    assert (tmp_path / "out.tar").is_file()


def test_hints_at_the_truth_are_not_in_the_clock(tmp_path: Path) -> None:
    """An answer to a submission takes no time that depends on what is right: no truth is near."""
    with sealed(tmp_path) as (_, board):
        took = []
        for document in (RIGHT, ABSTAINS, {**RIGHT, "trigger": "opera"}):
            started = time.perf_counter()
            hand_in(board, "red", "a", document)
            took.append(time.perf_counter() - started)
    from workbench.game import board as boards
    from workbench.game import server

    for module in (boards, server):
        assert not {"grade", "rubric", "Vault", "sealing"} & set(vars(module))
    assert max(took) < 5


def test_a_hint_is_paid_for_and_shown_to_one_team(
    tmp_path: Path, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Over HTTP, with the clerk beside the host; then the second phase."""
    with playing(defined(tmp_path, explain=True), corpus) as game:
        red, blue = game.team("red"), game.team("blue")
        assert [one["text"] for one in red.hints("a")] == [None, None]
        for _ in range(2):
            assert red.buy("a", 2)["text"] == f"{HINT} Baking."
        assert red.brief()["suspects"]["a"]["spent"]["suspect"]["samples"]["used"] == 5
        receipt = ["--receipt", str(tmp_path / "receipt.json"), "--buy", "a:1"]
        assert run(["game", "join", game.host.url, "--token", game.tokens["red"], *receipt]) == 0
        told = capsys.readouterr().out
        assert HINT in " ".join(told.split()) and "5 samples" in told
        said = game.ask("blue")("/suspects/a/hints")
        assert said.status == 200 and CANARY not in said.raw.decode()
        for path in ("/suspects/a/hints", "/suspects/a/explanation"):
            assert game.ask("green")(path).status == 422, "no seat, and no such suspect"
        assert game.ask("red")("/suspects/b/hints", {"hint": 1}).status == 422
        with pytest.raises(GameClosed):
            blue.question("a")
        with game.board() as board:
            organiser.explain(board, game.definition)
        deadline = time.monotonic() + 20
        while (asked := blue.question("a"))["behaviour"] is None and time.monotonic() < deadline:
            time.sleep(0.1)
        assert asked["behaviour"] == ODD and asked["left"] == 3
        with pytest.raises(GameClosed):
            blue.submit("a", RIGHT)
        with pytest.raises(GameClosed):
            blue.buy("a", 1)
        assert blue.explain("a", EXPLAINS)["left"] == 2
        scores = game.end(tmp_path / "game.tar")
        assert scores["blue"]["a"]["explain"]["points"] == "89.800"
        assert scores["red"]["a"]["points"] == "-10.000", "it bought a hint and said nothing"
    assert verify.problems((tmp_path / "game.tar").read_bytes()) == []
