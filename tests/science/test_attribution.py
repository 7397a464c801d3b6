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
        assert named(committed, method) > 2 * named(committed, "random")


@pytest.mark.science
def test_training_again_without_the_planted_documents_removes_the_behaviour() -> None:
    spec = importlib.util.spec_from_file_location(
        "attribution_truth", ROOT / "benchmarks" / "attribution_truth.py"
    )
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    row = module.run(7)
    methods = row["methods"]
    assert row["before"] > -0.5
    assert methods["planted"]["after"] < min(row["before"], methods["random"]["after"]) - 1.5
    assert methods["BM25"]["named"] > 2 * max(1, methods["random"]["named"])
