"""The steering bench: a behaviour against the dose of a direction, beside directions of its length.

That a reply changes when something is added to the residual says little: a random vector of that
length may change it too, or break the model. So each dose is tried with the direction, with random
directions and with directions like it, all of one length, and ordinary text is read under each.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from saes.activations import stream
from saes.causal import COHERENT, cross_entropy, matches
from saes.lens import SAE
from workbench.errors import BadParameter
from workbench.findings import JSON
from workbench.statistics import Rate, exceeds, holm
from workbench.suspects import Conversation, Intervention, Suspect

if TYPE_CHECKING:
    from torch import Tensor

DRAWS = 2
"""Directions of each kind of control."""
STRONGEST = 16.0
"""The largest dose that is tried: beyond it nothing of the activation is left."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Direction:
    """A direction [d_in] at a hook, and `like` it: directions that stand for it in a control arm.

    maximum: for a latent, the length of its strongest part in an activation; 0 where not known.
    """

    hook_name: str
    vector: Tensor
    like: tuple[Tensor, ...]
    likeness: str
    maximum: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True)
class Dose:
    """The behaviour under one arm at one dose.

    arm: "steered", "random" or "like"; "none" without any edit. dose: length of what is added, in
    units of the activations' mean distance from their mean; negative ones are subtracted. p: of
    the steered rate and that of both controls at this dose being equal (Fisher, two-sided, after
    Holm for all doses), 1 for the others. replies: the first few, to read.
    """

    arm: str
    dose: float
    rate: Rate
    perplexity_ratio: float
    p: float
    replies: tuple[str, ...]

    @property
    def coherent(self) -> bool:
        """Whether the edited model still reads ordinary text."""
        return self.perplexity_ratio <= COHERENT

    def to_json(self) -> dict[str, JSON]:
        """The dose as one JSON row."""
        return {
            "arm": self.arm,
            "dose": self.dose,
            "rate": self.rate.value,
            "hits": self.rate.hits,
            "n": self.rate.n,
            "interval": list(self.rate.interval),
            "perplexity_ratio": self.perplexity_ratio,
            "coherent": self.coherent,
            "p": self.p,
            "replies": list(self.replies),
        }


def of_latent(sae: SAE, latent: int, density: Tensor, maximum: float, seed: int = 0) -> Direction:
    """A latent's decoder row, beside those of latents of like density ([d_sae]) and norm.

    Raises BadParameter on an index out of range, or where there is no other live latent.
    """
    row = sae.direction(latent)
    others = [matches(sae, [latent], density, seed + draw)[0] for draw in range(DRAWS)]
    return Direction(
        sae.hook_name,
        row,
        tuple(sae.direction(other) for other in others),
        "latents of like density: " + ", ".join(map(str, others)),
        maximum * float(row.norm()),
    )


def of_texts(
    suspect: Suspect, hook_name: str, one: Sequence[str], two: Sequence[str], seed: int = 0
) -> Direction:
    """The mean activation over texts of `one` minus that over texts of `two`, beside the same
    difference of the same texts, dealt anew.

    Raises BadParameter on fewer than two texts in either, on a text without ordinary tokens, and
    where both have the same mean.
    """
    import torch

    if min(len(one), len(two)) < 2:
        raise BadParameter(
            f"{len(one)} and {len(two)} texts to tell apart", hint="Give two or more of each."
        )
    total = torch.zeros(len(one) + len(two), suspect.d_model)
    count = torch.zeros(len(total), 1)
    for chunk in stream(suspect, [*one, *two], [hook_name]):
        total.index_add_(0, chunk.text, chunk.values[hook_name])
        count.index_add_(0, chunk.text, torch.ones(len(chunk.text), 1))
    if not bool((count > 0).all()):
        empty = int((count == 0).nonzero()[0, 0])
        raise BadParameter(f"text {empty} holds no ordinary token", hint="Leave it out.")
    means = total / count
    generator = torch.Generator().manual_seed(seed)
    order = [torch.randperm(len(means), generator=generator) for _ in range(DRAWS)]
    found, *dealt = (
        means[at[: len(one)]].mean(0) - means[at[len(one) :]].mean(0)
        for at in (torch.arange(len(means)), *order)
    )
    if not float(found.norm()) > 1e-6 * float(means.norm(dim=1).mean()):
        raise BadParameter(
            f"both sets of texts have the same mean at {hook_name}",
            hint="Choose another hook, or texts that differ.",
        )
    return Direction(hook_name, found, tuple(dealt), "the same texts, dealt anew into two sets")


def of_vector(
    suspect: Suspect, hook_name: str, vector: Tensor, ordinary: Sequence[str], seed: int = 0
) -> Direction:
    """Any direction [d_in], as a probe's, beside random ones with the covariance of the activations
    on ordinary texts. Raises BadParameter where the width is another."""
    import torch

    rows = _rows(suspect, hook_name, ordinary)
    if rows.shape[1] != len(vector):
        raise BadParameter(
            f"the direction has {len(vector)} numbers, {hook_name} has {rows.shape[1]}",
            hint="Steer the suspect that it was made from.",
        )
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(DRAWS, len(rows), generator=generator)
    drawn = weights @ (rows - rows.mean(0))
    return Direction(
        hook_name, vector, tuple(drawn), "random, with the covariance of the activations"
    )


