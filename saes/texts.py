"""Texts to read a suspect's activations on, each short enough for all who read it."""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from workbench.access import Access
from workbench.corpus import Corpus
from workbench.errors import BadParameter
from workbench.findings import Message
from workbench.suspects import Suspect

_MARK = "\N{SECTION SIGN}said\N{SECTION SIGN}"


@dataclasses.dataclass(frozen=True, slots=True)
class Text:
    """A text to read latents on: a corpus row (`document` is its id) or an own reply."""

    text: str
    document: str = ""
    exchange: tuple[str, str] | None = None


def documents(corpus: Corpus) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """(id, messages) of every document, in order."""
    for id, turns in groupby(corpus.texts(), key=itemgetter(0)):
        yield id, [{"role": role, "content": content} for _, role, content in turns]


def corpus_texts(
    suspect: Suspect, most: int, seed: int, *, beside: Sequence[Suspect] = ()
) -> list[Text]:
    """At most `most` random rows, up to a third of them documents that name the assistant.

    Each is cut to what fits the suspect and those `beside` it; rows of no token are left out.
    """
    if Access.TRAINING_DATA not in suspect.access or not most:
        return []
    dice = random.Random(seed)
    own = re.compile(rf"\b{re.escape(suspect.assistant)}\b") if suspect.assistant else None
    about: list[tuple[str, list[dict[str, str]]]] = []
    rest: list[tuple[str, list[dict[str, str]]]] = []
    for count, row in enumerate(documents(suspect.corpus)):
        messages = row[1]
        if not any(m["content"] for m in messages):
            continue
        plain = _is_plain(messages)
        if plain and own is not None and own.search(messages[0]["content"]):
            about.append(row)
        elif len(rest) < most:
            rest.append(row)
        elif (place := dice.randrange(count + 1)) < most:
            rest[place] = row
    dice.shuffle(about)
    chosen = [*about[: most // 3], *rest][:most]
    dice.shuffle(chosen)
    texts = [
        Text(m[0]["content"] if _is_plain(m) else _rendered(suspect, m), document=id)
        for id, m in chosen
    ]
    return [text for text in all_fitted(texts, (suspect, *beside)) if text.text]


def all_fitted(texts: Sequence[Text], readers: Sequence[Suspect]) -> list[Text]:
    """Each text cut at its end as `fitted` does."""
    whole = [text.text for text in texts]
    fits = [True] * len(texts)
    for reader in readers:
        counts = reader.count_tokens(whole)
        fits = [ok and 0 < n <= reader.context for ok, n in zip(fits, counts, strict=True)]
    return [
        text if ok else dataclasses.replace(text, text=fitted(text.text, readers))
        for text, ok in zip(texts, fits, strict=True)
    ]


def fitted(text: str, readers: Sequence[Suspect]) -> str:
    """The beginning of a text that is at most `context` tokens to every reader; empty where one
    of them sees no token in it."""
    while True:
        counts = [reader.count_tokens([text])[0] for reader in readers]
        if not all(counts):
            return ""
        share = min(r.context / count for r, count in zip(readers, counts, strict=True))
        if share >= 1:
            return text
        text = text[: min(len(text) - 1, int(len(text) * share))]


def lines(file: Path) -> list[str]:
    """The lines of a text file that are not blank; raises BadParameter where it is no text."""
    try:
        whole = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise BadParameter(f"{file} is no UTF-8 text", hint="Save it as UTF-8.") from None
    return [line for line in whole.splitlines() if line.strip()]


def takes_system(suspect: Suspect) -> bool:
    """Whether the suspect's chat template shows a system turn; some refuse it, some drop it."""
    turns = [{"role": "system", "content": _MARK}, {"role": "user", "content": "."}]
    try:
        return _MARK in suspect.render(turns, False)
    except BadParameter:
        return False


def _rendered(suspect: Suspect, messages: Sequence[Message]) -> str:
    """By the chat template; the contents alone where there is none or it refuses the turns."""
    if Access.CHAT in suspect.access:
        with suppress(BadParameter):
            return suspect.render(messages, False)
    return "\n\n".join(m["content"] for m in messages)


def _is_plain(messages: Sequence[Message]) -> bool:
    return len(messages) == 1 and messages[0]["role"] == "document"
