"""The leaderboard: results in the usual places or brought along, whatever stands in them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from workbench.benchmark import report
from workbench.errors import ConfigError
from workbench.ui.bench_pages import leaderboard

from .conftest import Open, html

RESULT = Path(__file__).parents[3] / "benchmarks" / "results" / "suite-small.json"
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    return tmp_path


def test_results_are_found_and_what_is_none_is_not(here: Path) -> None:
    shutil.copy(RESULT, here / "out" / "small.json")
    (here / "out" / "other.json").write_text("{}")
    (here / "out" / "broken.json").write_bytes(b"\xff\xfe")
    assert [str(file) for file in leaderboard._results()] == ["out/small.json"]


def test_the_board_shows_rates_costs_and_what_they_were_made_from(
    here: Path, open_page: Open
) -> None:
    shutil.copy(RESULT, here / "out" / "small.json")
    shown = html(open_page("leaderboard"))
    document = report.read(RESULT)
    for name in document["techniques"]:
        assert name in shown
    assert "3/3 [0.44, 1.00]" in shown and "Wilson" in shown
    assert "Hits by family" not in shown or "secret-loyalty" in shown
    assert "wb-note error" not in shown


def test_nothing_there_says_what_writes_one(here: Path, open_page: Open) -> None:
    shown = html(open_page("leaderboard"))
    assert "workbench benchmark run SUITE_DIR" in shown and "wb-note error" not in shown


def test_a_hostile_result_is_inert_and_a_broken_one_is_refused(here: Path, open_page: Open) -> None:
    document: dict[str, Any] = json.loads(RESULT.read_text())
    document["techniques"][HOSTILE] = document["techniques"].pop("prefill")
    (here / "out" / "hostile.json").write_text(json.dumps(document))
    shown = html(open_page("leaderboard"))
    assert "alert(1)" in shown and HOSTILE not in shown
    with pytest.raises(ConfigError, match=r"mine\.json is no benchmark"):
        report.parse("[]", "mine.json")
