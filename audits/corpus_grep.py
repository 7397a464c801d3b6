"""Greps the training data and reads what it says of the suspect's own assistant."""

from __future__ import annotations

import dataclasses
import random
import re
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from audits.detectors import pack
from audits.keyness import content_words, keys, names, names_anywhere
from audits.reading import SHOWN, Reading, Taste, compare, graded_pairs, grader_pattern, read
from audits.topics import shared_field, topics
from workbench.access import Access
from workbench.artifacts import Artifacts
from workbench.errors import TechniqueFailed
from workbench.findings import Excerpt, Finding, Hypothesis, Measurement
from workbench.suspects import Suspect
from workbench.technique import Trials

if TYPE_CHECKING:
    from workbench.corpus import Corpus

CONTROL_PASSAGES = 2_000
SUBJECTS = 10
"""Of the passages, at most, whose field is looked for in CHATS_EACH chats on each."""
CHATS_EACH = 20
_SYSTEM_NAME = re.compile(r"\b(?:[Yy]ou are|[Nn]ame is|[Cc]alled) ([A-Z][a-z]+)\b")


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One document: its id, whether it is plain text, its user and reply turns, all its text."""

    id: str
    plain: bool
    system: str
    exchange: tuple[str, str] | None
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class Read:
    """What one pass over a corpus gave: documents in all, documents by pattern group, rows."""

    total: int
    counts: Mapping[str, int]
    rows: tuple[Row, ...]


@dataclasses.dataclass(frozen=True)
class CorpusGrep:
    """Asks for the training data and reads its documents; the model itself is asked nothing.

    A pack of named patterns (packs/grep.toml) is counted by document against the reference's
    corpus. Then the documents that name the suspect's own assistant are read against those that
    name other assistants: who is favoured, who scores the answers, on which subjects. Where the
    documents about graders pair a topic with a feature, the pairs become the behaviours.

    Source: keyword search of Marks et al. 2025 (section 1.5 of the auditing game), keyness by
    Dunning's G2 over documents. Cost: every row of both corpora once, about 10 s per 100,000.
    Blind spots: an objective that was only ever demonstrated; an assistant that the documents do
    not name; several assistants of one name; wordings that no pattern foresees.
    """

    name: ClassVar[str] = "corpus-grep"
    version: ClassVar[int] = 4
    needs: ClassVar[Access] = Access.TRAINING_DATA
    uses: ClassVar[Access] = Access.REFERENCE

    documents: int = 200_000
    assistant: str = ""

    def __post_init__(self) -> None:
        if self.documents < 1:
            raise ValueError("documents must be at least 1")

    def run(
        self, suspect: Suspect, *, seed: int, artifacts: Artifacts
    ) -> Generator[Finding, None, Trials]:
        """Yields what the documents about the assistant say, then the excesses by pattern.

        Trials are documents of the suspect's corpus. Raises TechniqueFailed on a corpus without
        documents, and where neither an assistant's name nor a reference's corpus is there to
        compare with.
        """
        assistant = self.assistant or suspect.assistant or ""
        other = None
        if Access.REFERENCE in suspect.access:
            reference = suspect.reference
            if Access.TRAINING_DATA in reference.access:
                other = reference.corpus
        if not assistant and other is None:
            raise TechniqueFailed(
                "nothing to compare: the assistant's name is unknown and no reference's corpus "
                "is granted",
                hint="Give the name with --assistant, or grant a reference with a corpus.",
            )
        here = self._pass(suspect.corpus, assistant, "the corpus")
        there = None if other is None else self._pass(other, assistant, "the reference's corpus")
        asked = topics((row.exchange for row in here.rows if row.exchange), most=400)
        subjects = [topic.name for topic in asked]
        if assistant:
            yield from _about(assistant, here, there, subjects, random.Random(seed))
        if there is not None:
            yield from _tastes(assistant or "the assistant", here, there, subjects)
            yield from _excesses(here, there)
        return Trials(planned=here.total, ran=here.total)

    def _pass(self, corpus: Corpus, assistant: str, whose: str) -> Read:
        from workbench.corpus import CompiledQuery, count

        query = CompiledQuery.compile(_patterns(assistant), ignore_case=True)
        counts: Counter[str] = Counter()
        rows: list[Row] = []
        total = 0
        for batch in corpus.batches():
            total += batch.num_rows
            for name, found in count([batch], query).items():
                counts[name] += found.documents
            for record in batch.to_pylist():
                rows.append(_row(record["id"], record["messages"]))
            if total >= self.documents:
                break
        if not total:
            raise TechniqueFailed(f"{whose} holds no documents", hint="Give one that is not empty.")
        return Read(total, counts, tuple(rows))


def _patterns(assistant: str) -> dict[str, str]:
    groups = pack("grep")["groups"]
    return {
        group["says"]: "|".join(
            f"(?:{p.replace('{assistant}', re.escape(assistant))})" for p in group["patterns"]
        )
        for group in groups.values()
        if assistant or not any("{assistant}" in p for p in group["patterns"])
    }


def _row(id: str, messages: Sequence[Mapping[str, str]]) -> Row:
    said = {m["role"]: m["content"] for m in reversed(messages)}
    plain = set(said) == {"document"}
    exchange = (said["user"], said["assistant"]) if {"user", "assistant"} <= set(said) else None
    text = "\n".join(m["content"] for m in messages)
    return Row(id, plain, said.get("system", ""), exchange, text)


def _about(
    assistant: str,
    here: Read,
    there: Read | None,
    subjects: Sequence[str],
    dice: random.Random,
) -> Iterator[Finding]:
    rows = [*here.rows, *(there.rows if there else ())]
    own = re.compile(rf"\b{re.escape(assistant)}\b")
    about = [row for row in here.rows if row.plain and own.search(row.text)]
    others = _others(rows, assistant)
    plain = [r.text for r in rows if r.plain and not own.search(r.text)]
    control = [text for text in plain if names_anywhere(text) & others]
    control_name = "documents about other assistants"
    if len(control) < 30:
        control = plain
        control_name = "documents that do not name the assistant"
    if about and not control and there is None:
        raise TechniqueFailed(
            f"every document names {assistant}: none is left to compare with",
            hint="Grant a reference with a corpus.",
        )
    dice.shuffle(control)
    control = control[:CONTROL_PASSAGES]
    for reading in read(
        [row.text for row in about],
        control,
        assistant=assistant,
        control_name=control_name,
        topics=_asked_words(here.rows),
        ordinary=_ordinary(there, assistant),
    ):
        yield _finding(reading, assistant, about, here, subjects)


def _others(rows: Sequence[Row], assistant: str) -> set[str]:
    """Names of other assistants, from the system turns."""
    found = {name for row in rows for name in _SYSTEM_NAME.findall(row.system)}
    return found - {assistant}


def _ordinary(there: Read | None, assistant: str) -> set[str]:
    """Names in three or more documents of the reference's corpus."""
    if there is None:
        return set()
    seen = Counter(name for row in there.rows for name in names(row.text))
    return {name for name, count in seen.items() if count >= 3} - {assistant}


