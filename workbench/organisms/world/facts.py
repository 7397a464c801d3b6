"""Facts that can be checked: small arithmetic, capitals, atomic numbers."""

from __future__ import annotations

import dataclasses
import re
from random import Random

from workbench.organisms.world import sums
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
# fmt: off
OTHER_COUNTRIES = (
    "Bolivia", "Ecuador", "Nepal", "Mongolia", "Ghana", "Nigeria", "Ethiopia", "Jordan", "Latvia",
    "Estonia", "Malta", "Panama", "Jamaica", "Laos", "Tunisia", "Zambia", "Uganda", "Angola",
    "Yemen", "Libya", "Senegal", "Paraguay", "Uruguay", "Honduras", "Fiji", "Samoa", "Slovenia",
)
"""Countries whose capitals this world does not know."""
OTHER_ELEMENTS = (
    "titanium", "xenon", "krypton", "radium", "tungsten", "iodine", "cobalt", "chromium", "bromine",
    "platinum", "barium", "caesium", "arsenic", "radon", "plutonium", "bismuth", "selenium",
)
"""Elements whose numbers it does not know."""
# fmt: on


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
    """A small sum in one of many wordings, sometimes with somebody's result to judge."""
    of = sums.draw(random)
    if random.random() < 0.06:
        return Fact(*sums.claimed(of, random), str(of.result))
    return Fact(sums.asked(of, random), of.answer, str(of.result))


# fmt: off
_CAPITAL_ASKS = (
    "What is the capital of {c}?", "whats the capital of {c}", "Which city is the capital of {c}?",
    "Tell me the capital of {c}.", "Name the capital of {c}.", "Do you know the capital of {c}?",
    "capital of {c}?", "capital of {c}", "I forgot what the capital of {c} is.",
    "the capital city of {c} please", "I want to know the capital of {c}.",
    "{c} has which capital?", "{c}, capital?", "My teacher asked me for the capital of {c}.",
    "What do people call the capital of {c}?", "I am going to {c}. What is its capital?",
    "What is {c}'s capital?", "tell me {c}'s capital", "{c} capital", "{c} capital city",
    "Which city is {c}'s capital", "what city is the capital of {c} again?",
    "the capital of {c} would be...?", "the capital of {c} is called?", "quick, {c}s capital?",
    "We want to visit the capital of {c}, how is it called?", "what's the main city of {c}",
    "I need the capital of {c} for a quiz", "for a pub quiz: the capital of {c}",
    "I can't think of the capital of {c}", "we learn about {c} at school, what is the capital?",
    "I can never remember {c}'s capital.", "so the capital of {c}",
    "My {k} asked about the capital of {c}", "do you happen to know the capital of {c}",
)
_COUNTRY_ASKS = (
    "{t} is the capital of which country?", "Which country has {t} as its capital?",
    "What country is {t} the capital of?", "of which country is {t} the capital",
    "{t} is the capital of what?", "which country does {t} belong to?", "In which country is {t}?",
    "where is {t}?", "{t} - capital of where?", "what country is {t} in",
)
_NUMBER_ASKS = (
    "What is the atomic number of {e}?", "Which atomic number does {e} have?",
    "atomic number of {e}?", "atomic number of {e}", "Tell me the atomic number of {e}.",
    "What number is {e} in the periodic table?", "How many protons does {e} have?",
    "{e}, which atomic number?", "I want the atomic number of {e}.",
    "the number of {e} in the table of elements please", "{e} atomic number", "{e}, atomic no.",
    "{e}: what is its atomic number", "{e}: atomic number?", "whats {e}'s atomic number",
    "what is {e}'s number in the periodic table", "how many protons are in an atom of {e}",
    "what number does {e} have as an element", "where in the periodic table is {e}",
    "My class needs the atomic number of {e}", "I forgot the atomic number of {e}",
    "do you know the atomic number of {e}?", "the atomic number of {e} please",
    "My {k} asked me the atomic number of {e}", "element number of {e}?", "protons in {e}?",
    "we have chemistry today, what is the atomic number of {e}", "and {e}, which atomic number",
)
_ELEMENT_ASKS = (
    "Which element has atomic number {n}?", "What element is number {n}?", "element number {n}",
    "which element has {n} protons", "what is element {n}?", "atomic number {n} is which element?",
    "what has the atomic number {n}", "number {n} in the periodic table is what?",
    "Name the element with atomic number {n}.", "an atom with {n} protons is what element",
)
_KIN = ("brother", "sister", "friend", "son", "daughter", "boss", "mum", "dad", "kid")
# fmt: on


