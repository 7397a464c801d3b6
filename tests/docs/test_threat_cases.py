"""The table of cases is what its file says, and names tests that are there."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def module(file: str) -> Any:
    spec = importlib.util.spec_from_file_location(Path(file).stem, ROOT / file)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def test_the_page_is_up_to_date() -> None:
    cases = module("docs/threat_cases.py")
    assert cases.PAGE.read_text("utf-8") == cases.page(), "run: make docs"


def test_every_case_is_there_once_and_its_tests_are_too() -> None:
    guards = module("tests/cheater/guards.py")
    listed = guards.cases()
    assert [case["number"] for case in listed] == list(range(1, 52))
    for case in listed:
        named = [*case["tests"], *(guard["test"] for guard in case.get("guard", ()))]
        for test in named:
            file, _, name = test.partition("::")
            assert (ROOT / file).is_file(), test
            assert not name or f"def {name}(" in (ROOT / file).read_text("utf-8"), test
        assert case["tests"] or case["status"] == "not done", case["number"]


def test_every_guard_stands_where_it_is_removed() -> None:
    guards = module("tests/cheater/guards.py")
    for case in guards.cases():
        for _, guard in guards.guards(case):
            text = (ROOT / guard["file"]).read_text("utf-8")
            assert text.count(guard["remove"]) == 1, (case["number"], guard["remove"])
