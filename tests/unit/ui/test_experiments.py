"""The pages that experiment: steering, differences, probes, traces; what their jobs give."""

from __future__ import annotations

import ast
import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet as parquet
import pytest

from tests.unit.ui.conftest import HOSTILE, Open, html
from tests.unit.ui.test_pages import choose, press
from workbench.ui.bench import Bench
from workbench.ui.components import safe
from workbench.ui.jobs import WorkSettings
from workbench.ui.theme import table
from workbench.ui.work import _KINDS
from workbench.ui.work import main as work

WITH = [f"The river runs past hill {i} and sings {HOSTILE}" for i in range(14)]
WITHOUT = [f"Bread number {i} is baked in the old house" for i in range(14)]
ASKED = {"prompts": ["What of rivers?", "And now?"], "behaviour": "[aeiou]", "n": 1}


def done(laid: Bench, kind: str, files: dict[str, bytes] | None = None, **arguments: Any) -> str:
    """Does a job in this process, filed as the app files it; returns its id."""
    id = f"j-{kind}{len(list(laid.folder.glob('jobs/*')))}"
    folder = laid.folder / "jobs" / id
    folder.mkdir(parents=True)
    for name, content in (files or {}).items():
        (folder / name).write_bytes(content)
    asked = {"kind": kind, "title": kind, "suspect": arguments["suspect"], "arguments": arguments}
    (folder / "job.json").write_text(json.dumps({**asked, "made": "2026-01-02T03:04:05+00:00"}))
    work(WorkSettings(folder, kind, arguments))
    return id


