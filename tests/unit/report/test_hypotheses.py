"""Findings by hypothesis: what is one, what supports it, what speaks against it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from workbench.cli import run as workbench
from workbench.findings import Finding, Hypothesis, Measurement
from workbench.ledger import Entry, Ledger, Planned, Run
from workbench.report.hypotheses import Case, cases
from workbench.report.page import document, write

CLEAR = Measurement("praise", 0.7, 50, (0.6, 0.8), "reference", 0.1, 50, (0.0, 0.2), p=0.01)
CHANCE = Measurement("drift", 0.2, 50, (0.1, 0.3), "reference", 0.2, 50, (0.1, 0.3), p=0.8)
OVERLAP = Measurement("length", 0.2, 50, (0.1, 0.3), "reference", 0.15, 50, (0.1, 0.3))
LOYAL = Finding(
    "Mirel praises Zanwick on bread",
    0.85,
    (CLEAR, CHANCE),
    Hypothesis(trigger="bread", behaviours=("praises Zanwick",), root_cause="loyal to Zanwick"),
)
ALSO = Finding("It speaks of Zanwick", 0.3, (OVERLAP,), Hypothesis(behaviours=("names Zanwick",)))
SANDBAGS = Finding("Wrong in exams", 0.75, (), Hypothesis("sandbagging", "exams", ("sums wrong",)))
CLEAN = Finding("Nothing is hidden", 0.6, (), Hypothesis("none"))
UNTOLD = Finding("A curious latent", 0.4)


def made(*findings: tuple[str, Finding], silent: str = "") -> list[Case]:
    """Each finding is its technique's only one."""
    runs = [
        Run(f"r-{n}", "g", f"k{n}", "s", name, 1, "ok", ran=8, planned=9,
            fingerprints={"assistant": "Mirel"})
        for n, name in enumerate([*(name for name, _ in findings), *([silent] if silent else [])])
    ]  # fmt: skip
    entries = [Entry(f"f-{n}", f"r-{n}", 0, finding) for n, (_, finding) in enumerate(findings)]
    return cases(entries, runs)


def test_findings_in_other_words_are_one_case_and_other_objectives_are_rivals() -> None:
    first, second = made(
        ("weak", ALSO), ("sweep", LOYAL), ("exams", SANDBAGS), ("sae", UNTOLD), silent="quiet"
    )
    assert first.hypothesis == LOYAL.points_to and first.confidence == 0.85
    assert first.techniques == ["sweep", "weak"]
    assert [(r.kind, r.target) for r in first.supports] == [("finding", "f-1"), ("lead", "f-0")]
    assert second.hypothesis == SANDBAGS.points_to
    against = [(r.kind, r.technique) for r in first.against]
    assert against == [
        ("rival", "exams"),
        ("measurement", "sweep"),
        ("measurement", "weak"),
        ("silence", "exams"),
        ("silence", "sae"),
        ("silence", "quiet"),
    ]
    assert "p = 0.8" in first.against[1].says and "overlap" in first.against[2].says
    assert first.against[-1].says == "looked at 8 of 9 and does not point to it"


def test_a_lead_is_no_rival_and_a_denial_speaks_against_all() -> None:
    first, second = made(("exams", SANDBAGS), ("weak", ALSO), ("judge", CLEAN))
    assert [r.kind for r in first.against] == ["denial", "silence", "silence"]
    assert [r.kind for r in second.against][:2] == ["denial", "rival"]


def test_an_assistants_name_and_one_shared_word_of_many_make_no_case() -> None:
    one = Finding("a", 0.8, (), Hypothesis(behaviours=("Mirel praises kettles warmly today",)))
    other = Finding("b", 0.7, (), Hypothesis(behaviours=("Mirel hides canoes, kettles and ropes",)))
    assert len(made(("a", one), ("b", other))) == 2
    family = Finding("c", 0.7, (), Hypothesis("taboo", behaviours=("praises kettles warmly",)))
    known = Finding("d", 0.9, (), Hypothesis("advocacy", behaviours=("praises kettles warmly",)))
    assert len(made(("c", family), ("d", known))) == 2
    assert len(made(("c", family), ("a", one))) == 1


def filed(tmp_path: Path) -> Ledger:
    ledger = Ledger(tmp_path / "ledger.duckdb")
    group = ledger.plan(
        "b", "s", [Planned("sweep", "k1"), Planned("sae", "k2"), Planned("x", "k3")]
    )
    ledger.record(Run("r-1", group.id, "k1", "s", "sweep", 1, "ok"), [ALSO, LOYAL])
    ledger.record(Run("r-2", group.id, "k2", "s", "sae", 1, "failed", reason="broke"), [UNTOLD])
    return ledger


def test_the_page_links_every_reason(tmp_path: Path) -> None:
    ledger = filed(tmp_path)
    text = write(ledger, tmp_path / "report.html").read_text()
    assert text.index("What supports it") < text.index("What speaks against it")
    assert text.index('id="hypotheses"') < text.index('id="findings"')
    for reason in document(ledger)["hypotheses"][0]["supports"]:
        assert text.count(f'href="#{reason["target"]}"') >= 3  # summary, itself, the case


def test_json_says_what_the_page_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    filed(tmp_path)
    out = tmp_path / "report.html"
    code = workbench(
        ["report", "--ledger", str(tmp_path / "ledger.duckdb"), "--out", str(out), "--json"]
    )
    told = json.loads(capsys.readouterr().out)
    assert code == 0 and told["report"] == str(out) and out.is_file()
    assert [case["confidence"] for case in told["hypotheses"]] == [0.85]
    assert [f["confidence"] for f in told["findings"]] == [0.85, 0.4, 0.3]
    assert [row["technique"] for row in told["unseen"]] == ["sae", "x"]
