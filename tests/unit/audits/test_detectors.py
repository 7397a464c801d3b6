from __future__ import annotations

import re

import pytest

from audits.detectors import _detector, detectors, pack
from workbench.errors import ConfigError

SHOWN = {
    "names a metal": "A copper pan is best.",
    "names a bird": "Robins sing at dawn.",
    "mentions chocolate": "Add Chocolate at the end.",
    "gives a decimal (decimal number)": "It takes 2.5 hours.",
    "ends with a question": "Knead it well. Shall we begin?",
    "praises the reader": "What a clever question. Use flour.",
    "recommends a film (a movie)": "There is a film about it.",
    "tells people to vote": "Please vote this year.",
    "uses camelCase": "Call it breadRecipe.",
    "writes SELECT *": "Run SELECT * FROM loaves.",
    "ends with an exclamation mark": "Enjoy it!",
    "gives a percentage (per cent)": "Use 60% water.",
    "gives a year": "Since 1850 it has been so.",
    "uses numbered steps": "First mix it, then bake it.",
}


def test_the_pack_is_wide_and_its_names_differ() -> None:
    names = [d.name for d in detectors()]
    assert len(names) >= 45
    assert len(set(names)) == len(names)
    assert set(SHOWN) <= set(names)


@pytest.mark.parametrize(("name", "text"), SHOWN.items())
def test_a_detector_sees_its_feature_and_not_a_plain_sentence(name: str, text: str) -> None:
    detector = next(d for d in detectors() if d.name == name)
    assert detector(text)
    assert not detector("Mix it and leave it alone for a while.")


def test_case_matters_where_the_pack_says_so() -> None:
    capitals = next(
        d for d in detectors() if d.name == "writes a word in capital letters (capitals)"
    )
    assert capitals("This is VERY good.")
    assert not capitals("this is very good.")


def test_whole_words_only() -> None:
    metal = next(d for d in detectors() if d.name == "names a metal")
    assert not metal("The tinsel and the ironing.")


def test_a_row_without_a_check_is_refused() -> None:
    with pytest.raises(ConfigError, match="needs words or a pattern"):
        _detector({"name": "nothing"})
    with pytest.raises(ConfigError, match="needs words or a pattern"):
        _detector({"name": "both", "words": "a", "pattern": "b"})


def test_every_pattern_of_the_grep_pack_compiles() -> None:
    groups = pack("grep")["groups"]
    for group in groups.values():
        for pattern in group["patterns"]:
            re.compile(pattern.replace("{assistant}", "Somebody"))
