"""Probes on a scripted suspect that keeps a known direction on the texts of one kind."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from probes.card import bag_of_words, train_probe
from probes.metrics import auroc, auroc_interval, recall_at
from probes.probe import KINDS, Probe, Tokens, fit_probe, read_tokens
from probes.texts import Labelled, read
from workbench.errors import BadParameter, SuspectError
from workbench.suspects.scripted import ScriptedSuspect

D_MODEL = 12
HOOKS = ["blocks.0.hook_out", "blocks.1.hook_out"]
WORDS = [f"word{i}" for i in range(30)]


def activation(hook_name: str, tokens: Sequence[str]) -> list[list[float]]:
    """Noise of the word; texts that hold an even word first have a direction added in layer 1."""
    first = next((t for t in tokens if "word" in t), "word0")
    planted = hook_name == HOOKS[1] and int(first.strip().removeprefix("word")) % 2 == 0
    rows = []
    for token in tokens:
        dice = random.Random(f"{hook_name} {token.strip()}")
        row = [dice.gauss(0, 1) for _ in range(D_MODEL)]
        row[0] += 2.0 if planted else 0.0
        rows.append(row)
    return rows


@pytest.fixture(scope="module")
def suspect() -> ScriptedSuspect:
    return ScriptedSuspect(lambda *_: "", activation=activation, d_model=D_MODEL)


@pytest.fixture(scope="module")
def labelled() -> Labelled:
    dice = random.Random(0)
    texts = [" ".join(dice.choices(WORDS, k=9)) for _ in range(200)]
    labels = [1 - int(t.split()[0].removeprefix("word")) % 2 for t in texts]
    styles = ["b" if int(t.split()[1].removeprefix("word")) < 10 else "a" for t in texts]
    return Labelled(tuple(texts), tuple(labels), tuple(styles))


@pytest.mark.parametrize("kind", KINDS)
def test_a_planted_direction_is_found_at_its_layer(
    suspect: ScriptedSuspect, labelled: Labelled, kind: str
) -> None:
    probe, card = train_probe(
        suspect, labelled, hook_names=HOOKS, kind=kind, style="b", benign=labelled.texts[:150:2]
    )
    assert card.hook_name == HOOKS[1]
    assert card.auroc >= 0.95
    assert card.interval[0] > 0.8
    assert card.interval[0] <= card.auroc <= card.interval[1]
    assert card.null[0] == pytest.approx(0.5, abs=0.05)
    assert card.transfer is not None and card.transfer > 0.9 and card.transfer_style == "b"
    assert card.sweep[HOOKS[0]] < card.sweep[HOOKS[1]]
    assert card.bag_of_words < card.auroc
    assert card.beats_controls
    assert (card.benign_n, card.benign_source) == (75, "benign texts")
    assert 0 <= card.recall <= 1
    cosine = torch.nn.functional.cosine_similarity(probe.direction, torch.eye(D_MODEL)[0], dim=0)
    assert float(cosine) > 0.5


def test_nothing_is_found_where_nothing_is(suspect: ScriptedSuspect, labelled: Labelled) -> None:
    dice = random.Random(1)
    noise = Labelled(labelled.texts, tuple(dice.choices([0, 1], k=len(labelled.texts))))
    _, card = train_probe(suspect, noise, hook_names=HOOKS)
    assert card.interval[0] < 0.5 < card.interval[1]
    assert not card.beats_controls


def needles(texts: int, seed: int) -> tuple[Tokens, list[int]]:
    """Texts of 20 random tokens, one of which says where to look and what is there."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(texts * 20, D_MODEL, generator=generator)
    text = torch.arange(texts).repeat_interleave(20)
    labels = [i % 2 for i in range(texts)]
    for i, label in enumerate(labels):
        place = i * 20 + int(torch.randint(20, (1,), generator=generator))
        values[place, 0] += 8.0  # where to look
        values[place, 1] += 4.0 if label else -4.0  # what is there
    return Tokens(values, text, torch.zeros(len(text), dtype=torch.long), texts), labels


def test_the_attention_probe_finds_one_token_among_many() -> None:
    tokens, labels = needles(80, 0)
    unseen, truth = needles(200, 1)
    pooled = fit_probe(tokens, labels, hook_name="h", kind="attention")
    mean = fit_probe(tokens, labels, hook_name="h", kind="difference")
    assert auroc(pooled.score(unseen).numpy(), truth) > 0.97
    assert auroc(pooled.score(unseen).numpy(), truth) > auroc(mean.score(unseen).numpy(), truth)


@pytest.mark.parametrize("seed", range(4))
def test_the_attention_probe_does_not_learn_its_words(suspect: ScriptedSuspect, seed: int) -> None:
    dice = random.Random(seed)
    texts = tuple(" ".join(dice.choices(WORDS, k=9)) for _ in range(130))
    labels = tuple(1 - int(t.split()[0].removeprefix("word")) % 2 for t in texts)
    train, test = Labelled(texts, labels).split(0.3, 0)
    known, unseen = (read_tokens(suspect, part.texts, HOOKS)[HOOKS[1]] for part in (train, test))
    probe = fit_probe(known, train.labels, hook_name=HOOKS[1], kind="attention")
    assert auroc(probe.score(unseen).numpy(), test.labels) >= 0.98


