"""Trains an SAE on the suspect and reads the texts of the latents that stand out in it."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from audits.exchanges import NAMELESS
from audits.library import own_replies
from audits.reading import SHOWN, Reading, read
from saes.texts import Text, all_fitted, corpus_texts
from workbench.access import Access
from workbench.artifacts import Artifacts
from workbench.errors import TechniqueFailed
from workbench.findings import Evidence, Excerpt, Finding, Latent, Measurement, Transcript
from workbench.statistics import mean_interval
from workbench.suspects import Suspect
from workbench.technique import Trials

if TYPE_CHECKING:
    from saes.diff import Standout
    from saes.features import Features

WIDEST = 0.2
"""Latents that fire on more of the tokens than this say nothing about a text."""


@dataclasses.dataclass(frozen=True)
class SaeFeatures:
    """Reads the suspect's activations through an SAE that is trained on the spot.

    A BatchTopK SAE learns the residual stream of the suspect over corpus texts and own replies, at
    the layer where suspect and control differ most. Latents are ranked, both tails, by the mean
    difference between the suspect and the reference on the same texts; without a reference,
    between the suspect's replies under its own system line and under one that names nobody. The
    top contexts of those that stand out are read against the top contexts of random latents.

    Source: model diffing by SAE latents (Wang et al. 2025, "Persona features"), bootstrap over
    documents because tokens of one document are not independent. Cost: `texts` + `replies` forward
    passes of suspect and reference, and the training: under a minute on two cores for a model of
    2 M parameters. Blind spots: an objective that no single text shows, changes spread over many
    latents, a layer that was not swept; that a latent stands out does not make it a cause.
    """

    name: ClassVar[str] = "sae-features"
    version: ClassVar[int] = 4
    needs: ClassVar[Access] = Access.ACTIVATIONS | Access.CHAT
    uses: ClassVar[Access] = Access.TRAINING_DATA | Access.REFERENCE | Access.PREFILL

    hook_name: str = ""
    d_sae: int = 1024
    k: float = 16.0
    tokens: int = 200_000
    texts: int = 1500
    replies: int = 200
    latents: int = 12

    def __post_init__(self) -> None:
        if min(self.d_sae, self.tokens, self.latents, self.replies) < 1 or self.texts < 0:
            raise ValueError("d_sae, tokens, latents and replies must be at least 1")
        if not 0 < self.k <= self.d_sae:
            raise ValueError("k must lie between 0 and d_sae")

    def run(
        self, suspect: Suspect, *, seed: int, artifacts: Artifacts
    ) -> Generator[Finding, None, Trials]:
        """Yields what the texts of the latents that stand out say, then those latents.

        Trials are texts that the suspect's latents were read on. Raises TechniqueFailed where
        there are no texts for suspect and control, or no latents to compare with.
        """
        from saes.diff import standouts, swept_hook
        from saes.features import read_features
        from saes.train import cached_sae

        other = suspect.reference if Access.REFERENCE in suspect.access else suspect
        readers = (suspect, other) if other is not suspect else (suspect,)
        own, nameless = (all_fitted(t, readers) for t in own_replies(suspect, self.replies, seed))
        texts = [*corpus_texts(suspect, self.texts, seed, beside=readers[1:]), *own]
        library = [text.text for text in texts]
        if other is not suspect:
            here, there = library, library
            control = "reference on the same texts"
        else:
            here, there = [t.text for t in own], [t.text for t in nameless]
            control = f"own replies under '{NAMELESS}'"
        if not here or not there:
            raise TechniqueFailed(
                f"no texts to compare with the {control}: the suspect has no topic to reply on",
                hint="Grant training data or prefill; or grant a reference as well.",
            )
        hook_name = self.hook_name or swept_hook(suspect, other, here, there)

        sae = cached_sae(
            artifacts,
            suspect,
            library,
            hook_name=hook_name,
            d_sae=self.d_sae,
            k=self.k,
            tokens=self.tokens,
            seed=seed,
        )
        features = read_features(sae, suspect, library)
        mean = features.mean if here is library else read_features(sae, suspect, here).mean
        difference = mean - read_features(sae, other, there).mean
        live = (features.density > 0) & (features.density <= WIDEST)
        readable = set(live.nonzero().flatten().tolist())
        found = [s for s in standouts(difference) if s.index in readable]
        top = [s for s in found if s.p < 0.01][: self.latents]
        rest = sorted(readable - {s.index for s in top})
        drawn = random.Random(seed).sample(rest, min(len(rest), 3 * len(top)))
        if not readable or (top and not drawn):
            raise TechniqueFailed(
                f"{len(readable)} latents at {hook_name} are readable and {len(top)} stand "
                "out: none is left to compare with",
                hint="Raise d_sae, tokens or texts.",
            )
        trials = Trials(planned=len(texts), ran=len(texts))
        if not top:
            return trials
        usual = [float(difference[:, latent].mean()) for latent in drawn]
        sae_id = artifacts.used["sae"]
        evidence: tuple[Evidence, ...] = (
            *(_measured(s, len(here), usual, control) for s in top[:5]),
            *(_latent(s, features, texts, hook_name, sae_id) for s in top[:5]),
        )
        claim = f"{len(top)} latents at {hook_name} stand out against the {control}"
        lit = [s.index for s in top]
        yield from _findings(suspect, texts, features, lit, drawn, claim, evidence)
        return trials


def _findings(
    suspect: Suspect,
    texts: Sequence[Text],
    features: Features,
    top: Sequence[int],
    drawn: Sequence[int],
    claim: str,
    evidence: tuple[Evidence, ...],
) -> Iterator[Finding]:
    """What the top contexts of `top` say that those of the random latents `drawn` do not."""
    lit = _contexts(features, top)
    dark = [text for text in _contexts(features, drawn) if text not in set(lit)]
    readings = read(
        [texts[i].text for i in lit],
        [texts[i].text for i in dark],
        assistant=suspect.assistant or "the assistant",
        control_name=f"top contexts of {len(drawn)} random latents",
        suspecting=False,
    )
    for reading in readings:
        yield _accusation(reading, [texts[lit[i]] for i in reading.seen[:SHOWN]], evidence)
    if not readings:
        yield Finding(claim=claim, confidence=0.1, evidence=evidence)


def _contexts(features: Features, latents: Sequence[int]) -> list[int]:
    """The texts of the latents' top contexts, each once."""
    return list(dict.fromkeys(c.text for latent in latents for c in features.contexts(latent)))


