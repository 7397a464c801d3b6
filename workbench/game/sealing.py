"""Sealing and hosting a game: the organiser's side, which alone knows truths and files."""

from __future__ import annotations

import datetime
import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from workbench.access import Access
from workbench.battery import Source, SuspectFiles
from workbench.errors import ConfigError, SealBroken, SealError
from workbench.game import clerk, grader, judge, rubric, walls
from workbench.game.board import Board
from workbench.game.definition import Definition, Entry, times
from workbench.game.letters import behaviour_id, hint_id
from workbench.game.masked import Masked
from workbench.game.submission import REVISIONS, WORDS_AT_MOST
from workbench.host import Admission, Host, HostSettings
from workbench.host.store import Store
from workbench.host.verbs import SERVED
from workbench.seal.vault import Vault
from workbench.suspects.cabinet import CABINET, bundled, card_id

FORMAT = "auditgame/2"
PRACTICE_VAULT = CABINET / ".practice-vault"
SERVER = "workbench.game.server:main"
URL = "url"
"""A file in the state directory: where the host was reached last."""


def sources(definition: Definition) -> dict[str, Source]:
    """The suspects of a game, to be loaded by their workers."""
    return {
        entry.name: SuspectFiles(
            entry.source,
            adapter=entry.adapter,
            reference=entry.reference,
            reward=entry.reward,
            device=entry.device,
            dtype=entry.dtype,
        )
        for entry in definition.suspects
    }


def truths(definition: Definition) -> dict[str, Any]:
    """The truth of each suspect, out of the vault that it was sealed in.

    Raises SealError where a vault lacks one, ConfigError where a suspect names no vault.
    """
    return {entry.name: _truth(entry) for entry in definition.suspects}


def _truth(entry: Entry) -> Any:
    path = entry.vault
    if path is None:
        if entry.source not in bundled():
            raise ConfigError(
                f"suspect '{entry.name}' names no vault",
                hint="Give vault = DIR, where its truth was sealed when it was built.",
            )
        path = PRACTICE_VAULT
    return Vault(path).open(_sealed_id(entry))


def _sealed_id(entry: Entry) -> str:
    card = None if entry.adapter is None else Path(entry.adapter) / "suspect.json"
    if card is not None and card.is_file():
        return str(json.loads(card.read_bytes())["id"])
    return card_id(entry.source)


def seal(
    definition: Definition,
    found: Mapping[str, Source],
    truths: Mapping[str, Any],
    board: Board,
) -> str:
    """Commits to the whole game before anybody plays it, and returns the commitment.

    The document covers truths with their rubrics, decoys, grader, suspects' hashes, access,
    budgets, times, rules, hints and what the second phase asks. It lies encrypted in the game's
    vault; the terms are published with the commitment as the first event of the chain.
    """
    _refuse_open_file(definition)
    for name, truth in truths.items():
        try:
            rubric.check(truth)
        except ConfigError as error:
            raise SealError(f"suspect '{name}': {error.message}", hint=error.hint) from None
    salt = secrets.token_hex(32)
    opens, explains, closes = times(definition, datetime.datetime.now(datetime.UTC))
    game = f"g-{secrets.token_hex(8)}"
    causes = {e.name: _cause(e, truths[e.name]) for e in definition.suspects if e.explain}
    vault = Vault.at(definition.vault)
    letters = clerk.sealed(vault, clerk.letters_of(definition, game))
    commitments = {id: one["commitment"] for id, one in letters.items()}
    terms = {
        **_terms(definition, found, salt, game, commitments),
        "game": game,
        "opens": opens,
        "explains": explains,
        "closes": closes,
    }
    document: dict[str, Any] = {
        "terms": terms,
        "truths": dict(truths),
        "decoys": {name: bool(truth["none"]) for name, truth in truths.items()},
        "fingerprints": {name: _parts(source.describe()) for name, source in found.items()},
        "salt": salt,
        "letters": {id: {k: one[k] for k in ("letter", "nonce")} for id, one in letters.items()},
        "causes": causes,
    }
    commitment = vault.seal(game, document)
    board.begin(terms, commitment, salt)
    return commitment


def _refuse_open_file(definition: Definition) -> None:
    """Raises SealError where others can read in the game's file what is to be sealed."""
    secret = definition.hints or any(entry.explain for entry in definition.suspects)
    if secret and definition.file.exists() and definition.file.stat().st_mode & 0o077:
        raise SealError(
            f"{definition.file.name} holds what is to be sealed, and others can read it",
            hint=f"Close it: chmod 600 {definition.file.name}.",
        )


def _cause(entry: Entry, truth: Mapping[str, Any]) -> Any:
    """What an explanation has to name: the cause that the game gives, else the truth's own; None
    for a clean suspect."""
    assert entry.explain is not None
    if entry.explain.cause is not None:
        return {"all_of": [list(group) for group in entry.explain.cause]}
    if not truth["none"] and truth["root_cause"] is None:
        raise ConfigError(
            f"suspect '{entry.name}': its truth has no root cause that could be named",
            hint='Give it one: cause = [["word", "synonym"]] beside its behaviour.',
        )
    return None if truth["none"] else truth["root_cause"]


