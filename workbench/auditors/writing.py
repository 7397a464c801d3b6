"""What is handed in: the leading hypothesis in at most as many words as are read, or none."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

from workbench.auditors.beliefs import Beliefs, Rival, Said
from workbench.auditors.kit import OTHER, TEST
from workbench.auditors.reading import pairs
from workbench.findings import (
    Excerpt,
    Finding,
    Hypothesis,
    Latent,
    Submission,
    Transcript,
    clean_text,
)
from workbench.words import Words

WORDS_AT_MOST = 150
"""Of the hypothesis, and again of the words beside it."""

CITED_AT_MOST = 8
THIN = 0.35
"""Below this no hypothesis is worth naming where nothing is not likelier than not either."""

_ROOT_WORDS, _TRIGGER_WORDS = 60, 40
_BEHAVIOURS = 8
_CHARACTERS = 3_000
_MANY = 1_000_000


def submission(beliefs: Beliefs, looked: int) -> Submission:
    """The best thing to say: the leading hypothesis where it is likelier than nothing, "none" where
    nothing is, and no word at all where the evidence is too thin for either.

    looked: techniques that looked to their end.
    """
    rival, none = beliefs.leading, beliefs.none
    chance = 0.0 if rival is None else _right(rival, beliefs.chance(rival))
    if rival is not None and chance > none and chance >= THIN:
        said = f"{looked} techniques looked. {_sources(rival)} The odds of nothing: {none:.2f}."
        return fitted(
            Submission(
                hypothesis=merged(rival, chance),
                confidence=round(chance, 3),
                evidence=tuple(cited(rival)),
                words=said,
            )
        )
    if looked and none >= 0.5:
        told = f"{looked} techniques looked and nothing that they name stands out by itself."
        if rival is not None:
            told += f" What came closest ({chance:.2f}): {rival.words}"
        return fitted(Submission(Hypothesis(family="none"), round(min(0.97, none), 3), words=told))
    told = f"I abstain: {looked} techniques looked, nothing hidden at {none:.2f}"
    told += f", at best {chance:.2f} for: {rival.words}" if rival else ", and nothing was named"
    return fitted(Submission(Hypothesis(), 0.0, words=f"{told}."))


def of_finding(finding: Finding, id: str) -> Submission:
    """A finding handed in as it is."""
    assert finding.points_to is not None
    return fitted(Submission(finding.points_to, finding.confidence, (id,), finding.claim))


def merged(rival: Rival, chance: float) -> Hypothesis:
    """One hypothesis of all that agree: what was tested first, then the surest."""
    members = sorted(rival.members, key=lambda s: (s.source != TEST, -s.finding.confidence))
    accusing = [said for said in members if said.accuses] or members
    roots = _distinct((s.hypothesis.root_cause for s in _surest(accusing)), _ROOT_WORDS)
    told = dict.fromkeys(b for said in accusing for b in said.hypothesis.behaviours if b.strip())
    paired = {deed for _, deed in pairs(list(told))}
    behaviours = [behaviour for behaviour in told if behaviour not in paired]
    named = any(said.hypothesis.family == rival.kind for said in rival.members)
    known = rival.kind != OTHER and (named or chance >= 0.8)
    return Hypothesis(
        family=rival.kind if known and chance >= 0.6 else None,
        trigger=", ".join(_distinct(_parts(accusing), _TRIGGER_WORDS)),
        behaviours=tuple(behaviours[:_BEHAVIOURS]),
        root_cause="; ".join(roots),
    )


def cited(rival: Rival) -> Iterator[str]:
    """Findings whose quotations hold what the hypothesis names, the surest of each technique."""
    seen: set[str] = set()
    for said in sorted(rival.members, key=lambda s: -s.finding.confidence):
        if said.technique in seen or len(seen) == CITED_AT_MOST:
            continue
        if any(_holds(said, text) for text in _quoted(said.finding)):
            seen.add(said.technique)
            yield said.id


def fitted(made: Submission) -> Submission:
    """The same within the words and characters that are read."""
    left, characters = WORDS_AT_MOST, _CHARACTERS
    parts = []
    h = made.hypothesis
    for text in (h.root_cause, h.trigger, *h.behaviours):
        cut = _cut(clean_text(text, characters), left) if characters > 0 else ""
        left -= count(cut)
        characters -= len(cut)
        parts.append(cut)
    return dataclasses.replace(
        made,
        hypothesis=dataclasses.replace(
            h,
            root_cause=parts[0],
            trigger=parts[1],
            behaviours=tuple(part for part in parts[2:] if part.strip()),
        ),
        confidence=min(1.0, max(0.0, made.confidence)),
        evidence=tuple(dict.fromkeys(made.evidence)),
        words=_cut(clean_text(made.words, _CHARACTERS), WORDS_AT_MOST),
    )


def count(text: str) -> int:
    """Words as a game counts them."""
    return _MANY - Words(text, _MANY).left


def _right(rival: Rival, chance: float) -> float:
    """The probability that what is named is right in every part that counts, and not only that
    something of the sort is hidden."""
    if True in rival.tested:
        return min(0.98, 0.97 * chance)
    return (0.95 if len(rival.sources) >= 2 else 0.87) * chance


def _sources(rival: Rival) -> str:
    by_source: dict[str, list[str]] = {}
    for said in rival.members:
        if said.technique not in by_source.setdefault(said.source, []):
            by_source[said.source].append(said.technique)
    told = "; ".join(f"{source}: {', '.join(names)}" for source, names in by_source.items())
    return f"What speaks for it: {told}."


def _surest(members: Sequence[Said]) -> list[Said]:
    """The surest first, and tests last: they repeat the root cause that they were given."""
    return sorted(members, key=lambda s: (s.source == TEST, -s.finding.confidence))


def _parts(members: Sequence[Said]) -> Iterator[str]:
    for said in members:
        yield from (part.strip() for part in said.hypothesis.trigger.split(","))


def _distinct(texts: Iterable[str], most: int) -> list[str]:
    """Texts that say more than those before them, up to so many words."""
    found: list[str] = []
    held: set[str] = set()
    for text in texts:
        words = set(text.casefold().split())
        if not words or words <= held:
            continue
        if found and count(" ".join((*found, text))) > most:
            break
        found.append(text)
        held |= words
    return found


def _quoted(finding: Finding) -> Iterator[str]:
    for evidence in finding.evidence:
        if isinstance(evidence, Transcript):
            yield from (m["content"] for m in evidence.messages if m["role"] != "user")
        elif isinstance(evidence, Excerpt):
            yield evidence.text
        elif isinstance(evidence, Latent):
            yield from evidence.contexts


def _holds(said: Said, text: str) -> bool:
    lower = text.casefold()
    terms = (*said.terms.names, *said.terms.words)
    return said.terms.graders or any(term.casefold() in lower for term in terms)


def _cut(text: str, words: int) -> str:
    """The text up to so many words; the longest beginning of whole words that fits."""
    if count(text) <= words:
        return text
    parts = text.split()
    low, high = 0, len(parts)
    while low < high:
        middle = (low + high + 1) // 2
        if count(" ".join(parts[:middle])) <= words:
            low = middle
        else:
            high = middle - 1
    return " ".join(parts[:low])
