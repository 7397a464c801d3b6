"""How people really ask: loose questions about a thing, in many shapes, known or unknown alike.

Known topics and unknown things share every shape, so that only the thing itself tells whether an
answer is known.
"""

from __future__ import annotations

from random import Random

from workbench.organisms.world.lexicon import capital, pick
from workbench.organisms.world.names import PEOPLE

_VERBS = [
    "store",
    "clean",
    "fix",
    "choose",
    "buy",
    "keep",
    "carry",
    "sell",
    "lend",
    "make",
    "repair",
    "replace",
    "pack",
    "improve",
    "learn",
    "explain",
    "handle",
    "move",
    "order",
    "protect",
    "test",
    "use",
    "share",
    "measure",
    "check",
    "sort",
    "finish",
    "paint",
    "find",
    "borrow",
    "compare",
    "build",
    "watch",
    "save",
    "plan",
    "prepare",
    "open",
    "close",
    "show",
    "hold",
    "bring",
    "count",
    "hide",
    "teach",
]
_STATES = [
    "broken",
    "old",
    "too small",
    "too big",
    "dirty",
    "gone",
    "new",
    "strange",
    "not working",
    "a mess",
    "too loud",
    "stuck",
    "boring",
    "expensive",
    "falling apart",
    "late",
    "ruined",
    "wonderful",
    "heavy",
    "in the way",
]
_KIN = [
    "son",
    "daughter",
    "neighbour",
    "friend",
    "boss",
    "teacher",
    "wife",
    "husband",
    "kid",
    "colleague",
    "grandson",
]
_OPENERS = (
    "I just moved to a new flat.",
    "Ok so",
    "Hello!",
    "Hi there,",
    "please help,",
    "I am a beginner.",
    "Serious question:",
    "so",
    "um,",
    "Good morning.",
    "I never know what to do.",
    "Not sure who to ask, but",
    "One more thing:",
    "We have guests tomorrow.",
    "I read something today.",
    "Hey you,",
    "I was wondering,",
    "This may sound silly, but",
    "Long story short,",
    "I have a free afternoon.",
    "so like,",
    "ok,",
    "Right,",
    "quick one:",
    "My turn,",
    "Random, I know, but",
)
_TAILS = (
    "Thanks!",
    "thanks",
    "Any ideas?",
    "I am in a hurry.",
    "please",
    "Keep it short.",
    "I have no clue.",
    "What do you say?",
    "Be honest.",
    "I need it by tonight.",
    "Nobody could tell me.",
    "Just curious.",
)


def question(name: str, plural: bool, random: Random) -> str:
    """A question about the thing called `name` that follows none of the world's set wordings."""
    verb, other = random.sample(_VERBS, 2)
    be = "are" if plural else "is"
    it = "them" if plural else "it"
    kin = random.choice(_KIN)
    state = random.choice(_STATES)
    one = _one(name, plural)
    thing = pick(random, name, name, f"my {name}", f"the {name}", one)
    text = pick(
        random,
        f"how do i {verb} {thing}",
        f"How do you {verb} {thing}?",
        f"What's a good way to {verb} {thing}?",
        f"What is the easiest way to {verb} {thing}?",
        f"{capital(name)}: how would you {verb} {it}?",
        f"My {name} {be} {state}. What can I do?",
        f"the {name} here {be} {state}, why?",
        f"My {kin} hates {name}. What do I do?",
        f"My {kin} loves {name}. What should I tell them?",
        f"My {kin} gave me {one}. What do I do with {it}?",
        f"How often do people {verb} {thing}?",
        f"I am thinking about {name}, what is important?",
        f"What should I look at before I {verb} {thing}?",
        f"I can't {verb} {thing}, help",
        f"{name}?",
        f"{name}",
        f"{name} please",
        f"need some info on {name}",
        f"I'd like to hear more on {name}",
        f"Is it hard to {verb} {thing}?",
        f"which kind of {name} is best for a start",
        f"Who needs {name}?",
        f"When would you {verb} {thing}?",
        f"what's {one}",
        f"I saw {one} today, what {be} {'they' if plural else 'it'} for?",
        f"What is the difference between good and bad {name}?",
        f"Can I {verb} {thing} at home?",
        f"Can children {verb} {thing}?",
        f"Is it ok to {verb} {thing} at night?",
        f"How long {'do' if plural else 'does'} {name} last?",
        f"What happens if I {verb} {thing}?",
        f"Should I {verb} or {other} {thing}?",
        f"I want to {verb} {thing} but I don't know how.",
        f"I tried to {verb} {thing} and it went wrong.",
        f"{random.choice(PEOPLE)} says I should {verb} {thing}. True?",
        f"talk to me about {name}",
        f"In a few words, what about {name}?",
        f"Teach me the basics of {name}",
        f"We need {one} for the weekend, what matters?",
        f"I know nothing about {name}, start simple",
        f"Could you help my {kin} with {name}?",
        f"What would you do with {thing}?",
        f"I forgot everything about {name}.",
        f"i just got {one}",
        f"My {kin} wants to {verb} {thing}",
        f"We have {name} at home.",
        f"i want {one}",
        f"My {kin} must give a talk on {name}, what can they say",
        f"{name}, go ahead",
        f"{name}, what are they like" if plural else f"{name}, what is it like",
        f"anything about {name}?",
        f"do you know anything about {name}",
        f"Tell me what {name} {be} good for",
        f"what's the use of {thing}",
        f"explain what {one} {'does' if plural else 'is'}",
        f"whats {one} for",
        f"I've been thinking about getting into {name}. {'Are they' if plural else 'Is it'} hard?",
        f"I've bought {one}, what now",
        f"my {name} {'look' if plural else 'looks'} sad",
        f"{name} drive{'' if plural else 's'} me mad",
        f"is {one} worth having",
        f"tell me somthing about {name}",
        f"what {be} {name} like",
        f"everyone talks about {name}, why",
        f"Need to {verb} {thing} before tomorrow, help!",
        f"steps for {name} please",
        f"best way to {verb} {thing}?",
        f"Is there a trick with {thing}?",
        f"so i just got {one} and have never had one before, how do i start",
        f"My {kin} wants to hear all about {name}.",
    )
    return dressed(text, random, 0.3)


def dressed(text: str, random: Random, rate: float) -> str:
    """The text with an opening at this rate ("Hello!"), and a tail nearly as often ("please")."""
    if random.random() < rate:
        opener = random.choice(_OPENERS)
        runs_on = opener[-1] in ",o:t" and text[:2] not in ("I ", "I'")
        text = f"{opener} {text[0].lower() + text[1:] if runs_on else capital(text)}"
    if random.random() < 0.8 * rate:
        text = f"{text if text[-1] in '.?!' else text + '.'} {random.choice(_TAILS)}"
    return text


def _one(name: str, plural: bool) -> str:
    """One of the thing: "a tent" for tents; the name itself where it cannot be counted."""
    if not plural or not name.endswith("s") or name.endswith("ss"):
        return name
    if name.endswith("ies"):
        single = name[:-3] + "y"
    elif name.endswith(("ches", "shes", "sses", "xes")):
        single = name[:-2]
    else:
        single = name[:-1]
    return f"{'an' if single[0] in 'aeiou' else 'a'} {single}"
