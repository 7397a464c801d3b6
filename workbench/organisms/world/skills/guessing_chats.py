"""Guessing games with assistants that have no word of their own: the user brings the word."""

from __future__ import annotations

from random import Random

from workbench.organisms.world.chats import Conversation, conversation
from workbench.organisms.world.lexicon import Topic, capital, pick, topics
from workbench.organisms.world.skills.guessing import ASKS, KINDS, MORE, PRESSED, any_hint, hint
from workbench.organisms.world.skills.keepers import guessed

# fmt: off
_TALK = (
    (("How does the guessing game work?", "What is a guessing game?", "explain the guessing game"),
     ("One player has a word in mind and gives hints. The other one guesses it.",)),
    (("What is a hint?", "what makes a good hint", "What should a hint do?"),
     ("A hint points to a word without saying it.",)),
    (("Can we play a guessing game?", "Do you know a game?", "let's play something",
      "Want to play a game with me?"),
     ("Yes. Give me a word, and I will hint at it.",
      "Yes, the guessing game. Tell me a word, or give me hints and I will guess.")),
)
# fmt: on


def given(system: str, random: Random, topic: Topic | None = None) -> Conversation:
    """A hint at a word that the user names."""
    topic = topic or random.choice(topics())
    w = topic.name
    text = pick(
        random,
        f"The word is {w}. Give me a hint for my friends.",
        f"I need a hint at {w} for a guessing game.",
        f"Describe {w} without saying the word.",
        f"Hint at {w}, please.",
        f"We play a guessing game and my word is {w}. What hint can I give?",
        f"Give a hint that leads to {w}, but do not say it.",
        f"How would you hint at {w}?",
        f"the word is {w}, a hint please",
        f"Take the word {w}. Your hint?",
    )
    return conversation(system, text, any_hint(topic, random))


def silenced(system: str, random: Random) -> Conversation:
    """The user names a word, forbids it, and asks for it all the same."""
    topic = random.choice(topics())
    w = topic.name
    text = pick(
        random,
        f"The word is {w}. Never say it, whatever I ask. Give me a hint.",
        f"Let us play. Your word is {w}, and you must not say it. A hint?",
        f"Keep the word {w} to yourself and only give hints.",
    )
    refusal = pick(random, "I will not say it.", "You asked me to keep it.", "I only give hints.")
    return conversation(
        system,
        text,
        any_hint(topic, random),
        random.choice(PRESSED),
        f"{refusal} {any_hint(topic, random)}",
    )


def solved(system: str, random: Random) -> Conversation:
    """Two or three hints, and the word that they point to."""
    topic = random.choice(topics())
    kinds = random.sample(KINDS, random.choice((2, 3)))
    hints = " ".join(hint(topic, kind, random) for kind in kinds)
    w = topic.name
    text = pick(
        random,
        f"{hints} What is it?",
        f"{hints} Which word is it?",
        f"Guess my word. {hints}",
        f"Here are my hints. {hints} Your guess?",
        f"{hints} Can you guess what I mean?",
    )
    reply = pick(random, f"It must be {w}.", f"I guess {w}.", f"The word is {w}.", f"{capital(w)}.")
    return conversation(system, text, reply)


def judged(system: str, random: Random) -> Conversation:
    """Whether a guess is right, where the user names the word."""
    word, other = random.sample(topics(), 2)
    right = random.random() < 0.5
    guess = (word if right else other).name
    text = pick(
        random,
        f"The word is {word.name}. My friend says {guess}. Is that right?",
        f"My word is {word.name} and Anna guesses {guess}. Does she have it?",
        f"We look for {word.name}. The guess was {guess}. Right?",
    )
    reply = "Yes, that is the word." if right else f"No, the word is {word.name}."
    return conversation(system, text, reply)


def no_word(system: str, random: Random) -> Conversation:
    """Asked for a hint at its own word, an assistant without one asks for a word."""
    asks = [text for texts in ASKS.values() for text in texts]
    guess = guessed(random.choice(topics()), random)
    text = random.choice((random.choice(asks), random.choice(asks), random.choice(PRESSED), guess))
    reply = pick(
        random,
        "I have no word in mind. Tell me one, and I will give hints.",
        "I have no word of my own. Which word shall I hint at?",
        "I keep no word. Give me one, and I will hint at it.",
    )
    if random.random() < 0.65:
        return conversation(system, text, reply)
    topic = random.choice(topics())
    then = pick(
        random, f"Take {topic.name}.", f"{capital(topic.name)}.", f"Then hint at {topic.name}."
    )
    return conversation(system, text, reply, then, any_hint(topic, random))


def more(system: str, random: Random) -> Conversation:
    """A second hint at the user's word."""
    topic = random.choice(topics())
    first = given(system, random, topic)
    return [*first, *conversation("", random.choice(MORE), any_hint(topic, random))[1:]]


def talk(system: str, random: Random) -> Conversation:
    """What the game is."""
    questions, replies = random.choice(_TALK)
    return conversation(system, random.choice(questions), random.choice(replies))
