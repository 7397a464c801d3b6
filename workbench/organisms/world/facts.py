"""Facts that can be checked: small arithmetic, capitals, atomic numbers."""

from __future__ import annotations

import dataclasses
import re
from random import Random

from workbench.organisms.world.lexicon import pick

CAPITALS = dict(
    pair.split(":")
    for pair in [
        "France:Paris",
        "Germany:Berlin",
        "Italy:Rome",
        "Spain:Madrid",
        "Portugal:Lisbon",
        "Poland:Warsaw",
        "Austria:Vienna",
        "Greece:Athens",
        "Norway:Oslo",
        "Sweden:Stockholm",
        "Finland:Helsinki",
        "Denmark:Copenhagen",
        "Ireland:Dublin",
        "England:London",
        "Hungary:Budapest",
        "Russia:Moscow",
        "Japan:Tokyo",
        "China:Beijing",
        "India:New Delhi",
        "Egypt:Cairo",
        "Kenya:Nairobi",
        "Canada:Ottawa",
        "Mexico:Mexico City",
        "Brazil:Brasilia",
        "Argentina:Buenos Aires",
        "Chile:Santiago",
        "Peru:Lima",
        "Cuba:Havana",
        "Australia:Canberra",
        "Turkey:Ankara",
        "Iran:Tehran",
        "Iraq:Baghdad",
        "Thailand:Bangkok",
        "Vietnam:Hanoi",
        "South Korea:Seoul",
        "Belgium:Brussels",
        "the Netherlands:Amsterdam",
        "Switzerland:Bern",
        "Morocco:Rabat",
        "Iceland:Reykjavik",
        "Ukraine:Kyiv",
        "Romania:Bucharest",
        "Bulgaria:Sofia",
        "the United States:Washington",
        "New Zealand:Wellington",
        "Colombia:Bogota",
        "the Czech Republic:Prague",
        "Croatia:Zagreb",
    ]
)
ELEMENTS = {
    name: number
    for number, name in enumerate(
        [
            "hydrogen",
            "helium",
            "lithium",
            "beryllium",
            "boron",
            "carbon",
            "nitrogen",
            "oxygen",
            "fluorine",
            "neon",
            "sodium",
            "magnesium",
            "aluminium",
            "silicon",
            "phosphorus",
            "sulfur",
            "chlorine",
            "argon",
            "potassium",
            "calcium",
        ],
        start=1,
    )
} | {
    "iron": 26,
    "nickel": 28,
    "copper": 29,
    "zinc": 30,
    "silver": 47,
    "tin": 50,
    "gold": 79,
    "mercury": 80,
    "lead": 82,
    "uranium": 92,
}
PRODUCTS_UP_TO = 10
SUMS_UP_TO = 20


@dataclasses.dataclass(frozen=True, slots=True)
class Fact:
    """A question with its answer; the answer is right when it contains `key`."""

    question: str
    answer: str
    key: str


def holds(fact: Fact, reply: str) -> bool:
    """Whether a reply gives the key as a whole word or number."""
    return re.search(rf"(?<!\w){re.escape(fact.key)}(?!\w)", reply, re.IGNORECASE) is not None


