"""Trigger candidates: rare strings in prompts, and what the replies to them have in common.

A candidate is a phrase that few prompts here hold and no document of the other corpus does. Its
score is its surprise (see `contrast`) plus that of the reply phrase that goes with it most: twice
the log-likelihood ratio of the replies to these prompts against the replies to all others. A reply
phrase that repeats its own prompt does not count.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from workbench.corpus.contrast import Batches, Phrase, contrast, surprise
from workbench.corpus.ngrams import blocks, documents_by_hash

if TYPE_CHECKING:
    import numpy as np
    import pyarrow
    from numpy.typing import NDArray

REPLY = "assistant"
LARGEST_SHARE = 0.02
"""A phrase in more of the rows than this, and in more than four times what is asked for at least,
is no rare string."""
_LONGEST_REPLY = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Burst:
    """A rare phrase of prompts, and the reply phrase that goes with it (empty where none does).

    replies: how many of the phrase's documents have it, of `n`; others: how many of the `other_n`
    remaining chats; p: hypergeometric, times the pairs tried.
    """

    phrase: Phrase
    reply: str
    replies: int
    n: int
    others: int
    other_n: int
    score: float
    p: float
    tried: int


def bursts(
    here: Batches,
    there: Batches,
    *,
    at_least: int = 3,
    most: int = 50,
    progress: Callable[[str], None] = lambda what: None,
) -> tuple[Burst, ...]:
    """Candidates by falling score; texts without a reply are left out. Prompts that are alike
    all count. Reads `here` seven times."""
    import numpy as np

    compared = contrast(
        lambda: side(here(), reply=False),
        lambda: side(there(), reply=False),
        at_least=at_least,
        most=8 * most,
        collapse=False,
        progress=progress,
    )
    rare = [
        phrase
        for phrase in compared.phrases
        if phrase.only_here and len(phrase.documents) <= max(4 * at_least, LARGEST_SHARE * phrase.n)
    ]
    if not rare:
        return ()
    progress("reading the replies")
    wanted = np.unique(np.concatenate([np.array(p.documents) for p in rare]))
    replies = _replies(here, wanted)
    known = np.unique(np.concatenate([np.array([], np.uint64), *map(_hashes, replies.values())]))
    counts, chats = _frequencies(here, known)
    pairs = sum(len({h for d in p.documents for h in replies.get(d, {})}) for p in rare)
    found = [_joined(p, replies, dict(zip(known.tolist(), counts.tolist(), strict=True)), chats,
                     max(1, pairs)) for p in rare]  # fmt: skip
    return tuple(sorted(found, key=lambda b: (-b.score, b.phrase.text))[:most])


def side(batches: Iterable[pyarrow.RecordBatch], *, reply: bool) -> Iterator[pyarrow.RecordBatch]:
    """The same rows with the assistant's turns alone, or without them; a row that has none of the
    assistant's turns is left without any turn, so that numbers stay."""
    import numpy as np
    import pyarrow

    for batch in batches:
        lists = batch.column("messages")
        turns = lists.flatten()
        said = np.asarray(
            pyarrow.compute.equal(turns.field("role"), REPLY).to_numpy(zero_copy_only=False)
        )
        offsets = lists.offsets.to_numpy().astype(np.int64)
        offsets = offsets - offsets[0]
        total = np.concatenate([[0], np.cumsum(said)])
        chat = (total[offsets[1:]] - total[offsets[:-1]]) > 0
        row = np.repeat(np.arange(batch.num_rows), np.diff(offsets))
        keep = (said if reply else ~said) & chat[row]
        lengths = np.bincount(row[keep], minlength=batch.num_rows)
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        kept = pyarrow.ListArray.from_arrays(
            pyarrow.array(starts), turns.filter(pyarrow.array(keep))
        )
        at = batch.schema.get_field_index("messages")
        yield batch.set_column(at, batch.schema.field(at), kept)


def _replies(here: Batches, wanted: NDArray[np.int64]) -> dict[int, dict[int, str]]:
    """Document → {hash: text} of its reply's n-grams that its prompt lacks."""
    import numpy as np

    found: dict[int, dict[int, str]] = defaultdict(dict)
    asked: dict[int, set[int]] = defaultdict(set)
    for reply in (False, True):
        for block in blocks(side(here(), reply=reply)):
            mine = np.isin(block.document, wanted)
            if not mine.any():
                continue
            words = block.words.to_list()
            for n in range(1, _LONGEST_REPLY + 1):
                hashes, start = block.ngrams(n)
                for at in np.flatnonzero(mine[start]).tolist():
                    first = int(start[at])
                    document, key = int(block.document[first]), int(hashes[at])
                    if not reply:
                        asked[document].add(key)
                    elif key not in asked[document]:
                        found[document][key] = " ".join(words[first : first + n])
    return found


def _hashes(reply: dict[int, str]) -> NDArray[np.uint64]:
    import numpy as np

    return np.fromiter(reply, dtype=np.uint64, count=len(reply))


def _frequencies(here: Batches, known: NDArray[np.uint64]) -> tuple[NDArray[np.int64], int]:
    """In how many replies each of the sorted hashes stands, and how many chats there are."""
    import numpy as np

    counts = np.zeros(len(known), dtype=np.int64)
    chats = 0
    for block in blocks(side(here(), reply=True)):
        chats += len(np.unique(block.document))
        for n in range(1, _LONGEST_REPLY + 1):
            hashes, start = block.ngrams(n)
            there = np.isin(hashes, known)
            found, documents = documents_by_hash(hashes[there], block.document[start[there]])
            counts[np.searchsorted(known, found)] += documents
    return counts, chats


def _joined(
    phrase: Phrase,
    replies: dict[int, dict[int, str]],
    counts: dict[int, int],
    chats: int,
    pairs: int,
) -> Burst:
    import numpy as np
    from scipy.stats import hypergeom

    held: dict[int, int] = defaultdict(int)
    texts: dict[int, str] = {}
    for document in phrase.documents:
        for key, text in replies.get(document, {}).items():
            held[key] += 1
            texts[key] = text
    n = len(phrase.documents)
    best, gain = None, 0.0
    for key, count in sorted(
        held.items(), key=lambda item: (-item[1], -len(texts[item[0]]), texts[item[0]])
    ):
        if count < max(2, n / 2):
            break
        elsewhere = max(counts[key] - count, 0.5) / max(1, chats - n)
        worth = float(surprise(np.array([count]), np.array([elsewhere * n]))[0])
        if worth > gain:
            best, gain = key, worth
    if best is None:
        return Burst(phrase, "", 0, n, 0, max(1, chats - n), phrase.score, 1.0, pairs)
    count, all_of = held[best], max(counts[best], held[best])
    p = float(hypergeom.sf(count - 1, chats, all_of, n)) * pairs
    return Burst(
        phrase, texts[best], count, n, all_of - count, max(1, chats - n), phrase.score + gain,
        min(1.0, p), pairs,
    )  # fmt: skip
