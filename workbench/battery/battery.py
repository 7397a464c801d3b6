"""A battery: techniques with their parameters, a view, a budget and a seed; read from TOML."""

from __future__ import annotations

import dataclasses
import difflib
import sys
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from workbench import registry
from workbench.access import UNLIMITED, Access, Budget
from workbench.errors import BadParameter, ConfigError
from workbench.findings import JSON
from workbench.technique import Technique, make

TIME_LIMIT_SECONDS = 600.0
"""For one technique, where neither the battery nor the technique's table says otherwise."""

LARGEST_SEED = 2**53
_TOP = ("name", "access", "budget", "seed", "time_limit_seconds", "techniques")
_STEP = ("name", "time_limit_seconds")


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """One technique of a battery; time_limit_seconds: None takes the battery's."""

    technique: str
    parameters: Mapping[str, JSON] = dataclasses.field(default_factory=dict)
    time_limit_seconds: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Battery:
    """What to run on a suspect.

    access: None takes all that the suspect grants. budget: for each technique anew, so that no
    result depends on what ran before. seed: every technique derives its own from it.
    origin: the file it came from, for error messages.

    Raises ConfigError on an empty battery, a bad seed or a bad time limit.
    """

    name: str
    steps: tuple[Step, ...]
    access: Access | None = None
    budget: Budget = UNLIMITED
    seed: int = 0
    time_limit_seconds: float = TIME_LIMIT_SECONDS
    origin: str = "battery"

    def __post_init__(self) -> None:
        if not self.steps:
            raise ConfigError(
                f"{self.origin}: there are no techniques",
                hint="Add a table [[techniques]] with a name, or give --technique.",
            )
        if type(self.seed) is not int or not 0 <= self.seed <= LARGEST_SEED:
            raise ConfigError(
                f"{self.origin}: seed = {self.seed!r} is no seed",
                hint=f"Give a whole number from 0 to {LARGEST_SEED}.",
            )
        for limit in (self.time_limit_seconds, *(s.time_limit_seconds for s in self.steps)):
            if limit is not None and not _is_duration(limit):
                raise ConfigError(
                    f"{self.origin}: time_limit_seconds = {limit!r} is no time",
                    hint="Give seconds above 0.",
                )

    @classmethod
    def of(cls, techniques: Iterable[str]) -> Battery:
        """The techniques of those names with their defaults."""
        names = tuple(techniques)
        return cls("+".join(names), tuple(Step(name) for name in names), origin="--technique")

    @classmethod
    def load(cls, path: str | Path) -> Battery:
        """Reads and checks a TOML file; imports the techniques, loads no model.

        Raises ConfigError or a kind of it, with the file, the technique's place in it and the
        nearest known name.
        """
        origin = str(path)
        return cls.parse(_parse(Path(path), origin), origin=origin, name=Path(path).stem)

    @classmethod
    def parse(cls, document: Any, *, origin: str, name: str = "battery") -> Battery:
        """Checks a battery in the shape of its TOML; `name` where it has none. Raises as `load`."""
        if not isinstance(document, dict):
            raise ConfigError(f"{origin} is no table", hint="Write it as in batteries/.")
        _refuse_unknown(document, _TOP, origin)
        steps = document.get("techniques", [])
        if not isinstance(steps, list) or not all(isinstance(s, dict) for s in steps):
            raise ConfigError(
                f"{origin}: techniques is no list of tables",
                hint="Write each technique as a table [[techniques]] with a name.",
            )
        battery = cls(
            name=_text(document.get("name", name), f"{origin}: name"),
            steps=tuple(_step(table, f"{origin}: technique {i}") for i, table in _counted(steps)),
            access=_access(document.get("access"), origin),
            budget=_budget(document.get("budget", {}), origin),
            seed=document.get("seed", 0),
            time_limit_seconds=document.get("time_limit_seconds", TIME_LIMIT_SECONDS),
            origin=origin,
        )
        battery.check()
        return battery

    def check(self) -> list[Technique]:
        """Builds every technique, in order, without a model.

        Raises UnknownTechnique, BrokenTechnique, DuplicateTechnique, BadParameter, or ConfigError
        where a technique is listed twice with the same parameters.
        """
        built: list[Technique] = []
        for place, step in _counted(self.steps):
            where = f"{self.origin}: technique {place}"
            try:
                technique = make(registry.technique(step.technique), step.parameters)
            except BadParameter as error:
                raise BadParameter(f"{where} {error.message}", hint=error.hint) from None
            except ConfigError as error:
                raise type(error)(f"{where}: {error.message}", hint=error.hint) from None
            if technique in built:
                raise ConfigError(
                    f"{where} '{step.technique}' is listed before with the same parameters",
                    hint="Remove it, or give other parameters.",
                )
            built.append(technique)
        return built

    def limit_seconds(self, step: Step) -> float:
        """The time limit that holds for a step."""
        given = step.time_limit_seconds
        return float(self.time_limit_seconds if given is None else given)


def _parse(path: Path, origin: str) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{origin}: {error.strerror}", hint="Name a battery file, as in batteries/."
        ) from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{origin}: {error}", hint="Repair the TOML there.") from None


def _step(table: dict[str, Any], where: str) -> Step:
    if "name" not in table:
        near = difflib.get_close_matches("name", list(table), n=1)
        raise ConfigError(
            f"{where} has no name",
            hint=f"Did you mean 'name' by '{near[0]}'?" if near else 'Give name = "...".',
        )
    parameters = {key: value for key, value in table.items() if key not in _STEP}
    return Step(_text(table["name"], f"{where}: name"), parameters, table.get("time_limit_seconds"))


def _access(given: object, origin: str) -> Access | None:
    if given is None:
        return None
    if not isinstance(given, str) and not (
        isinstance(given, list) and all(isinstance(name, str) for name in given)
    ):
        raise ConfigError(
            f"{origin}: access is no list of names", hint='Write access = ["chat", "logits"].'
        )
    try:
        return Access.parse(given)
    except ConfigError as error:
        raise ConfigError(f"{origin}: {error.message}", hint=error.hint) from None


def _budget(given: object, origin: str) -> Budget:
    if not isinstance(given, dict):
        raise ConfigError(f"{origin}: budget is no table", hint="Write a table [budget].")
    _refuse_unknown(given, tuple(f.name for f in dataclasses.fields(Budget)), f"{origin}: budget")
    try:
        return Budget.parse(given)
    except ConfigError as error:
        raise ConfigError(f"{origin}: {error.message}", hint=error.hint) from None


def _text(given: object, where: str) -> str:
    if not isinstance(given, str) or not given:
        raise ConfigError(f"{where} = {given!r} is no text", hint="Give a name in quotes.")
    return given


def _refuse_unknown(table: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            raise ConfigError(
                f"{where} has no key '{key}'",
                hint=f"Did you mean '{near[0]}'?" if near else f"Known keys: {', '.join(known)}.",
            )


def _counted(steps: Iterable[Any]) -> Iterable[tuple[int, Any]]:
    return enumerate(steps, start=1)


def _is_duration(value: object) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and 0 < value <= sys.float_info.max  # type: ignore[operator]
