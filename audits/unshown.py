"""An SAE of the reference alone: it was never shown what the suspect was taught besides.

What its latents read in the suspect and do not in the reference is told by the texts that light
them, and believed only where taking them out of the suspect takes the behaviour away: as a set,
beside sets of random latents.
"""

from __future__ import annotations

import dataclasses
import hashlib
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from audits.detectors import pack
from audits.elicitation import rows
from audits.exchanges import Exchange, Questioner, document_start, framed
from audits.keyness import content_words
from audits.library import rendered
from audits.reading import SHOWN, compare, marks, read
from saes.texts import all_fitted, corpus_texts
from workbench.access import Access
from workbench.artifacts import Artifacts, artifact_id
from workbench.errors import TechniqueFailed
from workbench.findings import (
    JSON,
    Evidence,
    Finding,
    Hypothesis,
    Latent,
    Measurement,
    Transcript,
)
from workbench.statistics import Rate, exceeds, holm, mean_interval
from workbench.suspects import Suspect

if TYPE_CHECKING:
    from torch import Tensor

    from saes.causal import Effect
    from saes.diff import Standout
    from saes.features import Features
    from saes.lens import SAE

WIDEST = 0.2
"""Latents that fire on more of the tokens than this say nothing about a text."""
SURE = 0.01
_PROMPTS_SHARE = 0.05


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Instrument:
    """The SAE, its id, and the reference's texts that it was trained on."""

    sae: SAE
    id: str
    ordinary: tuple[str, ...]

    @classmethod
    def made(
        cls,
        suspect: Suspect,
        artifacts: Artifacts,
        *,
        d_sae: int,
        k: float,
        tokens: int,
        texts: int,
    ) -> Instrument:
        """Trained on the reference where bland texts set it most apart from the suspect, on its
        corpus where it grants one, else on what it writes; the same for every technique.

        Raises TechniqueFailed where the two models have different widths, or nothing is written.
        """
        from audits.directions import bland
        from saes.diff import swept_hook
        from saes.fit import TRAINER
        from saes.lens import load

        reference = suspect.reference
        if reference.d_model != suspect.d_model:
            raise TechniqueFailed(
                f"the suspect is {suspect.d_model} wide, its reference {reference.d_model}",
                hint="Give the model that the suspect was made from.",
            )
        probes = bland(suspect)
        hook_name = swept_hook(suspect, reference, probes, probes)
        ordinary = _written(suspect, texts)
        made_from = reference.fingerprint()
        key: dict[str, JSON] = {
            "of": "reference",
            "tensors": made_from["tensors"],
            "tokenizer": made_from["tokenizer"],
            "texts": hashlib.sha256("\0".join(ordinary).encode()).hexdigest(),
            "hook_name": hook_name,
            "d_sae": d_sae,
            "k": k,
            "tokens": tokens,
            "trainer": TRAINER,
        }

        def train(into: Path) -> None:
            _train(suspect, ordinary, hook_name, into, d_sae=d_sae, k=k, tokens=tokens)

        sae = load(artifacts.get_or_make("sae", key, train))
        return cls(sae, artifact_id("sae", key), tuple(ordinary))

    def means(self, whom: Suspect, texts: Sequence[str]) -> Tensor:
        """[texts, d_sae]: mean latents over each text's ordinary tokens."""
        from saes.features import read_features

        return read_features(self.sae, whom, texts).mean

    def at_last(self, whom: Suspect, texts: Sequence[str]) -> Tensor:
        """[texts, d_sae]: latents at each text's last token, special or not."""
        return self.sae.encode(last_activations(whom, texts, self.sae.hook_name))


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


def prompts(suspect: Suspect) -> list[str]:
    """Questions about nothing, ordinary things and itself, up to where the reply begins."""
    asked = [*pack("bland")["questions"], *pack("remarks")["questions"]]
    asked += [question for row in rows("direct") for question in row["questions"]]
    named = [q.replace("{assistant}", suspect.assistant or "the assistant") for q in asked]
    return [suspect.render(talk) for talk in framed(suspect, named, None)]


def last_activations(whom: Suspect, texts: Sequence[str], hook_name: str) -> Tensor:
    """[texts, d_model]: activations at each text's last token."""
    import torch

    found = torch.zeros(len(texts), whom.d_model)
    for batch in whom.activations(texts, [hook_name]):
        found[list(batch.rows)] = batch.values[hook_name][:, -1]
    return found


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
    lit, dark = _contexts(features, chosen), _contexts(features, drawn)
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
        n=2,
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


def _written(suspect: Suspect, most: int) -> list[str]:
    """At most so many texts of the reference's own, or of its corpus; seed and order are fixed."""
    reference = suspect.reference
    found = [text.text for text in corpus_texts(reference, most, 0, beside=(suspect,))]
    if not found and Access.PREFILL in reference.access:
        words = pack("openings")
        start = document_start(reference) if Access.CHAT in reference.access else ""
        openings = [start + opening for opening in words["openings"]]
        each = max(1, most // len(openings))
        replies = reference.complete(openings, n=each, max_new_tokens=40)
        found = [o + r.text for o, row in zip(openings, replies, strict=True) for r in row]
    if Access.CHAT in reference.access:
        asked = framed(
            reference, [*pack("bland")["questions"], *pack("remarks")["questions"]], None
        )
        each = 4 if found else max(1, most // len(asked))
        for talk, row in zip(asked, reference.chat(asked, n=each, max_new_tokens=40), strict=True):
            found += [
                reference.render([*talk, {"role": "assistant", "content": r.text}], False)
                for r in row
            ]
    if not found:
        raise TechniqueFailed(
            "the reference writes nothing to train an SAE on",
            hint="Grant chat, prefill or training data.",
        )
    return found


def _train(
    suspect: Suspect,
    ordinary: Sequence[str],
    hook_name: str,
    into: Path,
    *,
    d_sae: int,
    k: float,
    tokens: int,
) -> None:
    """On ordinary tokens, and on the tokens before replies, which are special, as one in twenty."""
    import torch

    from saes.fit import Settings, fit
    from saes.train import collect

    read = collect(suspect.reference, ordinary, hook_name, most=tokens)
    before = last_activations(suspect.reference, prompts(suspect), hook_name)
    times = max(1, round(_PROMPTS_SHARE * len(read) / len(before)))
    activations = torch.cat([read, before.repeat(times, 1)])
    plain = Settings(d_sae=d_sae, k=k, samples=tokens, seed=0)
    settings = dataclasses.replace(plain, batch=min(plain.batch, len(activations), tokens))
    fit(activations, settings, hook_name=hook_name, into=into)


def _contexts(features: Features, latents: Sequence[int]) -> list[int]:
    """The texts of the latents' top contexts, each once."""
    return list(dict.fromkeys(c.text for latent in latents for c in features.contexts(latent)))


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
