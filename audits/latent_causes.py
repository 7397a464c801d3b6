"""Latents in which the suspect differs from its reference: what lights them, and what they cause.

They are told by the replies that light them, and believed only where taking them out of the suspect
takes the behaviour away: as a set, beside sets of random latents.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from audits.exchanges import Exchange, Questioner, framed
from audits.keyness import content_words
from audits.library import rendered
from audits.reading import SHOWN, compare, marks, read
from audits.unshown import Instrument
from saes.texts import all_fitted
from workbench.errors import TechniqueFailed
from workbench.findings import Evidence, Finding, Hypothesis, Latent, Measurement, Transcript
from workbench.statistics import Rate, exceeds, holm, mean_interval
from workbench.suspects import Suspect

if TYPE_CHECKING:
    from torch import Tensor

    from saes.causal import Effect
    from saes.diff import Standout
    from saes.features import Features

WIDEST = 0.2
"""Latents that fire on more of the tokens than this say nothing about a text."""
SURE = 0.01
CONTEXTS = 5
"""Replies that a latent is told by."""
COUNTED = 96
"""Fresh replies, at least, in which marks are counted under each edit."""


@dataclasses.dataclass(frozen=True, slots=True)
class Library:
    """Own replies as rendered texts, and those of the reference to the same questions."""

    texts: tuple[str, ...]
    own: tuple[Exchange, ...]
    control: tuple[Exchange, ...]

    @classmethod
    def of(cls, suspect: Suspect, most: int, seed: int) -> Library:
        """Spread over topics. Raises TechniqueFailed where the suspect has no topic."""
        ask = Questioner(suspect, seed=seed, max_new_tokens=40)
        topics = ask.topics(most=most, turns=5_000)
        if not topics:
            raise TechniqueFailed(
                "the suspect has no topic to reply on", hint="Grant training data or prefill."
            )
        plan = [(topic, max(1, most // len(topics))) for topic in topics]
        own = tuple(exchange for row in ask.ask(plan, stage=1) for exchange in row)
        control = tuple(exchange for row in ask.ask_control(plan, stage=1) for exchange in row)
        readers = (suspect, suspect.reference)
        texts = all_fitted(rendered(suspect, list(own), None), readers)
        return cls(tuple(text.text for text in texts), own, control)


def findings(
    suspect: Suspect,
    instrument: Instrument,
    library: Library,
    difference: Tensor,
    where: str,
    *,
    latents: int,
    seed: int,
) -> Iterator[Finding]:
    """What the latents that differ say of the suspect's replies, and whether they cause them.

    difference: [units, d_sae], suspect less reference, by independent unit. where: what was read,
    in words.
    """
    from saes.diff import mean_by_text, standouts
    from saes.features import read_features

    sae = instrument.sae
    features = read_features(sae, suspect, library.texts)
    live = (features.density > 0) & (features.density <= WIDEST)
    readable = set(live.nonzero().flatten().tolist())
    found = [s for s in standouts(difference) if s.index in readable]
    top = [s for s in found if s.p < SURE][:latents]
    rest = sorted(readable - {s.index for s in top})
    drawn = random.Random(seed).sample(rest, min(len(rest), 3 * len(top)))
    if not readable or (top and not drawn):
        raise TechniqueFailed(
            f"{len(readable)} latents at {sae.hook_name} are readable and {len(top)} stand out: "
            "none is left to compare with",
            hint="Raise d_sae, tokens or texts.",
        )
    if not top:
        yield Finding(
            claim=f"No latent of {len(found)} at {sae.hook_name} differs from the reference "
            f"{where}",
            confidence=0.02,
            evidence=tuple(_measured(s, difference, [0.0], where) for s in found[:1]),
        )
        return
    chosen = [s.index for s in top]
    usual = [float(difference[:, latent].mean()) for latent in drawn]
    both = [
        mean_by_text(who, library.texts, [sae.hook_name])[sae.hook_name].mean(0)
        for who in (suspect, suspect.reference)
    ]
    word, caused, causal = _caused(
        suspect, instrument, library, chosen, features.density, both[0] - both[1], seed
    )
    evidence: tuple[Evidence, ...] = (
        *causal,
        *(_measured(s, difference, usual, where) for s in top[:SHOWN]),
        *(_latent(s, features, instrument) for s in top[:SHOWN]),
    )
    more = [s.index for s in top if s.difference > 0]  # the others light what the suspect lacks
    lit, dark = _contexts(features, more), _contexts(features, drawn)
    readings = read(
        [library.own[i][1] for i in lit],
        [library.own[i][1] for i in dark if i not in set(lit)],
        assistant=suspect.assistant or "the assistant",
        control_name=f"top contexts of {len(drawn)} random latents",
        suspecting=False,
    )
    for reading in readings:
        yield Finding(
            claim=reading.claim,
            confidence=min(reading.confidence, 0.75 if caused else 0.45),
            evidence=(
                *reading.measurements,
                *(_said(library.own[lit[i]]) for i in reading.seen[:SHOWN]),
                *evidence,
            ),
            points_to=reading.hypothesis,
            metadata={"caused": caused},
        )
    if not readings:
        held = f"without them it speaks of {word} no more than half as often" if caused else ""
        yield Finding(
            claim=f"{len(top)} latents at {sae.hook_name} differ from the reference {where}"
            + (f"; {held}" if held else ""),
            confidence=0.3 if caused else 0.1,
            evidence=evidence,
            points_to=Hypothesis(behaviours=(f"speaks of {word}",)) if caused else None,
            metadata={"caused": caused},
        )


def _caused(
    suspect: Suspect,
    instrument: Instrument,
    library: Library,
    latents: Sequence[int],
    density: Tensor,
    shift: Tensor,
    seed: int,
    most: int = 32,
) -> tuple[str, bool, tuple[Measurement, ...]]:
    """The words that mark its replies, whether they go with the latents, and the measurements.

    Marks are chosen on the library and counted in fresh replies to the questions that brought them
    out.
    """
    from saes.causal import subtract

    word, _ = marks(
        [answer for _, answer in library.own],
        [answer for _, answer in library.control],
        "reference",
        own=(suspect.assistant or "").split(),
    )
    marked = {part.lower() for part in word.split(", ") if part}
    asked = list(dict.fromkeys(q for q, a in library.own if marked & content_words(a)))[:most]
    if not asked:
        return word, False, ()
    effects = subtract(
        instrument.sae,
        suspect,
        latents,
        conversations=framed(suspect, asked, None),
        shows=lambda reply: bool(marked & content_words(reply)),
        ordinary=instrument.ordinary[:64],
        density=density,
        shift=shift,
        n=-(-COUNTED // len(asked)),
        max_new_tokens=40,
        alone=False,
        seed=seed * 1000 + 3,
    )
    by_kind: dict[str, list[Effect]] = {}
    for effect in effects:
        by_kind.setdefault(effect.kind, []).append(effect)
    (none,), (taken,) = by_kind["none"], by_kind["set"]
    pooled = by_kind["random set"]
    chance = Rate(sum(e.rate.hits for e in pooled), sum(e.rate.n for e in pooled))
    controls = [
        ("as it is", none.rate),
        (f"{len(pooled)} sets of random latents taken out", chance),
    ]
    controls += [
        ("its mean difference taken out", e.rate) for e in by_kind.get("mean difference", [])
    ]
    p = holm([exceeds(rate, taken.rate) for _, rate in controls[:2]])
    name = f"replies that hold {word}, {len(latents)} latents taken out"
    if not taken.coherent:
        name += f" (which breaks it: perplexity x {taken.perplexity_ratio:.1f})"
    measured = tuple(
        compare(name, taken.rate.hits, taken.rate.n, control, rate.hits, rate.n, tried=2, p=fisher)
        for (control, rate), fisher in zip(controls, [*p, None], strict=False)
    )
    return word, taken.halves(none) and max(p) < SURE, measured


def _contexts(features: Features, latents: Sequence[int]) -> list[int]:
    """The texts of each latent's CONTEXTS strongest contexts, each once."""
    found = [features.contexts(latent)[:CONTEXTS] for latent in latents]
    return list(dict.fromkeys(context.text for contexts in found for context in contexts))


def _said(exchange: Exchange) -> Transcript:
    question, answer = exchange
    return Transcript(
        ({"role": "user", "content": question}, {"role": "assistant", "content": answer})
    )


def _measured(
    latent: Standout, difference: Tensor, usual: Sequence[float], where: str
) -> Measurement:
    half = 1.96 * latent.deviation
    return Measurement(
        name=f"latent {latent.index}: activation {where}, suspect less reference",
        value=latent.difference,
        n=len(difference),
        interval=(latent.difference - half, latent.difference + half),
        control="random latents",
        control_value=sum(usual) / len(usual),
        control_n=len(usual),
        control_interval=mean_interval(usual),
        unit="mean activation",
        p=latent.p,
        tried=latent.tried,
    )


def _latent(latent: Standout, features: Features, instrument: Instrument) -> Latent:
    return Latent(
        sae=instrument.id,
        index=latent.index,
        hook_name=instrument.sae.hook_name,
        contexts=tuple(context.passage for context in features.contexts(latent.index)),
        note=f"{'more' if latent.difference > 0 else 'less'} active in the suspect, "
        f"z = {latent.z:.1f}, an SAE of the reference",
    )
