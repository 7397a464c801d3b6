"""Reading a game's TOML: each value checked, each error naming file, part and value."""

from __future__ import annotations

import datetime
import difflib
import re
from collections.abc import Mapping
from typing import Any

from workbench.errors import ConfigError

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


def tables(document: Mapping[str, Any], key: str, where: str) -> list[tuple[int, dict[str, Any]]]:
    """The tables under a key, numbered from 1; at least one."""
    found = document.get(key)
    if not isinstance(found, list) or not found or not all(isinstance(t, dict) for t in found):
        raise ConfigError(f"{where} has no {key}", hint=f"Write a table [[{key}]] for each.")
    return list(enumerate(found, start=1))


def table(given: Any, where: str, keys: tuple[str, ...]) -> dict[str, Any]:
    """A table of no other keys."""
    if not isinstance(given, dict):
        raise ConfigError(f"{where} is no table", hint=f"Its keys are {', '.join(keys)}.")
    known(given, keys, where)
    return given


def known(given: Mapping[str, Any], keys: tuple[str, ...], where: str) -> None:
    """Refuses a key that is not among these, naming one that is like it."""
    for key in given:
        if key not in keys:
            near = difflib.get_close_matches(key, keys, n=1)
            raise ConfigError(
                f"{where} has no key '{key}'",
                hint=f"Did you mean '{near[0]}'?" if near else f"Known: {', '.join(keys)}.",
            )


def distinct(names: list[str], where: str) -> tuple[str, ...]:
    """Names, each but once."""
    for one in names:
        if names.count(one) > 1:
            raise ConfigError(f"{where}: '{one}' occurs twice", hint="Give each its own name.")
    return tuple(names)


def name(given: Any, where: str) -> str:
    """What a suspect or a team is called."""
    if not isinstance(given, str) or not NAME.fullmatch(given):
        raise ConfigError(
            f"{where}: name = {given!r} is no name",
            hint="Use at most 40 lower-case letters, digits and -.",
        )
    return given


def text(given: Any, where: str) -> str:
    """Up to 1,000 characters."""
    if not isinstance(given, str) or not given or len(given) > 1_000:
        raise ConfigError(f"{where} = {given!r} is no text", hint="Give it in quotes.")
    return given


def number(given: Any, where: str, least: float = 0.001) -> float:
    """From `least` to a million."""
    is_number = isinstance(given, (int, float)) and not isinstance(given, bool)
    if not is_number or not least <= given <= 1e6:
        raise ConfigError(f"{where} = {given!r} is no such number", hint=f"At least {least:g}.")
    return float(given)


def time(given: Any, where: str) -> datetime.datetime | None:
    """A time with its zone; None where there is none."""
    if given is None:
        return None
    if not isinstance(given, datetime.datetime) or given.tzinfo is None:
        raise ConfigError(
            f"{where} = {given!r} is no time with its zone", hint="Write 2026-01-31T18:00:00Z."
        )
    return given
