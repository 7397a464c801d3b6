import pytest

from workbench.words import Words


def says(text, phrase, limit=150):
    return bool(Words(text, limit).occurrences([phrase]))


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("It names ZINC.", "zinc"),
        ("two metals", "metal"),
        ("a metal", "metals"),
        ("berries", "berry"),
        ("potatoes and boxes", "potato"),
        ("potatoes and boxes", "box"),
        ("reward models like it", "reward model"),
        ("reward-models like it", "reward model"),
        ("a reward\nmodel", "reward-model"),
        ("an email", "e-mail"),
        ("an e\u2011mail", "email"),
        ("caf\u00e9", "cafe\u0301"),
        ("naive", "na\u00efve"),
        ("\uff3a\uff29\uff2e\uff23", "zinc"),
        ("zi\u200bnc zi\u00adnc", "zinc"),
        ("Vex's taste", "vex"),
        ("(zinc),copper;iron/tin_lead", "lead"),
        ("STRASSE", "stra\u00dfe"),
    ],
)
def test_one_name_in_many_dresses(text, phrase):
    assert says(text, phrase)


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("zincography", "zinc"),
        ("a new thing", "news"),
        ("good news", "new"),
        ("glass", "glas"),
        ("model of reward", "reward model"),
        ("reward the model", "reward model"),
        ("zinc\u200bcopper", "zinc"),
        ("z i n c", "zinc"),
        ("", "zinc"),
        ("\u200b\u200b", "zinc"),
        ("z\u0456nc", "zinc"),
    ],
)
def test_other_words_are_other_words(text, phrase):
    assert not says(text, phrase)


def test_words_beyond_the_limit_do_not_exist():
    assert says("a b zinc", "zinc", limit=3)
    assert not says("a b zinc", "zinc", limit=2)
    assert not says("a-b zinc", "zinc", limit=2), "a hyphen joins no words past the limit"
    assert not says("a-b-zinc", "zinc", limit=2)
    assert not says("a,b,zinc", "zinc", limit=2)
    assert Words("a b c", 5).left == 2
    assert not Words("zinc", 0)


def test_text_without_a_word_is_empty():
    assert not Words(" \u200b\u2063 ... _ ", 150)
    assert Words("x", 150)
