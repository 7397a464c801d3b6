"""Labelled texts: from two text files, or from a Parquet table with their styles."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from saes.texts import lines
from workbench.errors import BadParameter

LARGEST_BYTES = 64 << 20
BATCH = 1024


@dataclasses.dataclass(frozen=True, slots=True)
class Labelled:
    """Texts with labels (1 where what is looked for is there) and, where known, styles.

    Raises BadParameter where the lists differ in length, or a label has fewer than four texts.
    """

    texts: tuple[str, ...]
    labels: tuple[int, ...]
    styles: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        sizes = {len(self.texts), len(self.labels), len(self.styles) or len(self.texts)}
        counts = [self.labels.count(label) for label in (0, 1)]
        if len(sizes) > 1 or sum(counts) != len(self.labels) or min(counts) < 4:
            raise BadParameter(
                f"{counts[1]} texts with and {counts[0]} without what the probe looks for",
                hint="Give at least four of each, labelled 1 and 0.",
            )

    def take(self, chosen: Sequence[int]) -> Labelled:
        """The texts at these indices."""
        return Labelled(
            tuple(self.texts[i] for i in chosen),
            tuple(self.labels[i] for i in chosen),
            tuple(self.styles[i] for i in chosen) if self.styles else (),
        )

    def split(self, share: float, seed: int) -> tuple[Labelled, Labelled]:
        """(for training, held out): a `share` of each label's texts is held out.

        Equal texts stay on one side, so that a probe is not tested on what it was trained on.
        """
        dice = random.Random(seed)
        held: list[int] = []
        for label in (0, 1):
            groups: dict[str, list[int]] = {}
            for i, text in enumerate(self.texts):
                if self.labels[i] == label:
                    groups.setdefault(text, []).append(i)
            order = sorted(groups)
            dice.shuffle(order)
            for text in order[: max(4, round(share * len(order)))]:
                held += groups[text]
        kept = set(held)
        return self.take([i for i in range(len(self.texts)) if i not in kept]), self.take(held)

    def by_style(self, style: str) -> tuple[Labelled, Labelled]:
        """(all other styles, this one); raises BadParameter on a style that is not there."""
        if style not in self.styles:
            raise BadParameter(
                f"no text of style '{style}'",
                hint=f"There are: {', '.join(sorted(set(self.styles))) or 'none'}.",
            )
        here = [i for i, one in enumerate(self.styles) if one == style]
        rest = [i for i, one in enumerate(self.styles) if one != style]
        return self.take(rest), self.take(here)


def read(source: Path, negative: Path | None = None) -> Labelled:
    """Two text files (one text a line; `source` holds the positives), or one Parquet file with
    columns text, label (0 or 1) and, if there, style."""
    if negative is not None:
        parts = [lines(source), lines(negative)]
        return Labelled((*parts[0], *parts[1]), (*(1 for _ in parts[0]), *(0 for _ in parts[1])))
    columns = _columns(source)
    styles = columns.pop("style", [])
    if any(label not in (0, 1) for label in columns["label"]) or not all(
        isinstance(text, str) for text in columns["text"]
    ):
        raise BadParameter(
            f"{source} has a label that is neither 0 nor 1, or an empty text", hint="Mend the rows."
        )
    return Labelled(
        tuple(columns["text"]), tuple(map(int, columns["label"])), tuple(map(str, styles))
    )


def _columns(source: Path) -> dict[str, list[Any]]:
    """The columns of a labelled Parquet file. How long its texts are is known before they are made:
    a small file can name one long text a million times."""
    import pyarrow
    import pyarrow.compute as compute
    import pyarrow.parquet as parquet

    made: dict[str, list[Any]] = {"text": [], "label": []}
    size = 0
    try:
        with parquet.ParquetFile(source, read_dictionary=["text"]) as file:
            if "style" in file.schema_arrow.names:
                made["style"] = []
            for batch in file.iter_batches(BATCH, columns=list(made)):
                texts = batch["text"].dictionary_encode()
                lengths = compute.binary_length(texts.dictionary).take(texts.indices)
                size += len(texts) + (compute.sum(lengths).as_py() or 0)
                if size > LARGEST_BYTES:
                    raise BadParameter(
                        f"{source} holds more than {LARGEST_BYTES >> 20} MB of texts",
                        hint="Give fewer or shorter ones.",
                    )
                for name, values in made.items():
                    values += batch[name].to_pylist()
    except (OSError, KeyError, pyarrow.ArrowException) as error:
        raise BadParameter(
            f"{source} is no labelled Parquet file: {error}",
            hint="Its columns are text, label (0 or 1) and style; or give two text files.",
        ) from None
    return made
