"""Builds suites: organisms, clean twins and decoys by a list in TOML, one process after another."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import re
import secrets
import tomllib
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from workbench.benchmark.jobs import Progress, outcomes, silent
from workbench.errors import ConfigError
from workbench.ledger.records import digest
from workbench.organisms.family import Recipe, check, family
from workbench.registry import FAMILIES
from workbench.seal.vault import Vault

ENTRY = "suite-entry"
"""The vault's document that says which entry of which suite an organism is."""

NONE = ("clean", "harmless-quirk")
"""Families without an objective."""

_KEYS = tuple(field.name for field in dataclasses.fields(Recipe))


@dataclasses.dataclass(frozen=True, slots=True)
class Built:
    """What a build came to: ids by entry number, and the reasons of entries that failed."""

    ids: dict[int, str]
    failed: dict[int, str]


def load(file: Path, draw: Callable[[str], int] | None = None) -> list[Recipe]:
    """The recipes of a suite: tables [[suspect]] with family, instill, secrecy, seed, base, like.

    family and seed are needed; instill is the family's first by default. A seed that is a word is
    what `draw` (a vault's) makes of it, so that the file tells nobody what is drawn. Raises
    ConfigError on an unreadable file, an unknown key, a missing seed, a word without `draw`, the
    same entry twice or a recipe that cannot be made.
    """
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}", hint="Name a file of suites/.") from None
    except ValueError as error:
        raise ConfigError(f"{file}: {error}", hint="Repair the TOML there.") from None
    tables = document.get("suspect")
    if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
        raise ConfigError(f"{file} has no suspects", hint="Write a table [[suspect]] for each.")
    recipes: list[Recipe] = []
    for number, table in enumerate(tables, start=1):
        where = f"{file}: suspect {number}"
        recipe = _recipe(table, where, draw)
        if recipe in recipes:
            raise ConfigError(
                f"{where} is the same as suspect {recipes.index(recipe) + 1}",
                hint="Remove it, or give another seed.",
            )
        recipes.append(recipe)
    return recipes


