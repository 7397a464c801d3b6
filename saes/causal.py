"""The causal column: what a behaviour does when latents are subtracted, beside controls.

That a latent stands out between two models does not make it a cause. So each is taken out of the
suspect, alone and as a set, and the behaviour is counted again; as many random latents of like
density and norm, and the mean difference of the two models, are taken out for comparison.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from saes.lens import SAE
from workbench.errors import BadParameter
from workbench.findings import JSON
from workbench.statistics import Rate
from workbench.suspects import Conversation, Intervention, Suspect

if TYPE_CHECKING:
    from torch import Tensor

COHERENT = 1.2
"""A subtraction that raises the perplexity of ordinary texts by more than this breaks the model."""


@dataclasses.dataclass(frozen=True, slots=True)
class Effect:
    """The behaviour under one edit.

    kind: "none", "latent", "set", "random set" or "mean difference". perplexity_ratio: of ordinary
    texts, edited over clean. coherent: at most COHERENT: a behaviour that vanishes because the
    model no longer speaks is no evidence.
    """

    kind: str
    latents: tuple[int, ...]
    rate: Rate
    perplexity_ratio: float

    @property
    def coherent(self) -> bool:
        """Whether the edited model still reads ordinary text."""
        return self.perplexity_ratio <= COHERENT

    def halves(self, before: Effect) -> bool:
        """Whether the behaviour falls to half of what it was, in a model that still speaks."""
        return self.coherent and self.rate.value <= before.rate.value / 2

    def to_json(self) -> dict[str, JSON]:
        """The effect as one JSON row."""
        return {
            "kind": self.kind,
            "latents": list(self.latents),
            "rate": self.rate.value,
            "n": self.rate.n,
            "interval": list(self.rate.interval),
            "perplexity_ratio": self.perplexity_ratio,
            "coherent": self.coherent,
        }


def subtract(
    sae: SAE,
    suspect: Suspect,
    latents: Sequence[int],
    *,
    conversations: Sequence[Conversation],
    shows: Callable[[str], bool],
    ordinary: Sequence[str],
    density: Tensor,
    shift: Tensor | None = None,
    n: int = 1,
    max_new_tokens: int = 64,
    alone: bool = True,
    random_sets: int = 2,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> list[Effect]:
    """Rates of the behaviour in the suspect: unedited, without each latent (`alone`), without all
    of them, without `random_sets` sets of as many matched latents, and without the part along
    `shift` [d_in].

    shows: whether a reply shows the behaviour. density: [d_sae]. The same seeds are used for every
    edit. Needs CHAT, LOGITS and ACTIVATIONS. Raises BadParameter on an index out of range, or where
    there is nothing to ask or to read.
    """
    if not latents or not conversations or not ordinary:
        raise BadParameter(
            f"{len(latents)} latents, {len(conversations)} prompts, {len(ordinary)} texts",
            hint="Give at least one of each.",
        )
    for latent in latents:
        sae.direction(latent)
    edits: list[tuple[str, tuple[int, ...], tuple[Intervention, ...]]] = [("none", (), ())]
    if alone:
        edits += [("latent", (latent,), _without(sae, (latent,))) for latent in latents]
    if len(latents) > 1 or not alone:
        edits.append(("set", tuple(latents), _without(sae, latents)))
    for draw in range(random_sets):
        matched = matches(sae, latents, density, seed + draw)
        edits.append(("random set", matched, _without(sae, matched)))
    if shift is not None and float(shift.norm()) > 0:
        along = Intervention("ablate", sae.hook_name, direction=tuple(shift.tolist()))
        edits.append(("mean difference", (), (along,)))
    clean = cross_entropy(suspect, ordinary, ())
    effects = []
    for kind, chosen, interventions in edits:
        replies = suspect.chat(
            conversations,
            n=n,
            max_new_tokens=max_new_tokens,
            seed=seed,
            interventions=interventions,
        )
        hits = sum(shows(reply.text) for row in replies for reply in row)
        worse = cross_entropy(suspect, ordinary, interventions) - clean if interventions else 0.0
        rate = Rate(hits, sum(map(len, replies)))
        effects.append(Effect(kind, chosen, rate, _exp(worse)))
        if progress is not None:
            progress(len(effects) / len(edits))
    return effects


def holds(pattern: str) -> Callable[[str], bool]:
    """Whether a reply holds what a regular expression says, letter case aside; raises BadParameter
    where it is none."""
    import re

    if not pattern:
        raise BadParameter(
            "nothing that a reply must hold", hint="Give a word or a regular expression."
        )
    try:
        compiled = re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        raise BadParameter(
            f"'{pattern}' is no regular expression: {error}", hint="Mend it."
        ) from None
    return lambda reply: compiled.search(reply) is not None


def matches(sae: SAE, latents: Sequence[int], density: Tensor, seed: int) -> tuple[int, ...]:
    """For each latent a random other one, of the ten nearest in log density and decoder norm.

    Raises BadParameter where the SAE has too few live latents for that.
    """
    import torch

    live = set((density > 0).nonzero().flatten().tolist()) - set(latents)
    if len(live) < len(latents):
        raise BadParameter(
            f"{len(live)} live latents are left to compare {len(latents)} with",
            hint="Subtract fewer latents.",
        )
    place = torch.stack(
        [density.clamp(min=1e-7).log(), sae.W_dec.norm(dim=1).clamp(min=1e-9).log()]
    )
    dice = random.Random(seed)
    taken: list[int] = []
    for latent in latents:
        distance = (place - place[:, latent : latent + 1]).abs().sum(0)
        near = [i for i in distance.argsort().tolist() if i in live and i not in taken][:10]
        taken.append(dice.choice(near))
    return tuple(taken)


def _without(sae: SAE, latents: Sequence[int]) -> tuple[Intervention, ...]:
    chosen = tuple(latents)
    return (Intervention("ablate", sae.hook_name, sae=str(sae.directory), latents=chosen),)


def cross_entropy(
    suspect: Suspect, texts: Sequence[str], interventions: Sequence[Intervention]
) -> float:
    """Nats per token of the texts under these interventions."""
    scored = suspect.logprobs(texts, interventions=interventions)
    return -sum(s.total for s in scored) / max(sum(len(s.logprobs) for s in scored), 1)


def _exp(value: float) -> float:
    import math

    return math.exp(min(value, 50.0))
