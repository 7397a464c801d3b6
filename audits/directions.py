"""Directions in a suspect's activations: where it differs, what adding them makes it say."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from audits.detectors import pack
from audits.elicitation import Answer, Speaker
from audits.exchanges import document_start
from workbench.access import Access
from workbench.findings import Measurement
from workbench.suspects import Intervention, Suspect

if TYPE_CHECKING:
    from torch import Tensor

DRAWS = 200


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Shift:
    """How the mean activation at a hook differs between two readings of the same texts.

    direction: [d_model], the mean over texts. size, interval: its norm over the root mean square
    norm of the activations, texts drawn with replacement; null, null_interval: the same with the
    sign of each text's difference drawn by chance. scale: that root mean square norm.
    """

    hook_name: str
    direction: Tensor
    size: float
    interval: tuple[float, float]
    null: float
    null_interval: tuple[float, float]
    scale: float
    texts: int

    @property
    def p(self) -> float:
        """The share of chance signs that give as large a shift, at least one in DRAWS."""
        return 1 / DRAWS if self.size > self.null_interval[1] else 1.0

    def measured(self, name: str) -> Measurement:
        """The size beside that of chance signs."""
        return Measurement(
            name=f"{name} at {self.hook_name}, as a share of the activations' norm",
            value=self.size,
            n=self.texts,
            interval=self.interval,
            control="the same differences with random signs",
            control_value=self.null,
            control_n=DRAWS,
            control_interval=self.null_interval,
            unit="share of norm",
            p=self.p,
        )


def bland(suspect: Suspect) -> list[str]:
    """Bland texts, and bland questions as talks where the suspect may chat (packs/bland.toml)."""
    words = pack("bland")
    if Access.CHAT not in suspect.access:
        return list(words["texts"])
    start = document_start(suspect)
    asked = [suspect.render([{"role": "user", "content": q}]) for q in words["questions"]]
    return [*(start + text for text in words["texts"]), *asked]


def shift(one: Tensor, other: Tensor, hook_name: str, seed: int) -> Shift:
    """The shift between two readings [texts, d_model] of the same texts, in the same order."""
    import torch

    difference = one - other
    scale = float(one.pow(2).sum(1).mean().sqrt())
    generator = torch.Generator().manual_seed(seed)
    n = len(difference)
    drawn = torch.randint(n, (DRAWS, n), generator=generator)
    signs = torch.randint(2, (DRAWS, n), generator=generator) * 2.0 - 1
    sizes = difference[drawn].mean(1).norm(dim=1) / scale
    chance = (signs @ difference / n).norm(dim=1) / scale
    size = float(difference.mean(0).norm()) / scale
    low, high = (float(q) for q in torch.quantile(sizes, torch.tensor([0.025, 0.975])))
    under, over = (float(q) for q in torch.quantile(chance, torch.tensor([0.025, 0.975])))
    null = float(chance.median())
    return Shift(
        hook_name=hook_name,
        direction=difference.mean(0),
        size=size,
        interval=(min(low, size), max(high, size)),
        null=null,
        null_interval=(under, over),
        scale=scale,
        texts=n,
    )


def pushed(speaker: Speaker, hook_name: str, direction: Tensor, norm: float) -> Speaker:
    """The speaker with the direction, scaled to this norm, added at the hook."""
    unit = direction / direction.norm().clamp(min=1e-9)
    added = Intervention("add", hook_name, direction=tuple(unit.tolist()), coefficient=norm)
    return dataclasses.replace(speaker, interventions=(*speaker.interventions, added))


def random_directions(direction: Tensor, count: int, seed: int) -> list[Tensor]:
    """So many Gaussian directions of the same length."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    made = torch.randn(count, len(direction), generator=generator)
    return list(made / made.norm(dim=1, keepdim=True) * direction.norm())


def spoken(speaker: Speaker, questions: Sequence[str], n: int, attack: str) -> list[Answer]:
    """What is said of the assistant under whatever was added: replies, or raw text without CHAT."""
    found: list[Answer] = []
    if Access.PREFILL in speaker.whom.access:
        found += speaker.complete(attack, pack("bland")["about"], n)
    if speaker.chats:
        found += speaker.ask(attack, questions, n)
    return found


def raised_tokens(
    suspect: Suspect,
    texts: Sequence[str],
    hook_name: str,
    direction: Tensor,
    norm: float,
    most: int,
) -> list[tuple[str, float]]:
    """The tokens whose log-probability after the texts rises most when the direction is added, with
    the mean rise in nats (LOGITS and ACTIVATIONS)."""
    import numpy

    unit = direction / direction.norm().clamp(min=1e-9)
    added = Intervention("add", hook_name, direction=tuple(unit.tolist()), coefficient=norm)
    plain = numpy.stack([s.last for s in suspect.logprobs(texts)])
    edited = numpy.stack([s.last for s in suspect.logprobs(texts, interventions=(added,))])
    rise = (edited - plain).mean(0)
    top = [int(i) for i in numpy.argsort(-rise)[:most]]
    return list(zip(suspect.token_strings(top), (float(rise[i]) for i in top), strict=True))
