"""GAME.toml: which suspects, which teams with which access and budget, and when."""

from __future__ import annotations

import dataclasses
import datetime
import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from workbench.access import Access, Budget
from workbench.errors import ConfigError
from workbench.host.verbs import SERVED

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_TOP = (
    "title", "hours", "opens", "closes", "state", "vault", "port", "rate", "call_seconds",
    "access", "budget", "suspects", "teams",
)  # fmt: skip
_SUSPECT = ("name", "source", "adapter", "reference", "reward", "device", "dtype", "vault")
_TEAM = ("name", "access", "budget", "suspects")
_SEAT = ("access", "budget")


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """A suspect. name: what teams call it; source: what `Suspect.load` opens; vault: where
    its truth is sealed, None for a bundled one."""

    name: str
    source: str
    vault: Path | None
    adapter: str | None = None
    reference: str | None = None
    reward: str | None = None
    device: str = "auto"
    dtype: str = "auto"


@dataclasses.dataclass(frozen=True, slots=True)
class Seat:
    """What a team may do with one suspect; access None: all that it grants and a host serves."""

    access: Access | None
    budget: Budget


@dataclasses.dataclass(frozen=True, slots=True)
class Definition:
    """A game as its organiser wrote it. opens, closes: times; None opens at once, and closes after
    `hours`. seats: by team and suspect."""

    file: Path
    title: str
    suspects: tuple[Entry, ...]
    seats: Mapping[str, Mapping[str, Seat]]
    hours: float
    opens: datetime.datetime | None
    closes: datetime.datetime | None
    state: Path
    vault: Path
    port: int
    rate: float
    call_seconds: float


def load(file: Path) -> Definition:
    """Reads and checks a GAME.toml; raises ConfigError, naming file, part and value."""
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{file}: {error.strerror}", hint="Make one: workbench game make GAME.toml."
        ) from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{file}: {error}", hint="Repair the TOML there.") from None
    _known(document, _TOP, str(file))
    where = str(file)
    suspects = tuple(_entry(t, f"{where}: suspect {n}", file.parent) for n, t in _tables(
        document, "suspects", where))  # fmt: skip
    names = _distinct([entry.name for entry in suspects], f"{where}: suspects")
    teams = dict(_tables(document, "teams", where))
    _distinct([_name(t.get("name"), f"{where}: team {n}") for n, t in teams.items()], where)
    seats = {
        str(table["name"]): _seats(table, document, names, f"{where}: team {n}")
        for n, table in teams.items()
    }
    opens, closes = (_time(document.get(key), f"{where}: {key}") for key in ("opens", "closes"))
    return Definition(
        file=file,
        title=_text(document.get("title", file.stem), f"{where}: title"),
        suspects=suspects,
        seats=seats,
        hours=_number(document.get("hours", 2), f"{where}: hours"),
        opens=opens,
        closes=closes,
        state=file.parent / str(document.get("state", f"{file.stem}.state")),
        vault=file.parent / str(document.get("vault", f"{file.stem}.vault")),
        port=int(_number(document.get("port", 8600), f"{where}: port", least=0)),
        rate=_number(document.get("rate", 20), f"{where}: rate", least=1),
        call_seconds=_number(document.get("call_seconds", 300), f"{where}: call_seconds"),
    )


def times(definition: Definition, start: datetime.datetime) -> tuple[str, str]:
    """When it opens and closes, in the form of the log; raises ConfigError on an end that is not
    after the beginning, or past already."""
    opens = definition.opens or start
    closes = definition.closes or opens + datetime.timedelta(hours=definition.hours)
    if closes <= max(opens, start):
        raise ConfigError(
            f"{definition.file}: the game would close at {stamp(closes)}, before it is open",
            hint="Give later `closes`, or `hours`.",
        )
    return stamp(opens), stamp(closes)


def stamp(time: datetime.datetime) -> str:
    """A time as the log writes it: UTC, milliseconds."""
    return time.astimezone(datetime.UTC).isoformat(timespec="milliseconds")


