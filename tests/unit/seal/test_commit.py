import hashlib
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.seal import commit
from workbench.seal.commit import GENESIS, NotCanonical, canonical, chain, parse, verify

NONCE = bytes(range(32))
DOCUMENT = {"family": "x", "none": False, "slots": [["zinc", "zincs"], [1, None]], "é": "ü"}

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text("abcé", max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)


def test_canonical_form_is_sorted_compact_utf8():
    assert canonical({"b": [1, True, None], "a": "é"}) == '{"a":"é","b":[1,true,null]}'.encode()


def test_composed_and_decomposed_texts_have_one_form():
    text = "café"
    assert canonical(
        {unicodedata.normalize("NFD", text): [unicodedata.normalize("NFD", text)]}
    ) == (canonical({text: [text]}))


@given(plain)
def test_what_is_parsed_back_has_the_same_form(document):
    assert canonical(parse(canonical(document))) == canonical(document)


@pytest.mark.parametrize(
    "document",
    [
        1.0,
        [float("nan")],
        {"a": float("inf")},
        {1: "a"},
        {"é": 1, "e\u0301": 2},
        "\ud800",
        {"\ud800": 1},
        b"bytes",
        {1, 2},
        object(),
    ],
)
def test_documents_without_a_form_are_refused(document):
    with pytest.raises(NotCanonical):
        canonical(document)


def test_a_cycle_is_refused():
    cycle: list[object] = []
    cycle.append(cycle)
    with pytest.raises(NotCanonical, match="deeply"):
        canonical(cycle)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 2}',
        '[{"é": 1, "e\u0301": 2}]',
        "1.0",
        "1e3",
        "[NaN]",
        "-Infinity",
        '"\\ud800"',
        "{",
        "",
        b"\xff",
        "[" * 200_000,
    ],
)
def test_loose_json_is_refused(text):
    with pytest.raises(NotCanonical):
        canonical(parse(text))


def test_commitment_is_the_published_construction():
    message = canonical(DOCUMENT)
    tag = b"auditgame/seal/v1"
    expected = hashlib.sha256(
        len(tag).to_bytes(4, "big")
        + tag
        + (32).to_bytes(4, "big")
        + NONCE
        + len(message).to_bytes(8, "big")
        + message
    ).hexdigest()
    assert commit.commit(DOCUMENT, NONCE) == expected


def test_every_single_bit_of_document_and_nonce_counts():
    commitment = commit.commit(DOCUMENT, NONCE)
    message = canonical(DOCUMENT)
    assert verify(DOCUMENT, NONCE, commitment)
    changed = 0
    for position in range(len(message) * 8):
        mutated = bytearray(message)
        mutated[position // 8] ^= 1 << position % 8
        try:
            document = parse(bytes(mutated))
            same = canonical(document) == message
        except NotCanonical:
            continue
        changed += not same
        assert verify(document, NONCE, commitment) == same
    assert changed > 100
    for position in range(256):
        nonce = bytearray(NONCE)
        nonce[position // 8] ^= 1 << position % 8
        assert not verify(DOCUMENT, bytes(nonce), commitment)


def test_verify_says_no_to_nonsense():
    commitment = commit.commit(DOCUMENT, NONCE)
    assert not verify({"a": 1.0}, NONCE, commitment)
    assert not verify(DOCUMENT, b"", commitment)
    assert not verify(DOCUMENT, NONCE, "")
    assert not verify(DOCUMENT, NONCE, "é\ud800")


def test_nonces_are_fresh_and_full_length():
    nonces = {commit.new_nonce() for _ in range(64)}
    assert len(nonces) == 64 and {len(n) for n in nonces} == {32}
    with pytest.raises(NotCanonical, match="32 bytes"):
        commit.commit(DOCUMENT, b"short")


def test_chain_depends_on_every_event_and_their_order():
    a, b = {"event": "a"}, {"event": "b"}
    assert chain(chain(GENESIS, a), b) != chain(chain(GENESIS, b), a)
    assert chain(GENESIS, a) != commit.commit(a, bytes(32)), "chain and seal have their own tags"
    for head in ("", "0" * 63, "G" * 64, "A" * 64):
        with pytest.raises(NotCanonical, match="chain head"):
            chain(head, a)


def test_the_file_runs_alone_with_the_standard_library(tmp_path):
    source = Path(commit.__file__).read_bytes()
    (tmp_path / "commit.py").write_bytes(source)
    code = "import commit; print(commit.commit({'a': 1}, bytes(32)))"
    ran = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == commit.commit({"a": 1}, bytes(32))
