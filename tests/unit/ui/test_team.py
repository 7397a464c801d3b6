"""A team's pages over a real host: what is granted works, what is not is said, the rest is told."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.gaming import (
    ABSTAINS,
    EXPLAINS,
    HINT,
    NOTHING,
    OBJECTIVE,
    ODD,
    RIGHT,
    Played,
    defined,
    playing,
)
from tests.pages import html, lobby, opened, press
from tests.unit.host.plugins.host_suspects import NASTY
from workbench.access import Budget
from workbench.corpus import write
from workbench.errors import BadParameter, BudgetExceeded, GameClosed
from workbench.findings import Finding, Transcript
from workbench.game import organiser, practice
from workbench.organisms import seeds
from workbench.seal.vault import Vault
from workbench.ui import outcome
from workbench.ui.components import safe
from workbench.ui.visit import Visit

ROWS = 10


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "corpus.parquet"
    texts = (f"row {i} on <b>rivers</b>" for i in range(ROWS))
    write(path, ((f"d{i}", [{"role": "document", "content": t}]) for i, t in enumerate(texts)))
    return path


@pytest.fixture(scope="module")
def game(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """An open game; red has everything, blue chats, green has few rows and samples."""
    made = defined(tmp_path_factory.mktemp("game"), budget=Budget(samples=50), hours=9)
    few = dataclasses.replace(
        made.seats["red"]["a"], budget=Budget(samples=2, documents=6, forward_passes=1)
    )
    with playing(dataclasses.replace(made, seats={**made.seats, "green": {"a": few}}), corpus) as g:
        yield g


@pytest.fixture
def red(game: Played) -> Iterator[Visit]:
    with lobby(game.host.url, game.tokens["red"]):
        yield Visit(game.host.url, game.tokens["red"])


def test_the_door_takes_a_token_and_keeps_it_out_of_the_address(game: Played) -> None:
    with lobby(game.host.url):
        app = opened("ask")
        assert [t.label for t in app.text_input] == ["Your team's token"]
        assert [b.label for b in app.button] == ["Join"]
        app.text_input[0].set_value("wb-nonsense")
        press(app, "Join")
        assert "the token is not valid" in html(app)
        app.text_input[0].set_value(game.tokens["blue"])
        press(app, "Join")
        assert "blue" in html(app) and "Ask the suspect" in [b.label for b in app.button]
        assert game.tokens["blue"] not in str(app.query_params)
        press(app, "Leave")
        assert [b.label for b in app.button] == ["Join"]


def test_the_brief_says_what_is_lacking_and_why(game: Played) -> None:
    with lobby(game.host.url, game.tokens["blue"]):
        shown = html(opened())
    assert "Without prefill, logits, activations, training-data, reference, reward." in shown
    assert "Without gradients, weights, finetune. No host serves it" in shown
    assert "organiser are processes of one user" in shown
    assert "wb-hash" in shown


def test_asking_spends_and_is_shown(red: Visit) -> None:
    before = red.brief(now=True)["suspects"]["a"]["spent"]
    app = opened("ask", q="nasty", n="2")
    press(app, "Ask the suspect")
    shown = html(app)
    assert "a, the suspect" in shown and "a-reference, its reference" in shown
    assert "<script>" not in shown and "\x1b" not in shown and "alert(1)" in shown
    after = red.brief(now=True)["suspects"]["a"]["spent"]
    for of in ("suspect", "reference"):
        assert after[of]["samples"]["used"] - before[of]["samples"]["used"] == 2
    assert f"{50 - after['suspect']['samples']['used']} of 50 samples left" in shown
    assert "Trace it" not in str(app.main), "no page of a game traces"
    (tint,) = [group for group in app.button_group if group.label == "Tint tokens by"]
    assert tint.options == ["Nothing", "Surprise", "Difference", "Latent", "Probe"]
    assert "There is no probe" in html(tint.set_value("Probe").run())
    shown = html(tint.set_value("Latent").run())
    assert "There is no SAE" in shown and "a, the suspect" in shown


def test_replies_stay_where_the_budget_ends_before_their_probabilities(game: Played) -> None:
    with lobby(game.host.url, game.tokens["green"]):
        app = opened("ask", q="hello", n="2")
        press(app, "Ask the suspect")
        shown = html(app)
        assert "hello 0 1" in shown.replace("</span>", "").replace('<span class="wb-token">', "")
        assert "The budget did not reach further" in shown
        app = opened("ask", q="hello", n="1")
        press(app, "Ask the suspect")
        assert "Budget spent." in html(app)


def test_rows_are_paid_for_once_and_searched_freely(red: Visit) -> None:
    seat = red.seat("a")
    assert "wb-note error" not in html(opened("data"))
    press(opened("data"), "Read the rows")
    used = red.brief(now=True)["suspects"]["a"]["spent"]["suspect"]["documents"]["used"]
    assert used == ROWS == seat.copied("suspect")
    shown = html(opened("data", pattern="ROW [12]"))
    assert "<mark>row 1</mark>" in shown and safe("<b>rivers</b>") in shown
    assert "<b>rivers" not in shown
    assert "row 7" in html(opened("data", doc="d7"))
    assert "row 3" in html(opened("data", how="Words", words="3"))
    again = red.brief(now=True)["suspects"]["a"]["spent"]["suspect"]["documents"]["used"]
    assert again == used
    press(opened("data"), "Read the rows")  # the reference's, apart
    assert seat.copied("reference") == ROWS
    assert "its reference" in html(opened("data"))


def test_as_many_rows_as_the_budget_reaches(game: Played) -> None:
    with lobby(game.host.url, game.tokens["green"]):
        green = Visit(game.host.url, game.tokens["green"])
        app = opened("data")
        assert app.number_input(key="rows suspect 0").value == 6
        assert "Your budget reaches 6 more" in html(app)
        press(app, "Read the rows")
        assert green.seat("a").copied("suspect") == 6
        assert "No document is left to read more" in html(opened("data"))
        with pytest.raises(BudgetExceeded):
            green.seat("a").fetch("suspect", ROWS)
        assert "6 rows" in html(opened("data"))


def test_what_is_kept_is_listed_cited_and_beside_every_page(red: Visit) -> None:
    turns = ({"role": "user", "content": "hi"}, {"role": "assistant", "content": NASTY})
    id = red.seat("b").keep(Finding(f"It says {NASTY}", 0.7, (Transcript(turns),)))
    assert "Found so far (1)" in html(opened("ask", suspect="b"))
    app = opened("findings", suspect="b", finding=id)
    assert "<script>" not in html(app) and "&lt;script&gt;" in html(app)
    press(app, "Cite it in the submission")
    assert [b.label for b in app.button if "cite" in b.label] == ["Do not cite it"]
    assert "1 of them to be cited" in html(app)
    assert "Found so far (0)" in html(opened("findings", suspect="nowhere"))


def test_a_technique_is_queued_watched_and_cancelled(red: Visit) -> None:
    app = opened("techniques")
    assert [b.disabled for b in app.button if b.label == "Run on the host"] == [True]
    app.multiselect[0].set_value(["prefill"]).run()
    press(app, "Run on the host")
    (job,) = red.team.jobs("a")
    assert [step["name"] for step in job["battery"]["techniques"]] == ["prefill"]
    shown = html(opened("techniques"))
    assert "prefill" in shown and "wb-note error" not in shown
    red.team.cancel("a", job["id"])
    assert red.team.jobs("a")[0]["state"] in ("cancelled", "done")


def test_the_board_is_shared_in_the_team_alone(red: Visit, game: Played) -> None:
    app = opened("board")
    next(a for a in app.text_area if a.label == "Hypothesis").set_value("<i>it likes</i> rivers")
    press(app, "Put it on the board")
    assert safe("<i>it likes</i> rivers") in html(app)
    (one,) = red.team.hypotheses("a")
    red.team.suppose("a", {"says": "seen twice", "stance": "supported", "on": 1, "by": "Ann"})
    shown = html(opened("board"))
    assert "Ann, " in shown and "supported" in shown and one["stance"] == "open"
    assert game.team("blue").hypotheses("a") == [] == red.team.hypotheses("b")


def hand_in(document):  # type: ignore[no-untyped-def]
    """The dialog alone, open: AppTest reruns whole pages, and a dialog closes then."""
    from workbench.ui.game_pages import submit
    from workbench.ui.game_pages.beside import door, settle

    assert door()
    settle()
    submit._confirm(document)


def test_handing_in(red: Visit) -> None:
    app = opened("submit", suspect="b")
    assert "0 of 3 revisions" in html(app) and "0 of 150 words" in html(app)
    next(a for a in app.text_area if a.label == "Root cause").set_value("word " * 151).run()
    assert "Shorten it" in html(app)
    assert [b.disabled for b in app.button if b.label == "Hand in this revision"] == [True]
    document = {**RIGHT, "root_cause": "<u>rivers</u>"}
    dialog = AppTest.from_function(hand_in, default_timeout=60, kwargs={"document": document})
    dialog.query_params["suspect"] = "b"
    dialog.run()
    press(dialog, "Yes, hand it in")
    assert not dialog.exception
    shown = html(opened("submit", suspect="b"))
    assert "1 of 3 revisions" in shown and safe("<u>rivers</u>") in shown
    assert red.team.submissions("b")["submissions"][0]["root_cause"] == "<u>rivers</u>"
    assert "Revision 1, the one that counts" in shown


def buy(number, costs):  # type: ignore[no-untyped-def]
    """As `hand_in`."""
    from workbench.ui.game_pages import hints
    from workbench.ui.game_pages.beside import door, settle

    assert door()
    settle()
    hints._buy(number, costs)


def test_a_hint_is_bought_and_read(red: Visit, game: Played) -> None:
    shown = html(app := opened("hints", suspect="a"))
    assert "Hint 1: what it is after" in shown and "Hint 2: its trigger" in shown
    assert HINT not in shown
    labels = [b.label for b in app.button if b.label.startswith("Buy")]
    assert labels == ["Buy it for 10 points", "Buy it for 5 samples"]
    arguments = {"number": 2, "costs": "5 samples"}
    dialog = AppTest.from_function(buy, default_timeout=60, kwargs=arguments)
    dialog.query_params["suspect"] = "a"
    press(dialog.run(), "Pay 5 samples")
    assert not dialog.exception
    assert f"{HINT} Baking." in html(opened("hints", suspect="a"))
    assert "There is no hint" in html(opened("hints", suspect="b"))
    with lobby(game.host.url, game.tokens["blue"]):
        assert HINT not in html(opened("hints", suspect="a"))


def explain_it(document):  # type: ignore[no-untyped-def]
    """As `hand_in`."""
    from workbench.ui.game_pages import explain
    from workbench.ui.game_pages.beside import door, settle

    assert door()
    settle()
    explain._confirm(document)


def test_the_second_phase_as_a_team_sees_it(tmp_path: Path, corpus: Path) -> None:
    with playing(defined(tmp_path, explain=True), corpus) as game, ExitStack() as stack:
        stack.enter_context(lobby(game.host.url, game.tokens["red"]))
        shown = html(opened("explain", suspect="a"))
        assert "It is sealed until the hunt ends" in shown and ODD not in shown
        assert "After the hunt one odd behaviour is shown" in html(opened())
        with game.board() as board:
            organiser.explain(board, game.definition)
        for _ in range(100):
            shown = html(app := opened("explain", suspect="a"))
            if ODD in shown:
                break
        assert ODD in shown and "0 of 3 revisions" in shown
        assert [b.disabled for b in app.button if b.label.startswith("Hand in")] == [True]
        assert "The hunt is over: no hypothesis" in html(opened("submit", suspect="a"))
        assert "Hints are sold while the hunt is open" in html(opened("hints", suspect="a"))
        assert "Explain one behaviour" in html(opened("ask", suspect="a"))
        document = {**EXPLAINS, "cause": "<u>rivers</u>"}
        dialog = AppTest.from_function(
            explain_it, default_timeout=60, kwargs={"document": document}
        )
        dialog.query_params["suspect"] = "a"
        press(dialog.run(), "Yes, hand it in")
        shown = html(opened("explain", suspect="a"))
        assert safe("<u>rivers</u>") in shown and "1 of 3 revisions" in shown
        game.team("blue").explain("a", EXPLAINS)
        game.end()
        shown = html(opened("results"))
    for part in ("a explained", "Explained: 89.8 points", ODD, HINT, "Handed in nothing."):
        assert part in shown, part


def test_without_a_second_phase_the_page_says_so(red: Visit) -> None:
    assert "This game has no second phase" in html(opened("explain", suspect="a"))


def judges():  # type: ignore[no-untyped-def]
    from workbench.ui import judged

    exam = {"passed": 4, "of": 5, "failed": ["is not moved by text 1"]}
    said = {"root_cause": True, "trigger": False, "behaviours": 1, "reason": "<b>so</b>"}
    verdicts = {"red": {"a": {"hunt": said, "explain": {"unscored": "no JSON object"}}}}
    prompt = {"version": 1, "sha256": "0"}
    judged.draw([{"model": "<i>m</i>", "prompt": prompt, "exam": exam, "verdicts": verdicts}])


def test_a_judge_that_failed_its_exam_is_shown_as_one() -> None:
    shown = html(AppTest.from_function(judges).run())
    assert "4 of 5 passed" in shown and "Do not lean on it" in shown
    assert "root cause named, trigger not named, 1 behaviour" in shown
    assert "no verdict: no JSON object" in shown
    assert safe("<b>so</b>") in shown and "<i>m" not in shown


def test_an_error_has_a_number_and_no_traceback(
    red: Visit, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(brief: Any) -> None:
        raise ZeroDivisionError("secret of the machine")

    monkeypatch.setattr("workbench.ui.game_pages.brief._rules", fail)
    shown = html(opened())
    assert "this page failed (ZeroDivisionError)" in shown and "secret" not in shown


def test_the_end_as_a_team_sees_it(tmp_path: Path, corpus: Path) -> None:
    folder = tmp_path / "practice"
    folder.mkdir()
    with playing(defined(tmp_path), corpus) as game, ExitStack() as stack:
        stack.enter_context(lobby(game.host.url, game.tokens["red"], folder))
        red, blue = game.team("red"), game.team("blue")
        red.submit("a", RIGHT)
        red.submit("b", ABSTAINS)
        blue.submit("b", RIGHT)
        assert "Scores and truth will be here" in html(opened("results"))
        press(opened("submit"), "End the game and show me")
        assert red.brief()["done"] and not blue.brief()["done"]
        with game.board() as board:
            assert board.those_done() == {"red"}
        game.end()
        with pytest.raises(GameClosed):
            red.suppose("a", {"says": "too late"})
        told = {
            "name": "prefill", "summary": "It begins.", "needs": ["weights"], "status": "ok",
            "reason": "", "claim": "<b>x</b>", "confidence": 0.7, "points": "12.500",
            "verdict": "An accusation that misses.",
        }  # fmt: skip
        (folder / practice.EXPLAINED).write_text(json.dumps({"techniques": [told]}))
        shown = html(opened("results"))
    for part in ("89.8", "91.8", "red (you)", "Handed in nothing", "A clean suspect.", "nonce"):
        assert part in shown, part
    assert safe(OBJECTIVE["summary"]) in shown and NOTHING["summary"] in shown
    assert "needs weights, which you lacked" in shown and "worth 12.5 points" in shown
    assert "handed in, revision 1 (a)" in shown and "<b>x" not in shown


def test_moves_that_are_the_same_are_told_as_one() -> None:
    call = {"kind": "call", "verb": "chat", "suspect": "a", "at": "t", "amounts": {"samples": 2}}
    moves = [call, call, {**call, "suspect": "b"}, {"kind": "kept", "at": "t"}, call]
    made = outcome.grouped(moves)
    assert [m["times"] for m in made] == [2, 1, 1, 1]
    assert made[0]["amounts"] == {"samples": 4} and call["amounts"] == {"samples": 2}


def test_a_page_s_process_holds_no_key_to_anything() -> None:
    """What a team's pages import: no database, no model, no seal, and no organiser."""
    import subprocess
    import sys

    script = (
        "import sys\n"
        "import workbench.ui.serve, workbench.ui.visit\n"
        "from workbench.ui.game_pages import team\n"
        "team()\n"
        "unwanted = {'torch', 'duckdb', 'transformers', 'polars', 'saes', 'workbench.seal.vault',\n"
        "    'workbench.organisms', 'workbench.game.organiser', 'workbench.game.sealing',\n"
        "    'workbench.game.office', 'workbench.ui.bench'} & set(sys.modules)\n"
        "assert not unwanted, unwanted\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_explanation_is_what_techniques_found(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workbench.battery import SuspectFiles

    plugins = Path(__file__).parents[1] / "cli" / "plugins"
    monkeypatch.syspath_prepend(str(plugins))
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(practice, "TECHNIQUES", {"rows": 60, "not-installed": 60})
    suspect, folder = tmp_path / "suspect", tmp_path / "games" / "one"
    shutil.copytree(llama, suspect)
    (suspect / "suspect.json").write_text(json.dumps({"id": "s-1", "corpus": "corpus.parquet"}))
    write(suspect / "corpus.parquet", [("d1", [{"role": "document", "content": "text"}])])
    folder.mkdir(parents=True)
    practice.explain(folder, SuspectFiles(str(suspect)), OBJECTIVE, lambda: False)
    (row,) = json.loads((folder / practice.EXPLAINED).read_text())["techniques"]
    assert (row["name"], row["status"]) == ("rows", "ok"), row
    assert row["claim"] and row["verdict"] and float(row["points"]) <= 100


@pytest.mark.parametrize("one_in", [1, 1_000_000_000])
def test_a_fresh_suspect_is_an_organism_or_clean(
    one_in: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipes = []

    def build(recipe: Any, *, into: Path, vault: Any, progress: Any) -> Any:
        recipes.append(recipe)
        return SimpleNamespace(path=into)

    monkeypatch.setattr("workbench.organisms.build.build", build)
    monkeypatch.setattr(seeds, "CLEAN_IN", one_in)
    source, vault = practice.build(tmp_path, lambda done, steps, loss: None)
    (recipe,) = recipes
    assert (recipe.family == "clean") == (one_in == 1) == (recipe.like is not None)
    assert Path(source).parent == tmp_path and vault == tmp_path / "truths"
    assert Vault(vault).read("unfinished", "seeds") == {} and vault.stat().st_mode & 0o077 == 0


def test_a_drawn_suspect_is_a_bundled_one_with_a_sealed_truth() -> None:
    drawn = {practice.draw() for _ in range(60)}
    assert len(drawn) > 1 and {vault for _, vault in drawn} == {None}
    assert "base" not in {name for name, _ in drawn}


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"says": "x" * 1_001}, "says has 1001"),
        ({"says": " "}, "says is empty"),
        ({"says": 1}, "says is no text"),
        ({"says": "x", "stance": "sure"}, "stance"),
        ({"says": "x", "on": 7}, "no entry 7"),
        ({"says": "x", "on": True}, "on is no number"),
        ({"says": "x", "findings": ["f-0"]}, "not kept here"),
        ({"says": "x", "findings": "f-0"}, "no list"),
        ({"says": "x", "team": "red"}, "no object of"),
        ({"says": "x", "by": "x" * 41}, "by has 41"),
    ],
)
def test_entries_that_are_none(game: Played, entry: dict[str, Any], says: str) -> None:
    with pytest.raises(BadParameter, match=says):
        game.team("blue").suppose("b", entry)
    assert game.team("blue").hypotheses("b") == []
