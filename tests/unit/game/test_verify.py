"""The verifier: what any change to an exported game comes to, here and on a bare Python."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.gaming import NOTHING, OBJECTIVE, defined, ended, sealed
from workbench.battery import SuspectFiles
from workbench.game import archive, grader, organiser, verify
from workbench.seal.commit import canonical, chain


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[dict[str, Any]]]:
    return ended(tmp_path_factory.mktemp("game"))


def flips(content: bytes, step: int) -> list[int]:
    """Places where a byte changed and nothing was said."""
    missed = []
    for place in range(0, len(content), step):
        changed = bytearray(content)
        changed[place] ^= 1 << place % 8
        if not verify.problems(bytes(changed)):
            missed.append(place)
    return missed


def test_a_game_as_it_was_played_verifies(played: Any) -> None:
    content, receipts = played
    assert verify.problems(content, receipts) == []
    assert "red a 78.200" in verify.summary(content)


def test_a_letter_of_another_text_is_named(played: Any) -> None:
    def change(seal: Any) -> Any:
        letters = seal["document"]["letters"]
        (id,) = (id for id in letters if id.endswith("hint-1"))
        letters[id]["letter"]["text"] = "Another."
        return seal

    found = verify.problems(remade(played[0], "seal.json", change))
    assert any("hint-1" in line for line in found), found


def test_any_byte_changed_is_noticed(played: Any) -> None:
    content, _ = played
    assert flips(content, 29) == []


@pytest.mark.long
def test_every_byte_changed_is_noticed(played: Any) -> None:
    assert flips(played[0], 1) == []


def remade(content: bytes, name: str, change: Any) -> bytes:
    """The archive with one member changed by a careful forger: canonical, the tar whole."""
    members = archive.unpack(content)
    if name == "log.jsonl":
        events = change([json.loads(line) for line in members[name].splitlines()])
        members[name] = b"".join(canonical(event) + b"\n" for event in events)
        head = verify.heads(events)[-1]
        about = json.loads(members["archive.json"])
        members["archive.json"] = canonical(about | {"head": [len(events), head]})
    else:
        members[name] = canonical(change(json.loads(members[name])))
    return archive.pack(members)


def put(document: Any, *place: Any, value: Any) -> Any:
    inner = document
    for part in place[:-1]:
        inner = inner[part]
    inner[place[-1]] = value
    return document


FORGERIES: list[tuple[str, Any, str]] = [
    ("seal.json", lambda d: put(d, "document", "truths", "a", "summary", value="other"), "seal"),
    ("seal.json", lambda d: put(d, "document", "truths", "a", value=NOTHING), "seal"),
    ("seal.json", lambda d: put(d, "document", "decoys", "b", value=False), "seal"),
    ("seal.json", lambda d: put(d, "document", "salt", value="00" * 32), "seal"),
    ("seal.json", lambda d: put(d, "nonce", value="11" * 32), "seal"),
    ("seal.json", lambda d: put(d, "document", "terms", "closes", value="2099"), "seal"),
    ("seal.json", lambda d: put(d, "document", "causes", "a", value=None), "seal"),
    ("seal.json", lambda d: put(d, "document", "letters", value={}), "letters"),
    ("submissions.json", lambda d: put(d, 4, "part", value="hunt"), "handed in"),
    ("submissions.json", lambda d: put(d, 0, "body", "confidence", value="1.000"), "handed in"),
    ("submissions.json", lambda d: put(d, 0, "team", value="blue"), "handed in"),
    ("submissions.json", lambda d: d[:-1], "submissions"),
    ("submissions.json", lambda d: [d[1], d[0], *d[2:]], "handed in"),
    ("findings.json", lambda d: {k: v + " " for k, v in d.items()}, "finding"),
    ("findings.json", lambda d: {}, "findings"),
    ("scores.json", lambda d: put(d, "red", "a", "points", value="100.000"), "scores"),
    ("scores.json", lambda d: {t: s for t, s in d.items() if t != "blue"}, "scores"),
    ("archive.json", lambda d: put(d, "game", value="g-0000000000000000"), "another game"),
    ("log.jsonl", lambda d: put(d, 0, "terms", "title", value="Another"), "terms"),
    ("log.jsonl", lambda d: put(d, 0, "commitment", value="0" * 64), "seal"),
    ("log.jsonl", lambda d: [e for e in d if e["kind"] != "submission"], "number"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "change", "says"), FORGERIES)
def test_a_careful_forger_is_named(played: Any, name: str, change: Any, says: str) -> None:
    found = verify.problems(remade(played[0], name, change))
    assert found and any(says in line for line in found), found


def numbered(events: list[Any]) -> list[Any]:
    return [event | {"seq": number} for number, event in enumerate(events, start=1)]


def dropped(kind: str, which: int = 0) -> Any:
    def change(events: list[Any]) -> list[Any]:
        places = [n for n, event in enumerate(events) if event["kind"] == kind]
        del events[places[which]]
        return numbered(events)

    return change


def moved(kind: str, behind: str) -> Any:
    def change(events: list[Any]) -> list[Any]:
        (one,) = (event for event in events if event["kind"] == kind)
        rest = [event for event in events if event is not one]
        place = next(n for n, event in enumerate(rest) if event["kind"] == behind)
        return numbered([*rest[: place + 1], one, *rest[place + 1 :]])

    return change


def edited(kind: str, **parts: Any) -> Any:
    def change(events: list[Any]) -> list[Any]:
        next(event for event in events if event["kind"] == kind).update(parts)
        return events

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (dropped("submission", -1), "submissions"),
        (dropped("sealed"), "seal"),
        (dropped("closed"), "phases"),
        (moved("closed", "opened"), "not open"),
        (moved("opened", "closed"), "phases"),
        (edited("submission", at="2999"), "after the end"),
        (edited("submission", revision=2), "number"),
        (edited("call", amounts={"samples": 51}), "of 50"),
        (edited("call", client="blue/a", verb="activations"), "without activations"),
        (edited("call", client="nobody/a"), "no seat"),
        (edited("call", **{"of": "reference", "client": "blue/a"}), "without chat, reference"),
        (edited("client", access=["logits"]), "other access"),
        (edited("hint", price={"points": 1}), "another price"),
        (edited("hint", hint=3), "no such hint"),
        (edited("hint", team="green"), "could not buy"),
        (dropped("hint", 1), "did not get"),
        (dropped("hint", 0), "scores"),
        (dropped("call", 3), "not paid for"),
        (dropped("explaining"), "phases"),
        (moved("explaining", "opened"), "not open"),
        (edited("explaining", closes="2020"), "after the end"),
    ],
)
def test_an_organiser_who_writes_another_log_contradicts_it(
    played: Any, change: Any, says: str
) -> None:
    found = verify.problems(remade(played[0], "log.jsonl", change))
    assert found and any(says in line for line in found), found


def test_a_log_that_contradicts_nothing_contradicts_the_receipts(played: Any) -> None:
    """A refund or a charge left out, a seal exchanged with its whole log: teams' receipts tell."""
    content, receipts = played
    forged = remade(content, "log.jsonl", dropped("joined"))
    assert verify.problems(forged) == []
    (found,) = verify.problems(forged, receipts[1:])
    assert "not the one that this team was shown" in found
    other = receipts[0] | {"commitment": "0" * 64}
    (found,) = verify.problems(content, [other])
    assert "the seal is not" in found
    assert verify.problems(content, [receipts[0] | {"game": "g-1"}]) != []
    for nonsense in ({}, {"game": 1}, receipts[0] | {"chain": [10**9, "x"]}, [], "x"):
        assert verify.problems(content, [nonsense]) != []  # type: ignore[list-item]