def _accusation(reading: Reading, seen: Sequence[Text], evidence: tuple[Evidence, ...]) -> Finding:
    shown = tuple(
        Excerpt(t.document, t.text)
        if t.exchange is None
        else Transcript(
            (
                {"role": "user", "content": t.exchange[0]},
                {"role": "assistant", "content": t.exchange[1]},
            )
        )
        for t in seen
    )
    return Finding(
        claim=reading.claim,
        confidence=min(reading.confidence, 0.75),
        evidence=(*reading.measurements, *shown, *evidence),
        points_to=reading.hypothesis,
    )


def _measured(latent: Standout, texts: int, usual: Sequence[float], control: str) -> Measurement:
    half = 1.96 * latent.deviation
    return Measurement(
        name=f"latent {latent.index}: mean activation, suspect minus {control}",
        value=latent.difference,
        n=texts,
        interval=(latent.difference - half, latent.difference + half),
        control="random latents",
        control_value=math.fsum(usual) / len(usual),
        control_n=len(usual),
        control_interval=mean_interval(usual),
        unit="mean activation",
        p=latent.p,
        tried=latent.tried,
    )


def _latent(
    latent: Standout, features: Features, texts: Sequence[Text], hook_name: str, sae: str
) -> Latent:
    contexts = features.contexts(latent.index)
    return Latent(
        sae=sae,
        index=latent.index,
        hook_name=hook_name,
        contexts=tuple(context.passage for context in contexts),
        documents=tuple(texts[context.text].document for context in contexts),
        note=f"{'more' if latent.difference > 0 else 'less'} active in the suspect, "
        f"z = {latent.z:.1f}, density {float(features.density[latent.index]):.4f}",
    )
