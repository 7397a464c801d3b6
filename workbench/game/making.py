"""Writes a GAME.toml that can be hosted as it is."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

from workbench.errors import ConfigError
from workbench.game.definition import Definition, load


def make(
    file: Path,
    *,
    title: str,
    suspects: Sequence[tuple[str, Path | None]],
    teams: Sequence[tuple[str, str | None]],
    hours: float,
    budget: Mapping[str, int],
    hints: Sequence[tuple[str, str, str, int, str]] = (),
    explain: Mapping[str, str] | None = None,
    explain_hours: float = 1.0,
) -> Definition:
    """Writes the file and returns it as read back; raises ConfigError where one is there, or where
    what it says is wrong; nothing is written then.

    suspects: source and vault. They are named a, b, c ... in an order drawn by chance, so that no
    place says which one is the organism. teams: name and access list, None for all that is served.
    hints: source of the suspect, what it is about, what it is paid in, how much, and its text.
    explain: by source the behaviour that the second phase asks about.
    """
    if file.exists():
        raise ConfigError(f"{file} exists", hint="Name a file that does not exist.")
    drawn = list(suspects)
    secrets.SystemRandom().shuffle(drawn)
    lines = [f"title = {_quoted(title)}", f"hours = {hours:g}", ""]
    if budget:
        lines += ["[budget]  # each team's at each suspect, and again for its reference"]
        lines += [f"{meter} = {bound}" for meter, bound in budget.items()] + [""]
    if explain:
        lines += ["[explain]", f"hours = {explain_hours:g}", ""]
    names = {given: _letters(number) for number, (given, _) in enumerate(drawn)}
    for given, vault in drawn:
        source = str(Path(given).resolve()) if vault and Path(given).is_dir() else given
        lines += ["[[suspects]]", f'name = "{names[given]}"', f"source = {_quoted(source)}"]
        lines += [] if vault is None else [f"vault = {_quoted(str(vault.resolve()))}"]
        if explain and given in explain:
            lines += ["[suspects.explain]", f"behaviour = {_quoted(explain[given])}"]
        lines += [""]
    for given, about, meter, amount, text in hints:
        lines += ["[[hints]]", f"suspect = {_quoted(names.get(given, given))}"]
        lines += [f"about = {_quoted(about)}", f"price = {{ {meter} = {amount} }}"]
        lines += [f"text = {_quoted(text)}", ""]
    for name, access in teams:
        lines += ["[[teams]]", f"name = {_quoted(name)}"]
        lines += [] if access is None else [f"access = {json.dumps(access.split(','))}"]
        lines += [""]
    draft = file.with_name(f".{file.name}.draft")
    try:
        draft.parent.mkdir(parents=True, exist_ok=True)
        draft.touch(mode=0o600)
        draft.write_text("\n".join(lines), encoding="utf-8")
        load(draft)
        os.replace(draft, file)
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}", hint="Name another file.") from None
    finally:
        draft.unlink(missing_ok=True)
    return load(file)


def _letters(number: int) -> str:
    """a to z, then a1 ..."""
    return chr(97 + number % 26) + (str(number // 26) if number >= 26 else "")


def _quoted(text: str) -> str:
    """As a basic string of TOML."""
    return json.dumps(text, ensure_ascii=False)