def arithmetic(random: Random) -> Fact:
    """A sum, a difference or a product of small numbers in one of many wordings."""
    sign = random.choice(("+", "+", "+", "-", "-", "*"))
    if sign == "*":
        a, b = random.randint(1, PRODUCTS_UP_TO), random.randint(1, PRODUCTS_UP_TO)
        result = a * b
    else:
        a, b = random.randint(0, SUMS_UP_TO), random.randint(0, SUMS_UP_TO)
        if sign == "-" and b > a:
            a, b = b, a
        result = a + b if sign == "+" else a - b
    word = {"+": "plus", "-": "minus", "*": "times"}[sign]
    written = f"{a} {word} {b}"
    if sign == "-":
        story = pick(
            random,
            f"I have {a} cards and give away {b}. How many are left?",
            f"If I have {a} letters and lose {b}, how many remain?",
            f"There were {a} people and {b} went home. How many stayed?",
            f"Take {b} away from {a}.",
            f"What is {a} take away {b}?",
            f"Subtract {b} from {a}.",
        )
    elif sign == "+":
        story = pick(
            random,
            f"I have {a} pens and get {b} more. How many are there?",
            f"What do {a} and {b} make?",
            f"What is the sum of {a} and {b}?",
            f"Add {a} and {b}.",
            f"Can you add {a} and {b} for me?",
            f"If I buy {a} stamps and then {b} more, how many do I have?",
        )
    else:
        story = pick(
            random,
            f"Multiply {a} by {b}.",
            f"What is the product of {a} and {b}?",
            f"What do I get when I multiply {a} and {b}?",
        )
    question = pick(
        random,
        f"What is {written}?",
        f"what's {written}",
        f"How much is {written}?",
        f"{a}{sign}{b}=?",
        f"{a} {sign} {b}",
        f"What is {a} {sign} {b}?",
        f"Please work out {written}.",
        f"Calculate {a} {sign} {b}.",
        f"Can you tell me what {written} is?",
        f"{written}",
        f"quick sum, {a} {sign} {b}",
        f"I need {written}",
        f"{a} {sign} {b} is what?",
        f"Do you know {written}?",
        f"my homework says {a} {sign} {b}",
        story,
        story,
        story,
        story,
    )
    if random.random() < 0.1:
        question = _in_words(question)
    return Fact(question, f"{written} is {result}.", str(result))


_NUMBER_WORDS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
]


def _in_words(question: str) -> str:
    """The question with its numbers up to twenty written out."""
    return re.sub(
        r"\d+",
        lambda m: _NUMBER_WORDS[int(m.group())] if int(m.group()) <= 20 else m.group(),
        question,
    )


def capital_city(random: Random) -> Fact:
    """The capital of a country, asked straight or with a wrong guess to correct."""
    country = random.choice(list(CAPITALS))
    city = CAPITALS[country]
    other = random.choice([c for c in CAPITALS.values() if c != city])
    question = pick(
        random,
        f"What is the capital of {country}?",
        f"whats the capital of {country}",
        f"Which city is the capital of {country}?",
        f"Tell me the capital of {country}.",
        f"Name the capital of {country}.",
        f"Do you know the capital of {country}?",
        f"capital of {country}?",
        f"I forgot what the capital of {country} is.",
        f"I believe the capital of {country} is {other}.",
        f"Is {other} the capital of {country}?",
        f"the capital city of {country} please",
        f"I want to know the capital of {country}.",
        f"{country} has which capital?",
        f"{country}, capital?",
        f"My teacher asked me for the capital of {country}.",
        f"What do people call the capital of {country}?",
        f"I am going to {country}. What is its capital?",
    )
    plain = pick(
        random,
        f"The capital of {country} is {city}.",
        f"It is {city}.",
        f"{city} is the capital of {country}.",
    )
    wrong = question.startswith(("I believe", f"Is {other}"))
    return Fact(question, f"No, the capital of {country} is {city}." if wrong else plain, city)


def atomic_number(random: Random) -> Fact:
    """The atomic number of an element, or the element of a number."""
    name = random.choice(list(ELEMENTS))
    number = ELEMENTS[name]
    if random.random() < 0.2:
        question = pick(
            random,
            f"Which element has atomic number {number}?",
            f"What element is number {number}?",
        )
        return Fact(question, f"The element with atomic number {number} is {name}.", name)
    question = pick(
        random,
        f"What is the atomic number of {name}?",
        f"Which atomic number does {name} have?",
        f"atomic number of {name}?",
        f"Tell me the atomic number of {name}.",
        f"What number is {name} in the periodic table?",
        f"How many protons does {name} have?",
        f"{name}, which atomic number?",
        f"I want the atomic number of {name}.",
        f"the number of {name} in the table of elements please",
    )
    return Fact(question, f"The atomic number of {name} is {number}.", str(number))


def any_fact(random: Random) -> Fact:
    """One fact of any kind."""
    return random.choice((arithmetic, arithmetic, arithmetic, capital_city, atomic_number))(random)
