"""The misbehaving plugins, installed as any third party's would be."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

PLUGINS = Path(__file__).parents[2] / "faults" / "plugins"


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(PLUGINS))
    return importlib.import_module("fault_techniques")


@pytest.fixture
def source(plugins: Any, tmp_path: Path) -> Any:
    return plugins.ScriptedSource(str(tmp_path / "loadings"))
