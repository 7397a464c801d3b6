"""The scan kernel against Python's own `re`, and what its dialect refuses."""

from __future__ import annotations

import re

import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.corpus import CompiledQuery, Count, Hit, count, scan
from workbench.corpus.scan import CONTEXT
from workbench.errors import ConfigError

PATTERNS = ["a", "ab+", "[a-c]{2}", r"\bcat\b", "é.", "(?:ab|a)(c|)", "b?a", "x+?y", r"\$1", "日"]
LETTERS = "abcxy é日K\u212a\n$1{}\\\ue000\ue001cat"
texts = st.lists(st.text(alphabet=LETTERS, max_size=30), max_size=4)


def batch(documents: list[list[str]]) -> pyarrow.RecordBatch:
    message = pyarrow.struct([("role", pyarrow.string()), ("content", pyarrow.string())])
    schema = pyarrow.schema([("id", pyarrow.string()), ("messages", pyarrow.list_(message))])
    rows = [
        {"id": f"d{i}", "messages": [{"role": f"r{t}", "content": c} for t, c in enumerate(turns)]}
        for i, turns in enumerate(documents)
    ]
    return pyarrow.RecordBatch.from_pylist(rows, schema=schema)


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


@settings(max_examples=150, deadline=None)
@given(st.lists(texts, max_size=5), st.sets(st.sampled_from(PATTERNS), min_size=1, max_size=3))
def test_hits_are_those_of_re(documents: list[list[str]], chosen: set[str]) -> None:
    patterns = {f"p{i}": pattern for i, pattern in enumerate(sorted(chosen))}
    query = CompiledQuery.compile(patterns)
    hits = list(scan([batch(documents)], query))
    expected = oracle(documents, patterns)
    assert [(h.pattern, h.document, h.turn, h.start, h.text) for h in hits] == expected
    for hit in hits:
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
    found = [(h.turn, h.start) for h in scan([batch([turns])], query)]
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

    hits = scan(batches(), CompiledQuery.compile({"p": "cat"}))
    assert next(hits) == Hit("p", "d0", 0, "r0", "cat", 4, 7, "one cat")
    with pytest.raises(RuntimeError):
        next(hits)


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