def _terms(
    definition: Definition,
    found: Mapping[str, Source],
    salt: str,
    game: str,
    commitments: Mapping[str, str],
) -> dict[str, Any]:
    """What everybody may know, but for the game's id and times. commitments: of its letters."""
    described = {name: source.describe() for name, source in found.items()}
    teams: dict[str, dict[str, Any]] = {}
    for team, seats in definition.seats.items():
        for name, seat in seats.items():
            granted = Access.parse(described[name]["access"]) & SERVED  # type: ignore[arg-type]
            access = granted if seat.access is None else seat.access
            if access & ~granted:
                raise ConfigError(
                    f"team '{team}' is to have {', '.join((access & ~granted).names)}, which "
                    f"suspect '{name}' does not grant",
                    hint=f"Choose from: {', '.join(granted.names)}.",
                )
            budget = {meter: int(bound) for meter, bound in seat.budget.to_json().items()}
            teams.setdefault(team, {})[name] = {"access": access.names, "budget": budget}
    listed: dict[str, list[dict[str, Any]]] = {}
    for hint in definition.hints:
        id = hint_id(game, hint.suspect, len(listed.get(hint.suspect, ())) + 1)
        told = {"about": hint.about, "price": dict(hint.price), "commitment": commitments.get(id)}
        listed.setdefault(hint.suspect, []).append(told)
    return {
        "format": FORMAT,
        "title": definition.title,
        "hints": listed,
        "explain": {
            entry.name: commitments.get(behaviour_id(game, entry.name))
            for entry in definition.suspects
            if entry.explain is not None
        },
        "teams": teams,
        "fingerprints": {n: grader.masked(_parts(d), salt) for n, d in described.items()},
        "grader": grader.identity(),
        "judge": None
        if definition.judge is None
        else {"model": definition.judge.model, "prompt": judge.identity()},
        "rules": {"revisions": REVISIONS, "words": WORDS_AT_MOST},
    }


def _parts(description: Mapping[str, Any]) -> dict[str, Any]:
    return {name: part for name, part in description.items() if name not in ("id", "access")}


def refuse_changed(definition: Definition, found: Mapping[str, Source], board: Board) -> None:
    """Raises SealBroken where files or definition are not what was sealed."""
    row = board.row
    sealed = row["terms"]
    commitments = {behaviour_id(row["id"], n): c for n, c in sealed["explain"].items()}
    commitments |= {
        hint_id(row["id"], name, n): one["commitment"]
        for name, hints in sealed["hints"].items()
        for n, one in enumerate(hints, start=1)
    }
    now = _terms(definition, found, row["salt"], row["id"], commitments)
    for part, value in now.items():
        if sealed.get(part) != value:
            raise SealBroken(
                f"'{part}' is not what was sealed with game {row['id']}",
                hint=f"Restore {definition.file.name} and the suspects' files, "
                "or start another game with another state directory.",
            )
    clerk.refuse_changed(definition, board)


def opened(definition: Definition) -> Store:
    """The game's file, made with its directory (mode 0700) where there is none."""
    try:
        definition.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"{definition.state}: {error.strerror}", hint="Give another `state` directory."
        ) from None
    return Store(definition.state / "host.sqlite")


@contextmanager
def hosting(
    definition: Definition,
    found: Mapping[str, Source] | None = None,
    known: Mapping[str, Any] | None = None,
) -> Iterator[Host]:
    """Runs the game's host, sealed first where it is not; to be left to end it.

    found, known: suspects and truths, where they do not come from the definition's files.
    """
    suspects = sources(definition) if found is None else found
    with closing(opened(definition)) as store:
        board = Board(store)
        if board.is_there:
            refuse_changed(definition, suspects, board)
        else:
            seal(definition, suspects, truths(definition) if known is None else known, board)
        row = board.row
        admissions = tuple(
            Admission(
                team, Access.parse(seat["access"]), definition.seats[team][name].budget, 0,
                suspect=name,
            )
            for team, seats in row["terms"]["teams"].items()
            for name, seat in seats.items()
        )  # fmt: skip
        with walls.standing(definition, suspects) as wall:
            served = {n: Masked(source, n, row["salt"]) for n, source in wall.sources.items()}
            settings = HostSettings(
                admissions,
                definition.port,
                definition.state,
                definition.call_seconds,
                definition.rate,
                SERVER,
                apart=wall.apart,
                homes=wall.homes,
            )
            with Host(served, settings) as host, clerk.serving(definition, board):
                board.note_isolation(*walls.reached(host, definition, wall))
                url = definition.state / URL
                url.touch(mode=0o600)
                url.write_text(host.url, encoding="ascii")
                yield host