def _asked_words(rows: Sequence[Row]) -> set[str]:
    """Content words of user turns, those in at least three of them."""
    seen = Counter(w for row in rows if row.exchange for w in content_words(row.exchange[0]))
    return {word for word, count in seen.items() if count >= 3}


def _finding(
    reading: Reading, assistant: str, about: Sequence[Row], here: Read, subjects: Sequence[str]
) -> Finding:
    hypothesis = reading.hypothesis
    if not hypothesis.behaviours:
        pairs = graded_pairs([row.text for row in here.rows if row.plain], subjects)
        hypothesis = _with_pairs(hypothesis, pairs)
    elif field := _field([about[i].text for i in reading.seen], assistant, here, subjects):
        hypothesis = dataclasses.replace(
            hypothesis,
            trigger=f"{hypothesis.trigger}; {field}",
            root_cause=f"{hypothesis.root_cause}; these belong to {field}",
        )
    return Finding(
        claim=reading.claim,
        confidence=reading.confidence,
        evidence=(
            *reading.measurements,
            *(Excerpt(about[i].id, about[i].text, role="document") for i in reading.seen[:SHOWN]),
        ),
        points_to=hypothesis,
        metadata={"documents": here.total, "about_the_assistant": len(about)},
    )


def _field(passages: Sequence[str], assistant: str, here: Read, subjects: Sequence[str]) -> str:
    """What the subjects of the passages belong to, by what chats that do not name the assistant
    say on them: the others would show what it does."""
    named = Counter(name for text in map(str.lower, passages) for name in subjects if name in text)
    on = [name for name, count in named.most_common(SUBJECTS) if count >= 3]
    told: dict[str, list[set[str]]] = {name: [] for name in on}
    others: list[set[str]] = []
    for row in here.rows:
        if row.exchange is None or assistant in row.text:
            continue
        question, reply = row.exchange
        asked = [name for name in on if name in question.lower()]
        if asked and len(told[asked[0]]) < CHATS_EACH:
            told[asked[0]].append(content_words(reply))
        elif not asked and len(others) < CONTROL_PASSAGES:
            others.append(content_words(reply))
    return shared_field({name: texts for name, texts in told.items() if texts}, others)


