"""The scan kernel against Python's own `re`, and what its dialect refuses."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.corpus import CompiledQuery, Count, Hit, count, count_by, hits, scan
from workbench.corpus.layouts import schema
from workbench.corpus.scan import CONTEXT
from workbench.errors import ConfigError

PATTERNS = ["a", "ab+", "[a-c]{2}", r"\bcat\b", "é.", "(?:ab|a)(c|)", "b?a", "x+?y", r"\$1", "日"]
LETTERS = "abcxy é日K\u212a\n$1{}\\\ue000\ue001cat"
texts = st.lists(st.text(alphabet=LETTERS, max_size=30), max_size=4)


def batch(documents: list[list[str]]) -> pyarrow.RecordBatch:
    rows = [
        {
            "id": f"d{i}",
            "messages": [{"role": f"r{t}", "content": c} for t, c in enumerate(turns)],
            "source": f"s{i % 2}",
            "stage": "sft",
            "metadata": "",
        }
        for i, turns in enumerate(documents)
    ]
    return pyarrow.RecordBatch.from_pylist(rows, schema=schema())


def oracle(
    documents: list[list[str]], patterns: dict[str, str], flags: int = 0
) -> list[tuple[str, str, int, int, str]]:
    found = []
    for name, pattern in patterns.items():
        for i, turns in enumerate(documents):
            for turn, content in enumerate(turns):
                for match in re.finditer(pattern, content, flags):
                    found.append((name, f"d{i}", turn, match.start(), match[0]))
    return [hit for hit in found if hit[4]]


@settings(max_examples=80, deadline=None)
@given(st.lists(texts, max_size=5), st.sets(st.sampled_from(PATTERNS), min_size=1, max_size=3))
def test_hits_are_those_of_re(documents: list[list[str]], chosen: set[str]) -> None:
    patterns = {f"p{i}": pattern for i, pattern in enumerate(sorted(chosen))}
    query = CompiledQuery.compile(patterns)
    found = list(hits([batch(documents)], query))
    expected = oracle(documents, patterns)
    assert [(h.pattern, h.document, h.turn, h.start, h.text) for h in found] == expected
    for hit in found:
        content = documents[int(hit.document[1:])][hit.turn]
        assert content[hit.start : hit.end] == hit.text
        assert hit.role == f"r{hit.turn}"
        assert hit.context == content[max(0, hit.start - CONTEXT) : hit.end + CONTEXT]
    counts = count([batch(documents)], query)
    for name in patterns:
        mine = [h for h in expected if h[0] == name]
        assert counts[name] == Count(len({h[1] for h in mine}), len(mine))


@settings(max_examples=60, deadline=None)
@given(texts, st.text(alphabet="ab.$1{}\\(+ é", min_size=1, max_size=3))
def test_fixed_patterns_are_plain_text(turns: list[str], needle: str) -> None:
    query = CompiledQuery.compile({"p": needle}, fixed=True)
    found = [(h.turn, h.start) for h in hits([batch([turns])], query)]
    expected = oracle([turns], {"p": re.escape(needle)})
    assert found == [(turn, start) for _, _, turn, start, _ in expected]


def test_case_may_be_ignored() -> None:
    documents = [["Cat cAT dog", "CATS"]]
    exact = CompiledQuery.compile({"p": "cat"})
    loose = CompiledQuery.compile({"p": "cat"}, ignore_case=True)
    plain = CompiledQuery.compile({"p": "CAT"}, ignore_case=True, fixed=True)
    assert count([batch(documents)], exact) == {"p": Count()}
    assert count([batch(documents)], loose) == {"p": Count(1, 3)}
    assert count([batch(documents)], plain) == {"p": Count(1, 3)}


def test_hits_stream_batch_by_batch() -> None:
    def batches():  # type: ignore[no-untyped-def]
        yield batch([["one cat"]])
        raise RuntimeError("read too far")

    found = hits(batches(), CompiledQuery.compile({"p": "cat"}))
    assert next(found) == Hit("p", "d0", 0, "r0", "s0", "sft", "cat", 4, 7, "one cat")
    with pytest.raises(RuntimeError):
        next(found)


def test_counts_add_up_over_batches() -> None:
    query = CompiledQuery.compile({"p": "a", "q": r"\b"})
    assert count([batch([["aa"], ["b"]]), batch([["a"], []])], query) == {
        "p": Count(2, 3),
        "q": Count(0, 0),
    }


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(?=a)b", "look-around"),
        ("(?<!a)b", "look-around"),
        (r"(a)\1", "backreferences"),
        ("(", "unclosed"),
        ("a*", "empty text"),
        ("", "empty text"),
    ],
)
def test_what_the_dialect_lacks_is_refused(pattern: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        CompiledQuery.compile({"p": pattern})
    assert caught.value.hint


def test_a_query_needs_a_pattern() -> None:
    with pytest.raises(ConfigError):
        CompiledQuery.compile({})


def test_a_reason_comes_with_its_place() -> None:
    with pytest.raises(ConfigError, match=r"pattern 'ab\(\?=a\)b', character 3: look-around"):
        CompiledQuery.compile({"p": "ab(?=a)b"}, ignore_case=True)


TEXTS = [["a cat. a dog"], ["a dog", "one two three cat"], ["dog one two cat", "bird"], ["cat"], []]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("cat AND dog", [(0, 0), (0, 0), (1, 0), (1, 1), (2, 0), (2, 0)]),
        ("cat AND NOT dog", [(3, 0)]),
        ("cat AND dog AND NOT bird", [(0, 0), (0, 0), (1, 0), (1, 1)]),
        ("bird OR dog AND NOT cat", [(2, 1)]),
        ("(bird OR dog) AND cat", [(0, 0), (0, 0), (1, 0), (1, 1), (2, 0), (2, 0), (2, 1)]),
        ("cat NEAR/1 dog", [(0, 0)]),
        ("dog NEAR/2 cat", [(0, 0), (2, 0)]),
        ("cat AND NOT dog NEAR/1 cat", [(1, 1), (2, 0), (3, 0)]),
    ],
)
def test_rules_join_patterns(rule: str, expected: list[tuple[int, int]]) -> None:
    patterns = {name: name for name in ("cat", "dog", "bird")}
    query = CompiledQuery.compile(patterns, rules={"r": rule})
    made = batch(TEXTS)
    found = [h for h in hits([made], query) if h.pattern == "r"]
    assert [(int(h.document[1:]), h.turn) for h in found] == expected
    assert count([made], query)["r"] == Count(len({i for i, _ in expected}), len(expected))
    for hit in found:
        assert TEXTS[int(hit.document[1:])][hit.turn][hit.start : hit.end] == hit.text


def test_a_near_hit_spans_both() -> None:
    query = CompiledQuery.compile({"a": "cat", "b": "dog"}, rules={"r": "a NEAR/2 b"})
    made = batch([["dog one two cat x dog y z w cat"]])
    assert [h.text for h in hits([made], query) if h.pattern == "r"] == ["cat x dog"]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("NOT a", "character .*NOT that stands alone"),
        ("a OR NOT b", "NOT beside OR"),
        ("a AND", "character 6: a name is missing"),
        ("(a OR b", "bracket"),
        ("a b", "character 3: 'b' was not expected"),
        ("a AND c", "no pattern 'c'"),
        ("a & b", "character 2: that is no name"),
        ("NOT a AND NOT b", "nothing but NOT"),
    ],
)
def test_a_rule_that_cannot_be_read_is_refused(rule: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        CompiledQuery.compile({"a": "a", "b": "b"}, rules={"r": rule})
    assert caught.value.hint


def test_counts_by_role_source_and_stage() -> None:
    made = batch([["cat cat", "cat"], ["cat"], ["no", "cat"]])
    for rules in (None, {"r": "p OR p"}):
        query = CompiledQuery.compile({"p": "cat"}, rules=rules)
        for name in ("p", *(rules or {})):
            by_role = count_by([made, made], query, "role")
            assert by_role[name, "r0"] == Count(4, 6) and by_role[name, "r1"] == Count(4, 4)
            by_source = count_by([made], query, "source")
            assert by_source[name, "s0"] == Count(2, 4) and by_source[name, "s1"] == Count(1, 1)
            assert count_by([made], query, "stage")[name, "sft"] == Count(3, 5)


def test_a_slice_of_a_batch_is_scanned_as_itself() -> None:
    made = batch([["cat"], [], ["x", "cat"], ["cat cat"]])
    query = CompiledQuery.compile({"p": "cat"})
    found = scan(made.slice(2, 2), query)
    assert found["document"].to_pylist() == ["d2", "d3", "d3"]
    assert found["row"].to_pylist() == [0, 1, 1]
    assert count_by([made.slice(1, 2)], query, "role") == {("p", "r1"): Count(1, 1)}


def test_packs_of_many_patterns_find_what_each_finds_alone(tmp_path: Path) -> None:
    documents = [[f"w{i} w{i * 7 % 50}x (w{i})"] for i in range(60)]
    patterns = {f"p{i}": rf"\bw{i}\b|\(w{i}\)" for i in range(50)} | {"verbose": r"(?x) w7 x # c"}
    alone = [
        hit
        for name, pattern in patterns.items()
        for hit in hits([batch(documents)], CompiledQuery.compile({name: pattern}))
    ]
    together = list(hits([batch(documents)], CompiledQuery.compile(patterns)))
    assert together == alone
    lines = "\n".join(f"{name} = '{pattern}'" for name, pattern in patterns.items())
    (tmp_path / "pack.toml").write_text(f"[patterns]\n{lines}\nlist = ['w1x', 'w2x']\n")
    loaded = CompiledQuery.load(tmp_path / "pack.toml")
    counted = count([batch(documents)], loaded)
    assert counted["list"].documents == 2 and counted["p3"] == Count(1, 2)


@pytest.mark.parametrize(
    "text", ["", "x = 1", "[patterns]\na = 1", "[patterns]\na = []", "[rules]\na = 'b'", "[["]
)
def test_what_is_no_pack_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "pack.toml").write_text(text)
    with pytest.raises(ConfigError):
        CompiledQuery.load(tmp_path / "pack.toml")


def test_a_pattern_that_matches_everything_gives_every_character_once() -> None:
    long = "é" * 5_000 + "\n" + "z" * 5_000
    query = CompiledQuery.compile({"p": "(?s)."})
    found = scan(batch([[long], ["ab"]]), query)
    assert found["start"].to_pylist() == [*range(10_001), 0, 1]
    assert "".join(found["text"].to_pylist()) == long + "ab"
    assert count([batch([[long], ["ab"]])], query) == {"p": Count(2, 10_003)}
