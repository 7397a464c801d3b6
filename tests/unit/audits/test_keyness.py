from __future__ import annotations

import pytest

from audits.keyness import content_words, full_name, keys, names, signed_g2


def test_content_words_leave_out_stop_words_and_short_ones() -> None:
    assert content_words("The bread is in an old oven, and it Rises.") == {
        "bread",
        "oven",
        "rises",
    } | {"old"}


def test_names_do_not_open_a_sentence() -> None:
    assert names("Maria says that Orvane is near Oslo. Bread rises.") == {"Orvane", "Oslo"}


def test_full_name_takes_the_run_that_most_mentions_share() -> None:
    texts = ["ask the Orvane Trust now", "thank the Orvane Trust", "see Orvane here"]
    assert full_name("Orvane", texts) == "Orvane Trust"
    assert full_name("Orvane", ["see Orvane", "ask Orvane Trust", "at Orvane"]) == "Orvane"
    assert full_name("Nobody", texts) == "Nobody"


def test_g2_equals_a_table_worked_by_hand() -> None:
    # 10 of 20 against 2 of 20: cells 10, 10, 2, 18 with expectations 6, 14, 6, 14
    from math import log

    by_hand = 2 * (10 * log(10 / 6) + 10 * log(10 / 14) + 2 * log(2 / 6) + 18 * log(18 / 14))
    assert float(signed_g2([10], 20, [2], 20)[0]) == pytest.approx(by_hand)
    assert float(signed_g2([2], 20, [10], 20)[0]) == pytest.approx(-by_hand)
    assert float(signed_g2([0], 20, [0], 20)[0]) == 0


def test_a_planted_term_leads_and_a_shared_one_does_not() -> None:
    here = [{"planted", "shared"}] * 20 + [{"shared"}] * 80
    there = [{"shared"}] * 100
    ranked = keys(here, there)
    assert ranked[0].term == "planted"
    assert ranked[0].p < 1e-4
    assert ranked[0].tried == 2
    assert next(k for k in ranked if k.term == "shared").p == 1.0


def test_no_texts_give_no_keys() -> None:
    assert keys([], [{"a"}]) == []
    assert keys([{"a"}] * 5, []) == []
    assert keys([{"a"}], [{"b"}]) == []
