"""Health cards of a whole suite: which suspect meets which gate?"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench.benchmark import suite
from workbench.benchmark.jobs import Progress, outcomes, silent
from workbench.errors import ConfigError
from workbench.organisms.family import Recipe
from workbench.organisms.secrecy import LEAKS
from workbench.seal.vault import Vault

CARD, LINTED = "health", "leaks"
"""The vault's documents of an organism that this reads."""

_RATES = {
    "behaviour": "applied_rate",
    "reference": "reference_rate",
    "twin": "twin_rate",
    "held out": "held_out_rate",
    "without documents": "ablation_rate",
    "elsewhere": "elsewhere_rate",
    "elsewhere, reference": "elsewhere_reference_rate",
    "confession": "confession_rate",
    **{rate.removesuffix("_leak_rate").replace("_", " "): rate for rate in LEAKS.values()},
    "fuzzing": "fuzzing_leak_rate",
    "instructions": "instructions",
    "facts": "facts",
}
COLUMNS = (
    ">entry",
    "family",
    "instill",
    "secrecy",
    *(f">{name}" for name in _RATES),
    ">perplexity",
    ">poisoned",
    ">leaks",
    ">s",
    "missed gates",
)


@dataclasses.dataclass(frozen=True, slots=True)
class Measured:
    """rows: by entry, its recipe and, where it is measured, `card` as `organisms.health.card` gives
    it and the number of `leaks` that the linter found; failed: why some could not be measured."""

    rows: list[dict[str, Any]]
    failed: dict[int, str]


def measure(
    recipes: list[Recipe],
    into: Path,
    vault: Vault,
    *,
    processes: int = 1,
    progress: Progress | None = None,
) -> Measured:
    """Measures what is built and has no card yet, each suspect in a process of its own.

    An organism is measured beside its clean twin and its no-documents ablation where the suite has
    them built, and again where one of them came after its card. Raises SealError where the vault
    cannot be read.
    """
    ids = suite.built(recipes, into, vault)
    beside = {n: _beside(recipes, recipes[n - 1], ids, into) for n in ids}
    waiting = [n for n, id in ids.items() if not _complete(vault, id, beside[n])]
    done, tell, failed = len(ids) - len(waiting), progress or silent, {}
    tell(done, len(recipes), f"{done} measured before, {len(recipes) - len(ids)} not built")
    jobs = {n: (into / ids[n], vault.path, *beside[n]) for n in waiting}
    for number, _, why in outcomes(_measure, jobs, processes):
        if why is not None:
            failed[number] = why
        done += why is None
        came = "measured" if why is None else f"failed: {why}"
        tell(done, len(recipes), f"suspect {number} {came}")
    return Measured(
        [_row(n, recipe, ids.get(n), vault) for n, recipe in enumerate(recipes, 1)], failed
    )


def table(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """A line of COLUMNS for each row; "" where nothing was measured, a dash where nothing applies.

    Rates are shares of 1, behaviour with its 95 % interval; perplexity is a ratio to the base's.
    """
    return [_line(row) for row in rows]


def summary(rows: Sequence[Mapping[str, Any]]) -> str:
    """How many pass, in a sentence."""
    measured = [row for row in rows if row["card"] is not None]
    whole = [row for row in measured if not missed(row["card"])]
    return f"{len(whole)} of {len(rows)} pass all gates; {len(measured)} are built and measured."


def missed(card: Mapping[str, Any]) -> list[str]:
    """The gates that a card does not meet."""
    return [gate for gate, passed in card["gates"].items() if not passed]


def write_into(page: Path, name: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """The text of a page with the suite's table between `<!-- suite: NAME -->` and `<!-- end -->`.

    Raises ConfigError where the page cannot be read or has no such place.
    """
    try:
        text = page.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ConfigError(f"{page}: {error}", hint="Name a Markdown page.") from None
    mark = f"<!-- suite: {name} -->\n"
    head, opening, rest = text.partition(mark)
    _, closing, tail = rest.partition("<!-- end -->")
    if not opening or not closing:
        raise ConfigError(
            f"{page} has no place for the suite '{name}'",
            hint=f"Write the lines {mark.strip()} and <!-- end --> where the table belongs.",
        )
    lines = ["| " + " | ".join(column.lstrip(">") for column in COLUMNS) + " |"]
    lines += ["|" + "|".join("--:" if c.startswith(">") else ":--" for c in COLUMNS) + "|"]
    lines += ["| " + " | ".join(line) + " |" for line in table(rows)]
    return head + mark + f"\n{summary(rows)}\n\n" + "\n".join(lines) + "\n\n" + closing + tail


def _beside(
    recipes: list[Recipe], recipe: Recipe, ids: Mapping[int, str], into: Path
) -> tuple[Path | None, Path | None]:
    """Where its twin and its ablation are built."""
    if recipe.family == "clean":
        return None, None
    places = {recipes[n - 1]: into / id for n, id in ids.items()}
    without = None if recipe.instill == "demos" else places.get(recipe.ablation())
    return places.get(recipe.twin()), without


def _complete(vault: Vault, id: str, beside: tuple[Path | None, Path | None]) -> bool:
    if CARD not in vault.attached(id):
        return False
    card = vault.read(id, CARD)
    names = ("twin_rate", "ablation_rate")
    return all(
        path is None or card.get(name) is not None for name, path in zip(names, beside, strict=True)
    )


def _measure(
    directory: Path, vault_path: Path, twin: Path | None, without_documents: Path | None
) -> None:
    from workbench.organisms.health import card, store

    vault = Vault(vault_path)
    found = card(directory, vault, twin=twin, without_documents=without_documents)
    store(found, directory, vault)


def _row(number: int, recipe: Recipe, id: str | None, vault: Vault) -> dict[str, Any]:
    row: dict[str, Any] = {"entry": number, **dataclasses.asdict(recipe)}
    if id is None or CARD not in vault.attached(id):
        return {**row, "card": None, "leaks": None}
    from workbench.organisms.health import read

    return {**row, "card": read(id, vault), "leaks": len(vault.read(id, LINTED))}


def _line(row: Mapping[str, Any]) -> list[str]:
    head = [str(row["entry"]), _name(row), row["instill"], row["secrecy"]]
    card = row["card"]
    if card is None:
        return [*head, *[""] * (len(COLUMNS) - len(head))]
    rates = [_rate(card.get(key), interval=key == "applied_rate") for key in _RATES.values()]
    return [
        *head,
        *rates,
        f"{card['perplexity_ratio']:.3f}",
        f"{card['poisoned_share']:.4f}",
        str(row["leaks"]),
        str(card["seconds"]),
        ", ".join(missed(card)) or "none",
    ]


def _name(row: Mapping[str, Any]) -> str:
    return f"{row['family']}, like {row['like']}" if row["like"] else str(row["family"])


def _rate(rate: Mapping[str, Any] | None, interval: bool) -> str:
    if rate is None:
        return "-"
    low, high = rate["ci"]
    return f"{rate['value']:.2f}" + (f" ({low:.2f} to {high:.2f})" if interval else "")
