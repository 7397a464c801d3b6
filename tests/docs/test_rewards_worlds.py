"""The page of the lab's worlds shows the results that are committed beside it."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def script() -> Any:
    spec = importlib.util.spec_from_file_location("rewards_worlds", DOCS / "rewards_worlds.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_results_say(script: Any) -> None:
    text = script.PAGE.read_text(encoding="utf-8")
    results = json.loads(script.RESULTS.read_text())
    assert set(results) == set(script.SECTIONS) == set(script.SHOW)
    assert text == script.page(text, results), "run `python docs/rewards_worlds.py`"


def test_every_instrument_says_what_it_does_not_tell(script: Any) -> None:
    text = script.PAGE.read_text(encoding="utf-8")
    sections = text.split("\n## ")[1:]
    assert len(sections) == len(script.SECTIONS)
    for section in sections:
        for part in ("**Formula.**", "**Source.**", "**What this does not tell you.**"):
            assert part in section, section.splitlines()[0]


def test_a_lost_place_for_results_is_noticed(script: Any) -> None:
    results = json.loads(script.RESULTS.read_text())
    with pytest.raises(SystemExit, match="0 places for 'loops'"):
        script.page("nothing here", results)


@pytest.mark.science
def test_the_loops_come_out_as_committed(script: Any) -> None:
    """The same seeds on the same code give what is committed, but for the last digits."""
    committed = json.loads(script.RESULTS.read_text())["loops"]
    found = script._rounded(script.loops())
    assert found["crossovers"] == committed["crossovers"]
    for name, race in found["races"].items():
        assert race["finishes"] == committed["races"][name]["finishes"]
    rates = [rate["value"] for rate in found["flips"]]
    assert min(rates) >= 0.95
