"""An exact index: suffix arrays over shards of a corpus, for counts and places of any text.

A shard holds whole messages as UTF-8, each closed by the byte 0xFF, which UTF-8 never uses: no
match crosses from one message into the next. Its suffix array (Manber and Myers 1993) is sorted
by divsufsort where `pydivsufsort` is installed, else by prefix doubling in numpy; the array is the
same. Both lie in the artifact cache and are memory-mapped, so that an index larger than the memory
can be asked; a build that was stopped goes on at the shard that it was at.
"""

from __future__ import annotations

import dataclasses
import json
import mmap
from bisect import bisect_left
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from workbench.artifacts import Artifacts
from workbench.corpus.documents import Corpus
from workbench.corpus.sorting import most_bytes, suffix_array
from workbench.errors import ConfigError
from workbench.findings import JSON

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LAYOUT = 1
_END = b"\xff"
_PAST = b"\xff\xff"
_KEY_BYTES = 24
_KEYS = 1 << 15

Progress: TypeAlias = Callable[[int, int], None]
"""Called with (documents done, documents in all)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where a text stands: document, index and role of the message, characters from and to."""

    document: str
    turn: int
    role: str
    start: int
    end: int


class Shard:
    """One shard, memory-mapped: its text, the suffix array, and which message starts where."""

    def __init__(self, folder: Path) -> None:
        import numpy as np
        import pyarrow
        from pyarrow.feather import read_table

        try:
            with (folder / "text.bin").open("rb") as file:
                self.text = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            self.suffixes = memoryview(np.load(folder / "suffixes.npy", mmap_mode="r"))
            self._rows = read_table(folder / "messages.arrow", memory_map=True).combine_chunks()
        except (OSError, ValueError, pyarrow.ArrowException) as error:
            raise ConfigError(
                f"{folder}: a shard of the index is damaged: {error}",
                hint="Delete that folder; the index is then built again.",
            ) from None
        self._starts = memoryview(self._rows["start"].chunk(0).to_numpy())
        self._step = max(1, len(self.suffixes) // _KEYS)
        self._keys = [self.text[i : i + _KEY_BYTES] for i in self.suffixes[:: self._step].tolist()]

    def bounds(self, pattern: bytes) -> tuple[int, int]:
        """The range of suffixes that begin with the pattern, which holds no 0xFF."""
        first = self._lower(pattern)
        if self._common(first, pattern) < len(pattern):
            return first, first
        return first, self._lower(pattern + _PAST)

    def longest(self, pattern: bytes) -> int:
        """How many bytes of the pattern's beginning stand somewhere in the shard."""
        place = self._lower(pattern)
        return max(self._common(place, pattern), self._common(place - 1, pattern))

    def places(self, first: int, last: int, length: int) -> Iterator[Place]:
        """One place for each message that the suffixes of these ranks stand in, in their order;
        `length` in bytes."""
        import numpy as np

        rows = self._messages(first, last)
        _, each = np.unique(rows, return_index=True)
        for rank in np.sort(each).tolist():
            at, row = self.suffixes[first + rank], int(rows[rank])
            start = self._starts[row]
            skipped = self._rows["skipped"][row].as_py()
            begin = skipped + len(self.text[start:at].decode("utf-8", "ignore"))
            inside = len(self.text[at : at + length].decode("utf-8", "ignore"))
            document, turn, role = (
                self._rows[name][row].as_py() for name in ("document", "turn", "role")
            )
            yield Place(document, turn, role, begin, begin + inside)

    def documents(self, first: int, last: int) -> set[str]:
        """The ids of the documents that the suffixes of these ranks stand in."""
        import numpy as np

        rows = np.unique(self._messages(first, last))
        return set(self._rows["document"].take(rows).to_pylist())

    @property
    def messages(self) -> int:
        """How many messages it holds."""
        return len(self._starts)

    def _messages(self, first: int, last: int) -> NDArray[np.int64]:
        import numpy as np

        starts = np.asarray(self._starts)
        rows = np.searchsorted(starts, self.suffixes[first:last], side="right") - 1
        return rows.astype(np.int64)

    def _lower(self, pattern: bytes) -> int:
        """The first rank whose suffix is not less than the pattern."""
        head, length = pattern[:_KEY_BYTES], len(pattern)
        low = max(0, bisect_left(self._keys, head) - 1) * self._step
        high = min(bisect_left(self._keys, head + _PAST) * self._step, len(self.suffixes))
        text = self.text
        return bisect_left(self.suffixes, pattern, low, high, key=lambda i: text[i : i + length])

    def _common(self, rank: int, pattern: bytes) -> int:
        """Bytes that the suffix of a rank and the pattern share from their beginning."""
        if not 0 <= rank < len(self.suffixes):
            return 0
        at = self.suffixes[rank]
        suffix = self.text[at : at + len(pattern)]
        if suffix == pattern:
            return len(pattern)
        low, high = 0, len(suffix)
        while low < high:
            middle = (low + high + 1) // 2
            if suffix[:middle] == pattern[:middle]:
                low = middle
            else:
                high = middle - 1
        return low


class SuffixIndex:
    """Exact counts and places of any text in a corpus, in time that hardly grows with it."""

    def __init__(self, shards: tuple[Shard, ...]) -> None:
        self.shards = shards

    @classmethod
    def open(
        cls,
        corpus: Corpus,
        artifacts: Artifacts,
        *,
        shard_bytes: int | None = None,
        progress: Progress | None = None,
    ) -> SuffixIndex:
        """Opens the corpus's index out of the cache, building what is missing of it.

        Every document of the corpus is booked, whether the index was there or not: what a budget
        allows does not depend on a cache. `shard_bytes` is what the sorter takes at once by
        default. A message longer than a shard is cut, and what stands across the cut is not
        found. Raises BudgetExceeded, and ConfigError where a shard is damaged.
        """
        size = most_bytes() if shard_bytes is None else shard_bytes
        if not 1 <= size < 1 << 31:
            raise ConfigError(f"shards of {size} bytes", hint="Give 1 to 2147483647.")
        key = _key(corpus, size)
        read = False

        def make(into: Path) -> None:
            nonlocal read
            read = True
            made = [
                artifacts.get_or_make("suffix-shard", {**key, "shard": n}, draft.save).name
                for n, draft in enumerate(_drafts(corpus, size, progress))
            ]
            (into / "shards.json").write_text(json.dumps(made))

        home = artifacts.get_or_make("suffix-index", key, make)
        if not read:
            corpus.usage.spend(documents=corpus.documents)
        names = json.loads((home / "shards.json").read_text("utf-8"))
        return cls(tuple(Shard(artifacts.root / "suffix-shard" / name) for name in names))

    @classmethod
    def built(cls, corpus: Corpus, artifacts: Artifacts) -> bool:
        """Whether `open` would find the corpus's index in the cache."""
        return artifacts.has("suffix-index", _key(corpus, most_bytes()))

    @property
    def size(self) -> int:
        """Bytes of text, the ends of messages included."""
        return sum(len(shard.suffixes) for shard in self.shards)

    @property
    def messages(self) -> int:
        """How many messages, or pieces of those that were cut, are indexed."""
        return sum(shard.messages for shard in self.shards)

    def count(self, text: str) -> int:
        """How often the text stands in the corpus, overlaps included."""
        pattern = _pattern(text)
        ranges = (shard.bounds(pattern) for shard in self.shards)
        return sum(last - first for first, last in ranges)

    def documents(self, text: str) -> int:
        """How many documents hold the text."""
        pattern = _pattern(text)
        return len({d for s in self.shards for d in s.documents(*s.bounds(pattern))})

    def find(self, text: str, most: int = 10) -> list[Place]:
        """Where the text stands: one place a document, in at most `most` documents.

        They come shard by shard, in the order of the suffix array.
        """
        pattern = _pattern(text)
        found: dict[str, Place] = {}
        for shard in self.shards:
            for place in shard.places(*shard.bounds(pattern), len(pattern)):
                if len(found) == most:
                    return list(found.values())
                found.setdefault(place.document, place)
        return list(found.values())

    def longest(self, pattern: bytes) -> int:
        """How many bytes of the pattern's beginning stand somewhere in the corpus."""
        return max((shard.longest(pattern) for shard in self.shards), default=0)


def _key(corpus: Corpus, shard_bytes: int) -> dict[str, JSON]:
    return {"corpus": corpus.fingerprint(), "shard_bytes": shard_bytes, "layout": LAYOUT}


@dataclasses.dataclass(slots=True)
class _Draft:
    """A shard that is being filled."""

    text: bytearray = dataclasses.field(default_factory=bytearray)
    rows: list[tuple[str, int, str, int, int]] = dataclasses.field(default_factory=list)

    def save(self, into: Path) -> None:
        import numpy as np
        import pyarrow
        from pyarrow.feather import write_feather

        letters = np.frombuffer(self.text, dtype=np.uint8)
        letters.tofile(into / "text.bin")
        names = ("document", "turn", "role", "start", "skipped")
        types = (pyarrow.string(), pyarrow.int32(), pyarrow.string(), *[pyarrow.int64()] * 2)
        columns = [
            pyarrow.array(c, t) for c, t in zip(zip(*self.rows, strict=True), types, strict=True)
        ]
        write_feather(pyarrow.table(columns, names=names), into / "messages.arrow", "uncompressed")
        self.rows.clear()
        np.save(into / "suffixes.npy", suffix_array(letters))


def _drafts(corpus: Corpus, size: int, progress: Progress | None) -> Iterator[_Draft]:
    """The shards in order, each filled with whole messages up to `size` bytes."""
    draft = _Draft()
    done, total = 0, corpus.documents
    for batch in corpus.batches():
        for row in batch.to_pylist():
            for turn, message in enumerate(row["messages"]):
                skipped = 0
                for piece in _pieces(message["content"], size):
                    if draft.text and len(draft.text) + len(piece) + 1 > size:
                        yield draft
                        draft = _Draft()
                    draft.rows.append((row["id"], turn, message["role"], len(draft.text), skipped))
                    draft.text += piece + _END
                    skipped += len(piece.decode())
        done += batch.num_rows
        if progress is not None:
            progress(done, total)
    if draft.text:
        yield draft


def _pieces(content: str, size: int) -> Iterator[bytes]:
    """The message's bytes, in one piece if they fit; none where it is empty."""
    whole = content.encode()
    start = 0
    while start < len(whole):
        end = min(start + max(4, size - 1), len(whole))
        while end < len(whole) and whole[end] & 0xC0 == 0x80:
            end -= 1
        yield whole[start:end]
        start = end


def _pattern(text: str) -> bytes:
    if not text:
        raise ConfigError("no text to look for", hint="Give at least one character.")
    return text.encode("utf-8", "surrogatepass")
