"""The organiser's console: a game from its form to its archive, on the game's own files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gaming import ABSTAINS, OBJECTIVE, RIGHT, hand_in, sealed
from tests.pages import console, html, press
from workbench.game import archive, office, verify
from workbench.game.definition import Definition, load
from workbench.ui.components import safe
from workbench.ui.console_pages.games import _own, _team

SUSPECTS = [["alder", ""], ["birch", ""]]
TEAMS = [["red", ""], ["blue", "chat"]]


@pytest.fixture
def made(tmp_path: Path) -> Definition:
    """A game's file, as the form writes it; not sealed."""
    office.make(str(tmp_path), "friday", "A <b>game</b>", SUSPECTS, TEAMS, 2.0, {"samples": 50})
    return load(tmp_path / "friday.toml")


@pytest.fixture
def played(made: Definition) -> Iterator[Any]:
    """The same game sealed on scripted suspects, with what two teams handed in."""
    with sealed(made.file.parent, definition=made) as (_, board):
        assert board.phase() == "open"
        hand_in(board, "red", "a", RIGHT)
        hand_in(board, "red", "b", ABSTAINS)
        hand_in(board, "blue", "b", RIGHT)
        yield board


def test_without_the_key_nothing_is_drawn(tmp_path: Path) -> None:
    (tmp_path / "friday.toml").write_text(
        '[[suspects]]\nname = "a"\nsource = "x"\n[[teams]]\nname = "red"\n'
    )
    app = console(tmp_path, inside=False)
    assert [b.label for b in app.button] == ["Open"] and "friday" not in html(app)
    app.text_input[0].set_value("other")
    press(app, "Open")
    assert "That is not the key" in html(app) and "friday" not in html(app)
    app.text_input[0].set_value("the-key ")
    press(app, "Open")
    assert "friday" in html(app)


def test_an_empty_folder_and_the_form(tmp_path: Path) -> None:
    app = console(tmp_path)
    assert "There is no game in this folder yet" in html(app)
    assert "No game is chosen" in html(console(tmp_path, "watch"))
    assert "No game is chosen" in html(console(tmp_path, "ending"))
    app.text_input[0].set_value("monday")
    (bundled,) = [m for m in app.multiselect if m.label == "Bundled suspects"]
    bundled.set_value(["cedar"])
    press(app, "Make the game")
    definition = load(tmp_path / "monday.toml")
    assert [entry.source for entry in definition.suspects] == ["cedar"]
    assert set(definition.seats) == {"red", "blue"}
    again = console(tmp_path)
    again.text_input[0].set_value("monday")
    press(again, "Make the game")
    assert "monday.toml exists" in html(again)
    for name in ("../x", "a/b", "", ".x"):
        bad = console(tmp_path)
        bad.text_input[0].set_value(name)
        press(bad, "Make the game")
        assert "is no name of a file" in html(bad), name
    assert [file.name for file in tmp_path.iterdir()] == ["monday.toml"]


def test_what_the_form_s_lines_say() -> None:
    assert _own("out/a@out/vault") == ["out/a", "out/vault"] and _own(" alder ") == ["alder", ""]
    assert _team({"team": " red ", "access": ["logits", "chat"]}) == ["red", "chat,logits"]
    assert _team({"team": "blue", "access": None}) == ["blue", ""]


def test_a_file_that_is_no_game_is_listed_with_its_fault(made: Definition) -> None:
    (made.file.parent / "broken.toml").write_text("title = 3")
    shown = html(console(made.file.parent))
    assert "broken.toml" in shown and safe("A <b>game</b>") in shown and "not sealed" in shown


def test_before_the_seal(made: Definition) -> None:
    app = console(made.file.parent, "watch")
    shown = html(app)
    assert "Not sealed yet. 2 suspects, 2 hours" in shown and "<td>chat</td>" in shown
    assert "alder" not in shown and [b.label for b in app.button] == ["Seal it and begin"]
    assert "has not ended" in html(console(made.file.parent, "ending"))


def test_watching_inviting_extending_and_closing(made: Definition, played: Any) -> None:
    folder = made.file.parent
    app = console(folder, "watch")
    shown = html(app)
    assert "No host answers" in shown and "The game is <b>open</b>" in shown
    assert "1 revision handed in" in shown and OBJECTIVE["summary"] not in shown
    assert app.code[0].value == played.row["commitment"]
    press(app, "Invite")
    assert "shown once" in html(app)
    token = app.code[1].value
    assert played.store.client(token).team == "blue"
    assert token not in html(console(folder, "watch")), "once"
    press(app, "Revoke its tokens")
    assert played.store.rows("SELECT 1 FROM tokens") == []
    closes = played.row["closes"]
    press(app, "Move the end")
    assert played.row["closes"] > closes
    office.close(str(made.file))
    assert "Close the game now" not in [b.label for b in console(folder, "watch").button]


def test_grading_revealing_and_exporting(made: Definition, played: Any) -> None:
    folder = made.file.parent
    office.close(str(made.file))
    app = console(folder, "ending")
    assert "Scores" not in [h.value for h in app.header]
    press(app, "Grade it")
    assert "89.8" in html(app) and OBJECTIVE["summary"] not in html(app)
    press(app, "Reveal it")
    assert OBJECTIVE["summary"] in html(app) and "A clean suspect" in html(app)
    press(app, "Export the archive")
    content = (folder / "friday.tar").read_bytes()
    assert verify.problems(content) == [] and archive.unpack(content)
    assert str(folder / "friday.tar") in html(app)
    press(app, "Export the archive")  # again: what is there stays
    assert (folder / "friday.tar").read_bytes() == content
