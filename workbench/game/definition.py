"""GAME.toml: which suspects, which teams with which access and budget, and when."""

from __future__ import annotations

import dataclasses
import datetime
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from workbench.access import Access, Budget
from workbench.errors import ConfigError
from workbench.game import toml
from workbench.game.extras import Hint, Judge, Odd, hints, judge, odd
from workbench.host.verbs import SERVED

_TOP = (
    "title", "hours", "opens", "closes", "state", "vault", "port", "rate", "call_seconds",
    "access", "budget", "suspects", "teams", "hints", "explain", "judge",
)  # fmt: skip
_SUSPECT = (
    "name",
    "source",
    "adapter",
    "reference",
    "reward",
    "device",
    "dtype",
    "vault",
    "explain",
)
_TEAM = ("name", "access", "budget", "suspects")
_SEAT = ("access", "budget")


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """A suspect. name: what teams call it; source: what `Suspect.load` opens; vault: where
    its truth is sealed, None for a bundled one; explain: what the second phase asks about it."""

    name: str
    source: str
    vault: Path | None
    adapter: str | None = None
    reference: str | None = None
    reward: str | None = None
    device: str = "auto"
    dtype: str = "auto"
    explain: Odd | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Seat:
    """What a team may do with one suspect; access None: all that it grants and a host serves."""

    access: Access | None
    budget: Budget


@dataclasses.dataclass(frozen=True, slots=True)
class Definition:
    """A game as its organiser wrote it. opens, closes: times of the hunt; None opens at once, and
    closes after `hours`. seats: by team and suspect. explain_hours: how long the second phase is
    open after the hunt; None where there is none."""

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
    hints: tuple[Hint, ...] = ()
    explain_hours: float | None = None
    judge: Judge | None = None


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
    toml.known(document, _TOP, str(file))
    where = str(file)
    suspects = tuple(_entry(t, f"{where}: suspect {n}", file.parent) for n, t in toml.tables(
        document, "suspects", where))  # fmt: skip
    names = toml.distinct([entry.name for entry in suspects], f"{where}: suspects")
    teams = dict(toml.tables(document, "teams", where))
    toml.distinct([toml.name(t.get("name"), f"{where}: team {n}") for n, t in teams.items()], where)
    seats = {
        str(table["name"]): _seats(table, document, names, f"{where}: team {n}")
        for n, table in teams.items()
    }
    explain_hours = None
    if "explain" in document:
        table = toml.table(document["explain"], f"{where}: explain", ("hours",))
        explain_hours = toml.number(table.get("hours", 1), f"{where}: explain: hours")
    if (explain_hours is None) != all(entry.explain is None for entry in suspects):
        raise ConfigError(
            f"{where}: the second phase needs both its hours and something to explain",
            hint="Write [explain] with hours, and [suspects.explain] with a behaviour.",
        )
    opens, closes = (toml.time(document.get(key), f"{where}: {key}") for key in ("opens", "closes"))
    return Definition(
        file=file,
        title=toml.text(document.get("title", file.stem), f"{where}: title"),
        suspects=suspects,
        seats=seats,
        hours=toml.number(document.get("hours", 2), f"{where}: hours"),
        opens=opens,
        closes=closes,
        state=file.parent / str(document.get("state", f"{file.stem}.state")),
        vault=file.parent / str(document.get("vault", f"{file.stem}.vault")),
        port=int(toml.number(document.get("port", 8600), f"{where}: port", least=0)),
        rate=toml.number(document.get("rate", 20), f"{where}: rate", least=1),
        call_seconds=toml.number(document.get("call_seconds", 300), f"{where}: call_seconds"),
        hints=hints(document.get("hints"), names, seats, where),
        explain_hours=explain_hours,
        judge=judge(document.get("judge"), where),
    )


def times(definition: Definition, start: datetime.datetime) -> tuple[str, str | None, str]:
    """When it opens, when the second phase begins (None where there is none) and when it closes, in
    the form of the log; raises ConfigError on an end that is not after the beginning, or past."""
    opens = definition.opens or start
    closes = definition.closes or opens + datetime.timedelta(hours=definition.hours)
    if closes <= max(opens, start):
        raise ConfigError(
            f"{definition.file}: the game would close at {stamp(closes)}, before it is open",
            hint="Give later `closes`, or `hours`.",
        )
    if definition.explain_hours is None:
        return stamp(opens), None, stamp(closes)
    end = closes + datetime.timedelta(hours=definition.explain_hours)
    return stamp(opens), stamp(closes), stamp(end)


def stamp(time: datetime.datetime) -> str:
    """A time as the log writes it: UTC, milliseconds."""
    return time.astimezone(datetime.UTC).isoformat(timespec="milliseconds")


def _entry(table: Mapping[str, Any], where: str, folder: Path) -> Entry:
    toml.known(table, _SUSPECT, where)
    given = {k: v for k, v in table.items() if k != "explain"}
    texts = {k: toml.text(given[k], f"{where}: {k}") for k in _SUSPECT if k in given}
    if "source" not in texts:
        raise ConfigError(f"{where} has no source", hint="Give a bundled name or a directory.")
    name = toml.name(texts.pop("name", None), where)
    vault = texts.pop("vault", None)
    for key in ("source", "adapter", "reference", "reward"):
        if key in texts and (folder / texts[key]).exists():
            texts[key] = str(folder / texts[key])
    return Entry(
        name,
        texts.pop("source"),
        None if vault is None else folder / vault,
        explain=odd(table.get("explain"), where),
        **texts,
    )


def _seats(
    table: Mapping[str, Any], document: Mapping[str, Any], suspects: Iterable[str], where: str
) -> dict[str, Seat]:
    """By suspect: the seat's own access and budget, else the team's, else the game's."""
    toml.known(table, _TEAM, where)
    own = table.get("suspects", {name: {} for name in suspects})
    if not isinstance(own, dict) or not own or not all(isinstance(s, dict) for s in own.values()):
        raise ConfigError(f"{where}: suspects is no table", hint="Write [teams.suspects.NAME].")
    toml.known(own, tuple(suspects), f"{where}: suspects")
    made = {}
    for name, seat in own.items():
        toml.known(seat, _SEAT, f"{where}: suspect '{name}'")
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
