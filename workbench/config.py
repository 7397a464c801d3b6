"""Where things go unless the command line says otherwise."""

from __future__ import annotations

import os
from pathlib import Path

LEDGER = Path("out/ledger.duckdb")
REPORT = Path("out/report.html")


def artifacts_root() -> Path:
    """The artifact cache: WORKBENCH_CACHE, else `alignment-workbench` in the user's cache."""
    given = os.environ.get("WORKBENCH_CACHE")
    if given:
        return Path(given)
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "alignment-workbench"
