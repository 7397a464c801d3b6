"""Auditors as they enter a benchmark: which one, with what access, budget and parameters."""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from workbench.access import UNLIMITED, Access, Budget
from workbench.auditors import Auditor, auditor
from workbench.errors import ConfigError
from workbench.findings import JSON
from workbench.ledger.records import digest
from workbench.technique import make, parameters

_KEYS = ("name", "label", "access", "budget", "seed", "parameters")


@dataclasses.dataclass(frozen=True, slots=True)
class Entrant:
    """An auditor under a label of its own. access: None takes all that each suspect grants."""

    label: str
    name: str
    access: Access | None = None
    budget: Budget = UNLIMITED
    seed: int = 0
    parameters: Mapping[str, JSON] = dataclasses.field(default_factory=dict)

    def build(self) -> Auditor:
        """The auditor; raises UnknownTechnique and its kin, BadParameter."""
        return cast(Auditor, make(cast(Any, auditor(self.name)), self.parameters))

    def document(self) -> dict[str, Any]:
        """What stands in a benchmark's file: all that results depend on, and its hash."""
        built = self.build()
        parts = {
            "auditor": self.name,
            "version": built.version,
            "access": None if self.access is None else self.access.names,
            "budget": self.budget.to_json(),
            "seed": self.seed,
            "parameters": parameters(cast(Any, built)),
        }
        return {**parts, "sha256": digest(parts)}


def named(names: Iterable[str]) -> list[Entrant]:
    """Auditors by name, with their defaults and all access."""
    return [Entrant(name, name) for name in names]


def load(file: Path) -> list[Entrant]:
    """Tables [[auditor]] of a TOML file: name, label, access, budget, seed, parameters.

    Raises ConfigError on an unreadable file, an unknown key, a label twice, or an auditor that
    cannot be built.
    """
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{file}: {error.strerror}", hint="Name a file like benchmarks/auditors.toml."
        ) from None
    except ValueError as error:
        raise ConfigError(f"{file}: {error}", hint="Repair the TOML there.") from None
    tables = document.get("auditor")
    if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
        raise ConfigError(f"{file} has no auditors", hint="Write a table [[auditor]] for each.")
    found = []
    for number, table in enumerate(tables, start=1):
        where = f"{file}: auditor {number}"
        try:
            found.append(_entrant(table, where))
            found[-1].build()
        except ConfigError as error:
            told = error.message if error.message.startswith(where) else f"{where}: {error.message}"
            raise type(error)(told, hint=error.hint) from None
    return found


def check(entrants: Iterable[Entrant]) -> None:
    """Raises ConfigError where two bear one label, and what building one raises."""
    seen: set[str] = set()
    for entrant in entrants:
        if entrant.label in seen:
            raise ConfigError(
                f"two auditors are labelled '{entrant.label}'", hint="Give each a label of its own."
            )
        seen.add(entrant.label)
        entrant.build()


def _entrant(table: Mapping[str, Any], where: str) -> Entrant:
    for key in table:
        if key not in _KEYS:
            near = difflib.get_close_matches(key, _KEYS, n=1)
            raise ConfigError(
                f"{where} has no key '{key}'",
                hint=f"Did you mean '{near[0]}'?" if near else f"Known keys: {', '.join(_KEYS)}.",
            )
    name, label = table.get("name"), table.get("label", table.get("name"))
    if not isinstance(name, str) or not isinstance(label, str) or not label:
        raise ConfigError(f"{where} has no name", hint='Give name = "autopilot".')
    budget, given = table.get("budget", {}), table.get("parameters", {})
    if not isinstance(budget, dict) or not isinstance(given, dict):
        raise ConfigError(f"{where}: budget and parameters are tables", hint="Write { ... }.")
    seed = table.get("seed", 0)
    if type(seed) is not int or seed < 0:
        raise ConfigError(f"{where}: seed = {seed!r} is no seed", hint="Give a whole number.")
    access = table.get("access")
    return Entrant(
        label,
        name,
        None if access is None else Access.parse(access),
        Budget.parse(budget),
        seed,
        given,
    )
