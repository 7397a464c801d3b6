"""From texts to a trained SAE in one call, for those who need no feature store."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from saes.activations import stream
from saes.fit import TRAINER, Settings, fit
from saes.lens import SAE, load
from workbench.artifacts import Artifacts
from workbench.errors import BadParameter
from workbench.findings import JSON
from workbench.suspects import Suspect

if TYPE_CHECKING:
    from torch import Tensor


def collect(
    suspect: Suspect,
    texts: Sequence[str],
    hook_name: str,
    *,
    most: int,
    progress: Callable[[float], None] | None = None,
) -> Tensor:
    """At most `most` activations [rows, d_model] at a hook; padding and special tokens left out.

    Texts are taken in their order until there are enough. Raises BadParameter when no text has an
    ordinary token, and what `Suspect.activations` raises.
    """
    import torch

    held: list[Tensor] = []
    count = 0
    for chunk in stream(suspect, texts, [hook_name]):
        held.append(chunk.values[hook_name])
        count += len(chunk.text)
        if progress is not None:
            progress(min(1.0, count / most))
        if count >= most:
            break
    if not count:
        raise BadParameter(
            f"{len(texts)} texts hold no ordinary token", hint="Give texts that are not empty."
        )
    return torch.cat(held)[:most]


def train_sae(
    suspect: Suspect,
    texts: Sequence[str],
    *,
    hook_name: str,
    into: Path,
    d_sae: int = 1024,
    k: float = 32.0,
    tokens: int = 200_000,
    seed: int = 0,
    progress: Callable[[str, float], None] | None = None,
) -> SAE:
    """A BatchTopK SAE of the suspect at a hook, saved to `into`.

    `tokens` activations are seen in training; fewer distinct ones are seen again. `progress` gets
    "activations" or "training" and the share done. Raises what `collect` and `fit` raise.
    """
    settings = Settings(d_sae=d_sae, k=k, samples=tokens, seed=seed)
    rows = collect(
        suspect,
        texts,
        hook_name,
        most=tokens,
        progress=None if progress is None else lambda share: progress("activations", share),
    )
    return fit(
        rows,
        settings,
        hook_name=hook_name,
        into=into,
        progress=None if progress is None else lambda share: progress("training", share),
    )


def cached_sae(
    artifacts: Artifacts,
    suspect: Suspect,
    texts: Sequence[str],
    *,
    hook_name: str,
    d_sae: int = 1024,
    k: float = 32.0,
    tokens: int = 200_000,
    seed: int = 0,
    progress: Callable[[str, float], None] | None = None,
) -> SAE:
    """The SAE that `train_sae` makes, out of the artifact cache where it is there."""
    key = _key(suspect, texts, hook_name, d_sae=d_sae, k=k, tokens=tokens, seed=seed)

    def make(into: Path) -> None:
        train_sae(
            suspect,
            texts,
            hook_name=hook_name,
            into=into,
            d_sae=d_sae,
            k=k,
            tokens=tokens,
            seed=seed,
            progress=progress,
        )

    return load(artifacts.get_or_make("sae", key, make))


def _key(
    suspect: Suspect,
    texts: Sequence[str],
    hook_name: str,
    *,
    d_sae: int,
    k: float,
    tokens: int,
    seed: int,
) -> dict[str, JSON]:
    """All that a trained SAE depends on."""
    made_from = suspect.fingerprint()
    return {
        "tensors": made_from["tensors"],
        "tokenizer": made_from["tokenizer"],
        "texts": hashlib.sha256("\0".join(texts).encode()).hexdigest(),
        "hook_name": hook_name,
        "d_sae": d_sae,
        "k": k,
        "tokens": tokens,
        "seed": seed,
        "trainer": TRAINER,
    }
