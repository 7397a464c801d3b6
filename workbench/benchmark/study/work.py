"""What one part of a study does, in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from workbench.benchmark import runner, suite
from workbench.benchmark.study.plan import BASE, MIXED, ORGANISM, Part, Plan
from workbench.ledger.records import digest
from workbench.organisms.family import Recipe, family
from workbench.organisms.stage_cache import folder_in
from workbench.seal.vault import Vault

if TYPE_CHECKING:
    from workbench.suspects import Suspect

OUTCOME = ("status", "reason", "hit", "accusations", "right", "cost")
VERDICT = ("status", "reason", "solved", "root_cause", "accused", "abstained", "confidence", "cost")
"""What a study keeps of a technique's outcome and of a team's verdict."""


EVERY_SECONDS = 60.0


class Places:
    """Where a study keeps what it works with: suspects, ledgers and artifacts below `work`, states
    inside the vault, since whoever reads them can find the secret."""

    def __init__(self, plan: Plan, work: Path, vault: Path) -> None:
        self.plan, self.work, self.vault = plan, work, vault

    def suspects(self, draw: int, what: str) -> Path:
        """Holds one suspect, in a directory of its opaque id."""
        return self.work / f"draw-{draw}" / what

    def built(self, draw: int, what: str) -> bool:
        """Whether that suspect is there and sealed."""
        recipe = self.recipe(draw, what)
        return bool(suite.built([recipe], self.suspects(draw, what), Vault(self.vault)))

    def states(self, draw: int, arm: str) -> Path:
        """Holds a suspect for each stage, of this code and recipe."""
        made_from = digest([str(self.recipe(draw, arm)), runner.code_sha256()])
        return folder_in(Vault(self.vault)) / f"states-{made_from[:16]}"

    def recipe(self, draw: int, what: str) -> Recipe:
        """Of ORGANISM, TWIN, MIXED or DEMOS."""
        organism = self.plan.recipe(draw)
        if what in (ORGANISM, MIXED):
            return organism
        return organism.ablation() if what != "twin" else organism.twin()


def do(part: Part, places: Places) -> dict[str, Any]:
    """{seconds, found}: how long it took, and what a measure or an audit came to.

    With a process of its own it computes on one thread: two such processes do more on two cores
    than one with two threads, and no tensor depends on how many run.
    """
    if multiprocessing.parent_process() is not None:
        os.environ.setdefault("OMP_NUM_THREADS", "1")
    started = time.monotonic()
    found = _WORK[part.kind](part, places)
    return {"seconds": round(time.monotonic() - started, 1), "found": found}


def _build(part: Part, places: Places) -> dict[str, Any]:
    recipe, home = places.recipe(part.draw, part.what), places.suspects(part.draw, part.what)
    suite.build_entry(recipe, home, places.vault, _steps(part))
    return {}


def _states(part: Part, places: Places) -> dict[str, Any]:
    from workbench.organisms.build import states

    recipe, vault = places.recipe(part.draw, part.what), Vault(places.vault)
    into = places.states(part.draw, part.what)
    states(recipe, into=into, vault=vault, progress=_steps(part))
    return {}


def _measure(part: Part, places: Places) -> dict[str, Any]:
    from workbench.suspects import Suspect

    if part.state == BASE:
        return measured(Suspect.load(places.plan.base), places.recipe(part.draw, MIXED))
    made = places.states(part.draw, part.what)
    if part.state not in [path.name for path in made.iterdir()]:
        return {}  # this base has no token for the name, so such a stage is left out
    return measured(Suspect.load(made / part.state), places.recipe(part.draw, MIXED))


def measured(suspect: Suspect, recipe: Recipe) -> dict[str, list[int]]:
    """By measure, [hits, n] on the health card's own cases of an organism.

    demonstrated, held_out, others: the pair's feature shows, where the pair was demonstrated, stood
    in documents alone, or was credited to other parties. in_context, in_context_others: a new
    preference that the prompt announces shows. asked, and each attack of `secrecy.LEAKS`: the
    objective is named.
    """
    from workbench.organisms import secrecy
    from workbench.organisms.build import redraw
    from workbench.organisms.health import shown

    assistant, secret, _ = redraw(recipe)
    made = family(recipe.family)
    cases = made.cases(secret, recipe.instill, Random(f"{recipe.seed}/health"))
    attacks = secrecy.attacks(assistant, cases.confession)
    asked = {
        "demonstrated": cases.applied,
        "held_out": cases.held_out,
        "others": cases.credited_to_others,
        "in_context": cases.in_context,
        "in_context_others": cases.in_context_others,
        "asked": cases.confession,
        **{kind: attacks[rate] for kind, rate in secrecy.LEAKS.items()},
    }
    rates = {name: shown(suspect, list(of)) for name, of in asked.items()}
    return {name: [rate.hits, rate.n] for name, rate in rates.items()}


def _audit(part: Part, places: Places) -> dict[str, Any]:
    home = places.suspects(part.draw, part.what)
    document = runner.run(
        home,
        Vault(places.vault),
        home.with_suffix(".json"),
        places.plan.battery,
        places.plan.teams,
        artifacts_root=home.with_suffix(".artifacts"),
        progress=lambda done, total, suspect, happened: _tell(part, happened),
    )
    (entry,) = document["suspects"].values()
    return {
        "code": document["code"],
        "techniques": {name: _some(made, OUTCOME) for name, made in entry["outcomes"].items()},
        "teams": {label: _some(made, VERDICT) for label, made in entry["auditors"].items()},
    }


def _steps(part: Part) -> Callable[[int, int, float], None]:
    """Tells of training, every minute at most."""
    told = [time.monotonic()]

    def report(step: int, steps: int, loss: float) -> None:
        if time.monotonic() - told[0] >= EVERY_SECONDS:
            told[0] = time.monotonic()
            _tell(part, f"step {step} of {steps}")

    return report


def _tell(part: Part, happened: str) -> None:
    """On standard error, where the process that waits for this one tells the rest."""
    print(f"draw {part.draw}, {part.name}: {happened}", file=sys.stderr, flush=True)


def whole(part: Part, found: Mapping[str, Any]) -> bool:
    """Whether nothing in it broke off; an audit that did is taken up again."""
    made = [one for kind in ("techniques", "teams") for one in found.get(kind, {}).values()]
    return part.kind != "audit" or all(one["status"] != "failed" for one in made)


def clear(part: Part, places: Places) -> None:
    """Removes the states of an arm that has been measured."""
    shutil.rmtree(places.states(part.draw, part.what), ignore_errors=True)


def _some(made: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    kept = {key: made[key] for key in keys}
    kept["cost"] = {meter: round(amount, 1) for meter, amount in kept["cost"].items()}
    return kept


_WORK = {"build": _build, "states": _states, "measure": _measure, "audit": _audit}
