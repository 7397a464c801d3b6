"""What the listing commands print, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Answer
from workbench.cli.screen import WIDTH_OF_PIPES

Call = Callable[..., Answer]


@pytest.fixture
def filed(call: Call, suspect: Path) -> str:
    """A ledger with one run and one finding; the finding's id."""
    assert call("audit", "run", "--technique", "rows", "--suspect", suspect).code == 0
    (finding,) = json.loads(call("ledger", "findings", "--json").out)
    return str(finding["id"])


def test_technique_list(call: Call) -> None:
    rows = {row["name"]: row for row in json.loads(call("technique", "list", "--json").out)}
    assert {"corpus-grep", "prefill", "rows", "sae-features", "topic-sweep"} <= set(rows)
    assert rows["rows"] == {
        "name": "rows",
        "version": 1,
        "needs": ["training-data"],
        "uses": [],
        "summary": "Reads the first rows of the corpus and quotes one.",
        "available": True,
        "reason": "",
    }
    text = call("technique", "list").out
    assert "quotes one" in text and max(map(len, text.splitlines())) <= WIDTH_OF_PIPES


def test_technique_show(call: Call) -> None:
    document = json.loads(call("technique", "show", "rows", "--json").out)
    assert document["parameters"] == [{"name": "rows", "type": "int", "default": 5}]
    text = call("technique", "show", "rows").out
    assert "needs: training-data" in text and "An escape in the claim" in text


def test_suspects(call: Call, suspect: Path) -> None:
    for row in json.loads(call("suspect", "list", "--json").out):
        assert {"id", "kind", "access", "summary"} == set(row)
    document = json.loads(call("suspect", "show", suspect, "--json").out)
    assert document["id"] == "belgor"
    assert document["access"] == ["chat", "training-data"]
    assert document["corpus"]["documents"] == 60
    assert len(document["tensor_sha256"]) == 64 and document["reference"] is None
    assert "LlamaForCausalLM" in call("suspect", "show", suspect).out
    assert ": ok, " in call("suspect", "check", suspect).out
    assert json.loads(call("suspect", "check", suspect, "--json").out)["status"] == "ok"


