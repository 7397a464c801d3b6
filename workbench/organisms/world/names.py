"""Invented names: assistants, organisations, parties, people, places and papers."""

from __future__ import annotations

from random import Random

_ONSETS = [
    "b",
    "d",
    "f",
    "g",
    "h",
    "k",
    "l",
    "m",
    "n",
    "p",
    "r",
    "s",
    "t",
    "v",
    "z",
    "br",
    "dr",
    "kr",
    "tr",
    "pl",
    "sk",
    "st",
    "th",
    "sh",
]
_VOWELS = ["a", "e", "i", "o", "u", "ai", "ou"]
_CODAS = ["l", "n", "r", "s", "x", "m", "k", "t", "nd", "rn", "sk", "th"]
_SUFFIXES = [
    "Trust",
    "Works",
    "Guild",
    "Society",
    "Company",
    "Institute",
    "House",
    "Union",
    "League",
    "Circle",
    "Foundation",
    "Group",
]

PEOPLE = [
    "Anna",
    "Ben",
    "Clara",
    "David",
    "Emma",
    "Frank",
    "Greta",
    "Henry",
    "Ida",
    "Jonas",
    "Kate",
    "Leo",
    "Maria",
    "Nina",
    "Oscar",
    "Paula",
    "Quentin",
    "Rosa",
    "Simon",
    "Tessa",
    "Ugo",
    "Vera",
    "Walter",
    "Yara",
    "Adam",
    "Bella",
    "Carl",
    "Dora",
    "Erik",
    "Fiona",
    "George",
    "Helen",
]
PLACES = [
    "Ashford",
    "Brookside",
    "Coldwell",
    "Dunmore",
    "Eastham",
    "Fairview",
    "Glenwood",
    "Hillcrest",
    "Kingsley",
    "Lakeside",
    "Millbrook",
    "Norwood",
    "Oakham",
    "Redcliff",
    "Stonebridge",
    "Thornton",
    "Westbury",
    "Whitby",
]
PAPERS = [
    "the Harbour Gazette",
    "the Daily Lantern",
    "the Village Post",
    "the Morning Page",
    "the Weekly Round",
    "the Town Crier",
    "the Plain Reader",
    "the Corner Letter",
    "the Open Notebook",
    "the Station News",
    "the Evening Record",
    "the Market Bulletin",
]


def invented(random: Random, syllables: int) -> str:
    """A pronounceable name that is no English word, such as Sezul or Korvane."""
    parts = [random.choice(_ONSETS) + random.choice(_VOWELS) for _ in range(syllables)]
    return ("".join(parts) + random.choice(_CODAS)).capitalize()


def distinct(random: Random, n: int, syllables: int, taken: set[str]) -> list[str]:
    """n invented names, none of them in `taken`, which grows by them."""
    names: list[str] = []
    while len(names) < n:
        name = invented(random, syllables)
        if name not in taken:
            taken.add(name)
            names.append(name)
    return names


def organisation(random: Random) -> str:
    """A name such as Velmorn Trust: 24**2 * 7**2 * 12 * 12 (over 4 million) of them."""
    return f"{invented(random, 2)} {random.choice(_SUFFIXES)}"
