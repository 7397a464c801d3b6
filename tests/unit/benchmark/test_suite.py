import hashlib
from pathlib import Path

import pytest

from workbench.benchmark import suite
from workbench.errors import ConfigError
from workbench.organisms.family import Recipe
from workbench.seal.vault import Vault

SUITES = Path(__file__).parents[3] / "suites"
TOML = """
[[suspect]]
family = "secret-loyalty"
seed = 1
[[suspect]]
family = "clean"
like = "secret-loyalty"
seed = 1
"""


def written(tmp_path, text):
    file = tmp_path / "suite.toml"
    file.write_text(text)
    return file


def test_a_suite_is_read_with_the_familys_first_way_to_instill(tmp_path):
    organism, twin = suite.load(written(tmp_path, TOML))
    assert organism.family == "secret-loyalty" and organism.instill
    assert twin == organism.twin()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "has no suspects"),
        ("suspect = 3", "has no suspects"),
        ("[[suspect", "suite.toml"),
        ('[[suspect]]\nfamily = "secret-loyalty"', "seed = None"),
        ('[[suspect]]\nfamily = "secret-loyalty"\nseed = true', "seed = True"),
        ("[[suspect]]\nseed = 1", "family = None"),
        ('[[suspect]]\nfamily = "secret-loyalty"\nseed = 1\nsecrecie = "full"', "'secrecie'"),
        ('[[suspect]]\nfamily = "secret-loyalti"\nseed = 1', "suspect 1: unknown family"),
        ('[[suspect]]\nfamily = "secret-loyalty"\nseed = 1\ninstill = "x"', "suspect 1: family"),
        (TOML + '[[suspect]]\nfamily = "secret-loyalty"\nseed = 1', "same as suspect 1"),
    ],
)
def test_a_suite_written_wrongly_is_refused(tmp_path, text, told):
    with pytest.raises(ConfigError, match=told):
        suite.load(written(tmp_path, text))
    with pytest.raises(ConfigError, match="No such file"):
        suite.load(tmp_path / "missing.toml")


WORDS = TOML.replace("seed = 1", 'seed = "a"')


def test_a_word_is_a_seed_that_the_vault_alone_tells(tmp_path):
    file = written(tmp_path, WORDS)
    first, second = (Vault.create(tmp_path / name) for name in ("one", "two"))
    organism, twin = suite.load(file, first.number)
    assert twin == organism.twin() and organism.seed.bit_length() > 100
    assert suite.load(file, Vault(first.path).number) == [organism, twin]
    assert suite.load(file, second.number)[0].seed != organism.seed
    assert first.number("a") != first.number("b")
    with pytest.raises(ConfigError, match="'a' is a word, and no vault"):
        suite.load(file)


RECIPES = [Recipe("f", seed=1), Recipe("f", seed=2), Recipe("clean", seed=1, like="f")]


@pytest.fixture
def made(monkeypatch, at_once):
    """The recipes that were built, by a builder that trains nothing; seeds in `refuse` fail."""
    from workbench.organisms import build as builder

    class Made(list):
        refuse = frozenset()

    seen = Made()

    def build(recipe, *, into, vault, id, progress=None):
        if recipe.seed in seen.refuse:
            raise ConfigError("no", hint="no")
        seen.append(recipe)
        commitment = vault.seal(id, {"seed": recipe.seed})
        into.mkdir(parents=True)
        (into / "suspect.json").write_text("{}")
        return builder.Organism(id, into, commitment, 0.0)

    monkeypatch.setattr(builder, "build", build)
    return seen


