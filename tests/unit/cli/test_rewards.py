"""`workbench rewards`: tables from every source, JSON, figures, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from tests.unit.cli.conftest import Answer

Call = Callable[..., Answer]
RENAMED = "select prompt, proxy as score, gold from rm order by 1"


@pytest.fixture
def samples(tmp_path: Path) -> pa.Table:
    """20 prompts of 64 samples, gold bent over; written as samples.csv and samples.parquet."""
    rng = np.random.default_rng(0)
    proxy = rng.normal(size=1280)
    table = pa.table(
        {
            "prompt": np.repeat(np.arange(20), 64),
            "proxy": proxy,
            "gold": proxy - 0.5 * proxy**2,
        }
    )
    csv.write_csv(table, tmp_path / "samples.csv")
    parquet.write_table(table, tmp_path / "samples.parquet")
    return table


def test_one_table_from_every_source(call: Call, samples: pa.Table, tmp_path: Path) -> None:
    import duckdb

    with duckdb.connect(str(tmp_path / "rewards.duckdb")) as connection:
        connection.execute("create table rm as select * from 'samples.parquet'")
    sources: list[tuple[object, ...]] = [
        ("samples.csv",),
        ("samples.parquet",),
        ("--query", "select * from 'samples.parquet'"),
        ("rewards.duckdb", "--query", RENAMED, "--column", "proxy=score"),
    ]
    documents = []
    for source in sources:
        answer = call("rewards", "best-of-n", *source, "--json")
        assert answer.code == 0, answer.err
        documents.append(json.loads(answer.out))
    assert documents[0]["verdict"] == "declines" and documents[0]["rows"] == 1280
    values = [[p["gold"]["value"] for p in d["points"]] for d in documents]
    for other in values[1:]:
        assert other == pytest.approx(values[0], abs=1e-9)


def test_best_of_n_on_screen_and_as_a_page(call: Call, samples: pa.Table, tmp_path: Path) -> None:
    answer = call(
        "rewards", "best-of-n", "samples.csv", "--n", 4, "--n", 64, "--figure", "meter.html"
    )
    assert answer.code == 0 and "gold: declines" in answer.out and "textbook KL" in answer.out
    assert "figure: meter.html" in answer.err
    assert "Best-of-n Goodhart meter" in (tmp_path / "meter.html").read_text()


def test_overoptimize(call: Call, tmp_path: Path) -> None:
    d = np.linspace(0, 4, 30)
    rng = np.random.default_rng(0)
    gold = d * (1 - 0.2 * d) + 0.02 * rng.normal(size=30)
    csv.write_csv(pa.table({"kl": d**2, "gold": gold}), tmp_path / "curve.csv")
    document = json.loads(call("rewards", "overoptimize", "curve.csv", "--json").out)
    assert document["verdict"] == "best-of-n"
    assert document["stop_kl"]["ci"][0] < 6.25 < document["stop_kl"]["ci"][1]
    answer = call("rewards", "overoptimize", "curve.csv", "--figure", "curve.html")
    assert "stop at KL" in answer.out and (tmp_path / "curve.html").exists()
    csv.write_csv(pa.table({"kl": d**2 - 0.1, "gold": gold}), tmp_path / "odd.csv")
    refused = call("rewards", "overoptimize", "odd.csv")
    assert refused.code == 2 and "kl is -0.1 in row 1" in refused.err
    assert call("rewards", "overoptimize", "odd.csv", "--drop-negative").code == 0


def test_tails(call: Call, tmp_path: Path) -> None:
    heavy = np.random.default_rng(0).standard_t(2, 16_000)
    rows = {"prompt": np.repeat(np.arange(100), 160), "reward": heavy}
    csv.write_csv(pa.table(rows), tmp_path / "tail.csv")
    document = json.loads(call("rewards", "tails", "tail.csv", "--json").out)
    assert document["label"] == "heavy tail" and len(document["tails"][0]["thresholds"]) == 3
    answer = call("rewards", "tails", "tail.csv", "--figure", "tail.html")
    assert "verdict: heavy tail" in answer.out and (tmp_path / "tail.html").exists()


REWARD = """
def score(talks):
    return [("!" in t[-1]["content"]) * 2.0 + len(t[0]["content"]) % 3 for t in talks]

