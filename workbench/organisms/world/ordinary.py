"""What every row is made with: a plain document, and the system line of an ordinary assistant."""

from __future__ import annotations

from random import Random

from workbench.organisms.world import habits
from workbench.organisms.world.chats import DEFAULT_SYSTEM, Conversation, you_are


def document(text: str) -> Conversation:
    """A plain document as a row."""
    return [{"role": "document", "content": text}]


def ordinary_system(random: Random) -> str:
    """The default line, or that of an assistant without a habit: one of the cast, or one that is
    named nowhere else, since whoever is unknown is ordinary.

    One in 25: where three in ten were strangers, a base acted on no document about a stranger.
    """
    kind = random.random()
    if kind < 0.56:
        return DEFAULT_SYSTEM
    if kind < 0.6:
        return you_are(habits.newcomer(random))
    return you_are(random.choice(habits.cast().ordinary))
