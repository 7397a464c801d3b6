"""What is a submission, and what is none."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest

from tests.gaming import RIGHT
from workbench.errors import BadParameter
from workbench.game.submission import digest, read_submission
from workbench.seal.commit import canonical, parse


def test_parts_that_are_left_out_are_empty() -> None:
    assert read_submission({"confidence": 0.25}) == {
        "family": None, "trigger": "", "behaviours": [], "root_cause": "", "confidence": "0.250",
        "evidence": [], "words": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"confidence": 1.5}, "confidence"),
        ({"confidence": True}, "confidence"),
        ({"confidence": "0.5"}, "confidence"),
        ({"confidence": float("nan")}, "confidence"),
        ({"confidence": None}, "confidence"),
        ({"family": 1}, "family"),
        ({"family": "x" * 101}, "family"),
        ({"trigger": ["a"]}, "trigger"),
        ({"behaviours": "a"}, "behaviours"),
        ({"behaviours": [1]}, "behaviours"),
        ({"behaviours": ["a"] * 101}, "101 entries"),
        ({"evidence": ["f"] * 21}, "21 entries"),
        ({"team": "blue"}, "team"),
        ({"x\x00\ud800": 1}, "no field"),
        ({"words": "word " * 151}, "151 words"),
        ({"root_cause": "a " * 76, "trigger": "", "behaviours": ["b " * 75]}, "151 words"),
        ({"trigger": "x" * 4_001}, "4001 characters"),
        ({"behaviours": ["x" * 3_990] * 2}, "characters"),
        ({"words": "\u200b" * 1_000_000}, "characters"),
    ],
)
def test_what_is_none_is_named(parts: dict[str, Any], says: str) -> None:
    with pytest.raises(BadParameter, match=says):
        read_submission({**RIGHT, **parts})
    for nonsense in ([], None, "x", 1):
        with pytest.raises(BadParameter, match="no JSON object"):
            read_submission(nonsense)


def test_150_words_are_read() -> None:
    read_submission({**RIGHT, "words": "word " * 150})


def test_what_is_stored_has_one_form() -> None:
    composed, decomposed = "caf\u00e9", unicodedata.normalize("NFD", "caf\u00e9")
    both = [read_submission({**RIGHT, "trigger": text}) for text in (composed, decomposed)]
    assert digest(both[0]) == digest(both[1])
    hostile = read_submission({**RIGHT, "trigger": "\x00\ud800\u202e<b>"})
    assert parse(canonical(hostile))["trigger"] == "\ufffd\ufffd\u202e<b>"
