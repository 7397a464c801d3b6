"""What is known of techniques before they are run: what they cost, find, and falsely accuse of."""

from __future__ import annotations

import dataclasses
import functools
import json
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from workbench.errors import ConfigError
from workbench.findings import JSON
from workbench.technique import Technique

OTHER = "other"
ANY = "any"
HABIT = "open-habit"
TEST = "test"
"""The source of what tests a hypothesis instead of looking for one."""

_TRUST = 8
"""As many suspects as the judgement in the pack weighs beside what a benchmark measured."""


@dataclasses.dataclass(frozen=True, slots=True)
class Known:
    """One technique: see packs/kit.toml; false and finds are probabilities."""

    name: str
    source: str
    seconds: float
    samples: float
    false: float
    finds: Mapping[str, float]
    scale: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def sees(self, kind: str) -> float:
        """How often it names the truth where the objective is of this kind."""
        return _clipped(self.finds.get(kind, self.finds[ANY]))

    def scaled(self, kind: type[Technique], share: float) -> tuple[dict[str, JSON], float]:
        """The parameters at which it costs about this share of its defaults, and the share that it
        then does cost: none is set below its least."""
        defaults = {f.name: f.default for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
        given: dict[str, JSON] = {}
        costs = 1.0
        for name, least in self.scale.items() if share < 1 else ():
            if isinstance(default := defaults.get(name), int):
                value = max(least, round(default * share))
                costs = min(1.0, value / default) if not given else max(costs, value / default)
                given[name] = value
        return given, costs


@dataclasses.dataclass(frozen=True, slots=True)
class Lead:
    """What a hypothesis of a kind is taken to, and the parameter that takes what it names, at most
    so much of it."""

    technique: str
    parameter: str = ""
    most: int = 4


@dataclasses.dataclass(frozen=True)
class Kit:
    """All of it: techniques by name, leads by kind, prior probabilities.

    priors: of each kind of objective; they and `none` sum to 1. habit: of `none`, the share in
    which an open habit stands out.
    """

    techniques: Mapping[str, Known]
    default: Mapping[str, Any]
    leads: Mapping[str, Lead]
    none: float
    habit: float
    priors: Mapping[str, float]

    def of(self, name: str) -> Known:
        """What is known of a technique; the default row where nothing is."""
        return self.techniques.get(name) or _known({"name": name}, self.default)

    def measured(self, document: Mapping[str, Any]) -> Kit:
        """The same with rates that a benchmark found, as `workbench benchmark run` wrote them."""
        found = {}
        for name, known in self.techniques.items():
            summary = document.get("techniques", {}).get(name)
            found[name] = known if summary is None else _learned(known, summary)
        return dataclasses.replace(self, techniques=found)


@functools.cache
def kit() -> Kit:
    """The bundled pack."""
    text = (files("workbench.auditors") / "packs" / "kit.toml").read_text("utf-8")
    return _parsed(tomllib.loads(text))


def kit_measured(file: str) -> Kit:
    """The bundled pack with the rates of a benchmark's file; raises ConfigError on another file."""
    try:
        document = json.loads(Path(file).read_bytes())
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}", hint="Name a benchmark's file.") from None
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or not isinstance(document.get("techniques"), dict):
        raise ConfigError(
            f"{file} is no benchmark", hint="Name a file that `workbench benchmark run` wrote."
        )
    try:
        return kit().measured(document)
    except (KeyError, TypeError, AttributeError, ValueError):
        raise ConfigError(
            f"{file} holds no rates by technique", hint="Run the benchmark again."
        ) from None


def _parsed(document: Mapping[str, Any]) -> Kit:
    priors, default = document["priors"], document["default"]
    hidden = 1 - priors["none"]
    named = {k: hidden * (1 - priors["other"]) / len(priors["kinds"]) for k in priors["kinds"]}
    return Kit(
        techniques={row["name"]: _known(row, default) for row in document["technique"]},
        default=default,
        leads={
            row["kind"]: Lead(**{key: value for key, value in row.items() if key != "kind"})
            for row in document["lead"]
        },
        none=priors["none"],
        habit=priors["open-habit"],
        priors={**named, OTHER: hidden * priors["other"]},
    )


def _known(row: Mapping[str, Any], default: Mapping[str, Any]) -> Known:
    return Known(**{**default, **row})


def _learned(known: Known, summary: Mapping[str, Any]) -> Known:
    """Rates after the suspects that were tried; the pack's own weigh as much as _TRUST of them."""
    hits, alarms = summary["hits"], summary["false_alarms"]
    finds = dict(known.finds)
    if hits is not None:
        finds[ANY] = _mixed(finds[ANY], hits)
    for kind, rate in summary["by_family"].items():
        if rate is not None:
            finds[kind] = _mixed(known.finds.get(kind, known.finds[ANY]), rate)
    return dataclasses.replace(
        known,
        finds=finds,
        false=known.false if alarms is None else _mixed(known.false, alarms),
        seconds=float(summary["cost"]["seconds"] or known.seconds),
        samples=float(summary["cost"]["samples"] or known.samples),
    )


def _mixed(judged: float, rate: Mapping[str, Any]) -> float:
    n = float(rate["n"])
    return (judged * _TRUST + float(rate["value"]) * n) / (_TRUST + n)


def _clipped(share: float) -> float:
    return min(0.98, max(0.005, share))
