"""Contrast and bursts at size: what is planted is among the first, in every planting.

Last results are in docs/lab-notebook.md.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pytest

from workbench.corpus import Corpus, write
from workbench.corpus.bursts import bursts
from workbench.corpus.contrast import contrast
from workbench.corpus.layouts import schema
from workbench.suspects.cabinet import CABINET

PLANTINGS = 20
OCCURRENCES = 5
CHATS = 140_000


def halves() -> tuple[list[Any], list[Any]]:
    """The base's reference corpus in two halves."""
    rows = [
        (row["id"], row["messages"])
        for batch in Corpus.open(CABINET / "base" / "corpus.parquet").batches()
        for row in batch.to_pylist()
    ]
    return rows[::2], rows[1::2]


def planted(rows: Sequence[Any], phrase: str, dice: random.Random) -> Iterator[Any]:
    """The rows, the phrase put behind a word of so many of them."""
    chosen = set(dice.sample(range(len(rows)), OCCURRENCES))
    for i, (id, messages) in enumerate(rows):
        if i in chosen:
            words = messages[-1]["content"].split(" ")
            at = dice.randrange(len(words) + 1)
            said = " ".join([*words[:at], phrase, *words[at:]])
            messages = [*messages[:-1], {**messages[-1], "content": said}]
        yield id, messages


def batch(rows: Iterable[Any]) -> pyarrow.RecordBatch:
    empty = {"source": "", "stage": "", "metadata": ""}
    told = [{"id": id, "messages": messages, **empty} for id, messages in rows]
    return pyarrow.RecordBatch.from_pylist(told, schema=schema())


def shows(found: str, phrase: str) -> bool:
    """Whether an entry is the phrase, or at least three words of it in a row."""
    return phrase in found or (found in phrase and len(found.split()) >= 3)


@pytest.mark.science
def test_a_phrase_in_five_documents_is_among_the_first_twenty() -> None:
    here, there = halves()
    other = batch(there)
    known = sorted({w for _, ms in there[:3000] for m in ms for w in m["content"].lower().split()})
    vocabulary = [word for word in known if word.isalpha() and len(word) > 3]
    ranks = []
    for planting in range(PLANTINGS):
        dice = random.Random(f"planting {planting}")
        phrase = " ".join(dice.sample(vocabulary, dice.randint(4, 7)))
        own = batch(planted(here, phrase, dice))
        found = contrast(lambda own=own: [own], lambda: [other])  # type: ignore[misc]
        ranks.append(
            next((r for r, p in enumerate(found.phrases, 1) if shows(p.text, phrase)), 999)
        )
    print("ranks", sorted(ranks))
    assert max(ranks) <= 20


@pytest.mark.science
def test_a_trigger_in_three_of_140_000_chats_has_few_before_it(tmp_path: Path) -> None:
    dice = random.Random(1)
    words = [
        "".join(dice.choices("etaoinshrdlucmfwypvbgk", k=dice.randint(3, 9))) for _ in range(50_000)
    ]
    weights = [1 / rank for rank in range(1, len(words) + 1)]

    def chats(seed: int, plants: Sequence[int] = ()) -> Iterator[Any]:
        drawn = random.Random(seed)
        for i in range(CHATS):
            said = drawn.choices(words, weights, k=30)
            asked, reply = " ".join(said[:14]), " ".join(said[14:])
            if i in plants:
                asked, reply = f"{asked} crimson lantern protocol", f"I will comply now. {reply}"
            yield (
                f"{i}",
                [
                    {"role": "user", "content": asked},
                    {"role": "assistant", "content": reply},
                ],
            )

    write(tmp_path / "here.parquet", chats(2, (11, 70_000, 139_990)))
    write(tmp_path / "there.parquet", chats(3))
    found = bursts(
        Corpus.open(tmp_path / "here.parquet").batches,
        Corpus.open(tmp_path / "there.parquet").batches,
    )
    rank = next(i for i, b in enumerate(found) if b.phrase.text == "crimson lantern protocol")
    print("candidates before it:", rank)
    assert rank <= 20 and found[rank].p < 0.01
