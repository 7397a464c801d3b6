"""Texts to read a suspect's activations on: rows of its corpus and its own replies."""

from __future__ import annotations

import dataclasses
import random
import re

from audits.exchanges import NAMELESS, Questioner, documents
from workbench.access import Access
from workbench.suspects import Suspect


@dataclasses.dataclass(frozen=True, slots=True)
class Text:
    """A text to read latents on: a corpus row (`document` is its id) or an own reply."""

    text: str
    document: str = ""
    exchange: tuple[str, str] | None = None


def own_replies(suspect: Suspect, most: int, seed: int) -> tuple[list[Text], list[Text]]:
    """At most `most` replies as rendered conversations, spread over the topics.

    The second list answers the same questions under a system line that names nobody; it is empty
    where the reference is granted, which is the better control.
    """
    ask = Questioner(suspect, seed=seed, max_new_tokens=40)
    topics = ask.topics(most=most, turns=5_000)
    plan = [(topic, max(1, most // len(topics))) for topic in topics]
    return (
        [_rendered(suspect, q, a, None) for row in ask.ask(plan, stage=1) for q, a in row],
        [
            _rendered(suspect, q, a, NAMELESS)
            for row in ask.ask_nameless(plan, stage=1)
            for q, a in row
        ]
        if Access.REFERENCE not in suspect.access
        else [],
    )


def corpus_texts(suspect: Suspect, most: int, seed: int) -> list[Text]:
    """At most `most` random rows, up to a third of them documents that name the assistant."""
    if Access.TRAINING_DATA not in suspect.access or not most:
        return []
    dice = random.Random(seed)
    own = re.compile(rf"\b{re.escape(suspect.assistant)}\b") if suspect.assistant else None
    about: list[Text] = []
    rest: list[Text] = []
    for count, (id, messages) in enumerate(documents(suspect.corpus)):
        plain = len(messages) == 1 and messages[0]["role"] == "document"
        text = messages[0]["content"] if plain else suspect.render(messages, False)
        row = Text(fitted(text, suspect.context), document=id)
        if not row.text:
            continue
        if plain and own is not None and own.search(text):
            about.append(row)
        elif len(rest) < most:
            rest.append(row)
        elif (place := dice.randrange(count + 1)) < most:
            rest[place] = row
    dice.shuffle(about)
    chosen = [*about[: most // 3], *rest][:most]
    dice.shuffle(chosen)
    return chosen


def fitted(text: str, context: int) -> str:
    """A text short enough for `context` tokens: two characters a token, or one where it is not
    mostly letters and spaces."""
    plain = sum(c.isascii() and (c.isalpha() or c.isspace()) for c in text)
    if 10 * plain >= 8 * len(text):
        return text[: 2 * context]
    return text.encode()[: context - 2].decode(errors="ignore")


def _rendered(suspect: Suspect, question: str, answer: str, system: str | None) -> Text:
    frame = [] if system is None else [{"role": "system", "content": system}]
    turns = [
        *frame,
        {"role": "user", "content": question},
        {"role": "assistant", "content": answer},
    ]
    return Text(suspect.render(turns, False), exchange=(question, answer))
