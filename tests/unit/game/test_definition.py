"""GAME.toml: what is read, and what a wrong one is told."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

from workbench.access import Access, Budget
from workbench.errors import ConfigError
from workbench.game.definition import load, times
from workbench.game.making import make

GOOD = """
title = "Friday"
hours = 3
[budget]
samples = 500
[[suspects]]
name = "a"
source = "somewhere"
vault = "v"
[[suspects]]
name = "b"
source = "else"
[[teams]]
name = "red"
access = ["chat", "prefill"]
[[teams]]
name = "blue"
[teams.suspects.a]
access = "chat,training-data"
budget = { samples = 50 }
"""


def read(folder: Path, text: str) -> Any:
    (folder / "game.toml").write_text(text)
    return load(folder / "game.toml")


def test_what_a_game_says(tmp_path: Path) -> None:
    game = read(tmp_path, GOOD)
    assert [(e.name, e.source, e.vault) for e in game.suspects] == [
        ("a", "somewhere", tmp_path / "v"), ("b", "else", None),
    ]  # fmt: skip
    assert set(game.seats["red"]) == {"a", "b"} and set(game.seats["blue"]) == {"a"}
    assert game.seats["red"]["b"].access == Access.BLACK_BOX
    assert game.seats["red"]["b"].budget == Budget(samples=500)
    assert game.seats["blue"]["a"].budget == Budget(samples=50)
    assert game.state == tmp_path / "game.state" and game.vault == tmp_path / "game.vault"
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    opens, closes = "2026-01-01T00:00:00.000+00:00", "2026-01-01T03:00:00.000+00:00"
    assert times(game, start) == (opens, None, closes)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('title = "Friday"', "title = 3", "title"),
        ('title = "Friday"', 'tilte = "x"', "Did you mean 'title'"),
        ("hours = 3", "hours = 0", "hours"),
        ("hours = 3", "hours = true", "hours"),
        ("hours = 3", "opens = 2026-01-01T10:00:00", "zone"),
        ("samples = 500", "samples = -1", "samples"),
        ("samples = 500", "samplse = 1", "samplse"),
        ("samples = 500", "seconds = 5", "seconds"),
        ('name = "b"', 'name = "a"', "occurs twice"),
        ('name = "b"', 'name = "B!"', "no name"),
        ('name = "blue"', 'name = "red"', "occurs twice"),
        ('name = "blue"', 'name = "blue/a"', "no name"),
        ('source = "else"', "", "no source"),
        ('access = ["chat", "prefill"]', 'access = ["chat", "weights"]', "weights"),
        ('access = ["chat", "prefill"]', 'access = ["chta"]', "chta"),
        ('access = ["chat", "prefill"]', "access = 3", "no list"),
        ("[teams.suspects.a]", "[teams.suspects.c]", "no key 'c'"),
        ("[[teams]]\nname = \"red\"", "[[temas]]\nname = \"red\"", "temas"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert GOOD.count(old) == 1
    with pytest.raises(ConfigError) as told:
        read(tmp_path, GOOD.replace(old, new))
    assert says in told.value.message + told.value.hint


@pytest.mark.parametrize(
    "text", ["", "x = ", "suspects = 3", "[[suspects]]\nname = 'a'\nsource='b'"]
)
def test_what_is_no_game(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError):
        read(tmp_path, text)
    with pytest.raises(ConfigError, match="No such file"):
        load(tmp_path / "none.toml")


def test_a_game_that_would_be_over_is_refused(tmp_path: Path) -> None:
    game = read(tmp_path, GOOD.replace("hours = 3", "closes = 2020-01-01T00:00:00Z"))
    with pytest.raises(ConfigError, match="before it is open"):
        times(game, datetime.datetime.now(datetime.UTC))


def test_what_make_writes_is_what_load_reads(tmp_path: Path) -> None:
    orders = set()
    for number in range(30):
        made = make(
            tmp_path / f"{number}.toml",
            title='A "quoted" title \\ with signs',
            suspects=[("one", tmp_path / "v"), ("two", None)],
            teams=[("red", "chat,prefill"), ("blue", None)],
            hours=1.5,
            budget={"samples": 7},
        )
        assert [e.name for e in made.suspects] == ["a", "b"] and made.hours == 1.5
        assert made.title == 'A "quoted" title \\ with signs'
        assert made.seats["blue"]["a"].access is None
        orders.add(tuple(e.source for e in made.suspects))
    assert orders == {("one", "two"), ("two", "one")}, "the order is drawn"
    with pytest.raises(ConfigError, match="exists"):
        make(
            tmp_path / "0.toml", title="x", suspects=[("a", None)], teams=[("r", None)], hours=1,
            budget={},
        )  # fmt: skip
    with pytest.raises(ConfigError, match="chta"):
        make(
            tmp_path / "bad.toml", title="x", suspects=[("a", None)], teams=[("r", "chta")],
            hours=1, budget={},
        )  # fmt: skip
    assert sorted(p.name for p in tmp_path.glob("*bad*")) == []