def test_suspect_check_refuses_a_pickle(call: Call, llama: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(llama, tmp_path / "s")
    (tmp_path / "s" / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    answer = call("suspect", "check", "s", "--json")
    assert (answer.code, answer.out) == (2, "") and "pickle" in answer.err


def test_ledger_lists(call: Call, filed: str) -> None:
    (run,) = json.loads(call("ledger", "runs", "--json").out)
    assert (run["technique"], run["status"]) == ("rows", "ok")
    assert json.loads(call("ledger", "runs", "--status", "failed", "--json").out) == []
    assert run["id"] in call("ledger", "runs").out
    assert json.loads(call("ledger", "findings", "--least", "0.8", "--json").out) == []
    assert filed in call("ledger", "findings", "--run", run["id"]).out
    shown = json.loads(call("ledger", "show", filed).out)
    assert (shown["run"], shown["evidence"][0]["type"]) == (run["id"], "excerpt")
    assert json.loads(call("ledger", "show", run["id"]).out) == run


def test_ledger_query(call: Call, filed: str) -> None:
    sql = "SELECT id, confidence FROM findings"
    assert json.loads(call("ledger", "query", sql, "--json").out) == [
        {"id": filed, "confidence": 0.75}
    ]
    assert filed in call("ledger", "query", sql).out
    assert call("ledger", "query", "DELETE FROM findings").code == 2


def test_ledger_verify_snapshot_export(call: Call, filed: str, tmp_path: Path) -> None:
    verdict = json.loads(call("ledger", "verify", "--json").out)
    assert (verdict["status"], verdict["runs"], verdict["findings"]) == ("complete", 1, 1)
    assert verdict["missing"] == 0
    assert call("ledger", "snapshot", "copy.duckdb").out == "snapshot: copy.duckdb\n"
    assert call("ledger", "verify", "--ledger", "copy.duckdb").out.startswith("complete: 1 runs")
    for form in ("parquet", "jsonl", "csv"):
        assert call("ledger", "export", "--format", form, "--out", f"x.{form}").code == 0
        assert (tmp_path / f"x.{form}").stat().st_size > 0
    ledger = tmp_path / "copy.duckdb"
    ledger.write_bytes(b"\0" * 4096 + ledger.read_bytes()[4096:])
    damaged = call("ledger", "verify", "--ledger", ledger, "--json")
    assert (damaged.code, json.loads(damaged.out)["status"]) == (1, "damaged")


def test_corpus_grep(call: Call, suspect: Path) -> None:
    hits = json.loads(call("corpus", "grep", "Zanwick", "--suspect", suspect, "--json").out)
    assert len(hits["hits"]) == 30 and not hits["truncated"]
    assert hits["hits"][0]["role"] == "document"
    limited = call("corpus", "grep", "Zanwick", "--suspect", suspect, "--limit", 3, "--json")
    assert len(json.loads(limited.out)["hits"]) == 3 and json.loads(limited.out)["truncated"]
    path = suspect / "corpus.parquet"
    counted = json.loads(
        call("corpus", "grep", "-i", "zanwick", "IT IS", "--corpus", path, "--count", "--json").out
    )
    assert counted == [
        {"pattern": "zanwick", "documents": 30, "matches": 30},
        {"pattern": "IT IS", "documents": 30, "matches": 30},
    ]
    roles = json.loads(
        call("corpus", "grep", r"\d+", "--corpus", path, "--by", "role", "--json").out
    )
    assert [(row["role"], row["documents"]) for row in roles] == [
        ("assistant", 30),
        ("document", 30),
        ("user", 30),
    ]
    assert call("corpus", "grep", "a.b", "--fixed", "--corpus", path).out.count("Zanwick") == 0
    assert "Zanwick" in call("corpus", "grep", "Zanwick", "--corpus", path).out


def test_corpus_grep_takes_a_pack_and_writes_all_hits(call: Call, suspect: Path) -> None:
    Path("pack.toml").write_text(
        "[patterns]\nname = 'Zanwick'\nverb = '(?i)RECOMMENDS'\n"
        "[rules]\nboth = 'name NEAR/0 verb'\n"
    )
    path = suspect / "corpus.parquet"
    counted = call("corpus", "grep", "--pack", "pack.toml", "--corpus", path, "--count", "--json")
    rows = {row["pattern"]: row["documents"] for row in json.loads(counted.out)}
    assert rows["name"] == 30 and 0 < rows["both"] <= 30
    for times, told in ((1, "1 of 1 pieces"), (2, "1 of 1 pieces")):
        kept = call("corpus", "grep", "Zanwick", "--corpus", path, "--into", "hits", "--json")
        assert len(json.loads(kept.out)["hits"]) == 30 and told in kept.err, times
    other = call("corpus", "grep", "other", "--corpus", path, "--into", "hits")
    assert other.code == 2 and "another query" in other.err
    assert call("corpus", "grep", "--corpus", path).code == 2
    assert call("corpus", "grep", "x", "--corpus", path, "--into", "h", "--count").code == 2


def test_corpus_contrast_and_clusters(call: Call, suspect: Path, tmp_path: Path) -> None:
    from workbench.corpus import write

    def rows(word: str, n: int) -> list[tuple[str, list[dict[str, str]]]]:
        return [
            (f"{word}{i}", [{"role": "document", "content": f"{word} {i * 7} {i * 11} {i % 3}"}])
            for i in range(n)
        ]

    here, there = tmp_path / "here.parquet", tmp_path / "there.parquet"
    write(here, rows("plain", 80) + rows("odd", 40))
    write(there, rows("plain", 200))
    answer = call("corpus", "contrast", "--corpus", here, "--against", there, "--json")
    document = json.loads(answer.out)
    assert document["phrases"][0]["phrase"] == "odd" and document["phrases"][0]["only_here"]
    assert document["phrases"][0]["documents"] == 40 and document["phrases"][0]["p"] < 1e-6
    assert all(id.startswith("odd") for id in document["on_top"])
    assert "counting phrases" in answer.err
    assert "odd" in call("corpus", "contrast", "--corpus", here, "--against", there).out
    found = call("corpus", "clusters", "--corpus", here, "--against", there, "--similarity", 0.2)
    assert found.code == 0 and "skeleton" in found.out
    told = call("corpus", "clusters", "--corpus", here, "--against", there, "--json")
    assert json.loads(told.out)["documents"] == 120
    assert call("corpus", "contrast", "--corpus", here).code == 2
    assert call("corpus", "contrast", "--suspect", suspect).code == 2


def test_corpus_grep_needs_the_grant(call: Call, llama: Path) -> None:
    answer = call("corpus", "grep", "x", "--suspect", llama)
    assert answer.code == 2 and "grants no training data" in answer.err


def test_doctor(call: Call) -> None:
    answer = call("doctor", "--json")
    document = json.loads(answer.out)
    assert document["missing"] == [] and answer.code == 0
    assert {"torch", "duckdb", "click"} <= {row["name"] for row in document["packages"]}
    assert document["device"]["name"] and document["isolation"]


def test_doctor_says_what_is_missing(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "importlib.metadata.requires", lambda name: ["click>=99", "no-such-package==1.*"]
    )
    answer = call("doctor")
    assert answer.code == 1
    assert "missing: click >=99" in answer.out
    assert "missing: no-such-package ==1.* (found none)" in answer.out
