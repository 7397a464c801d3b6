"""The feature store: what every latent does on the texts, sparse, in Parquet, readable in a blink.

A directory of tables, and nothing else is needed to read a feature:
  activations.parquet  latent, text, position, activation; sorted by latent, then by strength
  latents.parquet      one row per latent, see `saes.describe`
  contexts.parquet     by latent, the words around its strongest firings, to be searched
  texts.parquet        document (corpus row id), content, token_ids of every text
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from saes.activations import Cached
from saes.describe import describe
from saes.lens import SAE, identity
from workbench.artifacts import Artifacts
from workbench.errors import BadParameter
from workbench.findings import JSON
from workbench.suspects import Suspect

if TYPE_CHECKING:
    import numpy
    import pyarrow

VERSION = 1
BANDS = 5
ENCODED_ROWS = 8192
SEARCHED = 12
"""Strongest firings whose words can be searched, and the tokens before each."""


@dataclasses.dataclass(frozen=True, slots=True)
class Example:
    """A place where a latent fires: corpus row id, index of the text, token position, activation,
    and the tokens around it with the latent's activation on each of them."""

    document: str
    text: int
    position: int
    activation: float
    tokens: tuple[str, ...]
    activations: tuple[float, ...]
    peak: int

    @property
    def passage(self) -> str:
        """One line, the token of the peak in brackets."""
        before, after = self.tokens[: self.peak], self.tokens[self.peak + 1 :]
        return f"{''.join(before)}[{self.tokens[self.peak]}]{''.join(after)}"


