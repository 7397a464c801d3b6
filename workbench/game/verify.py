"""Checks an exported game: was it the sealed one, was the log kept, are the scores right?

Standard library alone. `python3 -m workbench.game.verify ARCHIVE` does the same as
`workbench game verify`, and so does the single file that `--script` writes.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from workbench.errors import BadParameter, SealBroken
from workbench.game import archive, grader, spending
from workbench.game.rescored import rescored
from workbench.game.submission import EXPLAIN, HUNT, REVISIONS, digest, refuse_long
from workbench.seal.commit import GENESIS, canonical, chain
from workbench.seal.commit import verify as opens

Event: TypeAlias = Mapping[str, Any]
_NOT_OURS = (
    KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError, BadParameter,
)  # fmt: skip
"""What content meets that no game wrote."""

PHASES = ("sealed", "opened", "explaining", "closed", "graded", "revealed")


class Game:
    """An unpacked archive; raises SealBroken where it is not whole."""

    def __init__(self, content: bytes) -> None:
        members = archive.unpack(content)
        self.about: Any = archive.document(members, "archive.json")
        self.seal: Any = archive.document(members, "seal.json")
        self.log: list[Any] = archive.log(members)
        self.submissions: Any = archive.document(members, "submissions.json")
        self.findings: Any = archive.document(members, "findings.json")
        self.scores: Any = archive.document(members, "scores.json")
        self.verdicts: Any = archive.document(members, "verdicts.json")

    @property
    def terms(self) -> Any:
        return self.seal["document"]["terms"]

    def events(self, kind: str) -> list[Event]:
        return [event for event in self.log if event["kind"] == kind]


def problems(content: bytes, receipts: Sequence[Mapping[str, Any]] = ()) -> list[str]:
    """One sentence for each thing that is wrong; empty where everything holds.

    receipts: what teams kept; each names the game, the commitment, and a place in the chain.
    """
    found: list[str] = []
    try:
        game = Game(content)
        for check in CHECKS:
            found += _said(check(game))
        for receipt in receipts:
            found += _said(_receipt(game, receipt))
    except SealBroken as error:
        found.append(error.message)
    except _NOT_OURS as error:
        found.append(_strange(error))
    return found


def _said(check: Iterator[str]) -> list[str]:
    """What a check says, and that it met something that no game writes, if it did."""
    found = []
    try:
        for line in check:
            found.append(line)
    except _NOT_OURS as error:
        found.append(_strange(error))
    return found


def _strange(error: Exception) -> str:
    return f"the archive was changed: {type(error).__name__}: {str(error)[:200]}"


def heads(log: Sequence[Event]) -> list[str]:
    """The head of the chain before the first event and after each."""
    made = [GENESIS]
    for event in log:
        made.append(chain(made[-1], event))
    return made


def _seal(game: Game) -> Iterator[str]:
    sealed = game.events("sealed")
    if len(sealed) != 1 or game.log[0]["kind"] != "sealed":
        yield "seal: the log does not begin with one seal"
        return
    seal = game.seal
    if set(seal) != {"document", "nonce"}:
        yield "seal: it has other parts than a document and a nonce"
    if not opens(seal["document"], bytes.fromhex(seal["nonce"]), sealed[0]["commitment"]):
        yield "seal: the document that was revealed is not the one that was committed to"
    if seal["nonce"] != bytes.fromhex(seal["nonce"]).hex():
        yield "seal: the nonce is not written as it was"
    if game.terms["grader"] != grader.identity():
        yield "grader: another version was sealed than the one that verifies here"


def _chain(game: Game) -> Iterator[str]:
    for number, event in enumerate(game.log, start=1):
        if event["seq"] != number:
            yield f"log: event {number} says that it is number {event['seq']}"
    if set(game.about) != {"format", "game", "head"} or game.about["format"] != archive.FORMAT:
        yield "archive: another format"
    if game.about["game"] != game.terms["game"]:
        yield "archive: it says that it is another game"
    if game.about["head"] != [len(game.log), heads(game.log)[-1]]:
        yield "log: its hash chain does not end in the head that was published"


def _order(game: Game) -> Iterator[str]:
    places = {}
    second = game.terms["explains"] is not None
    for kind in PHASES:
        found = game.events(kind)
        if kind == "explaining" and not second:
            if found:
                yield "phases: there was a second phase that was not sealed"
            continue
        if len(found) != 1:
            yield f"phases: the game was {kind} {len(found)} times"
            return
        places[kind] = found[0]["seq"]
    if list(places.values()) != sorted(places.values()):
        yield "phases: they did not come in their order"
    hunt = places.get("explaining", places["closed"])
    spans = {HUNT: (places["opened"], hunt), EXPLAIN: (hunt, places["closed"])}
    for event in game.log:
        if event["kind"] in ("submission", "hint"):
            begin, end = spans[event.get("part", HUNT)]
            if not begin < event["seq"] < end:
                yield f"phases: event {event['seq']} came while its phase was not open"
        if event["kind"] == "call" and event["seq"] < places["opened"]:
            yield f"phases: event {event['seq']} was answered before the game was open"
    closes, hunted = game.terms["closes"], game.terms["explains"]
    for event in game.log:
        if event["kind"] in ("extended", "explaining"):
            closes, hunted = event.get("closes", closes), event.get("explains", hunted)
        end = hunted if hunted and event.get("part") == HUNT else closes
        if event["kind"] == "submission" and event["at"] > end:
            yield f"phases: event {event['seq']} came after the end"


def _terms(game: Game) -> Iterator[str]:
    (sealed,) = game.events("sealed")
    if canonical(sealed["terms"]) != canonical(game.terms):
        yield "terms: what was published at the start is not what was sealed"
    if sealed["game"] != game.terms["game"]:
        yield "terms: the log is of another game"
    masks, document = game.terms["fingerprints"], game.seal["document"]
    for name, parts in document["fingerprints"].items():
        if masks.get(name) != grader.masked(parts, document["salt"]):
            yield f"suspect '{name}': the fingerprint that teams saw is of other files"
    if set(document["truths"]) != set(document["fingerprints"]) or set(masks) != set(
        document["truths"]
    ):
        yield "suspects: the seal names others than were served"


def _letters(game: Game) -> Iterator[str]:
    """What was shown before the end is what was committed to before the beginning."""
    name = game.terms["game"]
    told = {f"{name}.{suspect}.behaviour": c for suspect, c in game.terms["explain"].items()}
    for suspect, hints in game.terms["hints"].items():
        for number, hint in enumerate(hints, start=1):
            told[f"{name}.{suspect}.hint-{number}"] = hint["commitment"]
    letters, causes = game.seal["document"]["letters"], game.seal["document"]["causes"]
    if set(letters) != set(told) or set(causes) != set(game.terms["explain"]):
        yield "letters: the seal holds others than were announced"
        return
    for id, one in letters.items():
        if not opens(one["letter"], bytes.fromhex(one["nonce"]), told[id]):
            yield f"letters: '{id.partition('.')[2]}' is not the one that was committed to"


def _spending(game: Game) -> Iterator[str]:
    yield from spending.budgets(game.log, game.terms)
    yield from spending.hints(game.log, game.terms)


def _submissions(game: Game) -> Iterator[str]:
    logged = game.events("submission")
    if len(logged) != len(game.submissions):
        yield f"submissions: {len(game.submissions)} here, {len(logged)} in the log"
        return
    counted: Counter[tuple[str, str, str]] = Counter()
    cited = set()
    for event, kept in zip(logged, game.submissions, strict=True):
        place = (event["team"], event["suspect"], event["part"])
        counted[place] += 1
        where = f"submission {event['revision']} of '{place[0]}' on '{place[1]}'"
        if set(kept) != {"team", "suspect", "part", "revision", "body"} or (
            [kept[name] for name in ("team", "suspect", "part", "revision")]
            != [*place, event["revision"]]
        ):
            yield f"{where} is not where it was handed in"
        if place[1] not in game.terms["teams"].get(place[0], {}):
            yield f"{where}: this team has no seat there"
        if event["revision"] != counted[place] or event["revision"] > REVISIONS:
            yield f"{where} has a number that it cannot have"
        if digest(kept["body"]) != event["digest"]:
            yield f"{where} is not the one that was handed in"
        if [entry[0] for entry in event["evidence"]] != kept["body"]["evidence"]:
            yield f"{where} cites other findings"
        refuse_long(kept["body"])
        for _, hashed, _ in event["evidence"]:
            cited.add(hashed)
    if set(game.findings) != cited:
        yield "findings: others than were cited"
    for hashed, text in game.findings.items():
        if hashlib.sha256(text.encode()).hexdigest() != hashed:
            yield f"finding {hashed[:12]}: not the one that was cited"


def _scores(game: Game) -> Iterator[str]:
    (graded,) = game.events("graded")
    if hashlib.sha256(canonical(game.scores)).hexdigest() != graded["scores"]:
        yield "scores: not those that were given"
    due = rescored(game.seal["document"], game.log, game.submissions, game.findings)
    for team, listed in due.items():
        for suspect, made in listed.items():
            if game.scores.get(team, {}).get(suspect) != made:
                yield f"scores: '{team}' on '{suspect}' has {made['points']} points by the rubric"
    if canonical(due) != canonical(game.scores):
        yield "scores: others than the rubric gives"


def _verdicts(game: Game) -> Iterator[str]:
    """What a judge said is what was kept, by the judge that was sealed; it changes no score."""
    said = [hashlib.sha256(canonical(one)).hexdigest() for one in game.verdicts]
    if said != [event["verdicts"] for event in game.events("judged")]:
        yield "verdicts: others than the log names"
    for one in game.verdicts:
        if {"model": one["model"], "prompt": one["prompt"]} != game.terms["judge"]:
            yield "verdicts: of another judge than was sealed"


def _receipt(game: Game, receipt: Mapping[str, Any]) -> Iterator[str]:
    (sealed,) = game.events("sealed")
    if receipt["game"] != game.terms["game"]:
        yield "receipt: it is of another game"
        return
    if receipt["commitment"] != sealed["commitment"]:
        yield "receipt: the seal is not the one that this team was shown"
    seq, head = receipt["chain"]
    made = heads(game.log)
    if type(seq) is not int or not 0 <= seq < len(made) or made[seq] != head:
        yield f"receipt: the log of event {seq} is not the one that this team was shown"


CHECKS = (
    _seal, _chain, _order, _terms, _letters, _spending, _submissions, _scores, _verdicts,
)  # fmt: skip


def main(arguments: Sequence[str]) -> int:
    """The command of the single file: ARCHIVE [--receipt FILE]... [--suspect NAME=DIR]..."""
    import argparse
    from pathlib import Path

    parser = argparse.ArgumentParser(prog="verify", description=str(__doc__).splitlines()[0])
    parser.add_argument("archive")
    parser.add_argument("--receipt", action="append", default=[], metavar="FILE")
    parser.add_argument("--suspect", action="append", default=[], metavar="NAME=DIR")
    asked = parser.parse_args(list(arguments))
    try:
        content = Path(asked.archive).read_bytes()
        receipts = [json.loads(Path(name).read_bytes()) for name in asked.receipt]
    except (OSError, ValueError) as error:
        print(f"error: {error}\nName an archive, and receipts that `game join` wrote.")
        return 2
    found = problems(content, receipts)
    for given in asked.suspect:
        name, _, folder = given.partition("=")
        found += files_of(content, name, folder) if not found else []
    for line in found:
        print(f"FAILED {ascii(line)[1:-1]}")
    if not found:
        print(f"verified: {summary(content)}")
    return 1 if found else 0


def files_of(content: bytes, name: str, folder: str) -> list[str]:
    """What is wrong with the claim that the weights in a directory are those of a suspect."""
    from pathlib import Path

    from workbench.suspects.tensors import hash_tensors, read_header

    parts = Game(content).seal["document"]["fingerprints"].get(name)
    if parts is None:
        return [f"suspect '{name}': there was none of that name"]
    try:
        files = sorted(Path(folder).glob("*.safetensors"))
        made = hash_tensors(tensor for file in files for tensor in read_header(file))
    except (OSError, ValueError) as error:
        return [f"suspect '{name}': its weights cannot be read: {error}"]
    return [] if made == parts["tensors"] else [f"suspect '{name}': other weights lie there"]


def summary(content: bytes) -> str:
    """One line for people: the game, its size, and who has how many points."""
    game = Game(content)
    points = [
        f"{team} {suspect} {made['points']}"
        for team, seats in sorted(game.scores.items())
        for suspect, made in sorted(seats.items())
    ]
    head = game.about["head"]
    return f"game {game.terms['game']}, {head[0]} events, head {head[1]}: {', '.join(points)}"


if __name__ == "__main__":
    import sys

    sys.exit(main(sys.argv[1:]))