def _entry(table: Mapping[str, Any], where: str, folder: Path) -> Entry:
    _known(table, _SUSPECT, where)
    texts = {k: _text(table[k], f"{where}: {k}") for k in _SUSPECT if k in table}
    if "source" not in texts:
        raise ConfigError(f"{where} has no source", hint="Give a bundled name or a directory.")
    name = _name(texts.pop("name", None), where)
    vault = texts.pop("vault", None)
    for key in ("source", "adapter", "reference", "reward"):
        if key in texts and (folder / texts[key]).exists():
            texts[key] = str(folder / texts[key])
    return Entry(name, texts.pop("source"), None if vault is None else folder / vault, **texts)


def _seats(
    table: Mapping[str, Any], document: Mapping[str, Any], suspects: Iterable[str], where: str
) -> dict[str, Seat]:
    """By suspect: the seat's own access and budget, else the team's, else the game's."""
    _known(table, _TEAM, where)
    own = table.get("suspects", {name: {} for name in suspects})
    if not isinstance(own, dict) or not own or not all(isinstance(s, dict) for s in own.values()):
        raise ConfigError(f"{where}: suspects is no table", hint="Write [teams.suspects.NAME].")
    _known(own, tuple(suspects), f"{where}: suspects")
    made = {}
    for name, seat in own.items():
        _known(seat, _SEAT, f"{where}: suspect '{name}'")
        given = {**document, **table, **seat}
        made[name] = Seat(
            _access(given.get("access"), where), _budget(given.get("budget", {}), where)
        )
    return made


def _access(given: Any, where: str) -> Access | None:
    if given is None:
        return None
    if not isinstance(given, (str, list)) or not all(isinstance(name, str) for name in given):
        raise ConfigError(f"{where}: access is no list of names", hint='Write ["chat", "logits"].')
    try:
        access = Access.parse(given)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error.message}", hint=error.hint) from None
    if access & ~SERVED:
        raise ConfigError(
            f"{where}: no host serves {', '.join((access & ~SERVED).names)}",
            hint=f"Choose from: {', '.join(SERVED.names)}.",
        )
    return access


def _budget(given: Any, where: str) -> Budget:
    if not isinstance(given, dict):
        raise ConfigError(f"{where}: budget is no table", hint="Write a table [budget].")
    if "seconds" in given:
        raise ConfigError(f"{where}: a host meters no seconds", hint="Bound calls instead.")
    try:
        return Budget.parse(given)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error.message}", hint=error.hint) from None


def _tables(document: Mapping[str, Any], key: str, where: str) -> list[tuple[int, dict[str, Any]]]:
    tables = document.get(key)
    if not isinstance(tables, list) or not tables or not all(isinstance(t, dict) for t in tables):
        raise ConfigError(f"{where} has no {key}", hint=f"Write a table [[{key}]] for each.")
    return list(enumerate(tables, start=1))


def _known(table: Mapping[str, Any], keys: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in keys:
            near = difflib.get_close_matches(key, keys, n=1)
            raise ConfigError(
                f"{where} has no key '{key}'",
                hint=f"Did you mean '{near[0]}'?" if near else f"Known: {', '.join(keys)}.",
            )


def _distinct(names: list[str], where: str) -> tuple[str, ...]:
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"{where}: '{name}' occurs twice", hint="Give each its own name.")
    return tuple(names)


def _name(given: Any, where: str) -> str:
    if not isinstance(given, str) or not _NAME.fullmatch(given):
        raise ConfigError(
            f"{where}: name = {given!r} is no name",
            hint="Use at most 40 lower-case letters, digits and -.",
        )
    return given


def _text(given: Any, where: str) -> str:
    if not isinstance(given, str) or not given or len(given) > 1_000:
        raise ConfigError(f"{where} = {given!r} is no text", hint="Give it in quotes.")
    return given


def _number(given: Any, where: str, least: float = 0.001) -> float:
    number = isinstance(given, (int, float)) and not isinstance(given, bool)
    if not number or not least <= given <= 1e6:
        raise ConfigError(f"{where} = {given!r} is no such number", hint=f"At least {least:g}.")
    return float(given)


def _time(given: Any, where: str) -> datetime.datetime | None:
    if given is None:
        return None
    if not isinstance(given, datetime.datetime) or given.tzinfo is None:
        raise ConfigError(
            f"{where} = {given!r} is no time with its zone", hint="Write 2026-01-31T18:00:00Z."
        )
    return given
