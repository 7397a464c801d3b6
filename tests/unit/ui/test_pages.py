"""Each page of the bench draws, does its main thing, and says what is missing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.unit.ui.conftest import HOSTILE, Open, html
from workbench.findings import Excerpt, Finding, Hypothesis
from workbench.ledger import Ledger, Planned, Run
from workbench.ui.bench import Bench
from workbench.ui.components import safe
from workbench.ui.jobs import WorkSettings
from workbench.ui.work import main as work

PAGES = (
    "home", "ask", "audit", "data", "trace", "features", "differences", "steer", "probes", "lens",
    "findings", "query",
)  # fmt: skip


def press(app: Any, label: str) -> Any:
    (button,) = [b for b in app.button if b.label == label]
    return button.click().run()


def choose(app: Any, label: str, value: str) -> Any:
    (control,) = [c for c in app.button_group if c.label == label]
    return control.set_value(value).run()


@pytest.fixture
def filed(laid: Bench) -> Bench:
    """A ledger with a run of two findings, hostile ones."""
    ledger = Ledger(laid.ledger)
    group = ledger.plan("smoke", "belgor", [Planned("rows", "k1")])
    at = "2026-01-02T03:04:05+00:00"
    run = Run(
        "r-1", group.id, "k1", "belgor", "rows", 1, "ok", started=at, finished=at,
        usage={"documents": 3}, reason=HOSTILE,
    )  # fmt: skip
    guess = Hypothesis("other", "rivers", ("praises",), HOSTILE)
    ledger.record(
        run,
        [
            Finding(f"It praises {HOSTILE}", 0.8, (Excerpt("d1", HOSTILE, 0, 4),), guess),
            Finding("Something small", 0.1),
        ],
    )
    return laid


@pytest.mark.parametrize("page", PAGES)
def test_a_page_without_any_suspect(
    page: str, open_page: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.suspects.cabinet.CABINET", tmp_path)
    app = open_page(page, source="")
    shown = html(app)
    assert "wb-note error" not in shown
    assert "wb-note empty" in shown


@pytest.mark.parametrize("page", PAGES)
def test_a_suspect_that_is_none(page: str, open_page: Open) -> None:
    shown = html(open_page(page, source="<b>nowhere</b>"))
    assert "no suspect" in shown and "&lt;b&gt;nowhere&lt;/b&gt;" in shown
    assert "Traceback" not in shown and "<b>nowhere" not in shown


def test_an_error_that_nobody_expected_has_a_number_and_no_traceback(
    open_page: Open, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ZeroDivisionError("secret of the machine")

    monkeypatch.setattr("workbench.ui.bench_pages.home._suspects", fail)
    shown = html(open_page())
    assert "this page failed (ZeroDivisionError)" in shown and "secret" not in shown
    number = shown.partition("The log knows it as ")[2][:8]
    assert number in caplog.text


def test_home_tells_what_is_here_and_tours_once(
    open_page: Open, laid: Bench, suspect: Path
) -> None:
    app = open_page()
    assert "1 of 3" in html(app) and "Nothing was run or kept yet" in html(app)
    assert "3 of 3" in html(press(press(app, "Next"), "Next"))
    press(app, "End the tour")
    again = open_page()
    assert "of 3:" not in html(again)
    (laid.folder / "tour-seen").unlink()
    app = open_page()
    press(app, "Skip the tour")
    assert "of 3:" not in html(open_page())


def test_the_sidebar_says_where_i_am(open_page: Open, filed: Bench, suspect: Path) -> None:
    app = open_page()
    shown = html(app)
    for part in ("belgor", "Belgor", "LlamaForCausalLM", "wb-hash", "wb-chip off", "before"):
        assert part in shown
    assert "Found so far (2)" in shown and safe(f"It praises {HOSTILE}") in shown
    assert HOSTILE not in shown
    app.text_area[0].set_value("look at rivers").run()
    assert open_page("findings").sidebar.text_area[0].value == "look at rivers"


def test_asking_the_suspect_beside_its_reference(open_page: Open, scripted: Any) -> None:
    app = open_page("ask", q="What of rivers?", n="2")
    assert "Replies will be here" in html(app)
    press(app, "Ask the suspect")
    shown = html(app)
    assert f"reply 1 to What of rivers? {safe(HOSTILE)}" in _plain(shown)
    assert "plain 1" in _plain(shown) and "before, its reference" in shown
    assert HOSTILE not in shown
    assert "suspect: p = " in shown and "; reference: p = " in shown
    assert 'class="wb-special"' in shown
    assert "color-mix" in shown
    assert "color-mix" not in html(choose(app, "Tint tokens by", "Nothing"))
    press_first(app, "Keep as finding")
    assert "Claim" in [area.label for area in app.text_area]


def form() -> None:
    """The form alone, open: AppTest reruns whole pages, and a dialog closes then."""
    from workbench.findings import Transcript
    from workbench.ui import keep
    from workbench.ui.bench_pages.beside import settle

    settle()
    said = Transcript(({"role": "user", "content": "hello"},))
    keep._form((said,), "", {"seed": 7})


def test_keeping_files_through_the_host(laid: Bench, scripted: Any, suspect: Path) -> None:
    app = AppTest.from_function(form, default_timeout=120)
    app.query_params["suspect"] = str(suspect)
    app.run()
    (submit,) = app.button
    submit.click().run()
    assert "A finding needs a claim" in html(app)
    next(a for a in app.text_area if a.label == "Claim").set_value(f"It says {HOSTILE}")
    next(t for t in app.text_input if t.label == "Trigger").set_value("rivers")
    next(a for a in app.text_area if a.label == "Note").set_value("try again")
    (submit,) = app.button
    submit.click().run()
    (entry,) = Ledger(laid.ledger).entries()
    assert entry.finding.claim == f"It says {HOSTILE}"
    assert entry.finding.points_to == Hypothesis(None, "rivers")
    assert entry.finding.metadata == {"seed": 7, "note": "try again"}
    (run,) = Ledger(laid.ledger).runs()
    assert (run.technique, run.suspect) == ("kept", "belgor")


def press_first(app: Any, label: str) -> Any:
    return next(b for b in app.button if b.label == label).click().run()


def _plain(markup: str) -> str:
    import re

    return re.sub(r"</?span[^>]*>", "", markup)


def test_going_on_from_a_reply(open_page: Open, scripted: Any) -> None:
    app = open_page("ask", q="one", n="1")
    press(app, "Ask the suspect")
    press_first(app, "Go on from here")
    app.text_area(key="q").set_value("two").run()
    press(app, "Ask the suspect")
    assert "reply 0 to two" in _plain(html(app)) and "reply 0 to one" in _plain(html(app))
    press(app, "Start over")
    assert not [b for b in app.button if b.label == "Start over"]


def test_what_is_not_granted_is_said(open_page: Open, suspect: Path, tmp_path: Path) -> None:
    poor = tmp_path / "poor"
    shutil.copytree(suspect, poor)
    card = {"id": "poor", "access": ["chat"]}
    (poor / "suspect.json").write_text(json.dumps(card))
    app = open_page("ask", source=poor)
    (prefill,) = [a for a in app.text_area if a.label == "Prefill"]
    assert prefill.disabled and "Not granted" in prefill.placeholder
    assert "Not granted: training-data" in html(open_page("data", source=poor))
    assert "Not granted: activations, training-data" in html(open_page("features", source=poor))
    Path("b.toml").write_text('[[techniques]]\nname = "corpus-grep"\n')
    assert "will be skipped: needs training-data" in html(
        open_page("audit", source=poor, battery="b.toml")
    )


def test_training_data_by_pattern(open_page: Open) -> None:
    assert "Rows that match will be here" in html(open_page("data"))
    shown = html(open_page("data", pattern="praises the riv[a-z]+"))
    assert "<mark>praises the river</mark>" in shown
    assert '<td class="n">60</td>' in shown and "<td>reference</td>" in shown
    assert "First 20 messages" in str([h.value for h in open_page("data", pattern="river").header])
    assert HOSTILE not in shown and safe(HOSTILE) in shown
    assert "No row matches" in html(open_page("data", pattern="zebra"))
    bad = html(open_page("data", pattern="(unclosed"))
    assert "wb-note error" in bad and "Traceback" not in bad


def test_training_data_by_words_contrast_and_row(open_page: Open) -> None:
    shown = html(open_page("data", how="Words", words="house 7"))
    assert "What of house 7?" in shown and "score" in shown
    app = open_page("data", how="Contrast")
    phrases = app.dataframe[0].value
    assert any("river" in phrase for phrase in phrases["phrase"])
    assert set(phrases["rows in reference"]) >= {0}
    row = html(open_page("data", doc="d7"))
    assert "What of house 7?" in row and "Row d7" in row
    assert "the corpus has no document" in html(open_page("data", doc="<i>"))


def test_features_are_trained_searched_and_read(
    open_page: Open, laid: Bench, suspect: Path, tmp_path: Path
) -> None:
    app = open_page("features")
    assert "There is no SAE of this suspect in the cache yet" in html(app)
    folder = tmp_path / "job"
    folder.mkdir()
    arguments = {
        "suspect": str(suspect), "hook_name": "blocks.1.hook_out", "rows": 60, "tokens": 4096,
    }  # fmt: skip
    work(WorkSettings(folder, "sae", arguments))
    state = json.loads((folder / "state.json").read_text())
    assert state["state"] == "done", (folder / "log.txt").read_text()
    app = open_page("features")
    (sae,) = [s for s in app.selectbox if s.label == "SAE"]
    assert "blocks.1.hook_out" in sae.options[0]
    found = open_page("features", one="The red cat sleeps").dataframe[0].value
    assert len(found) and found["reason"].str.contains("of its maximum").all()
    latent = int(found["latent"][0])
    shown = html(open_page("features", latent=str(latent)))
    for part in ("fires on", "(reference ", "it promotes", "label score (held out)"):
        assert part in shown, part
    assert HOSTILE not in shown
    assert "no latent 999999" in html(open_page("features", latent="999999"))


def test_findings_are_shown_filtered_and_exported(open_page: Open, filed: Bench) -> None:
    app = open_page("findings")
    shown = html(app)
    assert "ledger: complete" in shown
    assert safe(f"It praises {HOSTILE}") in shown and HOSTILE not in shown
    assert list(app.dataframe[0].value["verdict"]) == ["accuses", "notes"]
    assert safe("rivers") in shown and f"<mark>{safe(HOSTILE[:4])}</mark>" in shown
    (slider,) = app.slider
    assert len(slider.set_value(0.5).run().dataframe[0].value) == 1
    few = open_page("findings", technique="rows", of="belgor")
    assert len(few.dataframe[0].value) == 2
    app = choose(open_page("findings"), "Show", "Runs")
    assert list(app.dataframe[0].value["status"]) == ["ok"]
    for form in ("parquet", "jsonl", "csv"):
        made = filed.books.ask("export", ledger=str(filed.ledger), form=form)
        assert made["rows"] == 2 and made["content"]


def test_a_word_is_added_and_a_report_written(open_page: Open, filed: Bench) -> None:
    app = open_page("findings")
    note = next(a for a in app.text_area if a.label == "What is to be added")
    note.set_value("seen again")
    press(app, "Add")
    assert "seen again" in html(open_page("findings"))
    app = press(open_page("findings"), "Write the report")
    assert "report.html" in html(app)
    assert filed.ledger.with_name("report.html").stat().st_size > 1_000_000


def test_a_damaged_ledger_leaves_the_page_standing(open_page: Open, laid: Bench) -> None:
    laid.ledger.parent.mkdir(parents=True)
    laid.ledger.write_bytes(b"no ledger")
    shown = html(open_page("findings"))
    assert "wb-note error" in shown and "Traceback" not in shown


def test_the_ledger_answers_sql(open_page: Open, filed: Bench) -> None:
    assert "The answer will be here" in html(open_page("query"))
    app = open_page("query", sql="SELECT claim, confidence FROM findings ORDER BY confidence")
    assert list(app.dataframe[0].value["confidence"]) == [0.1, 0.8]
    assert "findings" in html(app) and HOSTILE not in html(app)
    refused = html(open_page("query", sql="SELECT * FROM read_csv('/etc/hostname')"))
    assert "wb-note error" in refused and "the query failed" in refused
    twice = open_page("query", sql="SELECT 1 AS a, 2 AS a")
    assert list(twice.dataframe[0].value.columns) == ["a", "a 2"]


def test_the_board_gathers_and_moves(open_page: Open, filed: Bench) -> None:
    ledger = Ledger(filed.ledger)
    at = "2026-01-03T03:04:05+00:00"
    run = Run("r-2", "g", "k2", "belgor", "kept", 1, "ok", started=at, finished=at)
    same = Hypothesis("other", " Rivers ", ("praises",), HOSTILE)
    ledger.record(run, [Finding("Again rivers", 0.4, (), same),
                        Finding("Bread", 0.3, (), Hypothesis(None, "bread"))])  # fmt: skip
    app = open_page("findings", show="Board")
    assert [s.value for s in app.subheader] == ["Open (2)", "Supported (0)", "Ruled out (0)"]
    shown = html(app)
    assert "2 findings by kept, rows" in shown and safe(HOSTILE) in shown and HOSTILE not in shown
    (strongest,) = [e for e in ledger.entries() if e.finding.confidence == 0.8]
    filed.books.ask(
        "amend", ledger=str(filed.ledger), target=strongest.id, note="no rivers there",
        changes={"board": "ruled out"},
    )  # fmt: skip
    app = open_page("findings", show="Board")
    assert [s.value for s in app.subheader] == ["Open (1)", "Supported (0)", "Ruled out (1)"]
    assert "no rivers there" in html(app)
    move = next(b for b in app.button if b.label == "Move" and b.form_id.endswith(strongest.id))
    move.click().run()
    assert not app.exception
    assert next(s.value for s in app.subheader) == "Open (2)"
