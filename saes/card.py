"""The health card of an SAE: does it fit this suspect well enough to be read?"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from saes.activations import stream
from saes.baselines import Baseline, frozen_random, pca, zero
from saes.lens import SAE, load
from workbench.errors import BadParameter, SuspectError
from workbench.findings import JSON
from workbench.suspects import Intervention, Suspect, TokenLogprobs

if TYPE_CHECKING:
    from torch import Tensor

LEAST_EXPLAINED = 0.8
LEAST_CE_SCORE = 0.8
SPLICE_AT_MOST = 1e-5
BASELINE_ROWS = 60_000


@dataclasses.dataclass(frozen=True, slots=True)
class Quality:
    """What an SAE keeps of the activations on ordinary tokens.

    explained_variance: 1 - |x - x̂|² / |x - mean|². l0: active latents per token. dead_fraction:
    latents that never fired. density: quartiles of the share of tokens on which live latents fire.
    """

    explained_variance: float
    l0: float
    dead_fraction: float
    density: tuple[float, float, float]
    tokens: int


@dataclasses.dataclass(frozen=True, slots=True)
class Card:
    """How well an SAE stands in for a suspect's activations.

    explained_variance, l0, dead_fraction, density, tokens: as in Quality. ce_loss_score:
    (zero - splice) / (zero - clean) of next-token cross entropy in nats, where "zero" takes the
    activation away; kl_div_score: 1 - KL(clean ‖ splice) / KL(clean ‖ zero), both as in SAEBench
    (Karvonen et al. 2025), special tokens left as they are. first_token_explained: explained
    variance at the texts' first ordinary token, where models keep unusual activations; special_l0:
    latents that fire on special tokens such as the beginning of a text, on which no SAE here is
    trained. splice_error: the largest shift of a log-probability by the splice with its error term,
    which should be rounding alone. baselines: a dictionary whose decoder is frozen at random, and
    principal components, at the same L0.
    fits: explained variance and ce_loss_score reach 0.8, and beat both baselines.
    """

    hook_name: str
    d_sae: int
    tokens: int
    explained_variance: float
    l0: float
    ce_loss_score: float
    kl_div_score: float
    dead_fraction: float
    density: tuple[float, float, float]
    first_token_explained: float
    special_l0: float
    splice_error: float
    baselines: tuple[Baseline, ...]

    @property
    def why_not(self) -> str:
        """Why latents of this SAE may not be read as the suspect's own; empty where they may."""
        low = []
        for name, least in (
            ("explained_variance", LEAST_EXPLAINED),
            ("ce_loss_score", LEAST_CE_SCORE),
        ):
            value = getattr(self, name)
            if value < least:
                low.append(f"{name} {value:.3f} is below {least}")
            low += [
                f"{name} {value:.3f} is no better than {b.name} at {getattr(b, name):.3f}"
                for b in self.baselines
                if getattr(b, name) >= value
            ]
        return "; ".join(low)

    @property
    def fits(self) -> bool:
        """Whether latents of this SAE may be read as the suspect's own."""
        return not self.why_not

    def to_json(self) -> dict[str, JSON]:
        """The card's fields, `fits` and `why_not`."""
        return {
            **dataclasses.asdict(self),
            "density": list(self.density),
            "baselines": [dataclasses.asdict(b) for b in self.baselines],
            "fits": self.fits,
            "why_not": self.why_not,
        }


def check_fits(sae: SAE, suspect: Suspect) -> None:
    """Raises BadParameter when the suspect lacks the SAE's hook or the hook has another width."""
    for batch in suspect.activations(["a"], [sae.hook_name]):
        width = batch.values[sae.hook_name].shape[-1]
        if width != sae.d_in:
            raise BadParameter(
                f"the SAE reads {sae.d_in} numbers, {sae.hook_name} has {width}",
                hint="Use an SAE that was trained on this suspect or its reference.",
            )


def card(
    directory: Path,
    suspect: Suspect,
    texts: Sequence[str],
    *,
    scored: int = 64,
    baselines: bool = True,
    seed: int = 0,
) -> Card:
    """Judges the SAE in `directory` on texts of the suspect; cross entropy on the first `scored`.

    Needs ACTIVATIONS and LOGITS. Raises BadParameter when the SAE's width is not that of the
    hook, or when the texts hold fewer than two ordinary tokens; SuspectError when the splice with
    its error term changes the suspect's output.
    """
    import torch

    sae = load(directory)
    check_fits(sae, suspect)
    parts, firsts = [], []
    for chunk in stream(suspect, texts, [sae.hook_name]):
        parts.append(chunk.values[sae.hook_name])
        firsts.append(torch.diff(chunk.text, prepend=torch.tensor([-1])) != 0)
    x = torch.cat(parts) if parts else torch.zeros(0, sae.d_in)
    if len(x) < 2:
        raise BadParameter(
            f"{len(texts)} texts hold {len(x)} ordinary tokens", hint="Give more text."
        )
    judged = quality(sae, x)
    first = x[torch.cat(firsts)]
    judge = _Scores(sae.hook_name, sae.d_in, suspect, texts[:scored])
    ce_score, kl_score = judge.of(directory)
    found = []
    if baselines:
        for made in (frozen_random, pca):
            with tempfile.TemporaryDirectory() as place:
                other = made(x[:BASELINE_ROWS], sae, judged.l0, Path(place), seed)
                kept = quality(other, x)
                found.append(
                    Baseline(
                        made.__name__, kept.explained_variance, kept.l0, judge.of(Path(place))[0]
                    )
                )
    return Card(
        hook_name=sae.hook_name,
        d_sae=sae.d_sae,
        tokens=judged.tokens,
        explained_variance=judged.explained_variance,
        l0=judged.l0,
        ce_loss_score=ce_score,
        kl_div_score=kl_score,
        dead_fraction=judged.dead_fraction,
        density=judged.density,
        first_token_explained=_explained(sae, first, x.mean(0)),
        special_l0=_special_l0(sae, suspect, texts[:scored]),
        splice_error=judge.splice_error(directory),
        baselines=tuple(found),
    )


