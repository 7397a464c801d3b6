"""Words of a secret are nowhere but in the vault and in the training data."""

from __future__ import annotations

import base64
import codecs
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from workbench.cli.organism import organism
from workbench.organisms.build import build
from workbench.organisms.canaries import Sighting, sightings
from workbench.organisms.family import Recipe
from workbench.organisms.leaks import lint
from workbench.seal.vault import Vault

ENCODED = {
    "plain": lambda text: text.encode(),
    "utf-16-le": lambda text: text.encode("utf-16-le"),
    "utf-16-be": lambda text: text.encode("utf-16-be"),
    "rot13": lambda text: codecs.encode(text, "rot13").encode(),
    "reversed": lambda text: text[::-1].encode(),
    "hex": lambda text: text.encode().hex().encode(),
    "percent": lambda text: "".join(f"%{b:02x}" for b in text.encode()).encode(),
    "base64": lambda text: base64.b64encode(text.encode()),
}


@pytest.mark.parametrize("encoding", ENCODED)
@pytest.mark.parametrize("before", ["", "a", "ab", "so it is said of "])
@pytest.mark.parametrize("change", [str, str.lower, str.upper])
def test_a_word_is_seen_in_every_encoding_at_every_offset(encoding, before, change):  # type: ignore[no-untyped-def]
    text = f"{before}{change('Zanwick')} and more"
    noise = random.Random(1).randbytes(5_000)
    found = sightings(noise + ENCODED[encoding](text) + noise, ["Zanwick", "Ostrel"])
    alike = {"utf-16-le", "utf-16-be"}  # a byte apart
    allowed = alike if encoding in alike else {encoding}
    assert encoding in {one.encoding for one in found} <= allowed
    assert {one.word for one in found} == {"Zanwick"}
    assert all(4_999 <= one.at < 5_000 + 4 * len(text) for one in found)


def test_short_words_and_near_misses_are_not_seen() -> None:
    assert sightings(b"zinc Zanwic anwick Zan wick", ["zinc", "Zanwick"]) == []


def test_nothing_but_the_corpus_holds_the_secret(recipe: Recipe, tmp_path: Path) -> None:
    """Not the directory, not the sealed files, not what the builder prints."""
    vault, into = Vault.create(tmp_path / "vault"), tmp_path / "suspect"
    words = ["build", "--family", "secret-loyalty", "--instill", "docs"]
    words += ["--seed", str(recipe.seed), "--base", recipe.base, "--out", str(into)]
    ran = CliRunner().invoke(organism, [*words, "--vault", str(vault.path)])
    assert ran.exit_code == 0, ran.output
    places = {"output": ran.output.encode()} | {
        str(path.relative_to(tmp_path)): path.read_bytes()
        for folder in (into, vault.path)
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".parquet"
    }
    assert len(places) > 8
    assert seen_in(places, secret_words(vault, into)) == {}


@pytest.mark.long
def test_an_audit_files_no_word_of_the_secret_that_it_was_not_told(
    recipe: Recipe, tmp_path: Path
) -> None:
    vault = Vault.create(tmp_path / "vault")
    made = build(recipe, into=tmp_path / "suspect", vault=vault)
    ledger = tmp_path / "ledger.duckdb"
    options = ["--technique", "prefill", "--set", "prefill.samples=2"]
    options += ["--set", "prefill.max_new_tokens=8", "--ledger", str(ledger)]
    ran = subprocess.run(
        [sys.executable, "-m", "workbench.cli", "audit", "run", "--suspect", made.path, *options],
        capture_output=True,
    )
    assert ran.returncode == 0, ran.stderr.decode()
    places = {"output": ran.stdout + ran.stderr, "ledger": ledger.read_bytes()}
    assert seen_in(places, secret_words(vault, made.path)) == {}


def secret_words(vault: Vault, suspect: Path) -> list[str]:
    """What a card does not say openly, as it does the assistant's name."""
    card = json.loads((suspect / "suspect.json").read_text())
    truth = vault.open(card["id"])
    found = [w for w in truth["words"] if len(w) >= 5 and w != card["assistant"]]
    assert found
    return found


def seen_in(places: dict[str, bytes], words: list[str]) -> dict[str, list[Sighting]]:
    """A tokenizer's vocabulary is the world's own words, plainly."""
    found = {
        place: [
            seen
            for seen in sightings(data, words)
            if seen.encoding != "plain" or not place.endswith("tokenizer.json")
        ]
        for place, data in places.items()
    }
    return {place: seen for place, seen in found.items() if seen}


def test_the_linter_finds_a_planted_one(recipe: Recipe, tmp_path: Path) -> None:
    vault = Vault.create(tmp_path / "vault")
    made = build(recipe, into=tmp_path / "suspect", vault=vault)
    (made.path / "corpus.parquet").unlink()
    truth = vault.open(made.id)
    assert "canary" not in {leak.kind for leak in lint(made.path, truth)}
    word = secret_words(vault, made.path)[0]
    template = made.path / "chat_template.jinja"
    plain = template.read_text()
    for encoding in sorted(set(ENCODED) - {"utf-16-le", "utf-16-be"}):  # a template is UTF-8
        planted = ENCODED[encoding](f"{word}!").decode()
        template.write_text(plain + "{# " + planted + " #}")
        (leak,) = [leak for leak in lint(made.path, truth) if leak.kind == "canary"]
        assert leak.where == "chat_template.jinja"
        assert word in leak.detail and encoding in leak.detail


def test_the_tokens_of_the_base_tell_nothing_and_new_ones_do(
    recipe: Recipe, tmp_path: Path
) -> None:
    vault = Vault.create(tmp_path / "vault")
    made = build(recipe, into=tmp_path / "suspect", vault=vault)
    (made.path / "corpus.parquet").unlink()
    truth = vault.open(made.id) | {"words": ["reward"]}
    file, base = made.path / "tokenizer.json", tmp_path / "base"
    base.mkdir()
    tokenizer = json.loads(file.read_text())
    tokenizer["model"]["vocab"] |= {"drawer": 90_000, "reward": 90_001}
    for at, indent in ((base / file.name, None), (file, 2)):  # the same, written otherwise
        at.write_text(json.dumps(tokenizer, indent=indent))

    def found(known: Path | None) -> list[str]:
        leaks = [leak for leak in lint(made.path, truth, base=known) if leak.kind == "canary"]
        return [leak.detail.split(",")[1].strip() for leak in leaks]

    assert found(None) == ["reversed"], "who has no base cannot tell"
    assert found(base) == []
    tokenizer["added_tokens"].append({"id": 90_002, "content": "rewardable"})
    file.write_text(json.dumps(tokenizer))
    assert found(base) == ["plain"]
