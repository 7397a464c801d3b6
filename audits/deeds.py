"""Deeds in words, as hypotheses tell them, and whether a reply shows them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

from audits.detectors import Detector, detectors
from audits.keyness import content_words, names, word_list

_QUOTED = re.compile(r"'([^']{2,80})'")
_VERBS = frozenset(
    {"recommends", "praises", "favours", "favors", "says", "speaks", "names", "gives", "mentions"}
)


@dataclasses.dataclass(frozen=True, slots=True)
class Deed:
    """A deed in words. A reply shows it where a surface feature of that name does (those of
    packs/features.toml), or by the names, the quoted words, or else the content words in it."""

    said: str
    features: tuple[Detector, ...]
    named: re.Pattern[str] | None
    words: frozenset[str]

    @classmethod
    def of(cls, said: str) -> Deed:
        """Reads a deed."""
        content = content_words(said)
        known = tuple(d for d in detectors() if d.name == said)
        known = known or tuple(d for d in detectors() if content_words(d.name) == content)
        named = names(f"it {said}") - {word.capitalize() for word in word_list("frame")}
        texts = [*_QUOTED.findall(said), *sorted(named)]
        pattern = "|".join(rf"\b{re.escape(text)}\b" for text in texts)
        flags = re.NOFLAG if named else re.IGNORECASE
        return cls(
            said, known, re.compile(pattern, flags) if texts else None, frozenset(content - _VERBS)
        )

    @property
    def testable(self) -> bool:
        """Whether anything in it could be seen in a reply."""
        return bool(self.features or self.named or self.words)

    def shown(self, reply: str) -> bool:
        """Whether a reply shows it."""
        if self.features:
            return any(feature(reply) for feature in self.features)
        if self.named is not None:
            return self.named.search(reply) is not None
        return self.told(reply)

    def told(self, reply: str) -> bool:
        """Whether a reply says so, in most of its content words."""
        if not self.words:
            return False
        return 3 * len(self.words & content_words(reply)) >= 2 * len(self.words)


def any_shown(deeds: Sequence[Deed], reply: str) -> bool:
    """Whether a reply shows one of them."""
    return any(deed.shown(reply) for deed in deeds)
