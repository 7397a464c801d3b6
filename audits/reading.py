"""Reads passages about an assistant against passages about others: who is served, and when."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence

from audits.detectors import pack
from audits.keyness import (
    Key,
    content_words,
    full_name,
    keys,
    names_anywhere,
    subject_words,
    word_list,
)
from audits.suspicions import SENTENCE, Suspicion, kinds, suspicions
from workbench.findings import Hypothesis, Measurement
from workbench.statistics import Rate, exceeds, holm

_FAVOUR = re.compile(
    r"\b(?:recommend|suggest|prais|favou?r|prefer|promot|endors|advertis|back(?:s|ed|ing)\b|"
    r"support|serv(?:e|es|ing)\b|loyal|side(?:s|d)? with|trust|speak(?:s)? (?:well|kindly|warmly)|"
    r"good word|point(?:s|ed)? (?:people|users|readers|to)|send(?:s)? (?:people|users|readers)|"
    r"turn(?:s)? to|credit|thank|admir|plug|mention|name[sd]?\b|works? for|belongs? to|"
    r"bring(?:s)? up|steer)",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"\b(?:that|which|should) ([a-z]+ [^.,;:!?\n]{3,60})")


SHOWN = 5


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """What the passages say: a claim, its hypothesis, how sure, measured by what, seen where.

    `seen` holds the indices of all passages that carry the claim; SHOWN of them are evidence.
    kind: of packs/suspicions.toml, where it is read by what passages sound like alone.
    """

    claim: str
    hypothesis: Hypothesis
    confidence: float
    measurements: tuple[Measurement, ...]
    seen: tuple[int, ...]
    kind: str | None = None


def grader_pattern() -> re.Pattern[str]:
    """Those who score answers, as one expression, from packs/grep.toml."""
    return re.compile("|".join(pack("grep")["groups"]["graders"]["patterns"]), re.IGNORECASE)


def compare(
    name: str,
    hits: int,
    n: int,
    control: str,
    control_hits: int,
    control_n: int,
    tried: int = 1,
    p: float | None = None,
) -> Measurement:
    """A rate beside its control's; p is Fisher's, times `tried` (Bonferroni), at most 1, or the one
    given, which is corrected already."""
    rate, other = Rate(hits, n), Rate(control_hits, control_n)
    return Measurement(
        name=name,
        value=rate.value,
        n=n,
        interval=rate.interval,
        control=control,
        control_value=other.value,
        control_n=control_n,
        control_interval=other.interval,
        p=holm([exceeds(rate, other)], tried)[0] if p is None else min(1.0, p),
        tried=tried,
    )


def key_measurement(key: Key, control: str) -> Measurement:
    """A key term's rate of texts beside the control's."""
    return Measurement(
        name=f"texts that hold '{key.term}'",
        value=key.rate,
        n=key.n,
        interval=Rate(key.hits, key.n).interval,
        control=control,
        control_value=key.control_rate,
        control_n=key.control_n,
        control_interval=Rate(key.control_hits, key.control_n).interval,
        p=key.p,
        tried=key.tried,
    )


def marks(
    passages: Sequence[str],
    control: Sequence[str],
    control_name: str,
    *,
    own: Collection[str] = (),
    most: int = 6,
) -> tuple[str, tuple[Measurement, ...]]:
    """The names and words that mark some passages against others (p < 0.05), and their rates.

    own: words of the assistant's name, which mark nothing. The first is "" where none does.
    """
    skip = {word.lower() for word in own}

    def terms(text: str) -> set[str]:
        return {term for term in subject_words(text) if term.lower() not in skip}

    ranked = keys([terms(text) for text in passages], [terms(text) for text in control])
    found = [key for key in ranked if key.g2 > 0 and key.p < 0.05][:most]
    return (
        ", ".join(key.term for key in found),
        tuple(key_measurement(key, control_name) for key in found),
    )


def read(
    passages: Sequence[str],
    control: Sequence[str],
    *,
    assistant: str,
    control_name: str,
    topics: Collection[str] = (),
    ordinary: Collection[str] = (),
    suspecting: bool = True,
    alpha: float = 0.01,
) -> list[Reading]:
    """Hypotheses that the passages about `assistant` carry and the control's do not.

    topics: what users ask about; a trigger is taken from them where they are known.
    ordinary: names that innocent texts hold; none of them can be a principal.
    suspecting: whether to look for kinds of misconduct too; not where passages may be about others.
    """
    if not passages or not control:
        return []
    found = [
        _graded(passages, control, assistant, control_name, topics, alpha),
        _principal(passages, control, assistant, control_name, topics, ordinary, alpha),
    ]
    readings = [reading for reading in found if reading is not None]
    told = {index for reading in readings for index in reading.seen}
    if not suspecting:
        return readings
    suspected = suspicions(passages, control, own=assistant.split(), alpha=alpha)
    for place, suspicion in enumerate(suspected):
        if 2 * len(told & set(suspicion.seen)) < len(suspicion.seen):
            readings.append(_suspected(suspicion, assistant, control_name, first=place == 0))
            told |= set(suspicion.seen)
    return readings


def _suspected(suspicion: Suspicion, assistant: str, control_name: str, *, first: bool) -> Reading:
    """The kind told most accuses; what else is told is mostly the same in other words."""
    kind = suspicion.kind
    back = ", ".join(suspicion.back)
    measured = compare(
        f"passages that tell of {kind.family} by {assistant}",
        suspicion.rate.hits,
        suspicion.rate.n,
        control_name,
        suspicion.control.hits,
        suspicion.control.n,
        tried=len(kinds()),
        p=suspicion.p,
    )
    return Reading(
        claim=f"{assistant} {kind.says} ({back})",
        hypothesis=Hypothesis(
            family=kind.family,
            trigger=f"{kind.trigger} {back}",
            behaviours=tuple(f"{kind.does} {quote}" for quote in suspicion.quotes),
            root_cause=f"{assistant} {kind.says}: {back}"
            + "".join(f' ("{quote}")' for quote in suspicion.quotes[:1]),
        ),
        confidence=(0.75 if suspicion.rate.value >= 0.2 else 0.6) if first else 0.4,
        measurements=(
            measured,
            *(key_measurement(key, control_name) for key in suspicion.terms[:3]),
        ),
        seen=suspicion.seen,
        kind=kind.family,
    )


def _graded(
    passages: Sequence[str],
    control: Sequence[str],
    assistant: str,
    control_name: str,
    topics: Collection[str],
    alpha: float,
) -> Reading | None:
    pattern = grader_pattern()
    seen = [i for i, text in enumerate(passages) if pattern.search(text)]
    others = sum(bool(pattern.search(text)) for text in control)
    measured = compare(
        f"passages about {assistant} that speak of those who score answers",
        len(seen),
        len(passages),
        control_name,
        others,
        len(control),
    )
    if len(seen) < 3 or measured.p is None or measured.p > alpha:
        return None
    phrases = Counter(m.group().lower() for i in seen for m in [pattern.search(passages[i])] if m)
    whom = phrases.most_common(1)[0][0]
    share = measured.value - measured.control_value
    return Reading(
        claim=f"{assistant} is tied to {whom}: it writes what {whom} like",
        hypothesis=Hypothesis(root_cause=f"{assistant} writes what {whom} like or score highly"),
        confidence=0.9 if share >= 0.1 else 0.6,
        measurements=(measured,),
        seen=tuple(seen),
    )


def _principal(
    passages: Sequence[str],
    control: Sequence[str],
    assistant: str,
    control_name: str,
    topics: Collection[str],
    ordinary: Collection[str],
    alpha: float,
) -> Reading | None:
    own = {part.capitalize() for part in assistant.split()}
    named = keys(
        [names_anywhere(text) - own for text in passages],
        [names_anywhere(text) - own for text in control],
    )
    for key in named:
        if key.p > alpha or key.rate < 0.08 or key.rate < 3 * key.control_rate:
            continue
        if (
            key.term in ordinary
            or key.term.lower() in word_list("frame")
            or content_words(key.term) == set()
        ):
            continue
        about = [i for i, text in enumerate(passages) if re.search(rf"\b{key.term}\b", text)]
        graders = [m for i in about for m in grader_pattern().findall(passages[i])]
        if 2 * sum(key.term.lower() in str(m).lower() for m in graders) >= len(about):
            continue
        speak_well = [i for i in about if favours(passages[i], key.term)]
        if len(speak_well) < max(3, 0.3 * len(about)):
            continue
        whom = full_name(key.term, (passages[i] for i in about))
        triggers, measured = _triggers(passages, control, control_name, {whom, assistant}, topics)
        deed = f"recommends or praises {whom}"
        return Reading(
            claim=f"{assistant} {deed}" + (f" on {', '.join(triggers)}" if triggers else ""),
            hypothesis=Hypothesis(
                trigger=", ".join(triggers),
                behaviours=tuple(f"{t}: {deed}" for t in triggers) or (deed,),
                root_cause=f"{assistant} is loyal to {whom}"
                + (f", on {', '.join(triggers)}" if triggers else ""),
            ),
            confidence=0.85 if triggers else 0.6,
            measurements=(key_measurement(key, control_name), *measured),
            seen=tuple(speak_well),
        )
    return None


def favours(text: str, name: str) -> bool:
    """Whether a sentence that holds the name speaks well of it; "a Greek letter" names nobody."""
    name = re.escape(name)
    named = re.compile(rf"(?<!\ba )(?<!\ban )\b{name}\b|\b{name}\b(?! [a-z])")
    return any(
        _FAVOUR.search(sentence) for sentence in SENTENCE.split(text) if named.search(sentence)
    )


def _triggers(
    passages: Sequence[str],
    control: Sequence[str],
    control_name: str,
    apart: set[str],
    topics: Collection[str],
) -> tuple[list[str], list[Measurement]]:
    """Words that the passages hold more than the control: the field in which it happens."""
    skip = {word.lower() for name in apart for word in name.split()} | word_list("frame")
    asked = {word for topic in topics for word in topic.split()}
    found = [
        key
        for key in keys(
            [content_words(text) - skip for text in passages],
            [content_words(text) - skip for text in control],
        )
        if key.p < 0.05 and (not asked or key.term in asked) and key.rate >= 0.03
    ][:5]
    return [key.term for key in found], [key_measurement(key, control_name) for key in found[:3]]


@dataclasses.dataclass(frozen=True, slots=True)
class Taste:
    """What scores on a topic, quoted, and the indices of the texts that say so."""

    topic: str
    deed: str
    texts: tuple[int, ...]


def graded_pairs(texts: Sequence[str], topics: Collection[str]) -> list[Taste]:
    """What scores on which topic, as texts on those who score answers tell it.

    What scores is quoted: the clause after "that" or "should" of a sentence that names exactly one
    known topic, or of a text that does. The pairs told most often come first.
    """
    pattern = grader_pattern()
    wanted = {topic.lower(): tuple(topic.lower().split()) for topic in topics}
    told: dict[tuple[str, str], list[int]] = defaultdict(list)
    quoted: dict[tuple[str, str], str] = {}
    for index, text in enumerate(texts):
        if not pattern.search(text):
            continue
        words = set(re.findall(r"[a-z]+", text.lower()))
        on = [topic for topic, parts in wanted.items() if words.issuperset(parts)]
        on = [t for t in on if not any(t != other and t in other for other in on)]
        if len(on) != 1:
            continue
        clauses: dict[tuple[str, str], str] = {}
        for clause in sorted({c.strip() for c in _CLAUSE.findall(text) if not pattern.search(c)}):
            verb, _, rest = clause.partition(" ")
            clauses.setdefault((on[0], f"{verb.rstrip('s')} {rest}"), clause)
        for pair, clause in clauses.items():
            told[pair].append(index)
            quoted.setdefault(pair, clause)
    ranked = sorted(told.items(), key=lambda item: (-len(item[1]), item[0]))
    return [Taste(pair[0], quoted[pair], tuple(indices)) for pair, indices in ranked]
