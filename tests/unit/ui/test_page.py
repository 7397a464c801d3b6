"""The app's page draws with and without suspects, and keeps heavy libraries out."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def draw(monkeypatch: pytest.MonkeyPatch, cabinet: Path) -> object:
    from streamlit.testing.v1 import AppTest

    monkeypatch.setattr("workbench.suspects.cabinet.CABINET", cabinet)
    page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    assert not page.exception
    assert page.title[0].value == "Alignment auditing workbench"
    return page


def test_without_suspects_it_says_how_to_get_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    page = draw(monkeypatch, tmp_path)
    assert "workbench organism" in page.info[0].value  # type: ignore[attr-defined]


def test_with_suspects_it_lists_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, llama: Path
) -> None:
    shutil.copytree(llama, tmp_path / "tiny")
    (tmp_path / "tiny" / "suspect.json").write_text('{"id": "s-0123"}')
    page = draw(monkeypatch, tmp_path)
    assert list(page.dataframe[0].value["suspect"]) == ["tiny"]  # type: ignore[attr-defined]
    assert page.code[0].value == "make audit SUSPECT=tiny"  # type: ignore[attr-defined]


def test_its_process_imports_neither_torch_nor_duckdb() -> None:
    script = (
        "import sys; sys.argv = ['app.py']\n"
        "from streamlit.testing.v1 import AppTest\n"
        f"AppTest.from_file({str(ROOT / 'app.py')!r}, default_timeout=60).run()\n"
        "assert 'workbench.suspects.cabinet' in sys.modules\n"
        "assert not {'torch', 'duckdb'} & set(sys.modules)\n"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-2000:]
