"""Writes the table of the game's cases into docs/threat-model.md; `make docs` calls it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
PAGE = FOLDER / "threat-model.md"
BEGIN, END = "<!-- cases: made by docs/threat_cases.py -->\n", "<!-- end of cases -->\n"


def table() -> str:
    """One row per case: what is tried, whether it is automated, by which tests, and how many of its
    guards were removed and seen to turn a test red."""
    guards = _guards()
    known = guards.seen()
    rows = [
        "| | tried | status | tests | guards seen red |",
        "|---|---|---|---|---|",
    ]
    counts: dict[str, int] = {}
    red = whole = 0
    for case in guards.cases():
        counts[case["status"]] = counts.get(case["status"], 0) + 1
        names = [name for name, _ in guards.guards(case)]
        seen = sum(name in known for name in names)
        red, whole = red + seen, whole + len(names)
        status = case["status"] + (f"; {case['note']}" if case["note"] else "")
        tests = "<br>".join(f"`{_short(test)}`" for test in case["tests"]) or "none"
        shown = f"{seen} of {len(names)}" if names else "none to remove"
        rows.append(f"| {case['number']} | {case['what']} | {status} | {tests} | {shown} |")
    summed = ", ".join(f"{count} {status}" for status, count in counts.items())
    return f"{summed}; {red} of {whole} guards seen red.\n\n" + "\n".join(rows) + "\n"


def page() -> str:
    """The whole page as it should be."""
    text = PAGE.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + "\n" + table() + "\n" + END + after


def _short(test: str) -> str:
    file, _, name = test.partition("::")
    return f"{file.removeprefix('tests/')}::{name}" if name else file.removeprefix("tests/")


def _guards() -> Any:
    file = FOLDER.parent / "tests" / "cheater" / "guards.py"
    spec = importlib.util.spec_from_file_location("guards", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
