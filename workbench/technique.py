"""The plugin contract: a technique is a frozen dataclass whose fields are its parameters."""

from __future__ import annotations

import dataclasses
import difflib
import sys
import types
import typing
from collections.abc import Generator, Iterator, Mapping
from pathlib import PurePath
from typing import Annotated, Any, ClassVar, Protocol, TypeAlias

from workbench.access import Access
from workbench.artifacts import Artifacts
from workbench.errors import BadParameter, BrokenTechnique, WorkbenchError
from workbench.findings import JSON, Finding
from workbench.suspects import Suspect

_OPENED = "names a file or directory that is opened"

PathText: TypeAlias = Annotated[str, _OPENED]
"""The type of a parameter that names a file or directory: a host takes none from a client."""


class Technique(Protocol):
    """One way to look for a hidden objective.

    The dataclass fields are the command-line flags, the TOML keys, the form in the app and the
    stored parameters. `needs`: refused without it; `uses`: taken where granted, done without
    where not. `version` is raised when results change, which retires cached runs.
    The first line of the class docstring says what it asks of the suspect.

    `run` yields findings; it opens no database, prints nothing and reads no global. A generator
    may return `Trials`, which say how much was looked at, findings or none. Raises TechniqueFailed
    where it could not look: a run that ends without findings has looked and found nothing.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    needs: ClassVar[Access]
    uses: ClassVar[Access]

    def run(self, suspect: Suspect, *, seed: int, artifacts: Artifacts) -> Iterator[Finding]: ...


@dataclasses.dataclass(frozen=True, slots=True)
class Trials:
    """What a run looked at, in trials of its own kind (replies, documents, texts).

    planned: trials that the parameters asked for; ran: those that were judged; errored and refused:
    those that broke off; unscored: those that ran and could not be judged.
    Raises BadParameter on a count that is no whole number of at least 0.
    """

    planned: int
    ran: int
    errored: int = 0
    refused: int = 0
    unscored: int = 0

    def __post_init__(self) -> None:
        for name, count in dataclasses.asdict(self).items():
            if type(count) is not int or count < 0:
                raise BadParameter(
                    f"trials {name} = {count!r}", hint="Give a whole number of at least 0."
                )


def told(run: Iterator[Finding], trials: dict[str, int]) -> Generator[Finding, None, None]:
    """The findings of a run; `trials` is filled when it ends and returned Trials."""
    returned = yield from typing.cast(Generator[Finding, None, object], run)
    if isinstance(returned, Trials):
        trials.update(dataclasses.asdict(returned))


def parameters(technique: Technique) -> dict[str, JSON]:
    """The stored form of a technique's parameters: field name to JSON value."""
    return {
        f.name: _plain(getattr(technique, f.name))
        for f in dataclasses.fields(technique)  # type: ignore[arg-type]
    }


def opens(kind: type[Technique]) -> set[str]:
    """The parameters that are typed as paths (PathText, pathlib), however deep in their type."""
    hints = typing.get_type_hints(kind, include_extras=True)
    return {f.name for f in dataclasses.fields(kind) if _is_path(hints[f.name])}  # type: ignore[arg-type]


def _is_path(hint: Any) -> bool:
    if isinstance(hint, type) and issubclass(hint, PurePath):
        return True
    if _OPENED in getattr(hint, "__metadata__", ()):
        return True
    return any(_is_path(part) for part in typing.get_args(hint))


def make(kind: type[Technique], given: Mapping[str, Any]) -> Technique:
    """Builds a technique from TOML or command-line values.

    Raises BadParameter on an unknown name (with the nearest known one), a value of the wrong
    type, a parameter that is missing, or a value that the technique's own `__post_init__` refuses
    with a ValueError; BrokenTechnique when it raises anything else.
    """
    fields = {f.name for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    hints = typing.get_type_hints(kind)
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name not in fields:
            near = difflib.get_close_matches(name, fields, n=1)
            raise BadParameter(
                f"'{kind.name}' has no parameter '{name}'",
                hint=f"Did you mean '{near[0]}'?"
                if near
                else f"It has: {', '.join(sorted(fields)) or 'none'}.",
            )
        values[name] = _fit(value, hints[name], f"'{kind.name}' parameter '{name}'")
    try:
        return kind(**values)
    except (TypeError, ValueError) as error:
        raise BadParameter(f"'{kind.name}': {error}", hint="Choose another value.") from None
    except WorkbenchError:
        raise
    except Exception as error:  # a plugin's own code
        raise BrokenTechnique(
            f"'{kind.name}' fails while it takes its parameters: {type(error).__name__}: {error}",
            hint="Repair the technique, or uninstall the package that brings it.",
        ) from error


def _fit(value: Any, hint: Any, where: str) -> Any:
    origin, options = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        for option in options:
            try:
                return _fit(value, option, where)
            except BadParameter:
                continue
    elif origin is tuple and isinstance(value, (list, tuple)):
        return tuple(_fit(v, options[0], where) for v in value)
    elif origin is typing.Literal and value in options:
        return value
    elif hint is float:
        if type(value) in (int, float) and abs(value) <= sys.float_info.max:
            return float(value)
    elif hint is type(None) and value is None:
        return None
    elif isinstance(hint, type) and type(value) is hint:
        return value
    wanted = getattr(hint, "__name__", None) or str(hint).replace("typing.", "")
    raise BadParameter(
        f"{where} = {value!r} is no {wanted}", hint=f"Give a value of type {wanted}."
    )


def _plain(value: Any) -> JSON:
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    return typing.cast(JSON, value)
