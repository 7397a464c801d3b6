"""Sorts the suffixes of a text: divsufsort in C where it is installed, else numpy."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SHARD_BYTES = 100_000_000
"""Text that divsufsort is given at most; it takes five times that in memory."""
NUMPY_SHARD_BYTES = 8_000_000
"""Text that numpy is given at most; it takes up to sixty times that."""


def most_bytes() -> int:
    """How much text the sorter at hand is given at once."""
    return SHARD_BYTES if _in_c() else NUMPY_SHARD_BYTES


def suffix_array(text: NDArray[np.uint8]) -> NDArray[np.int32]:
    """The suffix array of bytes, [n]: by pydivsufsort where it is installed, else by numpy."""
    if not _in_c():
        return doubled(text)
    from pydivsufsort import divsufsort

    sorted_by_c: NDArray[np.int32] = divsufsort(text)
    return sorted_by_c


def doubled(text: NDArray[np.uint8]) -> NDArray[np.int32]:
    """The suffix array by prefix doubling (Karp, Miller and Rosenberg 1972), in numpy alone.

    Starts from the first six bytes at once; later rounds sort only what is still tied.
    """
    import numpy as np

    n = len(text)
    padded = np.zeros(n + 6, dtype=np.int64)
    padded[:n] = text.astype(np.int64) + 1
    first = np.zeros(n, dtype=np.int64)
    for i in range(6):
        first = first * 257 + padded[i : i + n]
    order = np.argsort(first, kind="stable")
    key = first[order]
    rank = np.zeros(n, dtype=np.int64)
    opens = np.concatenate([[True], key[1:] != key[:-1]])
    rank[order] = np.maximum.accumulate(np.where(opens, np.arange(n), 0))
    tied = np.flatnonzero(~opens | ~np.concatenate([opens[1:], [True]]))
    width = 6
    while len(tied):
        places = order[tied]
        after = places + width
        follow = np.where(after < n, rank[np.minimum(after, n - 1)], -1)
        mine = rank[places]
        again = np.lexsort((follow, mine))
        places, mine, follow = places[again], mine[again], follow[again]
        order[tied] = places
        opens = np.concatenate([[True], (mine[1:] != mine[:-1]) | (follow[1:] != follow[:-1])])
        rank[places] = np.maximum.accumulate(np.where(opens, tied, 0))
        tied = tied[~opens | ~np.concatenate([opens[1:], [True]])]
        width *= 2
    return order.astype(np.int32)


def _in_c() -> bool:
    return importlib.util.find_spec("pydivsufsort") is not None