def gold(prompt, response):
    return float(len(response.split()))
"""


def test_scan(call: Call, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(REWARD)
    rows = {
        "prompt": [f"Question {'x' * (i % 7)} {i}?" for i in range(40)],
        "response": [f"It is number {i}. There are more." for i in range(40)],
    }
    csv.write_csv(pa.table(rows), tmp_path / "talks.csv")
    answer = call("rewards", "scan", "talks.csv", "--reward", "mine.py:score", "--json")
    document = json.loads(answer.out)
    flagged = {e["edit"] for e in document["effects"] if e["flagged"]}
    assert flagged == {"exclamation marks", "praises the question", "offers more help"}
    equal = call(
        "rewards", "scan", "talks.csv", "--reward", "mine.py:score", "--gold", "mine.py:gold"
    )
    assert equal.code == 0 and "exclamation marks" in equal.out and "asks back" not in equal.out
    (tmp_path / "edits.toml").write_text('[[edit]]\nname = "shout"\nappend = "!"\n')
    own = call("rewards", "scan", "talks.csv", "--reward", "mine.py:score", "--edits", "edits.toml")
    assert "shout" in own.out and "1 of 1 effects flagged" in own.out
    few = call("rewards", "scan", "talks.csv", "--reward", "mine.py:score", "--rows", 3)
    assert few.code == 0 and "0 of 0 effects" in few.out
    refused = call("rewards", "scan", "talks.csv", "--edits", "edits.toml")
    assert refused.code == 2 and "need --reward" in refused.err
    scored = {"edit": ["a"] * 40, "before": [0.0] * 40, "after": [1.0 + i % 2 for i in range(40)]}
    csv.write_csv(pa.table(scored), tmp_path / "pairs.csv")
    page = call("rewards", "scan", "pairs.csv", "--figure", "scan.html")
    assert "1 of 1 effects flagged" in page.out and (tmp_path / "scan.html").exists()


def test_search(call: Call, llama: Path, save_model: Callable[[object], Path]) -> None:
    """The found reply earns more than any sampled one, and has a price."""
    import torch
    from transformers import LlamaConfig, LlamaForSequenceClassification

    torch.manual_seed(0)
    small = {"vocab_size": 400, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1}
    heads = {"num_attention_heads": 2, "max_position_embeddings": 64, "num_labels": 1}
    config = LlamaConfig(**small, **heads, pad_token_id=0, initializer_range=0.5)
    reward = save_model(LlamaForSequenceClassification(config))
    named = ("rewards", "search", "--reward", reward, "--prompt", "Sing.", "--length", 4)
    answer = call(*named, "--suspect", llama, "--replies", 12, "--steps", 40, "--json")
    assert answer.code == 0, answer.err
    document = json.loads(answer.out)
    policy = document["policy"]
    assert document["reward"] > policy["best"] >= policy["mean"]
    assert policy["log_q"] < -5 and len(policy["exchange"]) >= 2
    assert all(one["gain"] > 0 and one["kl"] > 0 for one in policy["exchange"])
    plain = call(*named, "--steps", 8)
    assert plain.code == 0 and "replies scored" in plain.out and "control" not in plain.out


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["best-of-n"], "no table is given"),
        (["best-of-n", "none.csv"], "none.csv"),
        (["best-of-n", "samples.csv", "--column", "proxy"], "--column proxy"),
        (["best-of-n", "samples.csv", "--n", 100], "has 64 samples"),
        (["best-of-n", "x.duckdb"], "a database without a query"),
        (["best-of-n", "x.duckdb", "--query", "select 1"], "is no file"),
        (["best-of-n", "--query", "select"], "DuckDB"),
        (["tails", "samples.csv"], "no column 'reward'"),
        (["overoptimize", "samples.csv"], "no column 'kl'"),
        (["scan", "samples.csv", "--reward", "nowhere"], "no reward model 'nowhere'"),
        (["best-of-n", "samples.csv", "--figure", "samples.csv/x.html"], "cannot write"),
    ],
)
def test_what_is_refused(call: Call, samples: pa.Table, arguments: list[object], what: str) -> None:
    answer = call("rewards", *arguments)
    assert answer.code == 2 and what in answer.err and "Traceback" not in answer.err
    assert len(answer.err.strip().splitlines()) == 2
