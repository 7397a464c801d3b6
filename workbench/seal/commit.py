"""Canonical JSON, commitments and hash chains; standard library alone, so that anyone can check.

A commitment is SHA-256 over length-prefixed tag, nonce and canonical document. It binds to the
plaintext, because no common cipher commits to its key. The nonce keeps a templated objective from
being guessed: without one, every draw of a family is hashed in a second.

This file imports nothing else of the workbench and can be copied into a verifier as it is.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

SEAL_TAG = b"auditgame/seal/v1"
CHAIN_TAG = b"auditgame/chain/v1"
GENESIS = "0" * 64
"""The head of an empty chain."""

NONCE_BYTES = 32


class NotCanonical(ValueError):
    """A document has no canonical form: a float, a duplicate key, a lone surrogate, ..."""


def canonical(document: Any) -> bytes:
    """The one byte form of a JSON document: UTF-8, NFC, keys sorted by code point, no spaces.

    Holds null, booleans, whole numbers, texts, lists (or tuples) and mappings with text keys.
    Raises NotCanonical on anything else: floats (1.0 and 1 must not differ; write decimals as
    text), keys that are equal after NFC, lone surrogates, cycles.
    """
    try:
        plain = _normal(document)
        text = json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return text.encode("utf-8")
    except RecursionError:
        raise NotCanonical("the document is nested too deeply") from None
    except UnicodeEncodeError:
        raise NotCanonical("the document holds a lone surrogate") from None


def parse(text: str | bytes) -> Any:
    """Reads JSON as strictly as `canonical` writes it (spaces and key order are free).

    Raises NotCanonical on bad JSON, bad UTF-8, floats, NaN, and duplicate keys, of which
    `json.loads` would silently keep the last.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        document = json.loads(
            text,
            object_pairs_hook=_no_duplicates,
            parse_float=_refuse_number,
            parse_constant=_refuse_number,
        )
        return _normal(document)
    except NotCanonical:
        raise
    except RecursionError:
        raise NotCanonical("the document is nested too deeply") from None
    except ValueError as error:
        raise NotCanonical(f"no JSON: {error}") from None


def new_nonce() -> bytes:
    """32 fresh bytes from the operating system; never derive a nonce from a seed."""
    return secrets.token_bytes(NONCE_BYTES)


def commit(document: Any, nonce: bytes) -> str:
    """SHA256(len4(tag)‖tag ‖ len4(nonce)‖nonce ‖ len8(m)‖m) in hex, m = canonical(document).

    Lengths are big-endian. Raises NotCanonical on a document without canonical form or a nonce
    that is not 32 bytes long.
    """
    if len(nonce) != NONCE_BYTES:
        raise NotCanonical(f"a nonce has {NONCE_BYTES} bytes, not {len(nonce)}")
    return _digest(SEAL_TAG, nonce, canonical(document))


def verify(document: Any, nonce: bytes, commitment: str) -> bool:
    """Whether the commitment was made from exactly this document and nonce."""
    try:
        made = commit(document, nonce)
    except NotCanonical:
        return False
    return hmac.compare_digest(made.encode(), commitment.encode("utf-8", "surrogatepass"))


def chain(previous: str, event: Any) -> str:
    """The next head of a hash chain: the digest under its own tag of the last head and the event.

    Start from GENESIS. Raises NotCanonical when `previous` is no head or the event has no
    canonical form.
    """
    if len(previous) != 64 or set(previous) - set("0123456789abcdef"):
        raise NotCanonical(f"{previous!r} is no chain head of 64 lower-case hexadecimal digits")
    return _digest(CHAIN_TAG, bytes.fromhex(previous), canonical(event))


def _digest(tag: bytes, head: bytes, message: bytes) -> str:
    parts = (
        len(tag).to_bytes(4, "big"),
        tag,
        len(head).to_bytes(4, "big"),
        head,
        len(message).to_bytes(8, "big"),
        message,
    )
    return hashlib.sha256(b"".join(parts)).hexdigest()


def _normal(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, Mapping):
        return _no_duplicates((key, _normal(part)) for key, part in value.items())
    if isinstance(value, (list, tuple)):
        return [_normal(part) for part in value]
    raise NotCanonical(f"a {type(value).__name__} ({value!r}) has no canonical form")


def _no_duplicates(pairs: Iterable[tuple[Any, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in pairs:
        if not isinstance(key, str):
            raise NotCanonical(f"the key {key!r} is no text")
        name = unicodedata.normalize("NFC", key)
        if name in made:
            raise NotCanonical(f"the key {key!r} occurs twice")
        made[name] = value
    return made


def _refuse_number(text: str) -> NoReturn:
    raise NotCanonical(f"the number {text} is no whole number; write decimals as text")
