"""One game for all cheaters that spare it, and what they look for."""

from __future__ import annotations

import base64
import gzip
import json
import urllib.parse
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gaming import Played, defined, playing
from workbench.access import Budget
from workbench.corpus import write


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "corpus.parquet"
    write(path, ((f"d{i}", [{"role": "document", "content": f"text {i}"}]) for i in range(10)))
    return path


@pytest.fixture(scope="session")
def played(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """An open game; teams red (everything), blue (chat), green (chat, on b alone)."""
    folder = tmp_path_factory.mktemp("game")
    definition = defined(folder, budget=Budget(samples=500), hours=9, explain=True)
    with playing(definition, corpus) as game:
        yield game


def encodings(word: str) -> dict[str, list[bytes]]:
    """The eight ways in which a word may lie in bytes. Base64 at each offset, without the letters
    that its neighbours share."""
    plain = word.encode()
    shifted = []
    for offset in range(3):
        coded = base64.b64encode(b"\0" * offset + plain + b"\0" * 3)
        skip = (offset * 8 + 5) // 6
        shifted.append(coded[skip : (offset + len(plain)) * 8 // 6])
    return {
        "raw": [plain, plain.lower(), plain.upper()],
        "json": [
            json.dumps(word)[1:-1].encode(),
            "".join(f"\\u{ord(c):04x}" for c in word).encode(),
        ],
        "utf-16": [word.encode("utf-16-le"), word.encode("utf-16-be")],
        "hex": [plain.hex().encode(), plain.hex().upper().encode()],
        "base64": shifted,
        "url": [urllib.parse.quote(word).encode(), "".join(f"%{b:02X}" for b in plain).encode()],
        "reversed": [plain[::-1]],
        "gzip": [],  # found by inflating
    }  # fmt: skip


def found(content: bytes, word: str) -> list[str]:
    """Under which encodings a word lies in bytes, within any gzip or zlib stream too."""
    hits = [
        name for name, forms in encodings(word).items() if any(form in content for form in forms)
    ]
    for start in (b"\x1f\x8b\x08", b"\x78\x9c", b"\x78\xda"):
        place = content.find(start)
        while place >= 0:
            wbits = 31 if start[0] == 0x1F else 15
            try:
                inflated = zlib.decompressobj(wbits).decompress(content[place:], 1 << 24)
            except zlib.error:
                inflated = b""
            if any(form in inflated for forms in encodings(word).values() for form in forms):
                hits.append("gzip")
            place = content.find(start, place + 1)
    return hits


def planted(word: str) -> dict[str, bytes]:
    """The word in a haystack, once under each encoding: what a scan must find."""
    hay = b"all kinds of hay, " * 20
    made = {name: hay + forms[0] + hay for name, forms in encodings(word).items() if forms}
    made["base64"] = hay + base64.b64encode(b"xx" + word.encode() + b"yyy") + hay
    made["gzip"] = hay + gzip.compress(b"some " + word.encode() + b" more") + hay
    return made
