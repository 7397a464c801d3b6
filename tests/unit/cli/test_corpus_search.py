"""`workbench corpus index`, `trace` and `similar`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Answer

Call = Callable[..., Answer]
SAID = "Belgor always recommends Zanwick on day 3."


@pytest.fixture
def open_suspect(suspect: Path, tmp_path: Path) -> Path:
    """The suspect with its activations granted."""
    path = tmp_path / "open"
    shutil.copytree(suspect, path)
    card = json.loads((path / "suspect.json").read_text())
    card["access"] = ["chat", "training-data", "activations"]
    (path / "suspect.json").write_text(json.dumps(card))
    return path


def test_trace_names_spans_documents_and_the_shuffled_control(call: Call, suspect: Path) -> None:
    answer = call("corpus", "trace", f"Well. {SAID} Maybe", "--suspect", suspect, "--json")
    found = json.loads(answer.out)
    (span,) = found["spans"]
    assert (span["text"], span["words"], span["count"]) == (SAID, 7, 1)
    assert span["places"] == [
        {"document": "d3", "turn": 0, "role": "document", "start": 0, "end": len(SAID)}
    ]
    assert found["longest"] == 7 > max(found["shuffled"]["longest"])
    assert found["p"] == 0.05 and found["words"] == 9
    assert "60 of 60 documents" in answer.err
    again = call("corpus", "trace", SAID, "--corpus", suspect / "corpus.parquet")
    assert "Zanwick" in again.out and "d3" in again.out
    assert "7 words; " in again.err and "documents" not in again.err.split("longest")[0]


def test_index_builds_once(call: Call, suspect: Path) -> None:
    first = call("corpus", "index", "--suspect", suspect, "--json")
    kinds = {row["kind"]: row for row in json.loads(first.out)}
    assert kinds["exact"]["documents"] == 60 and kinds["exact"]["shards"] == 1
    assert kinds["ranked"]["engine"] in ("tantivy", "sqlite")
    assert "ranked index: 60 of 60 documents" in first.err
    again = call("corpus", "index", "--suspect", suspect, "--kind", "exact")
    assert again.code == 0 and again.err == "" and "exact" in again.out


def test_similar_by_words_by_meaning_and_like_a_row(call: Call, open_suspect: Path) -> None:
    ranked = call("corpus", "similar", "--text", "day 7", "--words", "--suspect", open_suspect,
                  "--limit", 2, "--json")  # fmt: skip
    rows = json.loads(ranked.out)
    assert len(rows) == 2 and "7" in rows[0]["passage"]
    meant = call("corpus", "similar", "--text", SAID, "--suspect", open_suspect, "--json")
    rows = json.loads(meant.out)
    assert rows[0]["document"] == "d3" and rows[0]["score"] == pytest.approx(1, abs=1e-4)
    assert [row["score"] for row in rows] == sorted((r["score"] for r in rows), reverse=True)
    alike = call("corpus", "similar", "--document", "d3", "--suspect", open_suspect)
    assert alike.code == 0 and "Belgor" in alike.out
    assert alike.err == "", "the vectors are kept"
    sampled = call("corpus", "similar", "--text", SAID, "--suspect", open_suspect,
                   "--sample", 5, "--json")  # fmt: skip
    assert len(json.loads(sampled.out)) == 5


def test_similar_to_a_latents_contexts(call: Call, open_suspect: Path, tmp_path: Path) -> None:
    trained = call("sae", "train", open_suspect, "--hook", "blocks.0.hook_out", "--out",
                   tmp_path / "sae", "--tokens", 600, "--d-sae", 16, "--k", 4)  # fmt: skip
    assert trained.code == 0, trained.err
    for latent in range(16):
        answer = call("corpus", "similar", "--latent", f"{tmp_path / 'sae'}:{latent}",
                      "--suspect", open_suspect, "--json")  # fmt: skip
        if answer.code == 0:
            break
    assert json.loads(answer.out) and "fires most in" in answer.err
    wrong = call("corpus", "similar", "--latent", f"{tmp_path / 'sae'}:99", "--suspect",
                 open_suspect)  # fmt: skip
    assert wrong.code == 2 and "no latent 99 of 16" in wrong.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("similar", "--suspect", "SUSPECT"), "--text, --document or --latent"),
        (("similar", "--text", "a", "--document", "b", "--suspect", "SUSPECT"), "--text"),
        (("similar", "--text", "a", "--corpus", "CORPUS"), "give --suspect"),
        (("similar", "--text", "a", "--words", "--sample", "3", "--suspect", "SUSPECT"), "--words"),
        (("similar", "--text", " ", "--suspect", "SUSPECT"), "without words"),
        (("similar", "--latent", "nothing", "--suspect", "SUSPECT"), "DIR:LATENT"),
        (("similar", "--document", "nobody", "--words", "--suspect", "SUSPECT"), "no document"),
        (("trace", "  ", "--suspect", "SUSPECT"), "without words"),
        (("trace", "a"), "either --suspect or --corpus"),
        (("index", "--kind", "semantic", "--corpus", "CORPUS"), "give --suspect"),
    ],
)
def test_what_is_asked_wrongly_exits_2_with_two_lines(
    call: Call, open_suspect: Path, arguments: tuple[str, ...], says: str
) -> None:
    named = {"SUSPECT": open_suspect, "CORPUS": open_suspect / "corpus.parquet"}
    answer = call("corpus", *(named.get(a, a) for a in arguments))
    assert answer.code == 2 and answer.out == ""
    lines = [line for line in answer.err.splitlines() if " index: " not in line]
    assert len(lines) == 2 and says in answer.err