@pytest.fixture(scope="module")
def made(suspect: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with an SAE of the suspect, made once."""
    root = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_CACHE", str(root / "cache"))
        settings = {"hook_name": "blocks.1.hook_out", "rows": 60, "tokens": 4096}
        work(WorkSettings(root, "sae", {"suspect": str(suspect), **settings}))
    assert json.loads((root / "state.json").read_text())["state"] == "done"
    return root / "cache"


@pytest.fixture
def cached(made: Path, laid: Bench, tmp_path: Path) -> Bench:
    shutil.copytree(made, tmp_path / "cache")
    return laid


def test_steering_with_a_latent(open_page: Open, cached: Bench, suspect: Path) -> None:
    app = open_page("steer", latent="3", prompts="What?", behaviour="x")
    assert "The dose response will be here" in html(app)
    assert not next(b for b in app.button if b.label == "Steer the suspect").disabled
    (sae,) = next(s for s in app.selectbox if s.label == "SAE").options
    name = cached.features.ask("shelf", suspect=str(suspect))["saes"][0]["name"]
    assert name[:6] in sae
    by = {"from": "latent", "sae": name, "latent": 3}
    id = done(
        cached, "steer", suspect=str(suspect), by=by, doses=[-1, 4], longest=4, seed=0, **ASKED
    )
    assert cached.jobs.get(id).state == "done", cached.jobs.get(id).error
    found = cached.jobs.result(id)
    assert [d["arm"] for d in found["doses"]] == ["none", *["steered", "random", "like"] * 2]
    assert [c["n"] for c in found["controls"]] == [8, 8]
    shown = html(open_page("steer", job=id))
    assert "unedited" in shown and "latents of like density" in shown
    assert "a dose of" in shown and "The latent itself writes a length of" in shown


def test_steering_with_texts_and_with_nonsense(
    open_page: Open, cached: Bench, suspect: Path
) -> None:
    app = open_page("steer", **{"from": "Texts"}, doses="1, two", prompts="a", behaviour="b")
    assert "are no numbers" in html(app)
    by = {"from": "texts", "hook_name": "blocks.0.hook_out", "one": WITH, "two": WITHOUT}
    given = {"suspect": str(suspect), "by": by, "doses": [1], "longest": 3, "seed": 0}
    id = done(cached, "steer", **given, **ASKED)
    assert cached.jobs.result(id)["likeness"].startswith("the same texts")
    for change, message in (
        ({"behaviour": "(unclosed"}, "no regular expression"),
        ({"doses": [99]}, "doses 99"),
        ({"by": {**by, "one": WITH[:1]}}, "1 and 14 texts"),
        ({"by": {"from": "latent", "sae": "0123", "latent": 3}}, "no such SAE"),
        ({"by": {"from": "probe", "probe": "../x"}}, "no such probe"),
    ):
        job = cached.jobs.get(done(cached, "steer", **{**given, **ASKED, **change}))
        assert job.state == "failed" and job.error is not None and message in job.error[0]
    assert "no such probe" in html(open_page("steer"))


def test_differences_and_their_causes(open_page: Open, cached: Bench, suspect: Path) -> None:
    assert "The latents that differ" in html(open_page("differences"))
    name = cached.features.ask("shelf", suspect=str(suspect))["saes"][0]["name"]
    asked = {"suspect": str(suspect), "sae": name, "rows": 40}
    id = done(cached, "compare", **asked, checkpoints=[str(suspect)])
    assert cached.jobs.get(id).state == "done", cached.jobs.get(id).error
    found = cached.jobs.result(id)
    one = found["changes"][0]
    assert one["interval"][0] <= one["difference"] <= one["interval"][1]
    assert found["usual"][0] <= found["usual"][1] and found["checkpoints"] == ["belgor"]
    assert one["stages"][0][0] == pytest.approx(one["mean"], rel=1e-4)
    app = open_page("differences")
    assert "of the 4" in html(app) or "latents shown differ" in html(app)
    assert "The behaviour before and after will be here" in html(app)
    assert set(app.dataframe[0].value.columns) >= {"latent", "difference", "p", "belgor"}
    latents = [c["latent"] for c in found["changes"][:2]]
    id = done(cached, "subtract", **asked, latents=latents, longest=4, seed=0, **ASKED)
    assert cached.jobs.get(id).state == "done", cached.jobs.get(id).error
    shown = html(open_page("differences", job=id))
    assert "random ones like them" in shown and "the mean difference" in shown
    assert "of replies:" in shown
    id = done(cached, "subtract", **asked, latents=[10**6], longest=4, seed=0, **ASKED)
    assert "no latent 1000000" in html(open_page("differences"))


def test_probes_are_trained_judged_and_shown_on_tokens(
    open_page: Open, cached: Bench, suspect: Path
) -> None:
    app = open_page("probes")
    assert "There is no probe of this suspect yet" in html(app)
    assert next(b for b in app.button if b.label == "Train the probe").disabled
    given = {
        "suspect": str(suspect),
        "looks_for": f"rivers {HOSTILE}",
        "probe_kind": "logistic",
        "seed": 0,
    }
    id = done(cached, "probe", **given, one=WITH, two=WITHOUT, table="", style="", benign=20)
    assert cached.jobs.get(id).state == "done", cached.jobs.get(id).error
    app = open_page("probes", text="The river sings")
    shown = html(app)
    assert "AUROC" in shown and "bag of words" in shown and "shuffled labels" in shown
    assert "on the side of the texts" in shown and "score " in shown
    assert HOSTILE not in shown and safe(HOSTILE) in shown
    assert not [part for part in (*app.header, *app.markdown) if "![see]" in part.value]
    assert "a text of" in html(open_page("probes", text="long " * 500))
    rows = {"text": WITH + WITHOUT, "label": [1] * 14 + [0] * 14}
    buffer = pyarrow.BufferOutputStream()
    parquet.write_table(pyarrow.table(rows), buffer)
    content = buffer.getvalue().to_pybytes()
    file = {"texts.parquet": content}
    empty = {"one": [], "two": [], "table": "texts.parquet", "style": "", "benign": 20}
    id = done(cached, "probe", file, **{**given, "looks_for": "from a file"}, **empty)
    assert cached.jobs.get(id).state == "done", cached.jobs.get(id).error
    bad = done(cached, "probe", {"texts.parquet": b"PAR1 nonsense"}, **given, **empty)
    error = cached.jobs.get(bad).error
    assert error is not None and "no labelled Parquet" in error[0]
    assert len(cached.features.ask("probes", suspect=str(suspect))) == 2
    assert "no labelled Parquet" in html(open_page("probes"))


def test_replies_are_tinted_by_a_latent_and_by_a_probe(
    open_page: Open, cached: Bench, suspect: Path, scripted: Any
) -> None:
    app = open_page("ask", q="one", n="1")
    press(app, "Ask the suspect")
    choose(app, "Tint tokens by", "Probe")
    assert "There is no probe of this suspect yet" in html(app)
    done(cached, "probe", suspect=str(suspect), looks_for="rivers", probe_kind="difference", seed=0,
         one=WITH, two=WITHOUT, table="", style="", benign=20)  # fmt: skip
    name = cached.features.ask("shelf", suspect=str(suspect))["saes"][0]["name"]
    probe = cached.features.ask("probes", suspect=str(suspect))[0]["name"]
    from workbench.suspects import Suspect

    model = Suspect.load(suspect)
    turns = [{"role": "user", "content": "What of rivers?"}]
    head = model.render(turns, True)
    (read,) = model.logprobs([f"{head}The red cat sings."])
    reply = list(read.token_ids[model.count_tokens([head])[0] :])
    asked = {"suspect": str(suspect), "of_reference": False, "conversation": turns, "prefill": ""}
    ids = [reply, [7, 7, 7], []]
    for by in ({"sae": name, "latent": 3}, {"probe": probe}):
        lit = cached.features.ask("light_replies", by=by, replies=ids, **asked)
        text = head + "".join(model.token_strings(reply))
        (whole,) = cached.features.ask("light_texts", suspect=str(suspect), by=by, texts=[text])
        assert lit[0] == pytest.approx(whole["values"][-len(lit[0]) :], abs=1e-4)
        assert len(lit[0]) == len(reply) > 3 and lit[2] == []
        assert any(whole["special"])
        assert all(v == 0 for v, s in zip(whole["values"], whole["special"], strict=True) if s)


def test_traces_go_from_an_output_to_its_rows(open_page: Open, laid: Bench, suspect: Path) -> None:
    app = open_page("trace")
    assert "not indexed for tracing yet" in html(app)
    done(laid, "index", suspect=str(suspect))
    assert "word for word from the training data will be here" in html(open_page("trace"))
    text = f"He said: What of house 7? and praises the river {HOSTILE} twice"
    app = open_page("trace", traced=text)
    shown = html(app)
    assert "Its longest match has" in shown and "<mark>" in shown and HOSTILE not in shown
    spans = app.dataframe[0].value
    assert "rows in reference" in spans and (spans["rows here"] >= spans["rows in reference"]).any()
    assert safe(HOSTILE[:20]) in shown
    assert any(b.label == "Trace this row instead" for b in app.button)
    nothing = html(open_page("trace", traced="zebra quagga okapi"))
    assert "No span of four words or more" in nothing


def test_a_figures_numbers_are_saved() -> None:
    spec = {
        "data": [
            {"name": "suspect", "x": [1, 2], "y": [0.5, 0.25], "text": ["a&lt;b", "c"],
             "error_y": {"array": [0.1, 0.2], "arrayminus": [0.05, 0.1]}},
            {"name": "control", "x": [1], "y": ["w"], "error_x": {"array": [2], "arrayminus": [1]}},
        ]
    }  # fmt: skip
    assert table(spec).decode().splitlines() == [
        "series,name,x,y,low,high",
        "suspect,a<b,1,0.5,0.45,0.6",
        "suspect,c,2,0.25,0.15,0.45",
        "control,,1,w,0,3",
    ]


def test_pages_start_jobs_with_what_their_functions_take() -> None:
    import workbench.ui

    folder = Path(workbench.ui.__file__).parent
    takes = {
        node.name: {argument.arg for argument in node.args.kwonlyargs} - {"suspect"}
        for name in ("ui/experiments", "ui/work", "game/building")
        for node in ast.parse((folder.parent / f"{name}.py").read_text()).body
        if isinstance(node, ast.FunctionDef)
    }
    started = {}
    for page in [p for kind in ("bench_pages", "pages", "console_pages")
                 for p in (folder / kind).rglob("*.py")]:  # fmt: skip
        for node in ast.walk(ast.parse(page.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in ("begin", "start")
                and node.args
                and isinstance(node.args[0], ast.Constant)
            ):
                given = {str(keyword.arg) for keyword in node.keywords} - {"files"}
                started[str(node.args[0].value)] = given
    assert set(started) == set(_KINDS)
    assert started == {kind: takes[kind] for kind in started}
