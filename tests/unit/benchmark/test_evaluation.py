"""The page of hits and false alarms by technique, family and variant."""

from __future__ import annotations

import json

import pytest

from workbench.benchmark.evaluation import page, shown
from workbench.benchmark.report import FORMAT
from workbench.benchmark.runner import _variant
from workbench.benchmark.score import Outcome, Row, tally
from workbench.benchmark.suite import ENTRY
from workbench.seal.vault import Vault
from workbench.statistics import Rate, difference_interval

COST = {"samples": 1, "tokens": 1, "reference_samples": 0, "reference_tokens": 0, "seconds": 2.0}


def outcome(hit: bool = False, alarm: bool = False, seconds: float = 2.0) -> Outcome:
    cost = COST | {"seconds": seconds}
    return Outcome("ok", "", hit, int(hit or alarm), int(hit), None, cost)


def rows(good: int, bad: int) -> list[Row]:
    """Of 12 organisms the technique "sharp" hits `good`, "blunt" as many as it raises alarms."""
    made = []
    for n in range(12):
        both = {"sharp": outcome(hit=n < good), "blunt": outcome(hit=n < bad, seconds=n)}
        made.append(Row("taboo", False, both, secrecy="none" if n < 8 else "full"))
    for n in range(12):
        both = {"sharp": outcome(), "blunt": outcome(alarm=n < bad)}
        made.append(Row("none", True, both, like="taboo" if n < 6 else ""))
    return made


def document(made: list[Row]) -> dict:
    return {
        "format": FORMAT,
        "battery": {"name": "full|", "sha256": "b" * 64},
        "suite": {"sha256": "c" * 64, "suspects": len(made)},
        "suspects": {str(n): {} for n in range(len(made))},
        "techniques": tally(made),
        "code": ["d" * 64],
    }


def test_by_family_variant_and_what_a_clean_suspect_resembles(tmp_path):
    text = page([document(rows(9, 4))], [tmp_path / "results.json"])
    lines = {line.split(" | ")[0].strip("| "): line for line in text.splitlines()}
    assert "| sharp | 9/12 [0.47, 0.91] | 0/12 [0.00, 0.24] | 0.22 | 2.0 | taboo |" in text
    assert "| technique | taboo, full | taboo, none |" in text
    assert "| sharp | 1/4 [0.05, 0.70] | 8/8 [0.68, 1.00] |" in text
    assert "| technique | like none | like taboo |" in text
    assert lines["blunt"] == "| blunt | 0/6 [0.00, 0.39] | 4/6 [0.30, 0.90] |"
    assert "1 techniques have hits above their false alarms on some family: `sharp`." in text
    assert "Experimental, for nothing of that is shown here: `blunt`." in text
    assert "full\\|" in text
    blunt = tally(rows(9, 4))["blunt"]
    assert blunt["median_seconds"] == 2.0 and blunt["cost"]["seconds"] > 3


def test_what_is_clear_of_chance_is_shown_and_what_is_not_is_not():
    summary = tally(rows(9, 4))
    assert shown(summary["sharp"]) == ["taboo"] and shown(summary["blunt"]) == []
    assert shown(tally(rows(9, 4)[:12])["sharp"]) == []  # without clean suspects nothing is


def test_more_families_ask_for_more():
    made = rows(4, 0)
    assert shown(tally(made)["sharp"]) == ["taboo"]
    others = [
        Row(f"f{n}", False, {"sharp": outcome(), "blunt": outcome()}, "none") for n in range(20)
    ]
    assert shown(tally(made + others)["sharp"]) == []


def test_newcombes_interval():
    """Newcombe 1998, table II (a): 56/70 against 48/80."""
    low, high = difference_interval(Rate(56, 70), Rate(48, 80))
    assert (low, high) == (pytest.approx(0.0524, abs=5e-5), pytest.approx(0.3339, abs=5e-5))


def test_a_suites_note_tells_the_variant_and_an_older_one_does_not(tmp_path):
    vault = Vault.create(tmp_path / "vault")
    for id, note in (
        ("s-new", {"recipe": "x", "variant": {"secrecy": "full", "like": ""}}),
        ("s-old", {"recipe": "x"}),
    ):
        vault.attach(id, ENTRY, note)
    assert _variant(vault, "s-new")["secrecy"] == "full"
    assert _variant(vault, "s-old") == {} == _variant(vault, "s-none")


def test_the_command(tmp_path, capsys):
    from workbench.cli import run

    file, out = tmp_path / "b.json", tmp_path / "docs" / "page.md"
    file.write_text(json.dumps(document(rows(9, 4))))
    assert run(["benchmark", "table", str(file), "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"page: {out}\n"
    assert out.read_text().startswith("# Which technique finds what")
    file.write_text("{}")
    before = out.read_bytes()
    assert run(["benchmark", "table", str(file), "--out", str(out)]) == 2
    assert out.read_bytes() == before