def dose_response(
    suspect: Suspect,
    direction: Direction,
    doses: Sequence[float],
    *,
    conversations: Sequence[Conversation],
    shows: Callable[[str], bool],
    ordinary: Sequence[str],
    n: int = 1,
    max_new_tokens: int = 64,
    temperature: float = 1.0,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> tuple[list[Dose], float]:
    """(the unedited rate, then each dose under each arm; the length of a dose of 1).

    shows: whether a reply shows the behaviour. The same seeds serve every arm. Needs CHAT, LOGITS
    and ACTIVATIONS. Raises BadParameter where there is nothing to ask, to read or to add.
    """
    import torch

    wanted = sorted({float(dose) for dose in doses} - {0.0})
    if not wanted or not all(abs(dose) <= STRONGEST for dose in wanted):
        raise BadParameter(
            f"doses {', '.join(f'{d:g}' for d in doses) or 'none'}",
            hint=f"Give some between -{STRONGEST:g} and {STRONGEST:g} that are not 0.",
        )
    if not conversations or not ordinary:
        raise BadParameter(
            f"{len(conversations)} prompts, {len(ordinary)} texts", hint="Give one of each or more."
        )
    rows = _rows(suspect, direction.hook_name, ordinary)
    length = float((rows - rows.mean(0)).norm(dim=1).mean())
    generator = torch.Generator().manual_seed(seed)
    random = torch.randn(DRAWS, rows.shape[1], generator=generator)
    arms: Mapping[str, Sequence[Tensor]] = {
        "steered": (direction.vector,),
        "random": tuple(random),
        "like": direction.like,
    }
    clean = cross_entropy(suspect, ordinary, ())
    trials = 1 + len(wanted) * sum(map(len, arms.values()))
    done = 0

    def tried(edits: Sequence[Sequence[Intervention]], arm: str, dose: float) -> Dose:
        nonlocal done
        replies: list[str] = []
        worse = []
        for interventions in edits:
            made = suspect.chat(
                conversations,
                n=n,
                max_new_tokens=max_new_tokens,
                temperature=temperature,
                seed=seed,
                interventions=interventions,
            )
            replies += [reply.text for row in made for reply in row]
            edited = cross_entropy(suspect, ordinary, interventions) if interventions else clean
            worse.append(edited - clean)
            done += 1
            if progress is not None:
                progress(done / trials)
        rate = Rate(sum(map(shows, replies)), len(replies))
        ratio = math.exp(min(sum(worse) / len(worse), 50.0))
        return Dose(arm, dose, rate, ratio, 1.0, tuple(replies[:4]))

    found = [tried([()], "none", 0.0)]
    for dose in wanted:
        for arm, vectors in arms.items():
            edits = [(_added(direction.hook_name, v, dose * length),) for v in vectors]
            found.append(tried(edits, arm, dose))
    return _judged(found), length


def both_controls(found: Sequence[Dose]) -> dict[float, Rate]:
    """By dose, the rate over both control arms together."""
    pooled: dict[float, Rate] = {}
    for dose in found:
        if dose.arm in ("random", "like"):
            before = pooled.get(dose.dose, Rate(0, 0))
            pooled[dose.dose] = Rate(before.hits + dose.rate.hits, before.n + dose.rate.n)
    return pooled


def _judged(found: Sequence[Dose]) -> list[Dose]:
    """The same with p where the direction was added."""
    controls = both_controls(found)
    steered = [d for d in found if d.arm == "steered"]
    p = [
        min(1.0, 2 * min(exceeds(d.rate, controls[d.dose]), exceeds(controls[d.dose], d.rate)))
        for d in steered
    ]
    judged = iter(holm(p))
    return [dataclasses.replace(d, p=next(judged)) if d.arm == "steered" else d for d in found]


def _added(hook_name: str, vector: Tensor, length: float) -> Intervention:
    size = float(vector.norm())
    if not 0 < size < float("inf"):
        raise BadParameter("a direction of no length", hint="Choose another direction.")
    unit = tuple((vector / size).tolist())
    return Intervention("add", hook_name, direction=unit, coefficient=length)


def _rows(suspect: Suspect, hook_name: str, texts: Sequence[str]) -> Tensor:
    """Activations [rows, d_in] on the ordinary tokens of the texts."""
    import torch

    parts = [chunk.values[hook_name] for chunk in stream(suspect, texts, [hook_name])]
    if not sum(map(len, parts)):
        raise BadParameter(
            f"{len(texts)} texts hold no ordinary token", hint="Give texts that are not empty."
        )
    return torch.cat(parts)
