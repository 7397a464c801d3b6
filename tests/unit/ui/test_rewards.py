"""The reward pages: prepared examples, the reader's own table, hostile ones, jobs and their end."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from tests.unit.ui.conftest import HOSTILE, Open, html
from tests.unit.ui.test_pages import choose, press
from workbench.errors import BadParameter
from workbench.report.charts import charts_page, numbers, spec
from workbench.rewards.charts import Chart
from workbench.ui.bench import Bench
from workbench.ui.bench_pages.rewards import result
from workbench.ui.bench_pages.rewards.catalogue import INSTRUMENTS, NAMED
from workbench.ui.components import safe
from workbench.ui.jobs import WorkSettings
from workbench.ui.reads import rewards
from workbench.ui.work import main as work

OPTIONS: dict[str, dict[str, Any]] = {
    "best-of-n": {"seed": 0},
    "tails": {},
    "loops": {"start": "a", "goals": "end", "discount": 0.9, "horizon": None},
    "gaps": {"seed": 0},
    "assisted": {"alone": "alone"},
    "preferences": {"noise": 0.1, "l2": 1.0, "seed": 0},
    "scan": {"fdr": 0.05},
    "generalise": {"first": "full"},
    "personas": {"seed": 0},
}
TABLES = {
    "best-of-n": "prompt,proxy,gold\n" + "".join(f"p{i % 6},{i % 7},{i % 5}\n" for i in range(96)),
    "tails": "reward\n" + "".join(f"{(i * 37) % 101}\n" for i in range(1200)),
    "loops": "state,action,next_state,reward\na,x,b,1\nb,y,a,1\nb,z,end,3\n",
    "gaps": "solver,task,split,features,passed\n" + "s,t,visible,f,1\n" * 20
    + "s,t,heldout,f+g,0\n" * 20,
    "assisted": "item,condition,verdict,flawed\n1,alone,0,1\n1,critic,1,1\n2,alone,0,0\n",
    "preferences": "a,b,choice\nx,y,a\ny,z,a\nx,z,tie\n",
    "scan": "edit,before,after\n" + "".join(f"e,{i},{i + 1}\n" for i in range(8)),
    "generalise": "arm,seed,bias,exploited\n"
    + "".join(f"full,{s},held-out,1\nfull,{s},control,0\n" for s in range(6)),
    "personas": "kind,arm,seed,at,latent,behaviour\n"
    + "".join(f"reference,b,{s},0,0,0\nrealign,on,{s},0,1,1\nrealign,on,{s},9,0,0\n"
              for s in range(5)),
}  # fmt: skip


def job(laid: Bench, instrument: str, file: Path, title: str = "t", **more: Any) -> dict[str, Any]:
    """Does the work of a job here, and gives its state."""
    folder = laid.folder / "jobs" / "j-0123456789ab"
    folder.mkdir(parents=True, exist_ok=True)
    arguments = {
        "suspect": "", "instrument": instrument, "way": "table", "file": str(file), "called": {},
        "options": OPTIONS.get(instrument, {}), **more,
    }  # fmt: skip
    asked = {"kind": "reward", "title": title, "suspect": "", "arguments": arguments}
    (folder / "job.json").write_text(json.dumps({**asked, "made": "2026-01-02T03:04:05+00:00"}))
    work(WorkSettings(folder, "reward", arguments))
    state: dict[str, Any] = json.loads((folder / "state.json").read_text())
    return state


@pytest.mark.parametrize("instrument", [one.key for one in INSTRUMENTS])
def test_a_prepared_example_is_whole(instrument: str) -> None:
    """Every chart has units, a control, a way to read it, and numbers; nothing is not finite."""
    began = time.perf_counter()
    found = result.prepared(instrument)
    charts = rewards.charts_of(found)
    specs = [spec(chart) for chart in charts]
    assert time.perf_counter() - began < 1
    assert charts and found["verdict"] and found["facts"]
    for chart, made in zip(charts, specs, strict=True):
        heads, rows = numbers(chart)
        assert rows and len(heads) == len(rows[0]) and chart.how_to_read and chart.x_label
        assert made["data"] and "nan" not in json.dumps(made).lower().replace("nanmean", "")
    drawn = [s for chart in charts if isinstance(chart, Chart) for s in chart.series]
    assert any(s.control or s.dashed for s in drawn)
    page = charts_page("x", charts[:1])
    assert "<html" in page
    one = NAMED[instrument]
    assert one.formula and one.source and one.limits.endswith(".") and one.prepared
    for way in one.ways:
        assert all(column.meaning for column in way.wanted())
        assert callable(rewards.handler(instrument, way.key))


@pytest.mark.parametrize("instrument", ["best-of-n", "hacking", "scan"])
def test_a_page(instrument: str, open_page: Open) -> None:
    app = open_page(instrument)
    shown = html(app)
    one = NAMED[instrument]
    for part in (one.question, one.limits, one.source, result.prepared(instrument)["verdict"][1:]):
        assert safe(part) in shown
    assert len(app.get("latex")) == len(one.formula) and "wb-note error" not in shown
    assert len(app.get("plotly_chart")) == len(result.prepared(instrument)["charts"])
    choose(app, "Numbers from", one.ways[0].label)
    needs = html(app)
    for column in one.ways[0].wanted():
        assert column.name in needs and safe(column.meaning) in needs


@pytest.mark.parametrize("instrument", sorted(TABLES))
def test_a_table_is_measured(instrument: str, laid: Bench, tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text(TABLES[instrument])
    state = job(laid, instrument, file)
    assert state["state"] == "done", state
    found = json.loads((laid.folder / "jobs/j-0123456789ab/result.json").read_text())
    charts = rewards.charts_of(found)
    assert found["verdict"] and charts and all(spec(chart) for chart in charts)


def test_from_an_upload_to_the_result(
    open_page: Open, laid: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table with other names and a hostile one: mapped, filed under its hash, measured, shown."""
    started: list[tuple[str, str, dict[str, Any]]] = []

    def start(kind: str, title: str, suspect: str, **arguments: Any) -> Any:
        started.append((kind, title, arguments))
        file, instrument = Path(arguments.pop("file")), arguments.pop("instrument")
        job(laid, instrument, file, title, **arguments)
        arguments["file"] = str(file)
        return laid.jobs.get("j-0123456789ab")

    monkeypatch.setattr(laid.jobs, "start", start)
    app = open_page("best-of-n")
    choose(app, "Numbers from", "Your table")
    text = TABLES["best-of-n"].replace("proxy", "<img src=x>").replace("p0", HOSTILE.split(" ")[0])
    app.file_uploader[0].set_value(("a,b<i>.csv", text.encode(), "text/csv")).run()
    (column,) = [s for s in app.selectbox if s.label.startswith("proxy:")]
    column.select("<img src=x>").run()
    press(app, "Measure")
    ((kind, title, arguments),) = started
    assert (kind, title) == ("reward", "a,b<i>.csv") and arguments["called"] == {
        "proxy": "<img src=x>"
    }
    stored = Path(arguments["file"])
    assert stored.parent == laid.folder / "uploads" and stored.read_bytes() == text.encode()
    shown = html(app)
    assert "a,b&lt;i&gt;.csv" in shown and "a,b<i>" not in shown
    assert "wb-note error" not in shown, shown[shown.index("wb-note error") :][:400]
    assert "Gold: " in shown and app.query_params["job"] == "j-0123456789ab"
    again = html(open_page("best-of-n", job="j-0123456789ab"))
    assert "Gold: " in again and "begun 2026-01-02" in again
    assert "begun 2026" not in html(open_page("tails", job="j-0123456789ab"))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.csv", b"prompt,proxy,gold\n\xff\xfe\x00,1,2\n", "t.csv"),
        ("t.csv", b"prompt,proxy,gold\na,inf,2\n", "inf in row 1"),
        ("t.csv", b"prompt,proxy\na,1\n", "has no column"),
        ("t.csv", b"", "t.csv"),
        ("t.parquet", b"PAR1not really", "t.parquet"),
        ("t.csv", b"prompt,proxy,gold\n", "no rows"),
    ],
)
def test_a_table_that_is_refused(
    name: str, content: bytes, words: str, laid: Bench, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    state = job(laid, "best-of-n", tmp_path / name)
    assert state["state"] == "failed" and words in state["error"]["message"], state
    assert not (laid.folder / "jobs/j-0123456789ab/result.json").exists()


def test_a_table_that_unpacks_to_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, laid: Bench
) -> None:
    columns = {"prompt": ["a"] * 9000, "proxy": [1.0] * 9000, "gold": [1.0] * 9000}
    parquet.write_table(pyarrow.table(columns), tmp_path / "t.parquet")
    assert job(laid, "best-of-n", tmp_path / "t.parquet")["state"] == "done"
    monkeypatch.setattr(rewards, "LARGEST_PARQUET", 100)
    state = job(laid, "best-of-n", tmp_path / "t.parquet")
    assert "unpacks to" in state["error"]["message"]


