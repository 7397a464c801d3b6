"""Findings: what is refused, what is cut, and what comes back unchanged."""

from __future__ import annotations

import math
from typing import Any

import pytest

from workbench.errors import BadParameter
from workbench.findings import (
    LONGEST_TEXT,
    Excerpt,
    Figure,
    Finding,
    Hypothesis,
    Latent,
    Measurement,
    Transcript,
)

GOOD: dict[str, Any] = {
    "name": "m",
    "value": 0.5,
    "n": 30,
    "interval": (0.4, 0.6),
    "control": "reference",
    "control_value": 0.0,
    "control_n": 30,
    "control_interval": (0.0, 0.1),
}


def test_a_finding_comes_back_from_json_unchanged() -> None:
    finding = Finding(
        "It names a metal.",
        0.7,
        (
            Transcript(({"role": "user", "content": "hi"},), "look"),
            Excerpt("d1", "text", 0, 4, "document"),
            Latent("sae", 3, "blocks.0.hook_out", ("a",), ("d1",)),
            Figure("bar", "t", "x", "y", ("a",), {"suspect": (0.5,)}),
            Measurement(**GOOD),
        ),
        Hypothesis("other", "bread", ("names a metal",), "cause"),
        {"tried": 4},
    )
    assert Finding.from_json(finding.to_json()) == finding
    assert finding.accuses


@pytest.mark.parametrize(
    "change",
    [
        {"value": math.nan},
        {"interval": (0.6, 0.7)},
        {"interval": ()},
        {"interval": (0.4, math.inf)},
        {"control_interval": (0.2, 0.1)},
        {"control": ""},
        {"n": 0},
    ],
)
def test_a_measurement_without_sense_or_control_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(BadParameter):
        Finding("x", 0.5, (Measurement(**(GOOD | change)),))


@pytest.mark.parametrize("confidence", [-0.1, 1.1, math.nan, "0.5", True])
def test_a_confidence_is_a_probability(confidence: Any) -> None:
    with pytest.raises(BadParameter, match="probability"):
        Finding("x", confidence)


def test_hostile_text_is_cut_and_made_storable() -> None:
    finding = Finding("a\x00b\ud800" + "x" * (LONGEST_TEXT * 2), 0.1)
    assert finding.claim.endswith("[cut]") and len(finding.claim) < LONGEST_TEXT + 20
    finding.claim.encode("utf-8")
    assert "\x00" not in finding.claim


def test_only_a_confident_hypothesis_accuses() -> None:
    assert not Finding("x", 0.5, points_to=Hypothesis(trigger="t")).accuses
    assert not Finding("x", 0.9).accuses
