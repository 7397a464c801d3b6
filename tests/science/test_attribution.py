"""Attribution against the truth: a tiny model trained again without the documents named."""

from __future__ import annotations

import importlib.util
import json
import statistics
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
METHODS = {"BM25", "activation difference", "probe direction", "gradient similarity"}


@pytest.fixture(scope="module")
def committed() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(
        (ROOT / "benchmarks" / "results" / "attribution.json").read_text()
    )
    return rows


def after(rows: list[dict[str, Any]], method: str) -> float:
    return statistics.mean(row["methods"][method]["after"] for row in rows)


def named(rows: list[dict[str, Any]], method: str) -> float:
    found = [row["methods"][method] for row in rows]
    return sum(f["named"] for f in found) / sum(f["planted"] for f in found)


def test_the_committed_result_is_whole_and_its_ends_are_apart(
    committed: list[dict[str, Any]],
) -> None:
    assert len(committed) >= 2
    for row in committed:
        assert set(row["methods"]) == METHODS | {"random", "planted"}
        assert row["methods"]["planted"]["named"] == row["methods"]["planted"]["planted"]
    assert after(committed, "planted") < after(committed, "random") - 2
    for method in METHODS:
        assert named(committed, method) > 3 * named(committed, "random")
    assert named(committed, "gradient similarity") > 0.8


@pytest.mark.science
def test_removing_what_gradients_name_removes_the_behaviour() -> None:
    spec = importlib.util.spec_from_file_location(
        "attribution_truth", ROOT / "benchmarks" / "attribution_truth.py"
    )
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    row = module.run(7)
    methods = row["methods"]
    assert methods["gradient similarity"]["named"] >= 16 > methods["random"]["named"]
    assert methods["gradient similarity"]["after"] < methods["random"]["after"] - 1
