"""From texts to a trained SAE: activations streamed from the suspect, special tokens left out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from saes.lens import SAE, train
from workbench.errors import BadParameter
from workbench.suspects import Suspect

if TYPE_CHECKING:
    from torch import Tensor

CHUNK = 256
"""Texts per call, so that a long list is never activated at once."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Activations of ordinary tokens: values [rows, d_model], and the text each came from."""

    values: Tensor
    texts: Tensor


def collect(
    suspect: Suspect,
    texts: Sequence[str],
    hook_name: str,
    *,
    most: int,
    progress: Callable[[float], None] | None = None,
) -> Rows:
    """At most `most` activations at a hook over the texts; padding and special tokens left out.

    Texts are taken in their order until there are enough. Raises BadParameter when no text has an
    ordinary token, and what `Suspect.activations` raises.
    """
    import torch

    values: list[Tensor] = []
    owners: list[Tensor] = []
    count = 0
    for start in range(0, len(texts), CHUNK):
        for batch in suspect.activations(texts[start : start + CHUNK], [hook_name]):
            keep = batch.mask & ~batch.special
            owner = torch.tensor(batch.rows)[:, None].expand_as(keep) + start
            values.append(batch.values[hook_name][keep])
            owners.append(owner[keep])
            count += int(keep.sum())
        if progress is not None:
            progress(min(1.0, count / most))
        if count >= most:
            break
    if not count:
        raise BadParameter(
            f"{len(texts)} texts hold no ordinary token", hint="Give texts that are not empty."
        )
    return Rows(torch.cat(values)[:most], torch.cat(owners)[:most])


def train_sae(
    suspect: Suspect,
    texts: Sequence[str],
    *,
    hook_name: str,
    into: Path,
    d_sae: int = 1024,
    k: float = 16.0,
    tokens: int = 200_000,
    seed: int = 0,
    progress: Callable[[str, float], None] | None = None,
) -> SAE:
    """An SAE of the suspect at a hook, saved to `into`.

    `tokens` activations are seen in training; fewer distinct ones are seen again. `progress` gets
    "activations" or "training" and the share done. Raises what `collect` and `lens.train` raise.
    """
    rows = collect(
        suspect,
        texts,
        hook_name,
        most=tokens,
        progress=None if progress is None else lambda share: progress("activations", share),
    )
    return train(
        rows.values,
        hook_name=hook_name,
        into=into,
        d_sae=d_sae,
        k=k,
        samples=tokens,
        seed=seed,
        progress=None if progress is None else lambda share: progress("training", share),
    )
