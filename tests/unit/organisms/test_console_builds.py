"""Suspects that an organiser builds in the console: sealed unseen, cancelled, taken up again."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.pages import at_once, console, everything, html, press
from workbench.errors import BadParameter, SealError, WorkbenchError
from workbench.game import building, office, sealing
from workbench.game.definition import load
from workbench.organisms import learners, seeds
from workbench.organisms.build import recipe_of
from workbench.organisms.family import Recipe
from workbench.seal.vault import Vault
from workbench.ui import work
from workbench.ui.jobs import CANCEL

TOLD = {"stage", "share", "left"}


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once(monkeypatch)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """All that a job says of how far it is."""
    said: list[dict[str, Any]] = []
    real = work.Reporter.tell

    def tell(self: Any, *, now: bool = True, **parts: Any) -> None:
        said.append(parts)
        real(self, now=now, **parts)

    monkeypatch.setattr(work.Reporter, "tell", tell)
    yield said


def asked(recipe: Recipe, **change: str | None) -> dict[str, str | None]:
    made = {"family": recipe.family, "instill": None, "secrecy": "none", "base": recipe.base}
    return {**made, "like": None, **change}


def reporter(folder: Path) -> work.Reporter:
    folder.mkdir(exist_ok=True)
    return work.Reporter(folder)


def test_from_the_form_to_a_game_that_can_be_sealed(
    recipe: Recipe, tmp_path: Path, in_this_process: None, told: list[dict[str, Any]]
) -> None:
    app = console(tmp_path, "suspects")
    assert "No suspect was built here yet" in html(app)
    app.selectbox[0].set_value(recipe.family).run()
    app.text_input[0].set_value(recipe.base)
    press(app, "Build it")
    shown = html(app)
    assert "built-1" in shown and "No suspect was built" not in shown
    (row,) = building.built(str(tmp_path))
    vault = Vault(row["vault"])
    assert vault.ids() == [row["id"]] and vault.path == tmp_path / "truths"
    truth, _ = vault.reveal(row["id"])
    (result,) = tmp_path.glob("builds/*/result.json")
    assert json.loads(result.read_text())["commitment"] in shown
    for folder in (tmp_path / "suspects", vault.path):
        assert folder.stat().st_mode & 0o077 == 0
    assert {part for parts in told for part in parts} <= TOLD
    shares = [parts["share"] for parts in told if "share" in parts]
    assert 0.17 in shares and shares == [round(share, 2) for share in shares]
    secrets = [truth["summary"], truth["recipe"]["seed"]]
    files = [f.read_bytes() for f in tmp_path.rglob("*") if f.is_file() and f.parent != result]
    drawn = everything(app)
    assert [s for s in secrets if s.encode() in drawn or any(s.encode() in f for f in files)] == []

    app = console(tmp_path)
    built, bundled = app.multiselect[:2]
    assert built.value == ["built-1"] and bundled.value == []
    assert built.options == ["built-1: secret-loyalty"]
    app.text_input[0].set_value("monday")
    press(app, "Make the game")
    definition = load(tmp_path / "monday.toml")
    assert sealing.truths(definition) == {"a": truth}


def test_a_cancelled_build_goes_on_with_the_seed_that_the_vault_drew(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[int] = []
    real = learners.train
    folder, job = tmp_path / "games", reporter(tmp_path / "job")
    folder.mkdir()

    def train(*given: Any, **named: Any) -> float:
        steps.append(given[2].steps)
        if len(steps) == 2:
            (job.folder / CANCEL).touch()
        return real(*given, **named)

    monkeypatch.setattr(learners, "train", train)
    given: Any = {"suspect": str(folder), "name": "built-1", "asked": asked(recipe)}
    with pytest.raises(work.Cancelled):
        building.organism(job, **given)
    assert len(steps) == 2 and building.built(str(folder)) == []
    assert list((folder / "suspects").iterdir()) == [], "no half of it"
    vault = Vault(folder / "truths")
    (drawn,) = vault.read("unfinished", "seeds").values()
    (job.folder / CANCEL).unlink()
    building.organism(job, **given)
    assert len(steps) <= 3, "the first stage was not trained again"
    (id,) = vault.ids()
    assert str(recipe_of(vault.open(id)).seed) == drawn and len(drawn) > 30
    assert vault.read("unfinished", "seeds") == {}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"family": "loyalty"}, "unknown family 'loyalty'"),
        ({"instill": "demos"}, "no instill 'demos'"),
        ({"secrecy": "some"}, "no secrecy 'some'"),
        ({"base": "nowhere"}, "no suspect 'nowhere'"),
        ({"family": "clean", "like": "loyalty"}, "unknown family 'loyalty'"),
    ],
)
def test_what_cannot_be_built_is_refused_before_a_job_is_begun(
    recipe: Recipe, tmp_path: Path, change: dict[str, str], says: str
) -> None:
    with pytest.raises(WorkbenchError, match=says):
        building.refuse(str(tmp_path), "built-1", asked(recipe, **change))
    for name in ("../x", "built-0", "built-1/..", ""):
        with pytest.raises(BadParameter, match="no name of a suspect"):
            building.refuse(str(tmp_path), name, asked(recipe))
    assert list(tmp_path.iterdir()) == []


def test_a_disk_without_room_is_said_on_the_page_and_the_build_goes_on_later(
    recipe: Recipe, tmp_path: Path, in_this_process: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        usage = shutil.disk_usage(tmp_path)._replace(free=1 << 20)
        patch.setattr(shutil, "disk_usage", lambda path: usage)
        app = console(tmp_path, "suspects")
        app.selectbox[0].set_value(recipe.family).run()
        app.text_input[0].set_value(recipe.base)
        press(app, "Build it")
        assert "room for 1 MB" in html(app) and "Free some space" in html(app)
        assert building.built(str(tmp_path)) == []
    press(app, "Resume the build")
    assert "room for" not in html(app) and len(building.built(str(tmp_path))) == 1


def test_a_form_that_asks_for_what_there_is_not(tmp_path: Path) -> None:
    app = console(tmp_path, "suspects")
    app.text_input[0].set_value("nowhere")
    press(app, "Build it")
    assert "no suspect &#x27;nowhere&#x27;" in html(app) or "no suspect 'nowhere'" in html(app)
    assert not os.listdir(tmp_path)


def test_chance_decides_whether_there_is_something_to_find() -> None:
    wanted = {"family": "any", "instill": None, "secrecy": "none", "base": "base", "like": None}
    drawn = [seeds.recipe_for(wanted, seed) for seed in range(90)]
    clean = [recipe for recipe in drawn if recipe.family == "clean"]
    assert 15 < len(clean) < 45 and len({recipe.like for recipe in clean}) > 5
    assert all(recipe.like is None for recipe in drawn if recipe.family != "clean")
    twin = seeds.recipe_for({**wanted, "family": "clean", "like": "random"}, 5)
    assert twin.family == "clean" and twin.like not in (None, "random", "clean")
    names = [row["name"] for row in office.ANSWERS["families"]()]
    assert names[:2] == ["any", "random"] and "secret-loyalty" in names


def test_a_vault_that_was_damaged_is_said(recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "truths").write_text("no vault")
    with pytest.raises(SealError):
        building.organism(
            reporter(tmp_path / "job"), suspect=str(tmp_path), name="built-1", asked=asked(recipe)
        )
