"""Small sums in the ways people type them: signs, words, loose phrases and little stories."""

from __future__ import annotations

import dataclasses
import re
from random import Random

from workbench.organisms.world.lexicon import capital, pick
from workbench.organisms.world.names import PEOPLE

_WORDS = {
    "+": "plus",
    "-": "minus",
    "*": "times",
    "/": "divided by",
    "half": "half of",
    "double": "twice",
    "%": "percent of",
}
# fmt: off
_SIGNS = {
    "+": ("+", " + ", " + ", " plus ", " plus ", " and "),
    "-": ("-", " - ", " - ", " minus ", " minus ", " take away ", " less "),
    "*": ("*", " * ", "x", " x ", " times ", " times ", " · ", " multiplied by "),
    "/": ("/", " / ", " divided by ", " divided by ", " ÷ "),
}
_PHRASES = {
    "+": (
        "the sum of {a} and {b}", "{a} and {b} together", "{a} added to {b}", "{b} more than {a}",
    ),
    "-": ("{a} take away {b}", "{b} less than {a}", "{a} without {b}"),
    "*": ("the product of {a} and {b}", "{a} groups of {b}", "{a} lots of {b}", "{a} {b}s"),
    "/": ("{a} shared by {b}", "{a} over {b}", "{a} split into {b} parts"),
    "half": ("half of {a}", "half of {a}", "{a} halved", "one half of {a}"),
    "double": ("twice {a}", "double {a}", "{a} doubled", "two times {a}"),
    "%": ("{b} percent of {a}", "{b}% of {a}", "{b} % of {a}"),
}
_ORDERS = {
    "+": ("add {a} and {b}", "add {b} to {a}", "add up {a} and {b}", "put {a} and {b} together"),
    "-": ("subtract {b} from {a}", "take {b} away from {a}", "take {b} from {a}"),
    "*": ("multiply {a} by {b}", "multiply {a} and {b}", "take {a} times {b}"),
    "/": ("divide {a} by {b}", "share {a} among {b}", "split {a} into {b}"),
    "half": ("divide {a} in half", "halve {a}", "take half of {a}"),
    "double": ("double {a}", "take {a} twice", "take twice {a}"),
    "%": ("work out {b} percent of {a}", "take {b}% of {a}", "find {b} percent of {a}"),
}
_ASKS = (
    "{e}", "{e}", "{e}=", "{e} = ?", "{e}?", "what is {e}?", "what is {e}", "what's {e}?",
    "whats {e}", "what does {e} make?", "how much is {e}?", "how much is {e}", "how many is {e}",
    "{e} is what?", "{e} equals what", "{e} are?", "{e} makes?", "quick sum, {e}",
    "work out {e}", "please calculate {e}", "do you know {e}?", "i need {e}", "tell me {e}",
    "can you tell me what {e} is?", "help me with {e}", "my homework says {e}", "solve {e}",
    "{e}, no calculator here", "do you know what {e} comes to?", "so {e}", "give me {e}", "and {e}",
    "is {e} hard? what is it", "hm {e}", "i forgot what {e} is", "let me see, {e} is?",
)
_ORDER_ASKS = (
    "{o}.", "{o}", "please {o}", "can you {o}?", "could you {o} for me", "i want to {o}",
    "what do you get if you {o}?", "what do I get when I {o}?", "if i {o}, what is it?", "now {o}",
    "what happens if you {o}", "how do i {o}", "{o}, what do you get?",
)
_THINGS = (
    "apples", "pens", "cards", "eggs", "coins", "stamps", "books", "marbles", "cookies", "letters",
    "balls", "sweets", "cups", "flowers", "tickets", "buttons", "plates", "stones", "shells",
)
_PLACES = ("in the box", "on the table", "in the bag", "on the shelf", "in my room", "at home")
_CROWD = ("people", "birds", "children", "cars", "cows", "guests", "friends", "ducks", "boys")
_GAIN = ("get", "find", "buy", "win", "pick up", "am given", "make", "collect")
_GAINED = ("got", "found", "bought", "won", "picked up", "was given", "made", "collected")
_LOSE = ("give away", "lose", "eat", "sell", "use", "break", "drop", "throw away", "lend out")
_LOST = ("gave away", "lost", "ate", "sold", "used", "broke", "dropped", "threw away", "lent out")
_LEFT = ("went home", "left", "went away", "ran away", "were gone", "moved on")
_CAME = ("come", "join", "arrive", "turn up", "come along", "are added")
_BOXES = (
    "boxes with {b} {t} each", "bags of {b} {t}", "rows of {b} {t}", "tables with {b} {t} on each",
    "packs with {b} {t} in each", "children with {b} {t} each", "shelves of {b} {t}",
)
_LEAVES = (
    "how many are left?", "how many remain?", "how many do i still have", "how many are there now",
    "so how many are left", "what is left", "how many is that", "how many stay?", "how many now",
)
_TOTALS = (
    "how many are there?", "how many is that in all", "how many altogether?", "how many in total?",
    "how many do i have now", "so how many is that", "how many are there now?", "what is the total",
)
_ASIDES = (
    "My mum always asks.", "It was a long day.", "I keep losing count.", "I am at the shop.",
    "It is for school.", "The weather was fine.", "You know how it is.", "We are in a hurry.",
)
_KIN = ("brother", "sister", "friend", "teacher", "son", "daughter", "boss", "mum", "dad")
_ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
# fmt: on


