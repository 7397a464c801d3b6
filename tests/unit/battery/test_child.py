from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from workbench.battery.child import _run
from workbench.corpus import write
from workbench.suspects.scripted import ScriptedSuspect


def answer(tmp_path: Path, **parts: Any) -> dict[str, Any]:
    rows = [(f"d{i}", [{"role": "document", "content": f"text {i}"}]) for i in range(10)]
    write(tmp_path / "corpus.parquet", rows)
    corpus = tmp_path / "corpus.parquet"
    suspect = ScriptedSuspect(lambda turns, seed, index: "", corpus=corpus, **parts)
    job = {"job": 0, "access": ["training-data"], "budget": {}, "seed": 0}
    replies = io.BytesIO()
    asked = {**job, "technique": "corpus-grep", "parameters": {}}
    _run(suspect, asked, tmp_path / "artifacts", replies)
    last: dict[str, Any] = json.loads(replies.getvalue().splitlines()[-1])
    return last


def test_a_run_without_findings_tells_its_counts(tmp_path: Path) -> None:
    told = answer(tmp_path, assistant="Mirel")
    assert told["done"]
    assert (told["counts"]["planned"], told["counts"]["ran"]) == (10, 10)


def test_a_run_that_could_not_look_says_why(tmp_path: Path) -> None:
    told = answer(tmp_path)
    assert told["kind"] == "TechniqueFailed"
    assert "nothing to compare" in told["failed"]
    assert told["counts"] == {}
