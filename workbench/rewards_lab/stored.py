"""Runs on disk: one file, a seed at a time, gone on with where it was interrupted."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from workbench.errors import ConfigError

Progress = Callable[[float], None]
"""Called with the share that is done, 0 to 1."""


def run(
    asked: Mapping[str, Any],
    seeds: int,
    run_seed: Callable[[int, Progress], Any],
    *,
    out: Path | None = None,
    first: int = 0,
    progress: Progress = lambda share: None,
) -> dict[str, Any]:
    """{**asked, seeds: {seed: what `run_seed` gives}}; written to `out` after each seed.

    asked: what the runs depend on, as JSON. Seeds that `out` holds are not run again. Raises
    ConfigError where it was asked something else or cannot be read.
    """
    document: dict[str, Any] = {**asked, "seeds": {}}
    if out is not None and out.exists():
        document = read(out, *asked)
        for name, value in asked.items():
            if document[name] != value:
                raise ConfigError(f"{out} holds runs of another {name}", hint="Name another --out.")
    for number, seed in enumerate(range(first, first + seeds)):
        if str(seed) in document["seeds"]:
            continue

        def share(done: float, number: int = number) -> None:
            progress((number + done) / seeds)

        document["seeds"][str(seed)] = run_seed(seed, share)
        if out is not None:
            out.parent.mkdir(parents=True, exist_ok=True)
            draft = out.with_name(f".{out.name}.draft")
            draft.write_text(json.dumps(document, separators=(",", ":")) + "\n", "utf-8")
            os.replace(draft, out)
    return document


def read(file: Path, *asked: str) -> dict[str, Any]:
    """What `run` wrote; raises ConfigError where the file is none of these names."""
    try:
        document = json.loads(file.read_text("utf-8"))
        if set(document) == {*asked, "seeds"}:
            return dict(document)
    except (OSError, ValueError, TypeError):
        pass
    raise ConfigError(f"{file} holds no runs", hint="Name a file that --out wrote.")
