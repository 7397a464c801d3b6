"""Docs are tested: each command, technique and error has its words, and they are those of today."""

from __future__ import annotations

import importlib
import importlib.util
import re
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def reference() -> Any:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "docs" / "reference.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["commands.md", "techniques.md", "errors.md"])
def test_the_reference_is_what_the_code_says(reference: Any, name: str) -> None:
    assert (ROOT / "docs/reference" / name).read_text() == reference.pages()[name], (
        "run `make docs`"
    )


def test_everything_has_its_place(reference: Any) -> None:
    pages = reference.pages()
    for name, command in reference.commands():
        assert f"## `{name}`" in pages["commands.md"] and command.help, name
    for point in entry_points(group="workbench.techniques"):
        if point.value.startswith("audits."):
            assert f"## `{point.name}`" in pages["techniques.md"]
    for _, kind in reference.error_kinds():
        assert f"`{kind.__name__}`" in pages["errors.md"] and kind.__doc__


def test_the_technique_of_the_page_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from workbench.artifacts import Artifacts
    from workbench.suspects.scripted import ScriptedSuspect
    from workbench.technique import make

    page = (ROOT / "docs/write-a-technique.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "spaces.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    technique = make(importlib.import_module("spaces").Greeting, {"samples": 3})
    suspect = ScriptedSuspect(lambda turns, seed, index: "Good day.")
    findings = list(technique.run(suspect, seed=0, artifacts=Artifacts(tmp_path)))
    assert len(findings) == 3
    assert findings[0].evidence[0].messages[1]["content"] == "Good day."  # type: ignore[union-attr]


def test_written_pages_name_only_what_exists(reference: Any) -> None:
    known = {name for name, _ in reference.commands()}
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    texts = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    texts.remove(ROOT / "docs/base-transcript.md")  # what people said to a model, and nothing else
    for page in texts:
        text = page.read_text()
        for made in re.findall(r"`(workbench(?: [a-z]+)*)", text):
            assert made in known or made.rpartition(" ")[0] in known, f"{page.name}: {made}"
        for target in re.findall(r"`?make ([a-z-]+)`", text):
            assert target in targets, f"{page.name}: make {target}"
        for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