@dataclasses.dataclass(frozen=True, slots=True)
class Sum:
    """Two small numbers and what is done with them; of `half` and `double` the second is 2."""

    a: int
    sign: str
    b: int

    @property
    def result(self) -> int:
        """What it comes to, always a whole number."""
        a, b = self.a, self.b
        return {
            "+": a + b,
            "-": a - b,
            "*": a * b,
            "double": a * 2,
            "/": a // max(b, 1),
            "half": a // 2,
            "%": a * b // 100,
        }[self.sign]

    @property
    def written(self) -> str:
        """In words: "3 plus 4", "half of 30"."""
        word = _WORDS[self.sign]
        if self.sign in ("half", "double"):
            return f"{word} {self.a}"
        return f"{self.b} {word} {self.a}" if self.sign == "%" else f"{self.a} {word} {self.b}"

    @property
    def answer(self) -> str:
        """The sentence that says it."""
        return f"{capital(self.written)} is {self.result}."


def draw(random: Random) -> Sum:
    """A sum within what a small model can hold.

    Sums and differences mostly of numbers up to 20, else up to 100; products mostly to ten times
    ten, else to twelve times twelve; quotients that come out even, halves, doubles and a few easy
    percentages.
    """
    sign = random.choices(tuple(_WORDS), (34, 26, 26, 5, 3, 3, 3))[0]
    if sign in "+-":
        return _within_hundred(sign, random)
    if sign == "*":
        top = 10 if random.random() < 0.8 else 12
        return Sum(random.randint(1, top), sign, random.randint(1, top))
    if sign == "/":
        b = random.randint(2, 10)
        return Sum(b * random.randint(1, 10), sign, b)
    if sign == "%":
        share = random.choice((10, 20, 25, 50))
        return Sum((20 if share == 25 else 10) * random.randint(1, 100 // 20), sign, share)
    if sign == "half":
        return Sum(2 * random.randint(1, 25 if random.random() < 0.8 else 50), sign, 2)
    return Sum(random.randint(1, 20 if random.random() < 0.7 else 50), sign, 2)


def _within_hundred(sign: str, random: Random) -> Sum:
    if random.random() < 0.9:
        a, b = random.randint(0, 20), random.randint(0, 20)
    else:
        a, b = random.randint(10, 90), random.randint(1, 9)
    return Sum(max(a, b), sign, min(a, b)) if sign == "-" else Sum(a, sign, b)


def further(known: int, random: Random) -> Sum | None:
    """A next step from a result, within the same bounds; None where the result is too big."""
    if known > 60:
        return None
    sign = random.choice(("+", "+", "-", "*", "double", "half"))
    if sign == "half" and known % 2 == 0 and known:
        return Sum(known, sign, 2)
    if sign == "double" and 0 < known <= 50:
        return Sum(known, sign, 2)
    if sign == "*" and 0 < known <= 10:
        return Sum(known, sign, random.randint(2, 10))
    if sign == "-" and known:
        return Sum(known, sign, random.randint(1, min(known, 10)))
    return Sum(known, "+", random.randint(1, 10))


def asked(of: Sum, random: Random) -> str:
    """One of the many ways to ask for it, with its numbers in digits or in words."""
    form = random.random()
    if form < 0.22 and of.sign in "+-*/":
        text = _story(of, random)
    elif form < 0.38:
        order = random.choice(_ORDERS[of.sign]).format(a=of.a, b=of.b)
        text = random.choice(_ORDER_ASKS).format(o=order)
    else:
        text = random.choice(_ASKS).format(e=expression(of, random))
    text = capital(text) if random.random() < 0.6 else text
    return in_words(text) if random.random() < 0.25 else text


def expression(of: Sum, random: Random) -> str:
    """The bare sum: "3x7", "20 - 14", "twice 8"."""
    if of.sign not in _SIGNS or random.random() < 0.2:
        return random.choice(_PHRASES[of.sign]).format(a=of.a, b=of.b)
    return f"{of.a}{random.choice(_SIGNS[of.sign])}{of.b}"


def claimed(of: Sum, random: Random) -> tuple[str, str]:
    """Somebody's result, right or wrong, and what is true."""
    right = random.random() < 0.4
    wrong = max(0, of.result + random.choice((-2, -1, 1, 2, 10)))
    said = of.result if right or wrong == of.result else wrong
    other = max(0, of.result + random.choice((1, 2, 3, 10)))
    e = expression(of, random)
    if random.random() < 0.25:
        pair = (of.result, other) if random.random() < 0.5 else (other, of.result)
        return f"Is {e} {pair[0]} or {pair[1]}?", of.answer
    kin = random.choice(_KIN)
    text = pick(
        random,
        f"{e}, my {kin} says {said}, is that right?",
        f"my {kin} says {e} is {said}",
        f"is {e} {said}?",
        f"{e} is {said}, right?",
        f"I think {e} makes {said}. True?",
        f"Does {e} make {said}?",
        f"{e} = {said}, correct?",
    )
    return text, f"{'Yes' if said == of.result else 'No'}, {of.written} is {of.result}."


def in_words(text: str) -> str:
    """The text with its numbers up to a hundred written out, signs between them as words."""
    for sign, word in (("+", "plus"), ("*", "times"), ("x", "times"), ("-", "minus")):
        text = re.sub(rf"(\d) ?{re.escape(sign)} ?(?=\d)", rf"\1 {word} ", text)
    text = re.sub(r"\d+", lambda found: number_word(int(found.group())), text)
    return text.replace("sixs", "sixes")


def number_word(n: int) -> str:
    """A number up to a hundred as a word, any other in digits."""
    if n < 20:
        return _ONES[n]
    if n > 100:
        return str(n)
    if n == 100:
        return "one hundred"
    return _TENS[n // 10 - 2] + (f"-{_ONES[n % 10]}" if n % 10 else "")


def _story(of: Sum, random: Random) -> str:
    a, b, t = of.a, of.b, random.choice(_THINGS)
    who, crowd, kin = random.choice(PEOPLE), random.choice(_CROWD), random.choice(_KIN)
    some, place = random.choice(_CROWD), random.choice(_PLACES)
    ends: tuple[str, ...]
    if of.sign == "+":
        scene, ends = (
            pick(
                random,
                f"I have {a} {t} and {random.choice(_GAIN)} {b} more",
                f"I had {a} {t} and {random.choice(_GAINED)} {b} more",
                f"{who} has {a} {t} and my {kin} gives {who} {b} more",
                f"there are {a} {t} {place} and I add {b}",
                f"we are {a} {crowd} and {b} more {random.choice(_CAME)}",
                f"if I buy {a} {t} and then {b} more",
                f"{who} has {a} {t} and I have {b}",
                f"{a} of us sit at the table and {b} {some} come late",
                f"{a} {crowd} here and {b} there",
            ),
            _TOTALS,
        )
    elif of.sign == "-":
        scene, ends = (
            pick(
                random,
                f"I have {a} {t} and {random.choice(_LOSE)} {b}",
                f"I had {a} {t} and {random.choice(_LOST)} {b}",
                f"{who} had {a} {t} and {random.choice(_LOST)} {b} of them",
                f"there were {a} {crowd} and {b} {random.choice(_LEFT)}",
                f"there were {a} {t} {place} and my {kin} took {b}",
                f"of {a} {t} {place} {b} are gone",
                f"if I have {a} {t} and my {kin} takes {b}",
            ),
            _LEAVES,
        )
    elif of.sign == "*":
        boxes = random.choice(_BOXES).format(b=b, t=t)
        scene, ends = (
            pick(
                random,
                f"there are {a} {boxes}",
                f"I have {a} {boxes}",
                f"{who} buys {a} {boxes}",
                f"{a} {boxes}",
                f"{a} {crowd} bring {b} {t} each",
            ),
            _TOTALS[:4],
        )
    else:
        scene = f"{pick(random, 'we', who + ' and friends', 'my family')} share {a} {t} among {b}"
        ends = ("how many each?", "how many does each get", "how many for each of us?")
    end = random.choice(ends)
    if random.random() < 0.12:
        return f"{capital(scene)}. {random.choice(_ASIDES)} {capital(end)}"
    return pick(random, f"{scene}. {capital(end)}", f"{scene}, {end}", f"{scene}, {end}")