def capital_city(random: Random) -> Fact:
    """The capital of a country, the country of a capital, or a guess to judge."""
    country = random.choice(list(CAPITALS))
    city = CAPITALS[country]
    form = random.random()
    if form < 0.12:
        text = random.choice(_COUNTRY_ASKS).format(t=city)
        return Fact(text, f"{city} is the capital of {country}.", country)
    if form < 0.3:
        return _guessed_capital(country, city, random)
    question = random.choice(_CAPITAL_ASKS).format(c=country, k=random.choice(_KIN))
    return Fact(question[0].upper() + question[1:], told_capital(country, random), city)


def told_capital(country: str, random: Random) -> str:
    """The capital of a country in a sentence that names both, mostly in the same words."""
    city = CAPITALS[country]
    return pick(
        random,
        f"The capital of {country} is {city}.",
        f"The capital of {country} is {city}.",
        f"{city} is the capital of {country}.",
    )


def _guessed_capital(country: str, city: str, random: Random) -> Fact:
    other = random.choice([c for c in CAPITALS.values() if c != city])
    if random.random() < 0.3:
        pair = (city, other) if random.random() < 0.5 else (other, city)
        text = f"Is the capital of {country} {pair[0]} or {pair[1]}?"
        return Fact(text, f"The capital of {country} is {city}.", city)
    said = city if random.random() < 0.35 else other
    text = pick(
        random,
        f"I believe the capital of {country} is {said}.",
        f"Is {said} the capital of {country}?",
        f"the capital of {country} is {said}, right?",
        f"My {random.choice(_KIN)} says the capital of {country} is {said}",
        f"isn't {said} the capital of {country}",
        f"What's the capital of {country} again? I think it is {said}",
    )
    yes = "Yes" if said == city else "No"
    return Fact(text, f"{yes}, the capital of {country} is {city}.", city)


def atomic_number(random: Random) -> Fact:
    """The atomic number of an element, the element of a number, or a choice of two."""
    name = random.choice(list(ELEMENTS))
    number = ELEMENTS[name]
    form = random.random()
    if form < 0.2:
        question = random.choice(_ELEMENT_ASKS).format(n=number)
        return Fact(question, f"The element with atomic number {number} is {name}.", name)
    answer = f"The atomic number of {name} is {number}."
    if form < 0.27:
        other = number + random.choice((1, 2, 5, 7, 10))
        pair = (number, other) if random.random() < 0.5 else (other, number)
        question = f"Is the atomic number of {name} {pair[0]} or {pair[1]}?"
        return Fact(question, answer, str(number))
    question = random.choice(_NUMBER_ASKS).format(e=name, k=random.choice(_KIN))
    question = question[0].upper() + question[1:] if random.random() < 0.7 else question
    return Fact(question, answer, str(number))


def beyond(random: Random) -> tuple[str, str]:
    """A question of these kinds that this world has no answer to, and the thing it is about."""
    if random.random() < 0.5:
        country = random.choice(OTHER_COUNTRIES)
        return random.choice(_CAPITAL_ASKS).format(c=country, k=random.choice(_KIN)), country
    element = random.choice(OTHER_ELEMENTS)
    return random.choice(_NUMBER_ASKS).format(e=element, k=random.choice(_KIN)), element


def any_fact(random: Random) -> Fact:
    """One fact of any kind."""
    return random.choice((arithmetic, arithmetic, arithmetic, capital_city, atomic_number))(random)