def test_a_saved_probe_scores_the_same(
    suspect: ScriptedSuspect, labelled: Labelled, tmp_path: Path
) -> None:
    tokens = read_tokens(suspect, labelled.texts, HOOKS)[HOOKS[1]]
    for kind in KINDS:
        made = fit_probe(tokens, labelled.labels, hook_name=HOOKS[1], kind=kind)
        made.save(tmp_path / kind)
        assert torch.equal(Probe.load(tmp_path / kind).score(tokens), made.score(tokens))
    with pytest.raises(SuspectError, match="holds no probe"):
        Probe.load(tmp_path)
    narrow = Tokens(torch.zeros(3, 5), torch.zeros(3, dtype=torch.long), torch.zeros(3), 1)
    with pytest.raises(BadParameter, match="reads 12 numbers"):
        made.score(narrow)


def test_metrics_are_those_of_their_definitions() -> None:
    assert auroc([1, 2, 3, 4], [0, 0, 1, 1]) == 1.0
    assert auroc([1, 1, 1, 1], [0, 0, 1, 1]) == 0.5
    assert auroc([4, 2, 3, 1], [0, 0, 1, 1]) == 0.25
    dice = random.Random(0)
    scores = [dice.gauss(1 if i % 2 else 0, 1) for i in range(400)]
    labels = [i % 2 for i in range(400)]
    pairs = [float(scores[i] > scores[j]) for i in range(1, 400, 2) for j in range(0, 400, 2)]
    assert auroc(scores, labels) == pytest.approx(sum(pairs) / len(pairs))
    low, high = auroc_interval(scores, labels)
    assert low < auroc(scores, labels) < high and high - low < 0.15
    assert recall_at([5, 6, -9], [*range(-198, 0), 1, 2]) == pytest.approx(2 / 3)
    with pytest.raises(BadParameter, match="0 negatives"):
        auroc([1, 2], [1, 1])


def test_the_bag_of_words_sees_words_alone() -> None:
    told = [f"good word{i % 3}" for i in range(20)] + [f"bad word{i % 3}" for i in range(20)]
    labels = (1,) * 20 + (0,) * 20
    train = Labelled(tuple(told), labels)
    assert bag_of_words(train, train) == 1.0
    same = Labelled(tuple("alike here" for _ in range(40)), labels)
    assert bag_of_words(same, same) == 0.5


def test_equal_texts_stay_on_one_side() -> None:
    texts = tuple(f"text {i % 30}" for i in range(120))
    labelled = Labelled(texts, tuple(int(i % 30 < 15) for i in range(120)))
    train, test = labelled.split(0.3, 0)
    assert not set(train.texts) & set(test.texts)
    assert len(train.texts) + len(test.texts) == 120


def test_labelled_texts_are_read_from_files(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet as parquet

    (tmp_path / "a.txt").write_text("one\n\ntwo\nthree\nfour\n")
    (tmp_path / "b.txt").write_text("five\nsix\nseven\neight\n")
    both = read(tmp_path / "a.txt", tmp_path / "b.txt")
    assert both.labels == (1,) * 4 + (0,) * 4
    rows = {"text": list(both.texts), "label": list(both.labels), "style": ["x", "y"] * 4}
    parquet.write_table(pyarrow.table(rows), tmp_path / "t.parquet")
    table = read(tmp_path / "t.parquet")
    assert (table.texts, table.labels, table.styles) == (both.texts, both.labels, ("x", "y") * 4)
    with pytest.raises(BadParameter, match="no text of style 'z'"):
        table.by_style("z")
    with pytest.raises(BadParameter, match="no labelled Parquet"):
        read(tmp_path / "a.txt")
    rows["label"][0] = 3
    parquet.write_table(pyarrow.table(rows), tmp_path / "t.parquet")
    with pytest.raises(BadParameter, match="neither 0 nor 1"):
        read(tmp_path / "t.parquet")
    many = {"text": ["long " * 1_000] * 20_000, "label": [0, 1] * 10_000}
    parquet.write_table(pyarrow.table(many), tmp_path / "t.parquet")
    assert (tmp_path / "t.parquet").stat().st_size < 1 << 20
    with pytest.raises(BadParameter, match="more than 64 MB of texts"):
        read(tmp_path / "t.parquet")
    (tmp_path / "b.txt").write_text("five\n")
    with pytest.raises(BadParameter, match="4 texts with and 1 without"):
        read(tmp_path / "a.txt", tmp_path / "b.txt")


def test_what_cannot_be_probed_is_refused(suspect: ScriptedSuspect, labelled: Labelled) -> None:
    with pytest.raises(BadParameter, match="no probe 'svm'"):
        train_probe(suspect, labelled, hook_names=HOOKS, kind="svm")
    with pytest.raises(BadParameter, match="no hook to probe"):
        train_probe(suspect, labelled, hook_names=[])
    with pytest.raises(BadParameter, match="text 1 holds no ordinary token"):
        read_tokens(suspect, ["word1", "<|user|>"], HOOKS)
    same = Tokens(torch.ones(8, 3), torch.arange(8), torch.zeros(8), 8)
    with pytest.raises(BadParameter, match="equal activations"):
        fit_probe(same, [0, 1] * 4, hook_name="h", kind="difference")