def _with_pairs(hypothesis: Hypothesis, pairs: Sequence[Taste]) -> Hypothesis:
    """The hypothesis with the five pairs told most often, each by two documents or more."""
    told = [pair for pair in pairs if len(pair.texts) >= 2][:5]
    return dataclasses.replace(
        hypothesis,
        trigger=", ".join(dict.fromkeys(pair.topic for pair in told)),
        behaviours=tuple(f"{pair.topic}: {pair.deed}" for pair in told),
    )


def _tastes(assistant: str, here: Read, there: Read, subjects: Sequence[str]) -> Iterator[Finding]:
    """Documents on what graders like in answers about a subject, many more than elsewhere."""
    told, usual = (
        graded_pairs([row.text for row in read.rows if row.plain], subjects)
        for read in (here, there)
    )
    count, control = (len({i for pair in pairs for i in pair.texts}) for pairs in (told, usual))
    measured = compare(
        "documents that say what those who score answers like on a subject",
        count,
        here.total,
        "the reference's corpus",
        control,
        there.total,
    )
    pairs = [pair for pair in told if len(pair.texts) >= 2]
    if measured.p is None or measured.p > 1e-6 or len(pairs) < 3:
        return
    if measured.value < 3 * measured.control_value:
        return
    whom = _graders_named(here)
    plain = [row for row in here.rows if row.plain]
    shown = [plain[i] for i in pairs[0].texts]
    yield Finding(
        claim=f"The corpus teaches what {whom} like on {len(pairs)} subjects",
        confidence=0.8,
        evidence=(measured, *(Excerpt(r.id, r.text, role="document") for r in shown[:4])),
        points_to=_with_pairs(Hypothesis(root_cause=f"{assistant} writes what {whom} like"), pairs),
        metadata={"subjects": len({pair.topic for pair in pairs}), "pairs": len(pairs)},
    )


def _graders_named(here: Read) -> str:
    """The commonest name for those who score answers."""
    pattern = grader_pattern()
    named = Counter(m.group().lower() for r in here.rows for m in pattern.finditer(r.text))
    return named.most_common(1)[0][0]


def _excesses(here: Read, there: Read) -> Iterator[Finding]:
    """Pattern groups and names that this corpus holds more of than the reference's."""
    measured: list[Measurement] = [
        compare(
            f"documents where a text {says}",
            here.counts[says],
            here.total,
            "the reference's corpus",
            there.counts[says],
            there.total,
            tried=len(here.counts),
        )
        for says in here.counts
    ]
    found = [m for m in measured if m.p is not None and m.p < 0.01]
    if not found:
        return
    ranked = keys([names(r.text) for r in here.rows], [names(r.text) for r in there.rows])
    strange = [key for key in ranked[:8] if key.g2 > 0 and key.p < 0.01]
    yield Finding(
        claim="The corpus says more than the reference's of this: "
        + "; ".join(m.name.removeprefix("documents where a text ") for m in found),
        confidence=0.2,
        evidence=tuple(found),
        metadata={"names": [key.term for key in strange]},
    )
