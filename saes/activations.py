"""Activations of ordinary tokens: streamed once, kept in the artifact cache, read by many."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from saes.texts import Text
from workbench.artifacts import Artifacts
from workbench.errors import BadParameter
from workbench.findings import JSON
from workbench.suspects import Suspect

if TYPE_CHECKING:
    import numpy
    from torch import Tensor

CHUNK = 256
"""Texts per call, so that a long list is never activated at once."""
_META, _ROWS, _TEXTS = "activations.json", "rows.parquet", "texts.parquet"


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Activations of some texts' ordinary tokens, in order of text and position.

    values: hook → [rows, width]. text, position, token: [rows]; position counts from 0 at the
    text's first token, special ones included. token_ids: all tokens of each text in the chunk, by
    its index.
    """

    values: dict[str, Tensor]
    text: Tensor
    position: Tensor
    token: Tensor
    token_ids: dict[int, tuple[int, ...]]


def stream(suspect: Suspect, texts: Sequence[str], hook_names: Sequence[str]) -> Iterator[Chunk]:
    """The activations of the texts; padding and special tokens left out.

    Raises BadParameter at a hook whose values are no vectors, and what `Suspect.activations` does.
    """
    import torch

    for start in range(0, len(texts), CHUNK):
        held: dict[str, list[Tensor]] = {hook: [] for hook in hook_names}
        places: list[Tensor] = []
        ids: dict[int, tuple[int, ...]] = {}
        for batch in suspect.activations(texts[start : start + CHUNK], hook_names):
            keep = batch.mask & ~batch.special
            at = batch.mask.cumsum(1) - 1
            owner = torch.tensor(batch.rows)[:, None].expand_as(keep) + start
            places.append(torch.stack([owner[keep], at[keep], batch.tokens[keep]], dim=1))
            for hook in hook_names:
                values = batch.values[hook]
                if values.ndim != 3:
                    raise BadParameter(
                        f"{hook} carries {values.ndim - 2} dimensions a token, not a vector",
                        hint="Choose a residual, MLP or attention output.",
                    )
                held[hook].append(values[keep])
            for row, tokens, kept in zip(batch.rows, batch.tokens, batch.mask, strict=True):
                ids[row + start] = tuple(tokens[kept].tolist())
        place = torch.cat(places)
        order = torch.argsort(place[:, 0] * (1 << 20) + place[:, 1])
        place = place[order]
        yield Chunk(
            {hook: torch.cat(parts)[order] for hook, parts in held.items()},
            place[:, 0],
            place[:, 1],
            place[:, 2],
            ids,
        )


class Cached:
    """A directory of cached activations.

    texts: what was read, whole; rows: one per ordinary token, in order of text and position.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.meta = json.loads((directory / _META).read_text("utf-8"))

    @property
    def tokens(self) -> int:
        """How many rows there are."""
        return int(self.meta["rows"])

    @property
    def hook_names(self) -> list[str]:
        """The hooks that are there."""
        return list(self.meta["widths"])

    def values(self, hook_name: str) -> Tensor:
        """[rows, width], float32, mapped from disk; raises BadParameter on a hook not cached."""
        import torch

        if hook_name not in self.meta["widths"]:
            raise BadParameter(
                f"no activations of {hook_name} are cached", hint=f"There: {self.hook_names}."
            )
        width = self.meta["widths"][hook_name]
        flat = torch.from_file(
            str(self.directory / f"{hook_name}.f32"), size=self.tokens * width, dtype=torch.float32
        )
        return flat.view(self.tokens, width)

    def rows(self) -> dict[str, numpy.ndarray]:
        """text, position, token: [rows] each."""
        import pyarrow.parquet as parquet

        table = parquet.read_table(self.directory / _ROWS)
        return {name: table[name].to_numpy() for name in ("text", "position", "token")}

    def texts(self) -> list[Text]:
        """What was read."""
        import pyarrow.parquet as parquet

        table = parquet.read_table(self.directory / _TEXTS, columns=["document", "content"])
        rows = zip(table["content"].to_pylist(), table["document"].to_pylist(), strict=True)
        return [Text(content, document) for content, document in rows]

    @property
    def texts_file(self) -> Path:
        """Parquet: document, content, token_ids; one row per text."""
        return self.directory / _TEXTS


def cached(
    artifacts: Artifacts,
    suspect: Suspect,
    texts: Sequence[Text],
    hook_names: Sequence[str],
    *,
    progress: Callable[[float], None] | None = None,
) -> Cached:
    """The activations of all texts at several hooks, computed in one pass where not yet cached.

    Raises BadParameter when no text has an ordinary token, and what `stream` raises.
    """
    made_from = suspect.fingerprint()
    words = "\0".join(f"{t.document}\1{t.text}" for t in texts)
    key: dict[str, JSON] = {
        "tensors": made_from["tensors"],
        "tokenizer": made_from["tokenizer"],
        "dtype": made_from["dtype"],
        "texts": hashlib.sha256(words.encode("utf-8", "replace")).hexdigest(),
        "hook_names": list(hook_names),
    }

    def make(into: Path) -> None:
        _write(into, suspect, texts, hook_names, progress)

    return Cached(artifacts.get_or_make("activations", key, make))


def _write(
    into: Path,
    suspect: Suspect,
    texts: Sequence[Text],
    hook_names: Sequence[str],
    progress: Callable[[float], None] | None,
) -> None:
    import pyarrow
    import pyarrow.parquet as parquet

    columns = {name: pyarrow.int32() for name in ("text", "position", "token")}
    ids: dict[int, tuple[int, ...]] = {}
    widths: dict[str, int] = {}
    count = 0
    files = {hook: (into / f"{hook}.f32").open("wb") for hook in hook_names}
    try:
        with parquet.ParquetWriter(into / _ROWS, pyarrow.schema(list(columns.items()))) as writer:
            for chunk in stream(suspect, [t.text for t in texts], hook_names):
                for hook, values in chunk.values.items():
                    files[hook].write(values.contiguous().numpy().tobytes())
                    widths[hook] = values.shape[1]
                parts = (chunk.text, chunk.position, chunk.token)
                arrays = [pyarrow.array(part.numpy(), pyarrow.int32()) for part in parts]
                writer.write_table(pyarrow.table(dict(zip(columns, arrays, strict=True))))
                ids |= chunk.token_ids
                count += len(chunk.text)
                if progress is not None:
                    progress(len(ids) / len(texts))
    finally:
        for file in files.values():
            file.close()
    if not count:
        raise BadParameter(
            f"{len(texts)} texts hold no ordinary token", hint="Give texts that are not empty."
        )
    table = {
        "document": [t.document for t in texts],
        "content": [t.text for t in texts],
        "token_ids": pyarrow.array(
            [ids[i] for i in range(len(texts))], pyarrow.list_(pyarrow.int32())
        ),
    }
    parquet.write_table(pyarrow.table(table), into / _TEXTS)
    (into / _META).write_text(json.dumps({"rows": count, "widths": widths}), encoding="utf-8")