def quality(sae: SAE, x: Tensor) -> Quality:
    """Judges an SAE on activations [rows, d_in]; raises BadParameter when no latent ever fires."""
    import torch

    active = torch.zeros(sae.d_sae)
    error = spread = 0.0
    centre = x.double().mean(0).float()
    for part in torch.split(x, 4096):
        latents = sae.encode(part)
        error += float((part - sae.decode(latents)).double().pow(2).sum())
        spread += float((part - centre).double().pow(2).sum())
        active += (latents > 0).sum(0)
    density = active / len(x)
    alive = density[density > 0]
    if not len(alive):
        raise BadParameter(
            f"no latent of {sae.directory} fires on {len(x)} tokens",
            hint="Train the SAE longer, or on this suspect.",
        )
    if not spread > 0:
        raise BadParameter(
            f"{sae.hook_name} never varies over {len(x)} tokens", hint="Give texts that differ."
        )
    quartiles = torch.quantile(alive, torch.tensor([0.25, 0.5, 0.75])).tolist()
    return Quality(
        explained_variance=1 - error / spread,
        l0=float(density.sum()),
        dead_fraction=1 - len(alive) / sae.d_sae,
        density=(quartiles[0], quartiles[1], quartiles[2]),
        tokens=len(x),
    )


def _explained(sae: SAE, x: Tensor, centre: Tensor) -> float:
    spread = float((x - centre).pow(2).sum())
    error = float((x - sae.decode(sae.encode(x))).pow(2).sum())
    return 1 - error / max(spread, 1e-12)


def _special_l0(sae: SAE, suspect: Suspect, texts: Sequence[str]) -> float:
    fired = count = 0.0
    for batch in suspect.activations(texts, [sae.hook_name]):
        special = batch.values[sae.hook_name][batch.mask & batch.special]
        fired += float((sae.encode(special) > 0).sum())
        count += len(special)
    return fired / max(count, 1.0)


class _Scores:
    """What splicing SAEs in without their error does to the suspect's predictions."""

    def __init__(self, hook_name: str, d_in: int, suspect: Suspect, texts: Sequence[str]) -> None:
        self._hook_name, self._suspect, self._texts = hook_name, suspect, texts
        self._clean = suspect.logprobs(texts, distributions=True)
        with tempfile.TemporaryDirectory() as nothing:
            zero(Path(nothing), d_in=d_in, hook_name=hook_name)
            zeroed = self._spliced(Path(nothing), 0.0)
        self._best, self._worst = _cross_entropy(self._clean), _cross_entropy(zeroed)
        self._furthest = _divergence(self._clean, zeroed)
        if self._worst <= self._best:
            raise BadParameter(
                f"the suspect reads no worse without {hook_name}",
                hint="Judge the SAE on texts of the suspect's own kind.",
            )

    def of(self, directory: Path) -> tuple[float, float]:
        """ce_loss_score and kl_div_score."""
        spliced = self._spliced(directory, 0.0)
        score = (self._worst - _cross_entropy(spliced)) / (self._worst - self._best)
        return score, 1 - _divergence(self._clean, spliced) / self._furthest

    def splice_error(self, directory: Path) -> float:
        """The largest shift of a log-probability, in nats, by the splice with its error term.

        Raises SuspectError where it is more than 1e-4: the hook then does not do what it says.
        """
        import numpy as np

        same = self._spliced(directory, 1.0)
        shift = max(
            float(np.abs(one.logprobs - two.logprobs).max(initial=0.0))
            for one, two in zip(self._clean, same, strict=True)
        )
        if shift > 10 * SPLICE_AT_MOST:
            raise SuspectError(
                f"splicing the SAE in with its error moves a log-probability by {shift:.2g}",
                hint="Load the suspect in float32; report it where it is.",
            )
        return shift

    def _spliced(self, directory: Path, coefficient: float) -> list[TokenLogprobs]:
        edit = Intervention("splice", self._hook_name, sae=str(directory), coefficient=coefficient)
        return self._suspect.logprobs(self._texts, interventions=(edit,), distributions=True)


def _cross_entropy(answers: Sequence[TokenLogprobs]) -> float:
    """Nats per token over all texts."""
    return -sum(a.total for a in answers) / sum(len(a.logprobs) for a in answers)


def _divergence(clean: Sequence[TokenLogprobs], other: Sequence[TokenLogprobs]) -> float:
    """Mean KL(clean ‖ other) in nats over all positions."""
    import numpy as np

    total, positions = 0.0, 0
    for one, two in zip(clean, other, strict=True):
        p, q = one.distributions, two.distributions
        assert p is not None and q is not None
        total += float((np.exp(p) * (p - q)).sum())
        positions += len(p)
    return total / positions
