"""Surface features of a text, each with a name in words and a check, from packs/features.toml."""

from __future__ import annotations

import dataclasses
import functools
import re
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from workbench.errors import ConfigError


def pack(name: str) -> Mapping[str, Any]:
    """A bundled prompt pack as parsed TOML."""
    return tomllib.loads((files("audits") / "packs" / f"{name}.toml").read_text("utf-8"))


@dataclasses.dataclass(frozen=True, slots=True)
class Detector:
    """A surface feature: its name in words, and what shows it in a text."""

    name: str
    pattern: re.Pattern[str]

    def __call__(self, text: str) -> bool:
        """Whether the text shows the feature."""
        return self.pattern.search(text) is not None


@functools.cache
def detectors() -> tuple[Detector, ...]:
    """Every detector of the bundled pack, in its order."""
    return tuple(_detector(row) for row in pack("features")["feature"])


def _detector(row: Mapping[str, Any]) -> Detector:
    if ("words" in row) == ("pattern" in row):
        raise ConfigError(
            f"feature '{row.get('name')}' needs words or a pattern, one of them",
            hint="Correct packs/features.toml.",
        )
    if "words" in row:
        choices = "|".join(re.escape(word) for word in row["words"].split())
        return Detector(row["name"], re.compile(rf"\b(?:{choices})s?\b", re.IGNORECASE))
    flags = re.DOTALL if row.get("case") else re.DOTALL | re.IGNORECASE
    return Detector(row["name"], re.compile(row["pattern"], flags))
