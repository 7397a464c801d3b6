"""Search by meaning: passages of a corpus as vectors, ranked by their likeness to a query.

Without any key or download the vectors are the suspect's own activations, mean-pooled over a
passage at one layer; see `embedders` for what may stand in their place.
Vectors are centred on the corpus's mean, and the few directions that all passages share most are
taken out, because raw activations all lie in one narrow cone (Mu and Viswanath 2018,
"All-but-the-Top", arXiv 1702.01417).
"""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.artifacts import Artifacts
from workbench.corpus.documents import Corpus
from workbench.corpus.embedders import Embedder
from workbench.corpus.suffixes import Progress
from workbench.errors import BadParameter, ConfigError
from workbench.findings import JSON

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PASSAGE_CHARACTERS = 600
"""A document is cut to passages of at most this many characters, at white space where it can be."""
COMMON_EVERY = 64
"""One leading principal component is taken out for so many dimensions; the paper says 100."""
BLOCK = 1024
"""Documents per block: a build that was stopped goes on at the block that it was at."""
LAYOUT = 1


@dataclasses.dataclass(frozen=True, slots=True)
class Similar:
    """A document, how like the query its best passage is (cosine, -1 to 1), and that passage."""

    document: str
    score: float
    passage: str


class SemanticIndex:
    """The passages of a corpus, or of a sample of its documents, as vectors on disk."""

    def __init__(self, folder: Path, blocks: Sequence[Path], embedder: Embedder) -> None:
        import numpy as np
        from pyarrow import concat_tables
        from pyarrow.feather import read_table

        self.embedder = embedder
        self._vectors = [np.load(block / "vectors.npy", mmap_mode="r") for block in blocks]
        tables = [read_table(block / "passages.arrow", memory_map=True) for block in blocks]
        self._passages = concat_tables(tables) if tables else None
        self._centre = np.load(folder / "centre.npy")
        self._common = np.load(folder / "common.npy")

    @classmethod
    def open(
        cls,
        corpus: Corpus,
        embedder: Embedder,
        artifacts: Artifacts,
        *,
        documents: int | None = None,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> SemanticIndex:
        """Opens the index out of the cache, embedding what is missing of it, block by block.

        documents: index a random sample of so many, drawn under `seed`; all by default. Every row
        of the corpus is booked on each opening; what the embedder spends is spent while embedding.
        Raises BudgetExceeded, and what the embedder raises.
        """
        total = corpus.documents
        chosen: Sequence[int] = range(total)
        if documents is not None and documents < total:
            if documents < 1:
                raise ConfigError(f"an index of {documents} documents", hint="Give at least 1.")
            chosen = sorted(random.Random(seed).sample(range(total), documents))
        key: dict[str, JSON] = {
            "corpus": corpus.fingerprint(),
            "embedder": dict(embedder.key),
            "passage_characters": PASSAGE_CHARACTERS,
            "documents": len(chosen),
            "seed": seed if len(chosen) < total else 0,
            "layout": LAYOUT,
        }
        read = False

        def make(into: Path) -> None:
            nonlocal read
            read = True
            made: list[Path] = []
            for n, rows in enumerate(_blocks(corpus, chosen)):
                made.append(
                    artifacts.get_or_make(
                        "semantic-block",
                        {**key, "block": n},
                        lambda home, rows=rows: _embed(home, rows, embedder),  # type: ignore[misc]
                    )
                )
                if progress is not None:
                    progress(min((n + 1) * BLOCK, len(chosen)), len(chosen))
            _finish(into, made)

        folder = artifacts.get_or_make("semantic-index", key, make)
        if not read:
            corpus.usage.spend(documents=total)
        names = json.loads((folder / "blocks.json").read_text("utf-8"))
        return cls(folder, [artifacts.root / "semantic-block" / name for name in names], embedder)

    @cached_property
    def documents(self) -> tuple[str, ...]:
        """The ids of the indexed documents that hold words, in order of the corpus."""
        return tuple(dict.fromkeys(self._owners))

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Texts as the index sees them: centred, common directions out, length 1; [text, width]."""
        import numpy as np

        found = self._clean(self.embedder.embed(texts))
        found /= np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
        return found

    def like(self, texts: Sequence[str], k: int = 10) -> list[Similar]:
        """The k documents most like the texts together: like the mean of their vectors.

        Raises BadParameter where no text has a word.
        """
        if k < 1 or not any(text.strip() for text in texts):
            raise BadParameter(
                f"the {k} documents most like {len(texts)} texts without words",
                hint="Give at least one text with words, and a k of at least 1.",
            )
        if not self._owners:
            return []
        scores = self._passage_scores(self.vectors(texts).mean(0), cosine=True)
        best: dict[str, Similar] = {}
        for row in (-scores).argsort(kind="stable").tolist():
            id = self._owners[row]
            if id not in best:
                best[id] = Similar(id, float(scores[row]), self._texts[row].as_py())
                if len(best) == k:
                    break
        return list(best.values())

    def scores(self, direction: NDArray[np.floating[Any]], *, cosine: bool) -> NDArray[np.float64]:
        """Each document's best passage along a direction of the embedding space, [document].

        cosine: of the angle, else the projection onto the direction's unit vector. Vectors are
        centred and free of the common directions; the order is that of `documents`.
        """
        import numpy as np

        scores = self._passage_scores(np.asarray(direction, dtype=np.float64), cosine=cosine)
        rows = {id: i for i, id in enumerate(self.documents)}
        best = np.full(len(rows), -np.inf)
        np.maximum.at(best, [rows[id] for id in self._owners], scores)
        return best

    def passages(self) -> tuple[tuple[str, str], ...]:
        """(document id, text) of every passage, in order of the corpus."""
        return tuple(zip(self._owners, (t.as_py() for t in self._texts), strict=True))

    @cached_property
    def _owners(self) -> list[str]:
        owners: list[str] = [] if self._passages is None else self._passages["document"].to_pylist()
        return owners

    @cached_property
    def _texts(self) -> Any:
        return [] if self._passages is None else self._passages["text"]

    def _clean(self, vectors: NDArray[Any]) -> NDArray[np.float64]:
        import numpy as np

        found: NDArray[np.float64] = vectors.astype(np.float64) - self._centre
        found -= found @ self._common.T @ self._common
        return found

    def _passage_scores(
        self, direction: NDArray[np.float64], *, cosine: bool
    ) -> NDArray[np.float64]:
        import numpy as np

        unit = direction / max(float(np.linalg.norm(direction)), 1e-12)
        found = [np.zeros(0)]
        for block in self._vectors:
            clean = self._clean(block)
            along = clean @ unit
            if cosine:
                along = along / np.maximum(np.linalg.norm(clean, axis=1), 1e-12)
            found.append(along)
        scores: NDArray[np.float64] = np.concatenate(found)
        return scores


def passages(text: str) -> list[str]:
    """The text in pieces of at most PASSAGE_CHARACTERS, cut at white space where there is any."""
    found = []
    rest = text.strip()
    while len(rest) > PASSAGE_CHARACTERS:
        cut = max(rest.rfind(c, 0, PASSAGE_CHARACTERS + 1) for c in " \n\t")
        cut = cut if cut > 0 else PASSAGE_CHARACTERS
        found.append(rest[:cut])
        rest = rest[cut:].lstrip()
    return [*found, rest] if rest else found


def _blocks(corpus: Corpus, chosen: Sequence[int]) -> Iterator[list[tuple[str, str]]]:
    """(document id, passage) of the chosen rows, BLOCK documents at a time.

    System turns are left out: they say who is asked, not what about.
    """
    wanted = set(chosen) if not isinstance(chosen, range) else chosen
    block: list[tuple[str, str]] = []
    count = 0
    for number, row in enumerate(_rows(corpus)):
        if number not in wanted:
            continue
        said = "\n".join(m["content"] for m in row["messages"] if m["role"] != "system")
        block += [(row["id"], passage) for passage in passages(said)]
        count += 1
        if count == BLOCK:
            yield block
            block, count = [], 0
    if count:
        yield block


def _rows(corpus: Corpus) -> Iterator[Mapping[str, Any]]:
    for batch in corpus.batches():
        yield from batch.to_pylist()


def _embed(into: Path, rows: Sequence[tuple[str, str]], embedder: Embedder) -> None:
    import numpy as np
    import pyarrow
    from pyarrow.feather import write_feather

    vectors = embedder.embed([text for _, text in rows]) if rows else np.zeros((0, 0))
    there = np.flatnonzero(np.any(vectors, axis=1)).tolist() if rows else []
    np.save(into / "vectors.npy", vectors[there].astype(np.float32))
    columns = [pyarrow.array([rows[i][part] for i in there], pyarrow.string()) for part in (0, 1)]
    table = pyarrow.table(columns, names=("document", "text"))
    write_feather(table, into / "passages.arrow", "uncompressed")


def _finish(into: Path, blocks: Iterable[Path]) -> None:
    """Mean and leading principal components over all blocks, from running sums."""
    import numpy as np

    total: Any = 0.0
    outer: Any = 0.0
    count = 0
    kept = []
    for block in blocks:
        vectors = np.load(block / "vectors.npy").astype(np.float64)
        if not len(vectors):
            continue
        kept.append(block.name)
        total, outer = total + vectors.sum(0), outer + vectors.T @ vectors
        count += len(vectors)
    centre = total / count if count else np.zeros(0)
    common = np.zeros((0, np.size(centre)))
    out = np.size(centre) // COMMON_EVERY
    if out and count > 10 * out:
        _, axes = np.linalg.eigh(outer / count - np.outer(centre, centre))
        common = axes[:, -out:].T
    np.save(into / "centre.npy", centre)
    np.save(into / "common.npy", common)
    (into / "blocks.json").write_text(json.dumps(kept))