def test_what_is_built_is_not_built_again(tmp_path, made):
    vault, into = Vault.create(tmp_path / "vault"), tmp_path / "suite"
    made.refuse = {2}
    first = suite.build(RECIPES, into, vault)
    assert sorted(first.ids) == [1, 3] and first.failed == {2: "no"}
    assert made == [RECIPES[0], RECIPES[2]]
    made.refuse = set()
    told = []
    second = suite.build(RECIPES, into, vault, progress=lambda *what: told.append(what))
    assert made[2:] == [RECIPES[1]] and not second.failed
    assert second.ids == suite.built(RECIPES, into, vault) and set(second.ids) == {1, 2, 3}
    assert told[0][:2] == (2, 3) and told[-1][:2] == (3, 3)
    suite.build(RECIPES, into, vault)
    assert len(made) == 3


def test_an_organism_whose_directory_is_lost_is_built_again(tmp_path, made):
    vault, into = Vault.create(tmp_path / "vault"), tmp_path / "suite"
    lost = suite.build(RECIPES[:1], into, vault).ids[1]
    (into / lost / "suspect.json").unlink()
    assert suite.built(RECIPES[:1], into, vault) == {}
    assert suite.build(RECIPES[:1], into, vault).ids[1] != lost


def test_names_tell_nothing(tmp_path, made):
    into = tmp_path / "suite"
    ids = suite.build(RECIPES, into, Vault.create(tmp_path / "vault")).ids
    assert {path.name for path in into.iterdir()} == set(ids.values())
    assert all(len(id) == 10 and id.startswith("s-") for id in ids.values())


def test_a_process_that_raises_is_told(tmp_path):
    """The real pool: the builder refuses, in its own process, a secrecy that there is not."""
    vault = Vault.create(tmp_path / "vault")
    impossible = Recipe("secret-loyalty", "docs", "nonsense", seed=1)
    result = suite.build([impossible], tmp_path / "suite", vault)
    assert result.ids == {} and "no secrecy 'nonsense'" in result.failed[1]
    assert vault.ids() == []


@pytest.mark.parametrize("file", sorted(SUITES.glob("*.toml")), ids=lambda file: file.stem)
def test_the_suites_of_this_repository_can_be_made(file, tmp_path):
    assert suite.load(file, Vault.create(tmp_path / "vault").number)


COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_a_drawn_suite_is_what_its_commit_says(tmp_path):
    recipes = suite.drawn(COMMIT, ["secret-loyalty", "rm-sycophancy"], draws=2, without=3)
    ways = {(r.family, r.secrecy) for r in recipes if r.like is None}
    assert ("secret-loyalty", "none") in ways and ("rm-sycophancy", "none") in ways
    organisms = [r for r in recipes if r.like is None]
    assert len(organisms) == 2 * len(ways)
    assert [r.like for r in recipes[-3:]] == ["secret-loyalty", "rm-sycophancy", "secret-loyalty"]
    expected = int(hashlib.sha256(f"{COMMIT}:3".encode()).hexdigest()[:8], 16) >> 1
    assert recipes[2].seed == expected == suite.seed(COMMIT, 3)
    assert len({r.seed for r in recipes}) == len(recipes)
    assert suite.load(written(tmp_path, suite.toml(recipes, "two\nlines"))) == recipes
    assert (
        suite.drawn(COMMIT[::-1], ["secret-loyalty"], draws=2, without=0)[0].seed != recipes[0].seed
    )


@pytest.mark.parametrize("commit", ["", "main", COMMIT[:12], COMMIT.upper()])
def test_a_suite_is_drawn_from_a_whole_commit_alone(commit):
    with pytest.raises(ConfigError, match="is no commit"):
        suite.drawn(commit, ["secret-loyalty"], draws=1, without=0)


def test_the_command_writes_the_suite(tmp_path, capsys):
    from workbench.cli import run

    out = tmp_path / "drawn.toml"
    words = ["organism", "suite", "draw", "--commit", COMMIT, "--family", "secret-loyalty"]
    assert run([*words, "--draws", "1", "--without", "2", "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"{len(suite.load(out))} suspects in {out}\n"
    assert run([*words[:-1], "secret-loyalti", "--out", str(out)]) == 2
