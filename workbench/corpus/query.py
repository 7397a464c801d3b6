"""Queries: named patterns in one regex dialect, and rules over them, checked before a scan.

The dialect is that of Rust's regex crate, which runs in linear time and has no look-around and no
back-references. Matches are non-overlapping, leftmost first; empty ones are not hits.
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from workbench.corpus.rules import Rule, parse
from workbench.errors import ConfigError

_PLACE = re.compile(r"regex parse error:\n {4}[^\n]*\n {4}( *)\^")


@dataclasses.dataclass(frozen=True, slots=True)
class CompiledQuery:
    """Patterns as (name, Rust regex), rules as (name, rule), checked by the engine that runs them.

    screens: alternations that between them match every text in which some pattern matches.
    """

    patterns: tuple[tuple[str, str], ...]
    rules: tuple[tuple[str, Rule], ...] = ()
    screens: tuple[str, ...] = ()

    @classmethod
    def compile(
        cls,
        patterns: Mapping[str, str],
        *,
        rules: Mapping[str, str] | None = None,
        ignore_case: bool = False,
        fixed: bool = False,
    ) -> CompiledQuery:
        """fixed: patterns are plain text. rules: see `workbench.corpus.rules`.

        Raises ConfigError, with the reason and the place, on a pattern that the dialect lacks
        (look-around, back-references), that is malformed, or that matches the empty text; and on
        a rule that cannot be read or has a pattern's name.
        """
        import polars

        if not patterns:
            raise ConfigError("no pattern to look for", hint="Give at least one.")
        made = []
        for name, pattern in patterns.items():
            regex = polars.escape_regex(pattern) if fixed else pattern
            _check(regex, pattern)
            made.append((name, f"(?i){regex}" if ignore_case else regex))
        taken = set(patterns) & set(rules or {})
        if taken:
            raise ConfigError(
                f"'{min(taken)}' is a pattern and a rule", hint="Give each a name of its own."
            )
        parsed = [(name, parse(text, list(patterns))) for name, text in (rules or {}).items()]
        return cls(tuple(made), tuple(parsed), _screens([regex for _, regex in made]))

    @classmethod
    def load(cls, pack: Path, *, ignore_case: bool = False) -> CompiledQuery:
        """Reads a pack in TOML: a table `patterns` (a name and a regex or a list of them) and, if
        wanted, a table `rules`.

        Raises ConfigError where there is no such file, it is no pack, or as `compile` does.
        """
        try:
            told = tomllib.loads(pack.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError(f"{pack}: {error}", hint="Give a TOML file.") from None
        patterns, rules = told.get("patterns"), told.get("rules", {})
        if (
            not isinstance(patterns, dict)
            or not isinstance(rules, dict)
            or set(told) > {"patterns", "rules"}
            or not all(_is_pattern(p) for p in patterns.values())
            or not all(isinstance(rule, str) for rule in rules.values())
        ):
            raise ConfigError(
                f"{pack}: no pack of patterns",
                hint="It has a table `patterns` of texts or lists of texts, and may have `rules`.",
            )
        joined = {
            name: p if isinstance(p, str) else "|".join(f"(?:{part})" for part in p)
            for name, p in patterns.items()
        }
        return cls.compile(joined, rules=rules, ignore_case=ignore_case)


def _is_pattern(value: object) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list) and bool(value) and all(isinstance(part, str) for part in value)
    )


def _check(regex: str, shown: str) -> None:
    import polars

    try:
        empty = polars.Series([""]).str.contains(regex).item()
    except polars.exceptions.ComputeError as error:
        text = str(error).partition("\n\nThis error occurred")[0]
        place = _PLACE.search(text)
        at = f", character {len(place[1]) + 1}" if place else ""
        reason = " ".join(text.rpartition("error: ")[2].split())
        raise ConfigError(
            f"pattern '{shown}'{at}: {reason}",
            hint="The dialect is Rust's regex: no look-around, no back-references; "
            "--fixed takes plain text.",
        ) from None
    if empty:
        raise ConfigError(
            f"pattern '{shown}' matches the empty text",
            hint="Write one that needs at least a character, like + in place of *.",
        )


def _screens(regexes: Sequence[str]) -> tuple[str, ...]:
    """One alternation of all, or several where the engine refuses so large a one."""
    import polars

    if len(regexes) == 1:
        return (regexes[0],)
    joined = "|".join(f"(?:{regex})" for regex in regexes)
    try:
        polars.Series([""]).str.contains(joined)
    except polars.exceptions.ComputeError:
        half = len(regexes) // 2
        return _screens(regexes[:half]) + _screens(regexes[half:])
    return (joined,)
