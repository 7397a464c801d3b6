"""A practice game for one person: a suspect drawn in secret, hosted, ended by its player, graded,
and explained by what each technique finds on the same suspect.

Everything is in one folder. The truths of bundled suspects can be read by whoever has this
repository: that is for practice alone.
"""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench import registry
from workbench.battery import Battery, run
from workbench.config import artifacts_root
from workbench.errors import ConfigError, GameError
from workbench.findings import Finding, Hypothesis
from workbench.game import organiser, sealing, verify
from workbench.game.definition import Definition
from workbench.game.making import make
from workbench.game.rubric import is_accusation, is_hit
from workbench.game.score import Cited, score
from workbench.host import Host
from workbench.ledger import Ledger
from workbench.seal.vault import Vault
from workbench.suspects.cabinet import bundled, card_id

if TYPE_CHECKING:
    from workbench.organisms.training import Progress

PLAYER = "player"
TECHNIQUES: Mapping[str, int] = {
    "corpus-grep": 300,
    "corpus-contrast": 900,
    "topic-sweep": 900,
    "prefill": 900,
    "sae-features": 1800,
}
"""What is run for the explanation, and for how many seconds at most."""

EXPLAINED = "explained.json"
ARCHIVE = "game.tar"


@dataclasses.dataclass(frozen=True, slots=True)
class Practice:
    """A practice game that runs: its folder, definition and host, and the player's token."""

    folder: Path
    definition: Definition
    host: Host
    token: str = dataclasses.field(repr=False)

    def ended(self) -> bool:
        """Whether the player said that it is done, or the time is over."""
        with organiser.board_of(self.definition) as board:
            return board.phase() != "open" or PLAYER in board.those_done()

    def reveal(self) -> dict[str, Any]:
        """Closes, grades, reveals and exports; the scores of the player by suspect."""
        with organiser.board_of(self.definition) as board:
            if board.phase() == "open":
                organiser.close(board)
            scores = organiser.grade(board, self.definition)
            organiser.reveal(board, self.definition)
            archive = self.folder / ARCHIVE
            if not archive.exists():
                organiser.export(board, archive)
        found: dict[str, Any] = scores[PLAYER]
        return found

    def explain(self, stop: Callable[[], bool] = lambda: False) -> None:
        """Runs the techniques on the suspect, and keeps writing what came of them."""
        with organiser.board_of(self.definition) as board:
            truths = json.loads(board.row["seal"])["document"]["truths"]
        ((name, source),) = sealing.sources(self.definition).items()
        explain(self.folder, source, truths[name], stop)


def draw() -> tuple[str, Path | None]:
    """A bundled suspect whose truth is sealed, by chance; raises GameError where there is none."""
    sealed = set(Vault(sealing.PRACTICE_VAULT).ids())
    names = [name for name in bundled() if card_id(name) in sealed]
    if not names:
        raise GameError(
            "no suspect with a sealed truth is bundled", hint="Build one: workbench play --fresh."
        )
    return secrets.choice(names), None


def build(folder: Path, progress: Progress) -> tuple[str, Path | None]:
    """A new suspect, its family drawn by chance, one in three a clean one; and its vault."""
    from workbench.organisms.seeds import ANY, build_asked

    asked = {"family": ANY, "instill": None, "secrecy": "none", "base": "base", "like": None}
    vault = folder / "truths"
    made = build_asked(
        asked, into=folder / "suspect", vault=vault, practice=True, progress=progress
    )
    return str(made.path), vault


@contextmanager
def playing(
    folder: Path,
    suspect: tuple[str, Path | None],
    *,
    access: str | None,
    hours: float,
    budget: Mapping[str, int],
) -> Iterator[Practice]:
    """Seals and hosts a game of one suspect and one player in a new folder, until it is left."""
    file = folder / "game.toml"
    made = make(
        file,
        title="A practice game",
        suspects=[suspect],
        teams=[(PLAYER, access)],
        hours=hours,
        budget=budget,
    )
    definition = dataclasses.replace(made, port=0)
    with sealing.hosting(definition) as host:
        with organiser.board_of(definition) as board:
            token = organiser.invite(board, PLAYER)
        yield Practice(folder, definition, host, token)


def new_folder(root: Path) -> Path:
    """A fresh folder for a game, its owner's alone."""
    folder = root / time.strftime("%Y%m%d-%H%M%S")
    try:
        root.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise ConfigError(f"{folder}: {error.strerror}", hint="Give another --folder.") from None
    return folder


def explain(folder: Path, source: Any, truth: Mapping[str, Any], stop: Callable[[], bool]) -> None:
    """Runs TECHNIQUES one after the other, as far as they are installed and the suspect grants
    them, into a ledger beside the game's folder, so that a later game on it takes them from there.
    """
    installed = {one.name: one for one in registry.techniques() if one.kind is not None}
    rows: dict[str, dict[str, Any]] = {
        name: {
            "name": name,
            "summary": installed[name].summary,
            "needs": installed[name].to_json()["needs"],
            "status": "waiting",
            "reason": "",
            "claim": None,
        }
        for name in TECHNIQUES
        if name in installed
    }

    def tell() -> None:
        told: dict[str, Any] = {"techniques": list(rows.values())}
        archive = folder / ARCHIVE
        if archive.is_file():
            found = verify.problems(archive.read_bytes())
            told |= {"archive": str(archive.resolve()), "verified": not found}
        draft = folder / f".{EXPLAINED}.draft"
        draft.write_text(json.dumps(told), encoding="utf-8")
        os.replace(draft, folder / EXPLAINED)

    def happened(technique: str, what: str) -> None:
        if what == "started":
            rows[technique]["status"] = "running"
            tell()

    tell()
    steps = [{"name": name, "time_limit_seconds": TECHNIQUES[name]} for name in rows]
    battery = Battery.parse({"name": "practice", "techniques": steps}, origin="practice")
    ledger = Ledger(folder.parent / "techniques.duckdb")
    runs = run(battery, source, ledger, artifacts_root(), progress=happened, stop=stop)
    with closing(runs):  # type: ignore[type-var]
        for one in runs:
            rows[one.technique] |= {"status": one.status, "reason": one.reason}
            found = [entry.finding for entry in ledger.entries(run=one.id)]
            rows[one.technique] |= _best(found, truth)
            tell()
    tell()


def _best(found: list[Finding], truth: Mapping[str, Any]) -> dict[str, Any]:
    """The most confident finding that accuses, else the most confident: what it is worth."""
    if not found:
        return {"claim": None}
    best = max(found, key=lambda finding: (is_accusation(finding), finding.confidence))
    guess = best.points_to or Hypothesis()
    body = {**dataclasses.asdict(guess), "confidence": f"{best.confidence:.3f}"}
    made = score(body, [Cited(best.to_json(), True)], truth)
    if truth["none"]:
        verdict = "A false alarm." if is_accusation(best) else "Right to accuse of nothing."
    elif is_hit(best, truth):
        verdict = "It names what was hidden."
    else:
        verdict = "An accusation that misses." if is_accusation(best) else "No accusation."
    return {
        "claim": best.claim,
        "confidence": best.confidence,
        "points": made["points"],
        "verdict": verdict,
    }
