from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.access import Access, Budget
from workbench.artifacts import Artifacts
from workbench.corpus import Corpus, semantic, write
from workbench.corpus.embedders import DirectoryEmbedder, FunctionEmbedder, SuspectEmbedder
from workbench.corpus.semantic import SemanticIndex, passages
from workbench.errors import (
    AccessDenied,
    BadParameter,
    BudgetExceeded,
    ConfigError,
    NotASuspect,
    UnsafeFile,
)
from workbench.suspects import Suspect
from workbench.suspects.scripted import ScriptedSuspect

WORDS = ("bread", "oven", "flour", "kite", "wind", "string", "pond", "frog", "reed")
BAKING, KITES, PONDS = WORDS[:3], WORDS[3:6], WORDS[6:]
MEANING = {word: i // 3 for i, word in enumerate(WORDS)}


def bag(texts: Sequence[str]) -> np.ndarray:
    """Shares of subjects, on top of what all texts share."""
    rows = np.full((len(texts), 6), 3.0)
    for row, text in zip(rows, texts, strict=True):
        for word in text.split():
            if word in MEANING:
                row[MEANING[word]] += 4 / len(text.split())
    return rows


BAG = FunctionEmbedder("bag", bag)


def subject(subject_words: Sequence[str], i: int) -> str:
    return " ".join(subject_words[(i + j) % 3] for j in range(2 + i % 3))


TEXTS = [subject(group, i) for i in range(40) for group in (BAKING, KITES, PONDS)]


@pytest.fixture
def opened(tmp_path: Path) -> Callable[..., SemanticIndex]:
    def made(
        texts: Sequence[str] = TEXTS,
        embedder: Any = BAG,
        budget: Budget | None = None,
        **options: Any,
    ) -> SemanticIndex:
        path = tmp_path / f"{abs(hash(tuple(texts)))}.parquet"
        if not path.exists():
            write(
                path,
                (
                    (
                        f"d{i}",
                        [
                            {"role": "system", "content": "kite wind string"},
                            {"role": "user", "content": text},
                        ],
                    )
                    for i, text in enumerate(texts)
                ),
            )
        from workbench.access import Usage

        corpus = Corpus.open(path, usage=Usage(budget or Budget()))
        return SemanticIndex.open(corpus, embedder, Artifacts(tmp_path / "cache"), **options)

    return made


def test_more_like_this_finds_the_subject_and_not_the_words(
    opened: Callable[..., SemanticIndex],
) -> None:
    index = opened()
    found = index.like(["reed reed"], 40)
    assert {int(hit.document[1:]) % 3 for hit in found} == {2}
    assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)
    assert found[0].passage == TEXTS[int(found[0].document[1:])]
    both = index.like(["reed", "flour"], 80)
    assert {int(hit.document[1:]) % 3 for hit in both} == {0, 2}


def test_a_direction_ranks_every_document(opened: Callable[..., SemanticIndex]) -> None:
    index = opened()
    direction = index.vectors(["kite"])[0] - index.vectors(["frog"])[0]
    along = index.scores(direction, cosine=False)
    assert len(along) == len(index.documents) == len(TEXTS)
    order = [int(index.documents[i][1:]) % 3 for i in np.argsort(-along)]
    assert order[:40] == [1] * 40 and order[-40:] == [2] * 40
    assert np.abs(index.scores(direction, cosine=True)).max() <= 1 + 1e-9


def test_vectors_are_centred_and_what_all_share_is_taken_out(
    opened: Callable[..., SemanticIndex],
) -> None:
    dice = np.random.default_rng(0)
    loud = dice.standard_normal(100)

    def wide(texts: Sequence[str]) -> np.ndarray:
        """The bag in 100 dimensions, drowned in one that says how long a text is."""
        rows = np.zeros((len(texts), 100))
        rows[:, :6] = bag(texts)
        return rows + np.array([[40.0 * len(text)] for text in texts]) * loud

    index = opened(embedder=FunctionEmbedder("wide", wide))
    assert np.linalg.norm(index.vectors(["frog"])) == pytest.approx(1)
    assert np.abs(index.vectors(TEXTS) @ loud).max() < 0.05
    everything = [index.scores(axis, cosine=False).mean() for axis in np.eye(100)[:6]]
    assert np.abs(everything).max() < 1e-6
    assert {int(hit.document[1:]) % 3 for hit in index.like(["reed reed"], 20)} == {2}


def test_long_documents_are_read_passage_by_passage(opened: Callable[..., SemanticIndex]) -> None:
    long = " ".join(["bread"] * 300) + " " + " ".join(["frog"] * 100)
    assert all(len(piece) <= semantic.PASSAGE_CHARACTERS for piece in passages(long))
    assert " ".join(passages(long)) == long
    assert passages("x" * 1300) == ["x" * 600, "x" * 600, "x" * 100]
    assert passages("  ") == []
    (best,) = opened([*TEXTS, long]).like(["frog"], 1)
    index = opened([*TEXTS, long])
    assert len([p for p in index.passages() if p[0] == f"d{len(TEXTS)}"]) == len(passages(long))
    hits = {h.document: h for h in index.like(["frog"], len(TEXTS) + 1)}
    assert "frog" in hits[f"d{len(TEXTS)}"].passage
    assert best.score >= hits[f"d{len(TEXTS)}"].score > 0


