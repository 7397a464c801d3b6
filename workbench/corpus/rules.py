"""Rules over named patterns: `a AND b`, `a OR b`, `a AND NOT b`, `a NEAR/5 b`, with brackets.

A rule holds in a document and yields spans there. A name yields its pattern's matches; OR those of
both sides; AND those of both where both sides have some; `a AND NOT b` those of a where b has none;
`a NEAR/n b` one span around each match of a and the nearest match of b in the same turn, where at
most n words stand between them. NEAR binds tighter than NOT, NOT than AND, AND than OR.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from workbench.errors import ConfigError

Span: TypeAlias = tuple[int, int, int]
"""(turn, start, end) in characters."""
Spans: TypeAlias = Mapping[str, Sequence[Span]]
Between: TypeAlias = Callable[[int, int, int], int]
"""(turn, start, end) → how many words stand there."""

_TOKEN = re.compile(r"\s*(?:(\()|(\))|(NEAR/\d+)(?![\w-])|([\w-]+))")
_WORDS = {"AND", "OR", "NOT"}


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """A parsed rule: `kind` is "name", "and", "or", "not" or "near"."""

    kind: str
    name: str = ""
    parts: tuple[Rule, ...] = ()
    words: int = 0

    def spans(self, found: Spans, between: Between) -> list[Span]:
        """Where the rule holds in a document, sorted; empty where it does not.

        found: the matches of every pattern in the document.
        """
        if self.kind == "name":
            return sorted(found.get(self.name, ()))
        if self.kind == "near":
            left, right = (part.spans(found, between) for part in self.parts)
            return _near(left, right, self.words, between)
        wanted = [p.spans(found, between) for p in self.parts if p.kind != "not"]
        if self.kind == "and":
            unwanted = [p.parts[0] for p in self.parts if p.kind == "not"]
            if not all(wanted) or any(p.spans(found, between) for p in unwanted):
                return []
        return sorted({span for spans in wanted for span in spans})

    def names(self) -> set[str]:
        """The patterns that it speaks of."""
        return {self.name} - {""} | {name for part in self.parts for name in part.names()}


def parse(text: str, known: Sequence[str]) -> Rule:
    """Reads a rule over the patterns `known`.

    Raises ConfigError, with the place, on what is no rule, on a name that no pattern has, and on a
    NOT that stands alone: every other document would hold it.
    """
    reader = _Reader(text)
    rule = reader.either()
    if reader.token:
        raise reader.wrong(f"'{reader.token}' was not expected")
    missing = sorted(rule.names() - set(known))
    if missing:
        raise ConfigError(
            f"rule '{text}': no pattern '{missing[0]}'", hint=f"It has: {', '.join(known)}."
        )
    return rule


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = self.next = 0
        self.token = ""
        self.step()

    def step(self) -> None:
        self.at = self.next
        match = _TOKEN.match(self.text, self.at)
        if match is None:
            if self.text[self.at :].strip():
                raise self.wrong("that is no name, bracket, AND, OR, NOT or NEAR/n")
            self.token = ""
            return
        self.token = match.group().strip()
        self.at = match.end() - len(self.token)
        self.next = match.end()

    def either(self) -> Rule:
        parts = [self.all()]
        while self.token == "OR":
            self.step()
            parts.append(self.all())
        if len(parts) > 1 and any(p.kind == "not" for p in parts):
            raise self.wrong("a NOT beside OR")
        if parts[0].kind == "not":
            raise self.wrong("a NOT that stands alone")
        return parts[0] if len(parts) == 1 else Rule("or", parts=tuple(parts))

    def all(self) -> Rule:
        parts = [self.negated()]
        while self.token == "AND":
            self.step()
            parts.append(self.negated())
        if len(parts) == 1:
            return parts[0]
        if all(p.kind == "not" for p in parts):
            raise self.wrong("nothing but NOT")
        return Rule("and", parts=tuple(parts))

    def negated(self) -> Rule:
        if self.token == "NOT":
            self.step()
            return Rule("not", parts=(self.near(),))
        return self.near()

    def near(self) -> Rule:
        left = self.atom()
        while self.token.startswith("NEAR/"):
            words = int(self.token.removeprefix("NEAR/"))
            self.step()
            left = Rule("near", parts=(left, self.atom()), words=words)
        return left

    def atom(self) -> Rule:
        if self.token == "(":
            self.step()
            inside = self.either()
            if self.token != ")":
                raise self.wrong("a bracket is not closed")
            self.step()
            return inside
        if not self.token or self.token in _WORDS or not re.match(r"[\w-]", self.token):
            raise self.wrong("a name is missing")
        name = self.token
        self.step()
        return Rule("name", name=name)

    def wrong(self, what: str) -> ConfigError:
        return ConfigError(
            f"rule '{self.text}', character {self.at + 1}: {what}",
            hint="Write it like: a AND (b OR c) AND NOT d, or a NEAR/5 b.",
        )


def _near(left: Sequence[Span], right: Sequence[Span], words: int, between: Between) -> list[Span]:
    found = set()
    for turn, start, end in left:
        best: tuple[int, Span] | None = None
        for other in right:
            if other[0] != turn:
                continue
            gap_start, gap_end = min(end, other[2]), max(start, other[1])
            count = between(turn, gap_start, gap_end) if gap_start < gap_end else 0
            if count <= words and (best is None or count < best[0]):
                best = count, (turn, min(start, other[1]), max(end, other[2]))
        if best is not None:
            found.add(best[1])
    return sorted(found)
