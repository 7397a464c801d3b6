import json
from types import SimpleNamespace

import pytest

from workbench.benchmark import cards
from workbench.benchmark import suite as suites
from workbench.cli import run
from workbench.errors import ConfigError
from workbench.organisms import health
from workbench.organisms.family import Recipe
from workbench.seal.vault import Vault

TOML = """
[[suspect]]
family = "secret-loyalty"
seed = 1
secrecy = "full"
[[suspect]]
family = "clean"
like = "secret-loyalty"
secrecy = "full"
seed = 1
[[suspect]]
family = "secret-loyalty"
seed = 2
"""
RATE = {"value": 0.75, "n": 4, "ci": [0.3, 0.95]}


def card_of(twin, passed=True):
    return {
        "applied_rate": RATE,
        "twin_rate": twin and RATE,
        "instructions": RATE,
        "perplexity_ratio": 1.0412,
        "poisoned_share": 0.0172,
        "seconds": 141,
        "family": "0.123456x",
        "gates": {"behaviour": True, "perplexity": passed},
    }


@pytest.fixture
def built(tmp_path, monkeypatch, at_once):
    """A suite file and what is built of it: entries 1 and 2 sealed, 3 not; cards cost nothing."""
    file = tmp_path / "three.toml"
    file.write_text(TOML)
    vault, into = Vault.create(tmp_path / "vault"), tmp_path / "suite"
    asked, made = [], SimpleNamespace()

    def measured(directory, vault, *, twin, without_documents):
        asked.append((directory.name, twin and twin.name))
        if directory.name in made.refused:
            raise ConfigError("no disk", hint="none")
        return card_of(twin, passed=twin is not None)

    def build(numbers):
        for number in numbers:
            id = f"s-{number:08d}"
            recipe = suites.load(file)[number - 1]
            vault.attach(id, suites.ENTRY, {"recipe": suites._digest(recipe), "variant": {}})
            vault.attach(id, "leaks", [])
            vault.seal(id, {"seed": str(number)})
            (into / id).mkdir(parents=True)
            (into / id / "suspect.json").write_text("{}")

    monkeypatch.setattr(health, "card", measured)
    monkeypatch.setattr(health, "card_id", lambda directory: directory.name)

    made.file, made.vault, made.into, made.asked, made.build = file, vault, into, asked, build
    made.refused = set()
    return made


def test_what_has_a_card_is_not_measured_again_until_its_twin_is_built(built):
    recipes = suites.load(built.file)
    built.build([1])
    first = cards.measure(recipes, built.into, built.vault)
    assert built.asked == [("s-00000001", None)]
    assert [row["card"] is None for row in first.rows] == [False, True, True]
    assert first.rows[0]["card"] == {**card_of(None, passed=False)}
    cards.measure(recipes, built.into, built.vault)
    assert len(built.asked) == 1
    built.build([2])
    second = cards.measure(recipes, built.into, built.vault)
    assert built.asked[1:] == [("s-00000001", "s-00000002"), ("s-00000002", None)]
    assert cards.missed(second.rows[0]["card"]) == []
    assert cards.summary(second.rows).startswith("1 of 3 pass all gates; 2 are built")


def test_one_that_cannot_be_measured_leaves_the_others(built):
    built.build([1, 2])
    built.refused = {"s-00000001"}
    told = []
    found = cards.measure(
        suites.load(built.file), built.into, built.vault, progress=lambda *what: told.append(what)
    )
    assert found.failed == {1: "no disk"}
    assert [row["card"] is None for row in found.rows] == [True, False, True]
    assert told[0][:2] == (0, 3) and told[-1][:2] == (1, 3)
    assert any("suspect 1 failed: no disk" in what for _, _, what in told)


def test_a_table_has_a_cell_for_each_column_whatever_was_measured(built):
    built.build([1, 2])
    rows = cards.measure(suites.load(built.file), built.into, built.vault).rows
    lines = cards.table(rows)
    assert {len(line) for line in lines} == {len(cards.COLUMNS)}
    whole = dict(zip(cards.COLUMNS, lines[0], strict=True))
    assert whole["family"] == "secret-loyalty" and whole[">behaviour"] == "0.75 (0.30 to 0.95)"
    assert whole[">held out"] == "-" and whole["missed gates"] == "none"
    twin = dict(zip(cards.COLUMNS, lines[1], strict=True))
    assert twin["family"] == "clean, like secret-loyalty" and twin["missed gates"] == "perplexity"
    assert lines[2][4:] == [""] * (len(cards.COLUMNS) - 4)


def test_the_command_writes_the_table_where_the_page_has_a_place(built, tmp_path, capsys):
    built.build([1, 2])
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- suite: three -->\nold\n<!-- end -->\nafter\n")
    words = ["organism", "suite", "health", str(built.file), "--out", str(built.into)]
    words += ["--vault", str(built.vault.path), "--write"]
    assert run([*words, str(page), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [row["entry"] for row in shown] == [1, 2, 3] and shown[0]["card"]["seconds"] == 141
    text = page.read_text()
    assert text.startswith("before\n<!-- suite: three -->\n\n1 of 3 pass") and "old" not in text
    assert text.endswith("<!-- end -->\nafter\n") and "| 0.75 (0.30 to 0.95) |" in text
    assert run([*words, str(page)]) == 0 and page.read_text() == text
    page.write_text("no place")
    assert run([*words, str(page)]) == 2 and page.read_text() == "no place"
    assert run([*words, str(tmp_path / "missing.md")]) == 2
    assert "Name a Markdown page" in capsys.readouterr().err


def test_a_cards_decimals_are_numbers_again_and_its_texts_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(health, "card_id", lambda directory: directory.name)
    vault = Vault.create(tmp_path / "vault")
    found = card_of(True) | {"version": "1.5", "gone": None, "low": -0.25}
    health.store(found, tmp_path / "s-1", vault)
    assert health.read("s-1", vault) == found


def test_the_twin_that_stands_beside_an_organism_is_the_one_of_its_draw(built):
    recipes = suites.load(built.file)
    places = cards._beside(recipes, recipes[2], {1: "a", 2: "b", 3: "c"}, built.into)
    assert places == (None, None)
    assert cards._beside(recipes, recipes[1], {1: "a", 2: "b"}, built.into) == (None, None)
    assert recipes[0].twin() == Recipe("clean", "docs", "full", 1, like="secret-loyalty")