def test_names_of_columns(tmp_path: Path) -> None:
    for suffix, sign in (("csv", ","), ("tsv", "\t")):
        (tmp_path / f"t.{suffix}").write_text(f"a{sign}b\n1{sign}2\n")
        assert rewards.columns(str(tmp_path / f"t.{suffix}")) == {"names": ["a", "b"], "rows": None}
    parquet.write_table(pyarrow.table({"x": [1, 2]}), tmp_path / "t.parquet")
    assert rewards.columns(str(tmp_path / "t.parquet")) == {"names": ["x"], "rows": 2}
    for content in (b"", b"PAR1"):
        for suffix in ("csv", "parquet"):
            (tmp_path / f"bad.{suffix}").write_bytes(content)
            if (content, suffix) != (b"PAR1", "csv"):
                with pytest.raises(BadParameter, match="no table"):
                    rewards.columns(str(tmp_path / f"bad.{suffix}"))


def test_a_page_starts_no_python_function(laid: Bench, tmp_path: Path) -> None:
    (tmp_path / "r.py").write_text("raise SystemExit('it ran')")
    (tmp_path / "t.csv").write_text("prompt,response\na,b\n")
    options = {"reward": f"{tmp_path / 'r.py'}:score", "rows": 5, "fdr": 0.05, "seed": 0}
    state = job(laid, "scan", tmp_path / "t.csv", way="model", options=options)
    assert "no reward model" in state["error"]["message"]


def test_a_job_that_is_cancelled_says_so(
    open_page: Open, laid: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = laid.folder / "jobs" / "j-0123456789ab"
    folder.mkdir(parents=True)
    (folder / "cancel").touch()
    (tmp_path / "t.csv").write_text(TABLES["best-of-n"])
    assert job(laid, "best-of-n", tmp_path / "t.csv")["state"] == "cancelled"
    app = open_page("best-of-n", job="j-0123456789ab")
    assert "cancelled" in html(app)
    assert [b for b in app.button if b.label == "Run it again"]


def test_spreadsheets_get_no_formula() -> None:
    made = result._csv(["series", "x"], [["=cmd()", 1.0], ["+a", -2.0], ["plain", ""]])
    assert made.splitlines()[1:] == ["'=cmd(),1.0", "'+a,-2.0", "plain,"]