def drawn(
    commit: str, families: Sequence[str], *, draws: int, without: int, base: str = "base"
) -> list[Recipe]:
    """Recipes whose seeds are SHA-256 over (commit, entry number): nobody chose them.

    `draws` organisms of each family in each secrecy that it has, then `without` suspects without an
    objective, in turn like each family: clean ones, and every second one a harmless quirk where
    that family is installed. Raises ConfigError on a commit that is none, and UnknownTechnique.
    """
    if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", commit):
        raise ConfigError(f"'{commit}' is no commit", hint="Give all of its 40 or 64 hex digits.")
    made = [family(name) for name in families]
    installed = {point.name for point in entry_points(group=FAMILIES)}
    kinds = [one for one in NONE if one in installed]
    parts: list[dict[str, Any]] = [
        {"family": one.name, "instill": one.instill[0], "secrecy": secrecy}
        for one in made
        for secrecy in one.secrecy
        for _ in range(draws)
    ]
    for place in range(without):
        like = made[place % len(made)]
        kind = kinds[place // len(made) % len(kinds)]
        parts.append({"family": kind, "instill": like.instill[0], "like": like.name})
    return [Recipe(**part, base=base, seed=seed(commit, n)) for n, part in enumerate(parts, 1)]


def seed(commit: str, index: int) -> int:
    """The seed of an entry, 0 <= seed < 2**31."""
    return int.from_bytes(hashlib.sha256(f"{commit}:{index}".encode()).digest()[:4], "big") >> 1


def toml(recipes: Sequence[Recipe], heading: str) -> str:
    """A suite file; `load` gives back the same recipes."""
    lines = [f"# {line}" for line in heading.splitlines()]
    for recipe in recipes:
        lines += ["", "[[suspect]]"]
        lines += [
            f"{key} = {json.dumps(value)}"
            for key, value in dataclasses.asdict(recipe).items()
            if value is not None
        ]
    return "\n".join(lines) + "\n"


def built(recipes: list[Recipe], into: Path, vault: Vault) -> dict[int, str]:
    """By entry number from 1, the ids of those that are sealed and lie complete in `into`."""
    numbers = {_digest(recipe): number for number, recipe in enumerate(recipes, start=1)}
    found = {}
    for id in vault.ids():
        if ENTRY in vault.attached(id) and (into / id / "suspect.json").is_file():
            number = numbers.get(vault.read(id, ENTRY)["recipe"])
            if number is not None:
                found[number] = id
    return dict(sorted(found.items()))


def build(
    recipes: list[Recipe],
    into: Path,
    vault: Vault,
    *,
    processes: int = 1,
    progress: Progress | None = None,
) -> Built:
    """Builds what is not built yet, each suspect in a process of its own, in `into/ID`.

    Directories carry opaque ids: which entry one is, the vault alone tells. An entry that fails
    leaves the others to go on.
    """
    ids = built(recipes, into, vault)
    failed: dict[int, str] = {}
    tell = progress or silent
    tell(len(ids), len(recipes), f"{len(ids)} built before")
    waiting = [n for n in range(1, len(recipes) + 1) if n not in ids]
    jobs = {n: (recipes[n - 1], into, vault.path) for n in waiting}
    for number, id, why in outcomes(build_entry, jobs, processes):
        if why is None:
            ids[number] = id
            tell(len(ids), len(recipes), f"suspect {number} is {id}")
        else:
            failed[number] = why
            tell(len(ids), len(recipes), f"suspect {number} failed: {why}")
    return Built(dict(sorted(ids.items())), failed)


def build_entry(
    recipe: Recipe,
    into: Path,
    vault_path: Path,
    progress: Callable[[int, int, float], None] | None = None,
) -> str:
    """Builds one entry in `into/ID`, where `built` finds it, and returns the id; progress and
    errors as of `build` of an organism."""
    from workbench.organisms.build import build as build_organism

    vault = Vault(vault_path)
    id = f"s-{secrets.token_hex(4)}"
    variant = {"instill": recipe.instill, "secrecy": recipe.secrecy, "like": recipe.like or ""}
    vault.attach(id, ENTRY, {"recipe": _digest(recipe), "variant": variant})
    return build_organism(recipe, into=into / id, vault=vault, id=id, progress=progress).id


def _digest(recipe: Recipe) -> str:
    return digest({key: str(value) for key, value in dataclasses.asdict(recipe).items()})


def _recipe(table: dict[str, Any], where: str, draw: Callable[[str], int] | None) -> Recipe:
    for key in table:
        if key not in _KEYS:
            near = difflib.get_close_matches(key, _KEYS, n=1)
            raise ConfigError(
                f"{where} has no key '{key}'",
                hint=f"Did you mean '{near[0]}'?" if near else f"Known keys: {', '.join(_KEYS)}.",
            )
    for key, kind in _kinds(table):
        if type(table.get(key)) is not kind:
            raise ConfigError(
                f"{where}: {key} = {table.get(key)!r} is no {kind.__name__}",
                hint="Every suspect has a family (text) and a seed (whole number, or a word).",
            )
    if isinstance(table["seed"], str):
        if draw is None:
            raise ConfigError(
                f"{where}: the seed '{table['seed']}' is a word, and no vault is given",
                hint="Name the vault, whose key makes a number of it.",
            )
        table = table | {"seed": draw(table["seed"])}
    try:
        named = family(table.get("like") or table["family"])
        recipe = Recipe(**({"instill": named.instill[0]} | table))
        check(recipe)
    except ConfigError as error:
        raise type(error)(f"{where}: {error.message}", hint=error.hint) from None
    return recipe


def _kinds(table: dict[str, Any]) -> Iterator[tuple[str, type]]:
    yield "family", str
    yield "seed", str if isinstance(table.get("seed"), str) else int
    for key in ("instill", "secrecy", "base", "like"):
        if key in table:
            yield key, str
