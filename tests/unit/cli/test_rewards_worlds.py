"""`workbench rewards loops|preferences|gaps|assisted|pareto`: JSON, tables, figures, refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Answer

Call = Callable[..., Answer]
TABLES = {
    "loops": "state,action,next_state,reward\na,x,b,1\nb,y,a,1\nb,z,end,3\n",
    "preferences": "a,b,choice\nx,y,a\ny,z,a\nx,z,tie\n",
    "gaps": "solver,task,split,features,passed\n"
    + "s,t,visible,f,1\n" * 20
    + "s,t,heldout,f+g,0\n" * 20,
    "assisted": "item,condition,verdict,flawed\n1,alone,0,1\n1,critic,1,1\n2,alone,0,0\n",
    "pareto": "technique,suspect,score,hidden,cost\np,1,0.1,0,1\np,2,0.9,1,1\nq,1,0.5,0,9\n"
    "q,2,0.5,1,9\n",
}
MORE = {"loops": ("--start", "a", "--goal", "end", "--discount", "0.9")}


@pytest.mark.parametrize("command", sorted(TABLES))
def test_a_table_on_the_screen_in_json_and_drawn(call: Call, tmp_path: Path, command: str) -> None:
    (tmp_path / "t.csv").write_text(TABLES[command])
    more = MORE.get(command, ())
    screen = call("rewards", command, "t.csv", *more)
    assert screen.code == 0 and screen.out, screen.err
    drawn = call("rewards", command, "t.csv", *more, "--json", "--figure", "f.html")
    assert drawn.code == 0, drawn.err
    document = json.loads(drawn.out)
    assert document and "figure: f.html" in drawn.err
    page = (tmp_path / "f.html").read_text()
    assert "<html" in page and "NaN" not in page.split("</script>")[-1]
    lost = call("rewards", command, "none.csv", *more)
    assert (lost.code, lost.out) == (2, "") and len(lost.err.splitlines()) <= 4


def test_what_the_tables_say(call: Call, tmp_path: Path) -> None:
    for command, text in TABLES.items():
        (tmp_path / f"{command}.csv").write_text(text)

    def said(command: str, *more: str) -> dict | list:  # type: ignore[type-arg]
        flags = (*MORE.get(command, ()), *more)
        return json.loads(call("rewards", command, f"{command}.csv", *flags, "--json").out)

    assert said("loops")["verdict"] == "exploit"
    assert said("loops", "--discount", "0.2")["verdict"] == "sound"
    rewards = said("preferences")["rewards"]
    assert list(rewards) == ["x", "y", "z"]
    assert said("gaps")["gaps"][0]["verdict"] == "more than brittleness explains"
    critic = said("assisted")[1]
    assert (critic["name"], critic["uplift"], critic["p"]) == ("critic", 1.0, 1.0)
    points = {p["name"]: p for p in said("pareto")["points"]}
    assert points["p"]["hull"] and not points["q"]["hull"]
    summary = "technique,cost,value\na,1,0.9\nb,2,0.8\n"
    (tmp_path / "pareto.csv").write_text(summary)
    points = {p["name"]: p for p in said("pareto", "--summary")["points"]}
    assert points["b"]["verdict"] == "dominated by a"


def test_a_query_and_renamed_columns(call: Call, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(TABLES["gaps"].replace("passed", "ok"))
    asked = ("--query", "SELECT * FROM 't.csv'", "--column", "passed=ok", "--json")
    answer = call("rewards", "gaps", *asked)
    assert answer.code == 0 and json.loads(answer.out)["gaps"][0]["heldout"] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("loops", "t.csv"), "where the task begins"),
        (("loops", "--start", "a"), "belong to a table"),
        (("loops", "t.csv", "--start", "nowhere", "--goal", "end"), "'nowhere' is in no row"),
        (("loops", "t.csv", *MORE["loops"][:4], "--discount", "2"), "outside (0, 1]"),
        (("preferences", "--feature", "x"), "belong to a table"),
        (("preferences", "t.csv", "--feature", "x"), "go together"),
        (("gaps", "t.csv"), "no column 'solver'"),
        (("assisted", "t.csv"), "no column 'item'"),
        (("pareto", "t.csv"), "no column 'technique'"),
    ],
)
def test_wrong_questions_are_answered_in_two_lines(
    call: Call, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    (tmp_path / "t.csv").write_text(TABLES["loops"])
    answer = call("rewards", *arguments)
    assert (answer.code, answer.out) == (2, "") and words in answer.err


def test_items_with_features(call: Call, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(TABLES["preferences"])
    (tmp_path / "items.csv").write_text("item,long\nx,3\ny,2\nz,1\n")
    more = ("--items", "items.csv", "--feature", "long")
    document = json.loads(call("rewards", "preferences", "t.csv", *more, "--json").out)
    assert document["weights"]["long"] > 0 and document["next"]["a"] in "xyz"
    assert "weight of long" in call("rewards", "preferences", "t.csv", *more).out


def test_the_worlds_without_a_table(call: Call) -> None:
    loops = json.loads(call("rewards", "loops", "--json", "--figure", "f.html").out)
    assert loops["planted"]["predicted"] and loops["null"]["predicted"]
    assert not loops["planted"]["finishes"] and loops["null"]["finishes"]
    gaps = json.loads(call("rewards", "gaps", "--json", "--figure", "f.html").out)
    assert len(gaps["gaps"]) == 36 and gaps["line"]["n"] == 36
    assisted = json.loads(call("rewards", "assisted", "--json", "--figure", "f.html").out)
    assert set(assisted["closed_form"]) == {"trust 0", "trust 0.5"}
    pareto = json.loads(call("rewards", "pareto", "--json", "--figure", "f.html").out)
    assert set(pareto) == {"planted", "null"}
    words = call("rewards", "preferences", "--seeds", 1, "--figure", "f.html").out
    assert "queries: disagreement needs" in words and "exploited" in words
