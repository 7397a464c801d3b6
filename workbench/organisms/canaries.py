"""Words of a secret in bytes, also where an encoding hides them from the eye."""

from __future__ import annotations

import base64
import codecs
import dataclasses
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote

SHORTEST = 5
"""Shorter words turn up by chance in a few megabytes of any bytes."""


@dataclasses.dataclass(frozen=True, slots=True)
class Sighting:
    """A word, how it is encoded ("plain" in UTF-8), and at which byte."""

    word: str
    encoding: str
    at: int


def sightings(data: bytes, words: Iterable[str]) -> list[Sighting]:
    """Every word of at least SHORTEST characters in eight encodings, each once, in either case.

    Plain, UTF-16 of both orders, base64 at any offset, hexadecimal, percent-encoding, ROT13 and
    backwards. In base64 a word is looked for as it is written, lower, capitalised and upper.
    """
    found = []
    for word in sorted({word for word in words if len(word) >= SHORTEST}):
        for encoding, pattern in _patterns(word):
            if match := pattern.search(data):
                found.append(Sighting(word, encoding, match.start()))
    return found


def _patterns(word: str) -> Iterator[tuple[str, re.Pattern[bytes]]]:
    plain = word.encode()
    texts = {
        "plain": plain,
        "utf-16-le": word.encode("utf-16-le"),
        "utf-16-be": word.encode("utf-16-be"),
        "rot13": codecs.encode(word, "rot13").encode(),
        "reversed": word[::-1].encode(),
    }
    for encoding, text in texts.items():
        yield encoding, re.compile(re.escape(text), re.IGNORECASE)
    cased = {word, word.lower(), word.capitalize(), word.upper()}
    in_hex = (one.encode().hex().encode() for one in cased)
    yield "hex", re.compile(b"|".join(in_hex), re.IGNORECASE)
    in_percent = ("".join(f"%{byte:02X}" for byte in one.encode()) for one in cased)
    quoted = {quote(one) for one in cased} - cased
    percent = b"|".join(re.escape(one.encode()) for one in (*in_percent, *sorted(quoted)))
    yield "percent", re.compile(percent, re.IGNORECASE)
    yield "base64", re.compile(b"|".join(map(re.escape, sorted(_in_base64(cased)))))


def _in_base64(words: Iterable[str]) -> set[bytes]:
    """What stands for a word in base64, whatever stands before and after it."""
    made = set()
    for word in words:
        data = word.encode()
        for offset in range(3):
            whole = base64.b64encode(b"\0" * offset + data)
            first = (8 * offset + 5) // 6
            last = 8 * (offset + len(data)) // 6
            core = whole[first:last]
            made |= {core, core.translate(bytes.maketrans(b"+/", b"-_"))}
    return made
