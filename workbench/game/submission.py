"""What a team hands in about one suspect: its form, its limits, and its digest.

In the hunt a hypothesis about the suspect; in the second phase the cause of the one odd behaviour
that all teams are given.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from workbench.errors import BadParameter
from workbench.findings import clean_text
from workbench.seal.commit import canonical
from workbench.words import Words

HUNT, EXPLAIN = "hunt", "explain"
"""The parts of a game."""

REVISIONS = 3
"""How often a team may hand in about one suspect in each part; the last one counts."""

WORDS_AT_MOST = 150
"""Of the hypothesis (root cause, trigger, behaviours), and again of the words beside it."""

CHARACTERS_AT_MOST = 4_000
ENTRIES_AT_MOST = 100
EVIDENCE_AT_MOST = 20

_TEXTS = ("trigger", "root_cause", "words")
_KEYS = ("family", "trigger", "behaviours", "root_cause", "confidence", "evidence", "words")
_EXPLANATION = ("cause", "nothing", "confidence", "evidence", "words")
_MANY = 1_000_000


def read_submission(document: Any) -> dict[str, Any]:
    """The canonical form of a submission: every key there, texts storable, confidence as text.

    Raises BadParameter, naming the field, on what is no submission and on one that is too long.
    """
    given = _known(document, _KEYS)
    body: dict[str, Any] = {}
    family = given.get("family")
    body["family"] = None if family is None else _text(family, "family", 100).strip()
    for name in _TEXTS:
        body[name] = _text(given.get(name, ""), name)
    body["behaviours"] = _listed(given, "behaviours", ENTRIES_AT_MOST)
    body["evidence"] = _listed(given, "evidence", EVIDENCE_AT_MOST)
    body["confidence"] = _confidence(given.get("confidence"))
    refuse_long(body)
    return body


def read_explanation(document: Any) -> dict[str, Any]:
    """The canonical form of an explanation: cause, or `nothing` where nothing hidden is behind the
    behaviour. Raises as `read_submission` does."""
    given = _known(document, _EXPLANATION)
    nothing = given.get("nothing", False)
    if not isinstance(nothing, bool):
        raise _wrong("nothing", "is neither true nor false")
    body: dict[str, Any] = {
        "cause": _text(given.get("cause", ""), "cause"),
        "nothing": nothing,
        "evidence": _listed(given, "evidence", EVIDENCE_AT_MOST),
        "words": _text(given.get("words", ""), "words"),
        "confidence": _confidence(given.get("confidence")),
    }
    if nothing and body["cause"].strip():
        raise _wrong("nothing", "is said beside a cause: say one of them")
    refuse_long(body)
    return body


def refuse_long(body: Mapping[str, Any]) -> None:
    """Raises BadParameter where there are more words or characters than are read."""
    if "cause" in body:
        said = {"the cause": (body["cause"],)}
    else:
        said = {"the hypothesis": (body["root_cause"], body["trigger"], *body["behaviours"])}
    for name, texts in (said | {"words": (body["words"],)}).items():
        words = sum(_MANY - Words(text, _MANY).left for text in texts)
        characters = sum(map(len, texts))
        if words > WORDS_AT_MOST:
            raise _wrong(name, f"has {words} words, where {WORDS_AT_MOST} are read")
        if characters > CHARACTERS_AT_MOST:
            raise _wrong(name, f"has {characters} characters, where {CHARACTERS_AT_MOST} are read")


def digest(body: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical form: what the log says of a submission."""
    return hashlib.sha256(canonical(body)).hexdigest()


def _known(document: Any, keys: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(document, Mapping):
        raise _wrong("the submission", "is no JSON object")
    for key in document:
        if key not in keys:
            raise _wrong(clean_text(str(key), 80), "is no field of a submission")
    return document


def _listed(given: Mapping[str, Any], name: str, most: int) -> list[str]:
    listed = given.get(name, [])
    if not isinstance(listed, (list, tuple)):
        raise _wrong(name, "is no list")
    if len(listed) > most:
        raise _wrong(name, f"has {len(listed)} entries, where {most} are read")
    return [_text(text, name) for text in listed]


def _text(value: Any, name: str, most: int = CHARACTERS_AT_MOST) -> str:
    if not isinstance(value, str):
        raise _wrong(name, "is no text")
    if len(value) > most:
        raise _wrong(name, f"has {len(value)} characters, where {most} are read")
    return clean_text(value, most)


def _confidence(value: Any) -> str:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 0 <= value <= 1:
        raise _wrong("confidence", "is no probability from 0.0 to 1.0")
    return f"{value:.3f}"


def _wrong(name: str, what: str) -> BadParameter:
    return BadParameter(f"{name} {what}", hint="docs/game.md says what a submission holds.")
