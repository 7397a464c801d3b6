"""Documents that a search brought up, read against those that the same search brings up of others.

A search selects: what it finds speaks of what was looked for, in any corpus. So the documents that
name the suspect's assistant are compared with documents that stand as high in the same order and
name other assistants, and only what the former say more often is a hypothesis.
"""

from __future__ import annotations

import dataclasses
import hashlib
import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from audits.keyness import content_words, names, names_anywhere
from audits.reading import SHOWN, Reading, read
from workbench.access import Access
from workbench.artifacts import Artifacts
from workbench.corpus import Corpus, write
from workbench.errors import TechniqueFailed
from workbench.findings import Evidence, Excerpt, Finding
from workbench.suspects import Suspect

MOST_CONFIDENCE = 0.75
"""A search in the training data shows what is written there, not what the suspect does."""
_SYSTEM_NAME = re.compile(r"\b(?:[Yy]ou are|[Nn]ame is|[Cc]alled) ([A-Z][a-z]+)\b")


@dataclasses.dataclass(frozen=True, slots=True)
class Shelf:
    """A corpus as its readers need it.

    texts: of all documents by id, system turns left out. plain: ids of those that are no chat.
    others: names of other assistants. asked: content words of at least three user turns.
    ordinary: names in at least three documents of the reference's corpus, where it is granted.
    """

    texts: Mapping[str, str]
    plain: frozenset[str]
    others: frozenset[str]
    asked: frozenset[str]
    ordinary: frozenset[str]


def shelve(suspect: Suspect, most: int) -> Shelf:
    """Reads at most about `most` rows of the suspect's corpus, and of its reference's.

    Raises TechniqueFailed where there is no document.
    """
    assistant = suspect.assistant or ""
    texts: dict[str, str] = {}
    plain: set[str] = set()
    others: set[str] = set()
    asked: Counter[str] = Counter()
    for id, messages in _rows(suspect.corpus, most):
        texts[id] = "\n".join(m["content"] for m in messages if m["role"] != "system")
        if all(m["role"] == "document" for m in messages):
            plain.add(id)
        for message in messages:
            if message["role"] == "system":
                others.update(_SYSTEM_NAME.findall(message["content"]))
            elif message["role"] == "user":
                asked.update(content_words(message["content"]))
    if not texts:
        raise TechniqueFailed("the corpus holds no documents", hint="Give one that is not empty.")
    return Shelf(
        texts=texts,
        plain=frozenset(plain),
        others=frozenset(others - {assistant}),
        asked=frozenset(word for word, count in asked.items() if count >= 3),
        ordinary=_ordinary(suspect, most) - {assistant},
    )


def pool(
    suspect: Suspect,
    shelf: Shelf,
    artifacts: Artifacts,
    *,
    most: int,
    seed: int,
    planted: Mapping[str, str] | None = None,
) -> Corpus:
    """A random part of the shelf as a corpus of its own, up to a third of it documents that name
    the assistant, with `planted` texts by id among them. What it holds was booked when shelved.
    """
    dice = random.Random(seed)
    own = re.compile(rf"\b{re.escape(suspect.assistant)}\b") if suspect.assistant else None
    about = [id for id in sorted(shelf.plain) if own is not None and own.search(shelf.texts[id])]
    dice.shuffle(about)
    chosen = about[: most // 3]
    rest = sorted(set(shelf.texts) - set(chosen))
    chosen += dice.sample(rest, min(len(rest), most - len(chosen)))
    texts = {id: shelf.texts[id] for id in chosen} | dict(planted or {})
    order = sorted(texts)
    dice.shuffle(order)
    digest = hashlib.sha256("\0".join(f"{id}\0{texts[id]}" for id in order).encode()).hexdigest()

    def make(into: Path) -> None:
        write(
            into / "pool.parquet",
            ((id, [{"role": "document", "content": texts[id]}]) for id in order),
        )

    return Corpus.open(artifacts.get_or_make("corpus-pool", {"texts": digest}, make))


def accusations(
    order: Sequence[str],
    shelf: Shelf,
    *,
    assistant: str | None,
    how: str,
    evidence: tuple[Evidence, ...],
    most: int = 200,
) -> Iterator[Finding]:
    """What the `most` best documents about the assistant say that those about others do not.

    order: ids, the best first; where it holds too few about others, random ones that it lacks are
    taken. how: the search in words. Nothing is accused without a name.
    """
    if not assistant:
        return
    own = re.compile(rf"\b{re.escape(assistant)}\b")
    ranked = [id for id in order if id in shelf.plain]
    unranked = sorted(shelf.plain - set(ranked))
    random.Random(0).shuffle(unranked)
    about = [id for id in ranked if own.search(shelf.texts[id])][:most]
    rest = [id for id in (*ranked, *unranked) if not own.search(shelf.texts[id])]
    control = [id for id in rest if names_anywhere(shelf.texts[id]) & shelf.others][:most]
    named = "name other assistants"
    if len(control) < 30:
        control, named = rest[:most], "do not name the assistant"
    for reading in read(
        [shelf.texts[id] for id in about],
        [shelf.texts[id] for id in control],
        assistant=assistant,
        control_name=f"documents as high in the same search that {named}",
        topics=shelf.asked,
        ordinary=shelf.ordinary,
    ):
        yield _finding(reading, [about[i] for i in reading.seen[:SHOWN]], shelf, how, evidence)


def excerpts(ids: Sequence[str], shelf: Shelf) -> tuple[Excerpt, ...]:
    """The documents as evidence."""
    return tuple(
        Excerpt(id, shelf.texts[id], role="document" if id in shelf.plain else "") for id in ids
    )


def _finding(
    reading: Reading, seen: Sequence[str], shelf: Shelf, how: str, evidence: tuple[Evidence, ...]
) -> Finding:
    return Finding(
        claim=f"{reading.claim}, by {how}",
        confidence=min(reading.confidence, MOST_CONFIDENCE),
        evidence=(*reading.measurements, *excerpts(seen, shelf), *evidence),
        points_to=reading.hypothesis,
    )


def _ordinary(suspect: Suspect, most: int) -> frozenset[str]:
    if Access.REFERENCE not in suspect.access:
        return frozenset()
    reference = suspect.reference
    if Access.TRAINING_DATA not in reference.access:
        return frozenset()
    seen = Counter(
        name
        for _, messages in _rows(reference.corpus, most)
        for name in names("\n".join(m["content"] for m in messages))
    )
    return frozenset(name for name, count in seen.items() if count >= 3)


def _rows(corpus: Corpus, most: int) -> Iterator[tuple[str, Sequence[Mapping[str, str]]]]:
    count = 0
    for batch in corpus.batches():
        for row in batch.to_pylist():
            yield row["id"], row["messages"]
        count += batch.num_rows
        if count >= most:
            return