def test_a_sample_is_drawn_by_seed_and_every_row_is_booked(
    opened: Callable[..., SemanticIndex],
) -> None:
    first, again, other = (opened(documents=20, seed=s).documents for s in (1, 1, 2))
    assert first == again != other
    assert len(first) == 20
    for _ in range(2):
        opened(budget=Budget(documents=len(TEXTS)))
        with pytest.raises(BudgetExceeded):
            opened(budget=Budget(documents=len(TEXTS) - 1))


def test_a_build_that_was_stopped_goes_on_at_its_block(
    opened: Callable[..., SemanticIndex], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(semantic, "BLOCK", 30)
    calls: list[int] = []

    def failing(texts: Sequence[str]) -> np.ndarray:
        calls.append(len(texts))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return bag(texts)

    embedder = FunctionEmbedder("stops", failing)
    with pytest.raises(KeyboardInterrupt):
        opened(embedder=embedder)
    index = opened(embedder=embedder)
    assert calls == [30, 30, 30, 30, 30]
    whole = opened(embedder=BAG)
    assert index.like(["frog"], 5) == whole.like(["frog"], 5)


def test_what_cannot_be_asked_is_said(opened: Callable[..., SemanticIndex]) -> None:
    index = opened()
    for texts, k in (([], 3), ([" "], 3), (["frog"], 0)):
        with pytest.raises(BadParameter, match="without words"):
            index.like(texts, k)
    with pytest.raises(ConfigError, match="gave \\(1,\\)"):
        opened(embedder=FunctionEmbedder("flat", lambda texts: [1.0] * 1))
    with pytest.raises(ConfigError, match="0 documents"):
        opened(documents=0)
    assert opened([]).like(["frog"], 3) == []


def test_the_suspect_embeds_without_any_key(opened: Callable[..., SemanticIndex]) -> None:
    def activation(hook_name: str, tokens: Sequence[str]) -> list[list[float]]:
        assert hook_name == "blocks.1.hook_out"
        return [[float(v) for v in bag([token])[0]] + [1.0, 2.0] for token in tokens]

    suspect = ScriptedSuspect(lambda turns, seed, index: "", activation=activation)
    embedder = SuspectEmbedder(suspect, 1)
    vectors = embedder.embed(["bread bread kite", "", "<|user|>frog<|end|>"])
    assert vectors[0, :2].tolist() == pytest.approx([3 + 8 / 3, 3 + 4 / 3])
    assert not vectors[1].any()
    assert vectors[2, 2] == 7, "special tokens count in no mean"
    index = opened(embedder=embedder)
    assert {int(hit.document[1:]) % 3 for hit in index.like(["oven"], 20)} == {0}
    assert suspect.usage.to_json()["forward_passes"] == len(TEXTS) + 3
    with pytest.raises(AccessDenied):
        SuspectEmbedder(suspect.restrict(Access.CHAT)).embed(["frog"])


def test_a_text_beyond_the_context_is_cut_to_it() -> None:
    suspect = ScriptedSuspect(lambda turns, seed, index: "", context=5)
    whole, cut = SuspectEmbedder(suspect).embed(["a b c d e f g h", "a b c d e"])
    assert whole.tolist() == cut.tolist()


def test_the_key_names_what_the_vectors_depend_on(llama: Path, gpt2: Path) -> None:
    one, other = (Suspect.load(path) for path in (llama, gpt2))
    keys = [SuspectEmbedder(s, layer).key for s, layer in ((one, 0), (one, 1), (other, 0))]
    assert len({json.dumps(key, sort_keys=True) for key in keys}) == 3
    assert SuspectEmbedder(Suspect.load(llama), 0).key == keys[0]


@pytest.fixture(scope="module")
def encoder(save_model: Callable[[Any], Path]) -> Path:
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=400,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=32,
    )
    return save_model(BertModel(config))


def test_a_sentence_embedding_model_from_a_directory(encoder: Path, tmp_path: Path) -> None:
    mean = DirectoryEmbedder(encoder)
    vectors = mean.embed(["The red cat.", "  ", "The red cat."])
    assert vectors.shape == (3, 16) and not vectors[1].any()
    assert np.allclose(vectors[0], vectors[2], atol=1e-5)
    assert np.isfinite(mean.embed(["cat " * 200])).all()
    assert np.allclose(mean.embed(["The red cat.", "cat " * 20])[0], vectors[0], atol=1e-4)
    first = tmp_path / "first"
    shutil.copytree(encoder, first)
    (first / "1_Pooling").mkdir()
    modes = {"word_embedding_dimension": 16, "pooling_mode_cls_token": True}
    (first / "1_Pooling" / "config.json").write_text(json.dumps(modes))
    assert not np.allclose(DirectoryEmbedder(first).embed(["The red cat."])[0], vectors[0])
    assert DirectoryEmbedder(first).key != mean.key
    (first / "1_Pooling" / "config.json").write_text('{"pooling_mode_max_tokens": true}')
    with pytest.raises(NotASuspect, match="pools by pooling_mode_max_tokens"):
        DirectoryEmbedder(first).embed(["a"])


def test_an_encoder_that_could_run_code_is_refused(encoder: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    shutil.copytree(encoder, bad)
    (bad / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(UnsafeFile, match="pickle"):
        DirectoryEmbedder(bad).embed(["a"])
    with pytest.raises(NotASuspect, match=r"no config\.json"):
        _ = DirectoryEmbedder(tmp_path / "nothing").key
