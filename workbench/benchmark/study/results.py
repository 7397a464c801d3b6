"""A study's result file: what each part of each draw came to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.benchmark.study.plan import Part, Plan
from workbench.errors import ConfigError
from workbench.statistics import Rate

FORMAT = "alignment-workbench-study/1"
ATTACKS = ("prefilled", "starts", "narrated", "personas", "user_turns")
ATTACKED = "attacked"
"""All attacks together."""


def empty(plan: Plan) -> dict[str, Any]:
    """The document of a study that nothing has been measured for."""
    return {"format": FORMAT, "plan": plan.sha256(), "base": plan.base, "draws": {}}


def read(file: Path) -> dict[str, Any]:
    """{format, plan, base, base_sha256, draws: {draw: {part: {code, seconds, found}}}}; raises
    ConfigError where the file holds no study."""
    hint = "Name a file that `workbench benchmark study` wrote."
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}", hint=hint) from None
    except ValueError:
        document = None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ConfigError(f"{file} is no study of format '{FORMAT}'", hint=hint)
    try:
        _check(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(
            f"{file} is damaged: {type(error).__name__}: {error}",
            hint="Restore it, or give another --out.",
        ) from None
    return document


def done(document: Mapping[str, Any], part: Part) -> Mapping[str, Any] | None:
    """The result of a part, None where it has none."""
    found: Mapping[str, Any] | None = document["draws"].get(str(part.draw), {}).get(part.name)
    return found


def rates(document: Mapping[str, Any], arm: str, state: str, measure: str) -> dict[int, Rate]:
    """By draw, where it is measured."""
    found = {}
    for draw, parts in document["draws"].items():
        counts = parts.get(Part(0, "measure", arm, state).name, {}).get("found") or {}
        kinds = ATTACKS if measure == ATTACKED else (measure,)
        if all(kind in counts for kind in kinds):
            hits, n = (sum(counts[kind][place] for kind in kinds) for place in (0, 1))
            found[int(draw)] = Rate(hits, n)
    return dict(sorted(found.items()))


def audited(
    document: Mapping[str, Any], what: str, kind: str, label: str
) -> dict[int, Mapping[str, Any]]:
    """By draw, what a technique or a team ("techniques" or "teams") made of ORGANISM or TWIN."""
    found = {}
    for draw, parts in document["draws"].items():
        made = parts.get(Part(0, "audit", what).name, {}).get("found", {}).get(kind, {})
        if label in made:
            found[int(draw)] = made[label]
    return dict(sorted(found.items()))


def _check(document: Mapping[str, Any]) -> None:
    """Raises some error where the shape is not a study's."""
    document["plan"], document["base"]
    for draw, parts in document["draws"].items():
        int(draw)
        for name, result in parts.items():
            result["code"], float(result["seconds"])
            if name.startswith("measure"):
                for hits, n in result["found"].values():
                    if not (type(hits) is int and type(n) is int and 0 <= hits <= n and n > 0):
                        raise ValueError(f"{name}: {hits} of {n}")
            if name.startswith("audit"):
                for kind in ("techniques", "teams"):
                    for made in result["found"][kind].values():
                        made["status"], made["cost"]["seconds"]