@pytest.mark.parametrize("content", [b"", b"x" * 10_000, b"\0" * 10_240])
def test_what_is_no_archive(content: bytes) -> None:
    (found,) = verify.problems(content)
    assert "archive was changed" in found


def test_one_file_verifies_on_a_bare_python(played: Any, tmp_path: Path) -> None:
    """No site packages, no environment, another directory; also as it comes from a checkout with
    other line endings."""
    content, receipts = played
    (tmp_path / "game.tar").write_bytes(content)
    (tmp_path / "receipt.json").write_bytes(json.dumps(receipts[0], indent=2).encode())
    (tmp_path / "verify.pyz").write_bytes(grader.script())
    changed = bytearray(content)
    changed[5_000] ^= 1
    (tmp_path / "forged.tar").write_bytes(changed)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        python = shutil.which("python3", path="/usr/local/bin:/usr/bin") or sys.executable
        return subprocess.run(
            [python, "-I", "-S", "verify.pyz", *arguments],
            cwd=tmp_path, env={}, capture_output=True, text=True, timeout=60,
        )  # fmt: skip

    good = run("game.tar", "--receipt", "receipt.json")
    assert (good.returncode, good.stderr) == (0, ""), good
    assert good.stdout.startswith("verified: game g-")
    bad = run("forged.tar")
    assert bad.returncode == 1 and bad.stdout.startswith("FAILED")
    assert run("nowhere.tar").returncode == 2


def test_the_grader_is_the_same_with_other_line_endings(monkeypatch: pytest.MonkeyPatch) -> None:
    import pkgutil

    before, read = grader.identity(), pkgutil.get_data

    def with_returns(package: str, name: str) -> bytes:
        content = read(package, name)
        assert content is not None
        return content.replace(b"\n", b"\r\n")

    monkeypatch.setattr(pkgutil, "get_data", with_returns)
    assert grader.identity() == before


def test_scores_are_graded_by_the_sealed_grader_alone(
    played: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grader, "identity", lambda: {"version": 1, "sha256": "0" * 64})
    assert any("grader" in line for line in verify.problems(played[0]))


def test_weights_are_hashed_again(llama: Path, tmp_path: Path) -> None:
    """The fingerprint in the seal is the hash that any machine finds in the files."""
    definition = defined(tmp_path)
    seats = {"red": {"a": definition.seats["blue"]["a"]}}
    definition = dataclasses.replace(definition, seats=seats)
    found = {"a": SuspectFiles(str(llama))}
    with sealed(tmp_path, definition=definition, truths={"a": OBJECTIVE}, found=found) as (
        _,
        board,
    ):
        assert board.phase() == "open"
        organiser.close(board)
        organiser.grade(board, definition)
        organiser.reveal(board, definition)
        content = organiser.archived(board)
    assert verify.problems(content) == []
    assert verify.files_of(content, "a", str(llama)) == []
    shutil.copytree(llama, tmp_path / "other")
    weights = tmp_path / "other" / "model.safetensors"
    changed = bytearray(weights.read_bytes())
    changed[-1] ^= 1
    weights.write_bytes(changed)
    assert "other weights" in verify.files_of(content, "a", str(tmp_path / "other"))[0]
    assert "none of that name" in verify.files_of(content, "c", str(llama))[0]


def test_heads_are_those_of_the_chain() -> None:
    events = [{"seq": 1}, {"seq": 2}]
    first = chain("0" * 64, events[0])
    assert verify.heads(events) == ["0" * 64, first, chain(first, events[1])]