class Store:
    """Opens a feature store; every method answers from the tables alone, without a model."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.meta: dict[str, Any] = json.loads((directory / "store.json").read_text("utf-8"))

    @property
    def d_sae(self) -> int:
        """Number of latents."""
        return int(self.meta["d_sae"])

    @property
    def tokens(self) -> int:
        """Number of ordinary tokens that were read."""
        return int(self.meta["tokens"])

    @cached_property
    def latents(self) -> pyarrow.Table:
        """One row per latent; the columns are those of `saes.describe`."""
        import pyarrow.parquet as parquet

        return parquet.read_table(self.directory / "latents.parquet")

    def row(self, latent: int) -> dict[str, Any]:
        """All that is known of a latent; raises BadParameter on an index out of range."""
        self._check(latent)
        found: dict[str, Any] = self.latents.slice(latent, 1).to_pylist()[0]
        return found

    def firings(self, latent: int) -> dict[str, numpy.ndarray]:
        """text, position, activation of every firing, the strongest first."""
        import pyarrow.parquet as parquet

        self._check(latent)
        table = parquet.read_table(
            self.directory / "activations.parquet", filters=[("latent", "=", latent)]
        )
        return {name: table[name].to_numpy() for name in ("text", "position", "activation")}

    def examples(self, latent: int, *, most: int = 10, window: int = 24) -> list[Example]:
        """The strongest places, at most one per text, the strongest first."""
        import numpy as np

        firings = self.firings(latent)
        _, first = np.unique(firings["text"], return_index=True)
        return self._shown(firings, np.sort(first)[:most], window)

    def bands(self, latent: int, *, each: int = 4, window: int = 24) -> list[list[Example]]:
        """Examples spread over BANDS equal quantiles of the activations, the strongest first: the
        top examples alone make a latent look cleaner than it is."""
        import numpy as np

        firings = self.firings(latent)
        places = np.array_split(np.arange(len(firings["text"])), BANDS)
        dice = np.random.default_rng(latent)
        return [
            self._shown(
                firings, np.sort(dice.choice(band, min(each, len(band)), replace=False)), window
            )
            for band in places
        ]

    def documents(self, latent: int) -> list[tuple[str, float]]:
        """(corpus row id, strongest activation) of every document that fires it, falling."""
        import numpy as np

        firings = self.firings(latent)
        _, first = np.unique(firings["text"], return_index=True)
        column = self._texts["document"]
        order = np.sort(first)
        return [
            (column[int(firings["text"][i])].as_py(), float(firings["activation"][i]))
            for i in order
        ]

    def contexts(self) -> list[str]:
        """For each latent the words of its strongest places, as one text to search in."""
        import pyarrow.parquet as parquet

        table = parquet.read_table(self.directory / "contexts.parquet")
        return [str(text) for text in table["contexts"].to_pylist()]

    def string(self, token: int) -> str:
        """The text of a token id."""
        return str(self._vocabulary.get(token, "\N{REPLACEMENT CHARACTER}"))

    @cached_property
    def _vocabulary(self) -> dict[int, str]:
        return {int(k): v for k, v in self.meta["vocabulary"].items()}

    @cached_property
    def _texts(self) -> pyarrow.Table:
        import pyarrow.parquet as parquet

        return parquet.read_table(
            self.directory / "texts.parquet", columns=["document", "token_ids"]
        )

    def _shown(
        self, firings: dict[str, numpy.ndarray], chosen: numpy.ndarray, window: int
    ) -> list[Example]:
        import numpy as np

        made = []
        for i in chosen.tolist():
            text, position = int(firings["text"][i]), int(firings["position"][i])
            ids = self._texts["token_ids"][text].as_py()
            start, end = max(0, position - window), min(len(ids), position + 1 + window // 2)
            strengths = np.zeros(len(ids))
            here = firings["text"] == text
            strengths[firings["position"][here]] = firings["activation"][here]
            made.append(
                Example(
                    document=self._texts["document"][text].as_py(),
                    text=text,
                    position=position,
                    activation=float(firings["activation"][i]),
                    tokens=tuple(self.string(token) for token in ids[start:end]),
                    activations=tuple(float(v) for v in strengths[start:end]),
                    peak=position - start,
                )
            )
        return made

    def _check(self, latent: int) -> None:
        if not 0 <= latent < self.d_sae:
            raise BadParameter(
                f"no latent {latent} in an SAE of {self.d_sae}", hint=f"Give 0 to {self.d_sae - 1}."
            )


def store(
    artifacts: Artifacts,
    sae: SAE,
    suspect: Suspect,
    read: Cached,
    *,
    progress: Callable[[float], None] | None = None,
) -> Store:
    """The feature store of an SAE over cached activations, built where there is none yet."""
    key: dict[str, JSON] = {
        "version": VERSION,
        "sae": identity(sae),
        "activations": read.directory.name,
        "weights": _has_weights(suspect),
    }

    def make(into: Path) -> None:
        _build(into, sae, suspect, read, progress)

    return Store(artifacts.get_or_make("features", key, make))


def _has_weights(suspect: Suspect) -> bool:
    from workbench.access import Access

    return Access.WEIGHTS in suspect.access


def _build(
    into: Path,
    sae: SAE,
    suspect: Suspect,
    read: Cached,
    progress: Callable[[float], None] | None,
) -> None:
    import numpy as np
    import pyarrow
    import pyarrow.parquet as parquet

    values = read.values(sae.hook_name)
    if values.shape[1] != sae.d_in:
        raise BadParameter(
            f"the SAE reads {sae.d_in} numbers, {sae.hook_name} has {values.shape[1]}",
            hint="Use an SAE that was trained on this suspect or its reference.",
        )
    rows = read.rows()
    parts = list(_sparse(sae, read, progress))
    latent, row, activation = (np.concatenate(column) for column in zip(*parts, strict=True))
    if not len(latent):
        raise BadParameter(
            f"no latent fires on {read.tokens} tokens",
            hint="Train the SAE longer, or on this suspect.",
        )
    order = np.lexsort((-activation, latent))
    latent, row, activation = latent[order], row[order], activation[order]
    table = pyarrow.table(
        {
            "latent": latent,
            "text": rows["text"][row],
            "position": rows["position"][row],
            "activation": activation,
        }
    )
    parquet.write_table(table, into / "activations.parquet", row_group_size=1 << 16)
    described = describe(sae, suspect, rows, latent, row, activation)
    parquet.write_table(described, into / "latents.parquet")
    shutil.copy(read.texts_file, into / "texts.parquet")
    texts = parquet.read_table(read.texts_file, columns=["token_ids"])
    ids = texts["token_ids"].combine_chunks()
    seen = np.unique(ids.flatten().to_numpy())
    strings = dict(zip(seen.tolist(), suspect.token_strings(seen.tolist()), strict=True))
    contexts = _contexts(latent, table, ids, strings, sae.d_sae)
    parquet.write_table(pyarrow.table({"contexts": contexts}), into / "contexts.parquet")
    meta = {
        "version": VERSION,
        "d_sae": sae.d_sae,
        "hook_name": sae.hook_name,
        "sae": identity(sae),
        "suspect": suspect.id,
        "tokens": read.tokens,
        "texts": texts.num_rows,
        "vocabulary": {str(token): string for token, string in strings.items()},
    }
    (into / "store.json").write_text(json.dumps(meta), encoding="utf-8")


def _contexts(
    latent: numpy.ndarray,
    table: pyarrow.Table,
    ids: Any,
    strings: dict[int, str],
    d_sae: int,
) -> list[str]:
    """By latent, the tokens around its SEARCHED strongest firings."""
    import numpy as np

    offsets, flat = ids.offsets.to_numpy(), ids.flatten().to_numpy()
    text, position = table["text"].to_numpy(), table["position"].to_numpy()
    starts = np.searchsorted(latent, np.arange(d_sae + 1))
    made = []
    for i in range(d_sae):
        pieces = []
        for place in range(starts[i], min(starts[i] + SEARCHED, starts[i + 1])):
            at = offsets[text[place]] + position[place]
            begin = max(offsets[text[place]], at - SEARCHED)
            end = min(offsets[text[place] + 1], at + SEARCHED // 2)
            pieces.append("".join(strings[t] for t in flat[begin:end].tolist()))
        made.append(" ".join(pieces))
    return made


def _sparse(
    sae: SAE, read: Cached, progress: Callable[[float], None] | None
) -> Iterator[tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]]:
    """(latent, row, activation) of the active latents, piece by piece: dense ones are never held
    for more than ENCODED_ROWS tokens."""
    import numpy as np

    values = read.values(sae.hook_name)
    for start in range(0, len(values), ENCODED_ROWS):
        dense = sae.encode(values[start : start + ENCODED_ROWS]).numpy()
        row, latent = np.nonzero(dense)
        yield (
            latent.astype(np.int32),
            (row + start).astype(np.int32),
            dense[row, latent].astype(np.float32),
        )
        if progress is not None:
            progress(min(1.0, (start + ENCODED_ROWS) / len(values)))
