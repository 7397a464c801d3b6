"""Seals the letters of a game and opens each when it is due: beside the host, by the vault."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from workbench.errors import SealBroken, WorkbenchError
from workbench.game.board import Board
from workbench.game.definition import Definition
from workbench.game.letters import Letters, behaviour_id, hint_id
from workbench.seal.vault import Vault

LOOKS_SECONDS = 0.2
AGAIN_SECONDS = 2.0
log = logging.getLogger("workbench.game")


def letters_of(definition: Definition, game: str) -> dict[str, dict[str, Any]]:
    """What is to be sealed by itself: the letter by its id."""
    made: dict[str, dict[str, Any]] = {}
    counted: dict[str, int] = {}
    for hint in definition.hints:
        number = counted[hint.suspect] = counted.get(hint.suspect, 0) + 1
        letter = {"suspect": hint.suspect, "hint": number, "text": hint.text}
        made[hint_id(game, hint.suspect, number)] = letter
    for entry in definition.suspects:
        if entry.explain is not None:
            letter = {"suspect": entry.name, "text": entry.explain.behaviour}
            made[behaviour_id(game, entry.name)] = letter
    return made


def sealed(vault: Vault, letters: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Seals them; by id the letter with its nonce and commitment."""
    made = {}
    for id, letter in letters.items():
        commitment = vault.seal(id, letter)
        nonce = vault.reveal(id)[1].hex()
        made[id] = {"letter": letter, "nonce": nonce, "commitment": commitment}
    return made


def refuse_changed(definition: Definition, board: Board) -> None:
    """Raises SealBroken where a letter is not the one that was sealed, SealError where the vault
    lacks it: what teams pay for must be there."""
    game = board.row["id"]
    wanted = letters_of(definition, game)
    if not wanted:
        return
    vault = Vault(definition.vault)
    for id, letter in wanted.items():
        if vault.open(id) != letter:
            raise SealBroken(
                f"'{id.partition('.')[2]}' is not what was sealed with game {game}",
                hint=f"Restore {definition.file.name}.",
            )


@contextmanager
def serving(definition: Definition, board: Board) -> Iterator[None]:
    """Opens what is due, until it is left."""
    terms = board.row["terms"]
    if not terms["hints"] and not terms["explain"]:
        yield
        return
    letters, vault, over = Letters(board), Vault(definition.vault), threading.Event()

    def work() -> None:
        while not over.wait(LOOKS_SECONDS):
            try:
                board.phase()
                for id in letters.due():
                    letter, nonce = vault.reveal(id)
                    letters.deliver(id, letter["text"], nonce.hex())
            except (WorkbenchError, sqlite3.Error, OSError) as error:
                log.warning("a letter that is due cannot be opened yet: %s", error)
                over.wait(AGAIN_SECONDS)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
