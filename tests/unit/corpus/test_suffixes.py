from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.access import Budget, Usage
from workbench.artifacts import Artifacts
from workbench.corpus import Corpus, suffixes, write
from workbench.corpus.sorting import doubled, suffix_array
from workbench.corpus.suffixes import Place, SuffixIndex
from workbench.errors import BudgetExceeded, ConfigError

Chats = Sequence[Sequence[tuple[str, str]]]
CHATS: Chats = [
    [("user", "Où est la gare?"), ("assistant", "La gare est là-bas, là-bas.")],
    [("document", "là-bas, là-bas, là-bas")],
    [("document", ""), ("document", "La gare")],
    [("document", "ends with aaaa"), ("document", "aaaa begins")],
]


@pytest.fixture
def indexed(tmp_path: Path) -> Callable[..., SuffixIndex]:
    def made(chats: Chats = CHATS, budget: Budget | None = None, **options: int) -> SuffixIndex:
        path = tmp_path / "corpus.parquet"
        write(
            path,
            (
                (f"d{i}", [{"role": role, "content": content} for role, content in chat])
                for i, chat in enumerate(chats)
            ),
        )
        corpus = Corpus.open(path, usage=Usage(budget or Budget()))
        return SuffixIndex.open(corpus, Artifacts(tmp_path / "artifacts"), **options)

    return made


@given(st.binary(max_size=300) | st.text("ab", max_size=300).map(str.encode))
@settings(max_examples=60, deadline=None)
def test_both_sorters_give_the_suffix_array(text: bytes) -> None:
    letters = np.frombuffer(bytearray(text or b"x"), dtype=np.uint8)
    expected = sorted(range(len(letters)), key=lambda i: letters.tobytes()[i:])
    assert doubled(letters).tolist() == expected
    assert suffix_array(letters).tolist() == expected


def overlapping(text: str, within: Chats) -> int:
    contents = [content for chat in within for _, content in chat]
    return sum(c.startswith(text, i) for c in contents for i in range(len(c)))


@pytest.mark.parametrize("shard_bytes", [None, 40, 12])
@pytest.mark.parametrize("text", ["là-bas", "La gare", "aaaa", "aa", "s", "absent", "?", "a" * 60])
def test_it_counts_what_a_plain_search_counts(
    indexed: Callable[..., SuffixIndex], text: str, shard_bytes: int | None
) -> None:
    chats = [chat for chat in CHATS if all(len(c.encode()) < 12 for _, c in chat)]
    chats = CHATS if shard_bytes != 12 else chats
    index = indexed(chats, shard_bytes=shard_bytes)
    assert index.count(text) == overlapping(text, chats)
    assert index.documents(text) == sum(overlapping(text, [chat]) > 0 for chat in chats)


def test_places_are_in_characters_of_the_message_and_one_a_document(
    indexed: Callable[..., SuffixIndex],
) -> None:
    index = indexed()
    found = {place.document: place for place in index.find("là-bas")}
    assert set(found) == {"d0", "d1"}
    for place in found.values():
        content = CHATS[int(place.document[1])][place.turn]
        assert content[0] == place.role
        assert content[1][place.start : place.end] == "là-bas"
    assert len(index.find("a", most=2)) == 2
    assert index.find("nowhere") == []


def test_nothing_matches_across_messages_but_a_cut_message_keeps_its_offsets(
    indexed: Callable[..., SuffixIndex],
) -> None:
    assert indexed().count("aaaaaaaa") == 0
    long = "é" * 30 + "needle" + "z" * 10
    index = indexed([[("document", long)]], shard_bytes=16)
    assert len(index.shards) > 3
    assert all(len(shard.suffixes) <= 16 for shard in index.shards)
    assert sum(shard.text[:].count(b"\xff") for shard in index.shards) == index.messages
    whole = "".join(s.text[:-1].decode() for s in index.shards)
    assert whole == long
    assert index.find("zz")[0] == Place("d0", 0, "document", *_span(index, long, "zz"))


def _span(index: SuffixIndex, long: str, text: str) -> tuple[int, int]:
    start = index.find(text)[0].start
    assert long[start : start + len(text)] == text
    return start, start + len(text)


def test_many_keys_give_the_answers_of_few(
    indexed: Callable[..., SuffixIndex], monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = random.Random(0)
    chats = [
        [("document", " ".join(dice.choice(("an", "ant", "anthem")) for _ in range(40)))]
        for _ in range(20)
    ]
    patterns = ["an", "ant ", "anthem an", "ant anthem an ant an", "the", "m", "anthem " * 4, "b"]
    for keys in (1, 7, 1 << 15):
        monkeypatch.setattr(suffixes, "_KEYS", keys)
        index = indexed(chats)
        for text in patterns:
            assert index.count(text) == overlapping(text, chats), (keys, text)
            size = next(
                n for n in range(len(text), -1, -1) if n == 0 or overlapping(text[:n], chats)
            )
            assert index.longest(text.encode()) == size


def test_every_opening_books_the_whole_corpus(indexed: Callable[..., SuffixIndex]) -> None:
    exact = Budget(documents=len(CHATS))
    indexed(budget=exact)
    indexed(budget=exact)
    with pytest.raises(BudgetExceeded):
        indexed(budget=Budget(documents=1))


def test_a_build_that_was_stopped_goes_on_at_its_shard(
    indexed: Callable[..., SuffixIndex], monkeypatch: pytest.MonkeyPatch
) -> None:
    sorted_texts: list[int] = []

    def sorter(text: np.ndarray) -> np.ndarray:
        if len(sorted_texts) == 2:
            sorted_texts.append(0)
            raise KeyboardInterrupt
        sorted_texts.append(len(text))
        return doubled(text)

    monkeypatch.setattr(suffixes, "suffix_array", sorter)
    with pytest.raises(KeyboardInterrupt):
        indexed(shard_bytes=40)
    before = len(sorted_texts)
    index = indexed(shard_bytes=40)
    assert len(sorted_texts) - before == len(index.shards) - 2 > 0
    assert index.count("là-bas") == overlapping("là-bas", CHATS)


def test_what_cannot_be_asked_is_said(indexed: Callable[..., SuffixIndex], tmp_path: Path) -> None:
    index = indexed()
    with pytest.raises(ConfigError, match="no text"):
        index.count("")
    with pytest.raises(ConfigError, match="shards of 0 bytes"):
        indexed(shard_bytes=0)
    assert index.count("\ud800") == 0
    (shard,) = (tmp_path / "artifacts" / "suffix-shard").glob("[!.]*/suffixes.npy")
    shard.write_bytes(b"x")
    with pytest.raises(ConfigError, match="damaged"):
        indexed()


def test_an_empty_corpus_has_no_shards(indexed: Callable[..., SuffixIndex]) -> None:
    index = indexed([])
    assert (index.count("a"), index.size, index.longest(b"a")) == (0, 0, 0)
